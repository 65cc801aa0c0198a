//go:build linux

package screen

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"devrun/cmd/devrun/internal/e2e"
)

// A second build is counted as the first is, when the save is of much.
func testLaterProgress(t *testing.T) {
	s := e2e.NewScreen(t)
	s.Write("much.go", "package main\n\nvar broken = undefined\n")
	s.Launch()
	s.Says(`^devrun: waiting for a save$`)
	imports := "package main\n\n"
	for i := range 3 {
		name := fmt.Sprint("slow", i)
		s.Write(name+"/slow.go", strings.Replace(e2e.SlowSource(int(time.Now().Unix())+i), "package main", "package "+name, 1))
		imports += fmt.Sprintf("import _ \"example.test/app/%s\"\n", name)
	}
	point := len(s.Written.String())
	s.Write("much.go", imports)
	s.Served("v1")
	if text := s.Written.String()[point:]; !regexp.MustCompile(`building \., \d+ of \d+ packages`).MatchString(text) {
		t.Errorf("the terminal shows %q", text)
	}
}
