//go:build unix

package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"devrun/devserver/suite"
)

// fakeGo puts a go command on PATH that runs a shell script.
func fakeGo(t *testing.T, script string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "go"), []byte("#!/bin/sh\n"+script), 0o777); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":/usr/bin:/bin")
	return dir
}

// hanging is a go command with a child, which write their ids to a file.
const hanging = `[ "$1" = env ] && exit
sleep 600 &
echo $$ $! > "$GOTMPDIR/../../pids"
wait
`

func pids(t *testing.T, file string) (list []int) {
	t.Helper()
	suite.Until(t, "the file is written", func() error {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		list = nil
		for _, word := range strings.Fields(string(text)) {
			pid, err := strconv.Atoi(word)
			if err != nil {
				return err
			}
			list = append(list, pid)
		}
		if len(list) != 2 {
			return fmt.Errorf("pids %q", text)
		}
		return nil
	})
	return list
}

// alive: a zombie is not. Where nothing reaps orphans it stays for ever.
func alive(pid int) bool {
	stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)) // none on other systems
	return syscall.Kill(pid, 0) == nil && !strings.Contains(string(stat), ") Z ")
}

func TestCancelKillsTheGroup(t *testing.T) {
	fakeGo(t, hanging)
	r := app(t, map[string]string{"main.go": hello})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := Run(ctx, r)
		done <- err
	}()
	list := pids(t, filepath.Join(filepath.Dir(r.Dir), "pids"))
	cancel()
	if err := <-done; err != context.Canceled {
		t.Errorf("error %v", err)
	}
	for _, pid := range list {
		if alive(pid) {
			t.Errorf("process %d lives after Run has returned", pid)
		}
	}
	if left(t, r) != "" {
		t.Errorf("%s is left", left(t, r))
	}
}

func TestCancelRealBuild(t *testing.T) {
	r := app(t, map[string]string{"main.go": hello})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := Run(ctx, r)
		done <- err
	}()
	suite.Until(t, "the build has begun or is done", func() error {
		work, err := filepath.Glob(filepath.Join(filepath.Dir(r.Output), "build-*", "go-build*", "*"))
		if err == nil && len(work) == 0 && len(done) == 0 {
			return errors.New("no work directory yet")
		}
		return err
	})
	cancel()
	if err := <-done; err != context.Canceled {
		t.Errorf("error %v", err)
	}
	if left(t, r) != "" {
		t.Errorf("%s is left", left(t, r))
	}
	mustRun(t, r)
}

func TestSilentFailure(t *testing.T) {
	fakeGo(t, "exit 3\n")
	f := mustFail(t, app(t, map[string]string{}))
	if f.Error() != "1 error: go build ended with exit status 3 and said nothing" {
		t.Errorf("error %q", f.Error())
	}
}

func TestLargeOutput(t *testing.T) {
	fakeGo(t, "[ \"$1\" = env ] && exit\necho './x.go:1:2: first'\nyes './y.go:3:4: again and again, '$(printf %0500d) | head -c 20000000\nexit 1\n")
	f := mustFail(t, app(t, map[string]string{}))
	if len(f.Output) < outputLimit || len(f.Output) > outputLimit+100 || f.Diagnostics[0].Message != "first" {
		t.Errorf("%d bytes kept, first %+v", len(f.Output), f.Diagnostics[0])
	}
}

// TestDiesWithItsParent builds in another process, which is then killed.
func TestDiesWithItsParent(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has a parent-death signal")
	}
	if dir := os.Getenv("BUILD_TEST_PARENT"); dir != "" {
		_, err := Run(t.Context(), Request{Dir: dir, Package: ".", Output: filepath.Join(dir, "out", "bin")})
		t.Fatal("the build ended:", err)
	}
	fakeGo(t, hanging)
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"out/keep": ""})
	parent := exec.Command(os.Args[0], "-test.run=^TestDiesWithItsParent$")
	parent.Env = append(os.Environ(), "BUILD_TEST_PARENT="+dir)
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	list := pids(t, filepath.Join(dir, "pids"))
	defer syscall.Kill(list[1], syscall.SIGKILL) // the promise is for the go command only
	if !alive(list[0]) {
		t.Error("the go command is gone before its parent")
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	parent.Wait() // killed: the error is sure
	suite.Until(t, "the go command is dead", func() error {
		if alive(list[0]) {
			return fmt.Errorf("the go command %d lives on", list[0])
		}
		return nil
	})
}
