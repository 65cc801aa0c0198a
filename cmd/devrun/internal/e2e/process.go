//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"devrun/devserver/suite"
)

// Builds counts the builds that were finished.
func (r *Rig) Builds() int { return strings.Count(r.Stderr.String(), "devrun: built in ") }

// Says waits for a line of devrun that matches.
func (r *Rig) Says(pattern string) string { r.T.Helper(); return r.SaysAfter(0, pattern) }

// Point is where what devrun has said ends now, for SaysAfter.
func (r *Rig) Point() int { return len(r.Stderr.String()) }

// SaysAfter waits until what devrun says after a point matches.
func (r *Rig) SaysAfter(point int, pattern string) string {
	r.T.Helper()
	re := regexp.MustCompile(`(?m)` + pattern)
	var found string
	suite.Until(r.T, "devrun says "+pattern, func() error {
		text := r.Stderr.String()[point:]
		if found = re.FindString(text); found == "" {
			return fmt.Errorf("it says %q", text)
		}
		return nil
	})
	return found
}

// Quiet shows that nothing happens: it makes a change that must be seen,
// waits for it, and returns how many builds there were besides.
func (r *Rig) Quiet(before int, version string) int {
	r.T.Helper()
	r.SetVersion(version)
	r.Served(version)
	return r.Builds() - before - 1
}

// AppPid is the process that answers.
func (r *Rig) AppPid() int {
	r.T.Helper()
	_, body := r.Get("/pid")
	pid, err := strconv.Atoi(strings.TrimSpace(body))
	if err != nil {
		r.T.Fatalf("GET /pid: %q", body)
	}
	return pid
}

// Gone waits until no process has that id; a zombie is gone.
func Gone(t *testing.T, pid int) {
	t.Helper()
	suite.Until(t, fmt.Sprintf("process %d is gone", pid), func() error {
		if Running(pid) {
			return errors.New("it runs")
		}
		return nil
	})
}

// Running reports whether a process has that id and is no zombie.
func Running(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		return false
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	return !strings.HasPrefix(rest, "Z")
}

// Children are the names of the children of a process that are no zombies;
// of a go command with its verb. The linker that waits for the next save is left out.
func Children(pid int) []string {
	var names []string
	for child, name := range children(pid) {
		if strings.HasPrefix(name, linkerName) {
			continue
		}
		if name == "go" {
			if args, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", child)); err == nil {
				if f := strings.Split(string(args), "\x00"); len(f) > 1 {
					name += " " + f[1]
				}
			}
		}
		names = append(names, name)
	}
	return names
}

// linkerName is how the name begins of a linker that can wait.
const linkerName = "link-"

// Waiting are the linkers of a devrun that wait for a save.
func Waiting(pid int) []int {
	var pids []int
	for child, name := range children(pid) {
		if strings.HasPrefix(name, linkerName) {
			pids = append(pids, child)
		}
	}
	return pids
}

// Hurry gives what devrun does at rest the priority of everything else, where the
// user may do so: what a test waits for shall not wait for all other tests.
func (r *Rig) Hurry() *Rig {
	go func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-r.Ended:
				return
			case <-tick.C:
			}
			for child := range children(r.Cmd.Process.Pid) {
				_ = syscall.Setpriority(syscall.PRIO_PGRP, child, 0)
			}
		}
	}()
	return r
}

// children gives the children of a process, with their names.
func children(pid int) map[int]string {
	all := map[int]string{}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil
	}
	for _, s := range stats {
		b, err := os.ReadFile(s)
		if err != nil {
			continue
		}
		name, rest, ok := strings.Cut(string(b), ") ")
		if !ok {
			continue
		}
		number, name, _ := strings.Cut(name, " (")
		var state string
		var child, ppid int
		if _, err := fmt.Sscan(number+" "+rest, &child, &state, &ppid); err != nil || ppid != pid || state == "Z" {
			continue
		}
		all[child] = name
	}
	return all
}
