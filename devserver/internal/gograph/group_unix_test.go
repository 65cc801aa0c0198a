//go:build unix

package gograph

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"devrun/devserver/suite"
)

func TestCancelledKillsTheTree(t *testing.T) {
	dir := tree(t, map[string]string{"go.mod": mod("example.com/app"), "main.go": emptyMain})
	// A go command that hangs, with a child that holds its output open.
	bin := t.TempDir()
	pidFile := filepath.Join(bin, "pid")
	script := "#!/bin/sh\n/bin/sleep 600 &\necho $! > '" + pidFile + "'\nwait\n"
	if err := os.WriteFile(filepath.Join(bin, "go"), []byte(script), 0o777); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := Load(ctx, Options{Dir: dir, Package: "."})
		done <- err
	}()
	var pid int
	suite.Until(t, "the child has begun", func() error {
		text, err := os.ReadFile(pidFile)
		if err != nil {
			return err
		}
		pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
		return err
	})
	cancel()
	if err := <-done; err != context.Canceled {
		t.Errorf("error %v", err)
	}
	suite.Until(t, "the child is dead", func() error {
		// Killed, it may stay as a zombie where nothing reaps orphans.
		stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if syscall.Kill(pid, 0) == nil && !strings.Contains(string(stat), ") Z ") {
			return fmt.Errorf("the child %d lives on", pid)
		}
		return nil
	})
}
