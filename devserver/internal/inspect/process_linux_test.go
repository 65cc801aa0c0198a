package inspect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"devrun/devserver/suite"
)

// another is a second process of the app, to be ended.
func another(t *testing.T) *app {
	t.Helper()
	bin, err := binaries()
	if err != nil {
		t.Fatal(err)
	}
	a, err := launch(bin[0], 3, "plain", "ifaces")
	if err != nil {
		t.Fatal(err)
	}
	if err := a.attach(bin[1]); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.mem.Close(); a.b.Close() })
	return a
}

func TestNoGoroutine(t *testing.T) {
	a := theApp(t)
	for _, id := range []uint64{1 << 40, 0} {
		if calls, err := a.p.Calls(t.Context(), id, Limits{}); id != 0 && !errors.Is(err, ErrNoGoroutine) || calls != nil || err == nil {
			t.Errorf("goroutine %d: %v, %v", id, calls, err)
		}
	}
}

func TestNotParked(t *testing.T) {
	a := another(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := a.p.Calls(ctx, a.ids["spin"], Limits{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("until a deadline: %v", err)
	}
	begun := time.Now()
	if _, err := a.p.Calls(t.Context(), a.ids["spin"], Limits{}); !errors.Is(err, ErrNotParked) || time.Since(begun) < parkWithin {
		t.Errorf("%v after %v", err, time.Since(begun))
	}
	io.WriteString(a.in, "stop\n")
	suite.Until(t, "the goroutine is gone", func() error {
		if _, err := a.p.Calls(t.Context(), a.ids["spin"], Limits{}); !errors.Is(err, ErrNoGoroutine) {
			return fmt.Errorf("%v", err)
		}
		return nil
	})
	io.WriteString(a.in, "release\n") // the panics go on, and end the app
	a.cmd.Wait()
	if _, err := a.p.Calls(t.Context(), a.ids["plain"], Limits{}); !errors.Is(err, ErrGone) {
		t.Errorf("of a process that has ended: %v", err)
	}
}

func TestGone(t *testing.T) {
	a := another(t)
	done := make(chan error)
	go func() {
		for {
			if _, err := a.p.Calls(context.Background(), a.ids["ifaces"], Limits{}); err != nil {
				done <- err
				return
			}
		}
	}()
	a.cmd.Process.Kill()
	a.cmd.Wait()
	if err := <-done; !errors.Is(err, ErrGone) {
		t.Errorf("%v", err)
	}
	if _, err := a.p.Scope(t.Context(), a.ids["plain"], 0); !errors.Is(err, ErrGone) {
		t.Errorf("%v", err)
	}
	if _, err := a.b.Attach(a.cmd.Process.Pid, a.mem); !errors.Is(err, ErrGone) {
		t.Errorf("attached to it: %v", err)
	}
	if _, err := OpenMemory(a.cmd.Process.Pid); !errors.Is(err, ErrGone) {
		t.Errorf("opened its memory: %v", err)
	}
}

func TestLongOtherBinary(t *testing.T) {
	suite.Long(t)
	a := theApp(t)
	self, err := OpenMemory(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	if _, err := a.b.Attach(os.Getpid(), self); !errors.Is(err, ErrOtherBinary) {
		t.Errorf("the test itself: %v", err)
	}
	// The same sources with a longer flag: code that looks alike, moved.
	path := tmp + "/moved"
	cmd := exec.Command("go", "build", "-o", path, "-gcflags=example.com/inspected/...=-N -l", "-ldflags=-w", ".")
	cmd.Dir = "testdata/app"
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	other, err := launch(path, 2, "plain")
	if err != nil {
		t.Fatal(err)
	}
	mem, err := OpenMemory(other.cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	if _, err := a.b.Attach(other.cmd.Process.Pid, mem); !errors.Is(err, ErrOtherBinary) {
		t.Errorf("other addresses: %v", err)
	}
}

func TestLoadFails(t *testing.T) {
	bin, err := binaries()
	if err != nil {
		t.Fatal(err)
	}
	text := tmp + "/text"
	if err := os.WriteFile(text, []byte("no program"), 0o600); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(bin[1])
	if err != nil {
		t.Fatal(err)
	}
	half := tmp + "/half"
	if err := os.WriteFile(half, whole[:len(whole)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		tmp + "/none": "no such file",
		text:          "",
		half:          "",
		bin[0]:        "there is none", // linked without
		"/bin/sh":     "",
	} {
		b, err := Load(t.Context(), path)
		if err == nil || b != nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", path, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if b, err := Load(ctx, bin[1]); b != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("not wanted any more: %v", err)
	}
}

func TestClose(t *testing.T) {
	a := another(t)
	files := func() int {
		list, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	a.calls(t, "plain", Limits{})
	open, used := files(), heap()
	if err := a.b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := a.b.Close(); err != nil {
		t.Errorf("once more: %v", err)
	}
	if _, err := a.p.Calls(t.Context(), a.ids["plain"], Limits{}); err == nil {
		t.Error("calls of what was let go")
	}
	if _, err := a.b.Attach(a.cmd.Process.Pid, a.mem); err == nil {
		t.Error("attached with what was let go")
	}
	if _, ok := a.b.FuncPC("main.main"); ok {
		t.Error("a function of what was let go")
	}
	if n := files(); n >= open {
		t.Errorf("%d files open, %d before", n, open)
	}
	a.p = nil
	suite.Until(t, "the memory is given back", func() error {
		if n := heap(); n+2<<20 >= used {
			return fmt.Errorf("%d bytes, were %d", n, used)
		}
		return nil
	})
	a.cmd.Process.Kill()
	a.cmd.Wait()
}

// Delve is not made for it; the calls have to wait for each other.
func TestAtOnce(t *testing.T) {
	a := theApp(t)
	var wg sync.WaitGroup
	for _, name := range []string{"plain", "generics", "maps", "library", "closures"} {
		for range 3 {
			wg.Go(func() {
				calls, err := a.p.Calls(t.Context(), a.ids[name], Limits{})
				if err != nil || len(calls) < 2 {
					t.Errorf("%s: %v", name, err)
				}
				if _, err := a.p.Scope(t.Context(), a.ids[name], 1); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				a.b.FuncPC("main.plain")
				a.b.Global("main.shared")
				a.b.TypeAddr("main.key")
			})
		}
	}
	wg.Wait()
}

func TestRecovered(t *testing.T) {
	f := func() (err error) {
		defer recovered(&err)
		var b *Binary
		_ = b.path
		return nil
	}
	if err := f(); err == nil || !strings.Contains(err.Error(), "nil pointer") {
		t.Errorf("%v", err)
	}
	if err := hasPrivates(); err != nil {
		t.Error(err)
	}
}

// Without the right to, there is a plain error.
func TestNotPermitted(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may read everything")
	}
	if _, err := OpenMemory(1); !errors.Is(err, ErrNotPermitted) {
		t.Errorf("%v", err)
	}
}

// Code that is another in the process does not make it another binary's.
func TestOverwritten(t *testing.T) {
	a := theApp(t)
	at := a.b.text[len(a.b.text)/2].addr
	f := a.b.bi.PCToFunc(at)
	if f == nil {
		t.Fatalf("no function at %#x", at)
	}
	b, err := Load(t.Context(), a.b.path, f.Name)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if len(b.text) >= len(a.b.text) {
		t.Errorf("%d samples, as many as with %s", len(b.text), f.Name)
	}
	for _, s := range b.text {
		if s.addr < f.End && f.Entry < s.addr+uint64(len(s.bytes)) {
			t.Errorf("the sample at %#x is of %s", s.addr, f.Name)
		}
	}
}
