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

func restarts(r *e2e.Rig) int { return strings.Count(r.Stderr.String(), "restarting without a build") }

// testOwnWrites: what the app writes itself is no save, whenever and however it does
// that, and a person's save of the same file is one.
func testOwnWrites(t *testing.T, mode string) {
	r := e2e.NewOf(t, mode, "testdata/writer")
	r.Start()
	// At each start, by saves that are seen, and at each end
	for _, version := range []string{"v2", "v3", "v4"} {
		r.SetVersion(version)
		r.Served(version)
	}
	pid := r.AppPid()
	// Of a file that is there soon, and of one that is gone soon
	for i := range 4 {
		name := fmt.Sprintf("uploads/%d/page.html", i%2)
		r.Get("/upload?name=" + name)
		if i%2 == 1 {
			r.Get("/remove?name=" + name)
		}
	}
	// While a request takes its time to write
	report := make(chan string, 1)
	go func() {
		_, body, err := e2e.Ask("GET", r.URL("/report"), nil)
		report <- fmt.Sprint(body, err)
	}()
	for range 2 {
		r.Get("/finish")
	}
	if got := <-report; strings.Count(got, "at: ") != 2 || !strings.HasSuffix(got, "\n<nil>") {
		t.Errorf("GET /report: %q", got)
	}
	r.Get("/upload?name=template.html")
	if now := r.AppPid(); now != pid {
		t.Errorf("another process answers: %d, it was %d", now, pid)
	}
	r.SetVersion("v5")
	r.Served("v5")
	if n := restarts(r); n > 0 {
		t.Errorf("%d restarts", n)
	}

	for i, name := range []string{"written.yaml", "moved.yaml", "template.html"} {
		pid := r.AppPid()
		r.Write(name, "by hand\n")
		suite.Until(t, "a save by hand", func() error {
			if r.AppPid() == pid {
				return errors.New("it restarts nothing")
			}
			return nil
		})
		// What the app then writes at its start is its own again.
		r.SetVersion(fmt.Sprint("v", 6+i))
		r.Served(fmt.Sprint("v", 6+i))
		if n := restarts(r); n != i+1 {
			t.Errorf("%d restarts, want %d", n, i+1)
		}
	}
}

// testOthersWrites: what a program that the app starts writes at each start does not
// start the app again without end, and a person's save of the same file counts.
func testOthersWrites(t *testing.T, mode string) {
	r := e2e.NewOf(t, mode, "testdata/writer")
	r.Env = append(r.Env, "BY_A_CHILD=date +'at: %N' >other.yaml")
	r.Start()
	r.Says(`^devrun: other.yaml changed right after each of the last 20 starts, so it restarts nothing until it is saved at another time$`)
	r.Served("v1")
	// Three more starts, by saves that are seen, add nothing.
	before := restarts(r)
	for _, version := range []string{"v2", "v3", "v4"} {
		r.SetVersion(version)
		r.Served(version)
	}
	if n := restarts(r) - before; n > 0 {
		t.Errorf("%d more restarts", n)
	}
	pid := r.AppPid()
	suite.Until(t, "a save at another time", func() error {
		r.Write("other.yaml", fmt.Sprintln("by hand:", time.Now().UnixNano()))
		if r.AppPid() == pid {
			return errors.New("it restarts nothing")
		}
		return nil
	})
	suite.Until(t, "it was written again", func() error {
		text, err := os.ReadFile(filepath.Join(r.Dir, "other.yaml"))
		if err != nil || !strings.HasPrefix(string(text), "at: ") {
			return fmt.Errorf("it is %q: %v", text, err)
		}
		return nil
	})
	r.SetVersion("v5")
	r.Served("v5")
	if n := strings.Count(r.Stderr.String(), "other.yaml changed right after"); n != 1 {
		t.Errorf("it is said %d times", n)
	}
}
