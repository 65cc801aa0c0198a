//go:build unix

package suite

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// FakeGo puts a go command on PATH that runs a shell script.
func FakeGo(t testing.TB, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "go"), []byte("#!/bin/sh\n"+script), 0o777); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":/usr/bin:/bin")
}

// CancelGo has do run a go command that hangs, and cancels it: the command and its
// child must be gone when do has returned. It gives do's error.
func CancelGo(t testing.TB, do func(context.Context) error) error {
	t.Helper()
	pids := HangingGo(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- do(ctx) }()
	list := pids()
	cancel()
	err := <-done
	for _, pid := range list {
		if Alive(pid) {
			t.Errorf("process %d lives on", pid)
		}
	}
	return err
}

// HangingGo is FakeGo of a command that hangs, with a child that holds its output
// open. It returns what waits until both are there and gives their ids.
func HangingGo(t testing.TB) (pids func() []int) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "pids")
	FakeGo(t, "sleep 600 &\necho $$ $! > '"+file+"'\nwait\n")
	return func() (list []int) {
		t.Helper()
		Until(t, "the go command has begun", func() error {
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			list = make([]int, 2)
			_, err = fmt.Sscan(string(text), &list[0], &list[1])
			return err
		})
		return list
	}
}

// Alive: a zombie is not. Where nothing reaps orphans it stays for ever.
func Alive(pid int) bool {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)) // none on other systems
	return syscall.Kill(pid, 0) == nil && !strings.Contains(string(stat), ") Z ")
}
