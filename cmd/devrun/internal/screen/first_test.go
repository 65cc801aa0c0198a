//go:build linux

package screen

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
)

// It has its page where the app was in the last run, also if go.mod is what is wrong; the
// terminal says where that is, and of which address another program has.
func testFirstBuild(t *testing.T) {
	last := e2e.New(t, "notify")
	taken := suite.FreePort(t)
	last.Env = append(last.Env, fmt.Sprint("SECOND_PORT=", taken))
	last.Start()
	suite.Until(t, "the addresses are remembered", func() error {
		files, err := filepath.Glob(filepath.Join(last.Cache, "addresses", "*"))
		if len(files) == 0 {
			return fmt.Errorf("there is no file: %v", err)
		}
		return nil
	})
	last.Cmd.Process.Signal(os.Interrupt)
	last.Exit()

	other, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", taken))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	mod := last.Read("go.mod")
	last.Write("go.mod", mod+"<<<<<<< HEAD\n")
	last.Write("broken.go", "package main\n\nvar broken = undefined\n")
	r := &e2e.Rig{T: t, Dir: last.Dir, Port: last.Port, Env: last.Env, Ended: make(chan struct{})}
	r.Launch(".")
	shown := fmt.Sprintf("devrun: error page http://localhost:%d\ndevrun: no error page: listen on localhost:%d: address already in use\ndevrun: waiting for a save\n", r.Port, taken)
	for _, wrong := range []string{"unknown directive: <<<<<<<", "undefined: undefined"} {
		r.Says(`(?s)` + wrong + `\n\n` + shown)
		if status, body := r.Get("/version"); status != 500 || !strings.Contains(body, wrong) {
			t.Errorf("%d %s", status, body)
		}
		r.Write("go.mod", mod)
	}
	if text := r.Stderr.String(); strings.Contains(text, "hook") {
		t.Errorf("devrun says %s", text)
	}
	other.Close()
	r.Remove("broken.go")
	r.Served("v1")
}

// It builds again and says so, for what is wrong may be no file of the app's.
func testFirstBuildAgain(t *testing.T) {
	s := e2e.NewScreen(t)
	overlay := filepath.Join(t.TempDir(), "overlay.json")
	s.Env = append(s.Env, "GOFLAGS=-overlay="+overlay)
	s.Launch(".")
	s.Says(`(?s)overlay\.json: no such file or directory\n.*^devrun: waiting for a save, or press r to start again$`)
	point := s.Point()
	s.Types("r")
	s.SaysAfter(point, `(?s)overlay\.json: no such file or directory\n.*^devrun: waiting for a save, or press r to start again$`)
	if err := os.WriteFile(overlay, []byte(`{"Replace":{}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	s.Types("r")
	s.Served("v1")
	s.Looks(`(?s)(<dim>devrun:</> building \.\n.*){3}`)
}
