//go:build linux

package serving

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
)

// An app of several processes is one app: whichever serves, its failures have their
// page with its pid, a save takes the place of all, and nothing of them is left.
func TestSeveralProcesses(t *testing.T) {
	e2e.Cases{
		// Children that share the port
		{"prefork", func(t *testing.T) { several(t, "prefork") }},
		// The same by system calls of the app's own, as Fiber's prefork
		{"raw", testRaw},
		// The same where devrun does not see them
		{"unseen", testUnseen},
		// A child that serves on the descriptor of its parent
		{"inherit", func(t *testing.T) { several(t, "inherit") }},
		// The same after the parent has ended, as with a restart without a gap
		{"leave", func(t *testing.T) { several(t, "leave") }},
		// A child in the background
		{"daemon", func(t *testing.T) { several(t, "daemon") }},
		// The process executes itself, and so does its next generation
		{"again", testAgain},
		// The one that served ends, and another has the port
		{"one less", testOneLess},
		// The descriptors that devrun was given reach the app, and devrun answers for them
		{"given", testGiven},
		// The last one ends by itself: that is the app's end
		{"the last one exits", testLastExits},
	}.Run(t)
}

func severalOf(t *testing.T, kind string) *e2e.Rig {
	t.Helper()
	r := e2e.NewOf(t, "notify", "testdata/processes")
	r.Env = append(r.Env, "PROCESSES="+kind)
	return r.Start()
}

func several(t *testing.T, kind string) {
	r := severalOf(t, kind)
	first := showsPanic(r)
	r.SetVersion("v2")
	r.Served("v2")
	e2e.Gone(t, first)
	second := showsPanic(r)
	r.Cmd.Process.Signal(os.Interrupt)
	if code := r.Exit(); code != 130 {
		t.Errorf("exit status %d", code)
	}
	e2e.Gone(t, second)
}

// showsPanic waits for the page of a panic with its variables, which is to be of the
// process that answers, and returns that.
func showsPanic(r *e2e.Rig) (pid int) {
	r.T.Helper()
	suite.Until(r.T, "the page of a panic", func() error {
		pid = r.AppPid() // another may have begun to
		resp, body, err := e2e.Ask("GET", r.URL("/panic"), nil, "Accept", "application/json")
		if err != nil {
			return err
		}
		if resp.StatusCode != http.StatusInternalServerError || !strings.Contains(body, `"error": "not 44"`) {
			r.T.Fatalf("a panic in process %d: %d %s", pid, resp.StatusCode, body)
		}
		if !strings.Contains(body, fmt.Sprintf(`"pid": %d,`, pid)) || !strings.Contains(body, `"name": "answer"`) {
			return errors.New(body)
		}
		return nil
	})
	return pid
}

func testRaw(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("such listeners are taken over on amd64 only")
	}
	several(t, "raw")
}

func testUnseen(t *testing.T) {
	r := e2e.NewOf(t, "notify", "testdata/processes")
	r.Env = append(r.Env, "PROCESSES=unseen")
	r.Launch()
	r.Says(fmt.Sprintf(`^devrun: the app listens on 127\.0\.0\.1:%d past package net and keeps that address`, r.Port))
	said := regexp.MustCompile(`:(\d+) `).FindStringSubmatch(r.Says(`^devrun: serving http://localhost:\d+ `))
	port, err := strconv.Atoi(said[1])
	if err != nil || port == r.Port {
		t.Fatal(said)
	}
	r.Port = port
	showsPanic(r)
	r.SetVersion("v2")
	r.Served("v2")
	showsPanic(r)
}

func testAgain(t *testing.T) {
	r := severalOf(t, "again")
	for _, version := range []string{"v2", "v3"} {
		pid := r.AppPid()
		if status, body := r.Get("/again"); status != 200 && status != 502 { // it may close its connections before it answers
			t.Errorf("GET /again: %d %s", status, body)
		}
		r.Answers("/start", "second")
		if now := r.AppPid(); now != pid {
			t.Errorf("it has executed itself as another process: %d, %d", pid, now)
		}
		if now := showsPanic(r); now != pid {
			t.Errorf("process %d fails, not %d", now, pid)
		}
		r.SetVersion(version)
		r.Served(version)
		r.Answers("/start", "")
		e2e.Gone(t, pid)
	}
}

func testOneLess(t *testing.T) {
	r := severalOf(t, "prefork")
	first := r.AppPid()
	if _, _, err := e2e.Ask("POST", r.URL("/exit"), nil); err != nil {
		t.Error(err)
	}
	suite.Until(t, "the other process answers", func() error {
		if status, body := r.Get("/pid"); status != 200 || body == strconv.Itoa(first) {
			return errors.New(body)
		}
		return nil
	})
	showsPanic(r)
}

func testGiven(t *testing.T) {
	r := e2e.NewOf(t, "notify", "testdata/processes")
	r.Env = append(r.Env, "PROCESSES=given", "LISTEN_FDS=2")
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", r.Port))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer port.Close()
	r.Write("given.txt", "a file")
	file, err := os.Open(filepath.Join(r.Dir, "given.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	r.LaunchWith(func(c *exec.Cmd) {
		c.Args = append([]string{"sh", "-c", `LISTEN_PID=$$ exec "$@"`, "sh", c.Path}, c.Args[1:]...)
		c.Path, c.ExtraFiles = "/bin/sh", []*os.File{port, file}
	})
	for _, version := range []string{"v1", "v2"} {
		r.SetVersion(version)
		r.Served(version)
		r.Answers("/given", "a file")
		showsPanic(r)
	}
	r.Says(fmt.Sprintf(`^devrun: serving http://localhost:%d `, r.Port))
}

func testLastExits(t *testing.T) {
	r := severalOf(t, "daemon")
	pid := r.AppPid()
	if _, _, err := e2e.Ask("POST", r.URL("/exit"), nil); err != nil {
		t.Error(err)
	}
	r.Says(`^devrun: app exited, status 4`)
	e2e.Gone(t, pid)
	r.SetVersion("v2")
	r.Served("v2")
}
