//go:build linux

package saves

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
)

// own writes a file at each start, in each of the ways in which that is done, and one
// at its end.
const own = `package main

import (
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func init() {
	now := []byte(fmt.Sprintf("at: %d\n", time.Now().UnixNano()))
	check(os.WriteFile("written.yaml", now, 0o644))
	f, err := os.OpenFile("added.toml", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	check(err)
	f.Write(now)
	f.Close()
	f, err = os.CreateTemp(".", "moved-")
	check(err)
	f.Write(now)
	f.Close()
	check(os.Rename(f.Name(), "moved.yaml"))
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	go func() {
		<-term
		check(os.WriteFile("last.yaml", now, 0o644))
		os.Exit(0)
	}()
}
`

// testOwnWrites: what the app writes whenever it starts does not start it again without
// end, and a person's save of the same file counts.
func testOwnWrites(t *testing.T, mode string) {
	r := e2e.New(t, mode)
	r.Write("own.go", own)
	r.Start()
	restarts := func() int { return strings.Count(r.Stderr.String(), "restarting without a build") }
	for _, f := range []string{"written.yaml", "added.toml", "moved.yaml"} {
		r.Says("^devrun: " + strings.ReplaceAll(f, ".", `\.`) + ` changed right after each of the last 3 starts, so it restarts nothing until it is saved at another time$`)
	}
	r.Served("v1")
	// Three more starts, by saves that are seen, add nothing of the app's own.
	before := restarts()
	for _, version := range []string{"v2", "v3", "v4"} {
		r.SetVersion(version)
		r.Served(version)
	}
	if n := restarts() - before; n > 2 { // for what is written at the end, if it is heard of late
		t.Errorf("%d more restarts", n)
	}
	pid := r.AppPid()
	suite.Until(t, "a save at another time", func() error {
		r.Write("written.yaml", fmt.Sprintln("by hand:", time.Now().UnixNano()))
		if r.AppPid() == pid {
			return errors.New("it restarts nothing")
		}
		return nil
	})
	// And is written once more, which is left alone as before.
	suite.Until(t, "the app has written it", func() error {
		text, err := os.ReadFile(filepath.Join(r.Dir, "written.yaml"))
		if err != nil || !strings.HasPrefix(string(text), "at: ") {
			return fmt.Errorf("it is %q: %v", text, err)
		}
		return nil
	})
	r.SetVersion("v5")
	r.Served("v5")
	if n := strings.Count(r.Stderr.String(), "written.yaml changed right after"); n != 1 {
		t.Errorf("it is said %d times", n)
	}
}
