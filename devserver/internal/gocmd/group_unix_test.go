//go:build unix

package gocmd

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"devrun/devserver/suite"
)

func TestCancelKillsTheGroup(t *testing.T) {
	err := suite.CancelGo(t, func(ctx context.Context) error {
		_, _, err := Command{}.Output(ctx, "list")
		return err
	})
	if err != context.Canceled {
		t.Errorf("error %v", err)
	}
}

// TestDiesWithItsParent runs a command in another process, which is then killed.
func TestDiesWithItsParent(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has a parent-death signal")
	}
	if os.Getenv("GOCMD_TEST_PARENT") != "" {
		t.Fatal("the command ended:", Command{}.Run(t.Context(), "build"))
	}
	pids := suite.HangingGo(t)
	parent := exec.Command(os.Args[0], "-test.run=^TestDiesWithItsParent$")
	parent.Env = append(os.Environ(), "GOCMD_TEST_PARENT=1")
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	list := pids()
	defer syscall.Kill(list[1], syscall.SIGKILL) // the promise is for the go command only
	if !suite.Alive(list[0]) {
		t.Error("the go command is gone before its parent")
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	parent.Wait() // killed: the error is sure
	suite.Until(t, "the go command is dead", func() error {
		if suite.Alive(list[0]) {
			return fmt.Errorf("the go command %d lives on", list[0])
		}
		return nil
	})
}

func TestErrorsHaveTheFirstLineOfStderr(t *testing.T) {
	for script, want := range map[string]string{
		"echo; echo why >&2; echo more >&2; exit 2": "go list: exit status 2: why",
		"exit 3": "go list: exit status 3",
	} {
		suite.FakeGo(t, script)
		if _, _, err := (Command{}).Output(t.Context(), "list"); err == nil || err.Error() != want {
			t.Errorf("%s: error %q, want %q", script, err, want)
		}
	}
}

func TestNoGoCommand(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if err := (Command{}).Run(t.Context(), "version"); err == nil {
		t.Error("a command ran that is not there")
	}
}
