package inspect

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"devrun/devserver/internal/fault"
)

var tmp string

func TestMain(m *testing.M) {
	var err error
	if tmp, err = os.MkdirTemp("", "inspect"); err != nil {
		panic(err)
	}
	code := m.Run()
	for _, a := range started {
		a.stop()
	}
	os.RemoveAll(tmp)
	os.Exit(code)
}

// app is a running one, linked without debug information, and what is known of
// it from a second link.
type app struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	ids   map[string]uint64
	lines chan string
	extra []string // lines that are about something else
	b     *Binary
	mem   *Memory
	p     *Process
}

var started []*app

// links builds dir twice.
func links(dir, name, toolchain string) (runs, debug string, err error) {
	runs, debug = filepath.Join(tmp, name), filepath.Join(tmp, name+".debug")
	for path, flags := range map[string]string{runs: "-s=1 -w=1 -compressdwarf=false", debug: "-s=0 -w=0 -compressdwarf=false"} {
		cmd := exec.Command("go", "build", "-o", path, "-gcflags=example.com/inspected/...=-N -l", "-ldflags="+flags, ".")
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
		if toolchain != "" {
			cmd.Env = append(cmd.Env, "GOTOOLCHAIN="+toolchain)
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", "", fmt.Errorf("%w: %s", err, out)
		}
	}
	return runs, debug, nil
}

// launch starts a program and waits until it has said "parked" of want
// goroutines.
func launch(path string, want int, args ...string) (*app, error) {
	a := &app{cmd: exec.Command(path, args...), ids: map[string]uint64{}, lines: make(chan string, 1000)}
	a.cmd.Env = append(os.Environ(), "GOGC=off", "GODEBUG=gcshrinkstackoff=1") // what is parked is not kept alive otherwise
	a.cmd.Stderr = os.Stderr
	var err error
	if a.in, err = a.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := a.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := a.cmd.Start(); err != nil {
		return nil, err
	}
	started = append(started, a)
	go func() {
		defer close(a.lines)
		s := bufio.NewScanner(out)
		s.Buffer(nil, 64<<20)
		for s.Scan() {
			a.lines <- s.Text()
		}
	}()
	limit := time.After(time.Minute)
	for len(a.ids) < want {
		select {
		case line, ok := <-a.lines:
			if !ok {
				return nil, errors.New("the app ended")
			}
			if f := strings.Fields(line); len(f) == 3 && f[0] == "parked" {
				a.ids[f[1]], _ = strconv.ParseUint(f[2], 10, 64)
			} else {
				a.extra = append(a.extra, line)
			}
		case <-limit:
			return nil, fmt.Errorf("%d of %d goroutines are parked", len(a.ids), want)
		}
	}
	return a, nil
}

func (a *app) attach(debug string) (err error) {
	if a.b, err = Load(context.Background(), debug); err != nil {
		return err
	}
	if a.mem, err = OpenMemory(a.cmd.Process.Pid); err != nil {
		return err
	}
	a.p, err = a.b.Attach(a.cmd.Process.Pid, a.mem)
	return err
}

func (a *app) stop() {
	a.cmd.Process.Kill()
	a.cmd.Wait()
	if a.mem != nil {
		a.mem.Close()
	}
	if a.b != nil {
		a.b.Close()
	}
}

var binaries = sync.OnceValues(func() ([2]string, error) {
	runs, debug, err := links("testdata/app", "app", os.Getenv("INSPECT_TOOLCHAIN"))
	return [2]string{runs, debug}, err
})

const scenarioCount = 23 // with the one that spins

var fixed = sync.OnceValues(func() (*app, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	a, err := launch(bin[0], scenarioCount)
	if err != nil {
		return nil, err
	}
	return a, a.attach(bin[1])
})

func theApp(t testing.TB) *app {
	t.Helper()
	a, err := fixed()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *app) calls(t testing.TB, name string, l Limits) []fault.Call {
	t.Helper()
	id, ok := a.ids[name]
	if !ok {
		t.Fatalf("no goroutine %s", name)
	}
	calls, err := a.p.Calls(context.Background(), id, l)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if len(calls) == 0 {
		t.Fatalf("%s: no calls", name)
	}
	return calls
}

// vars are the variables of the call that is named, by name: those that are
// shadowed have a * after it.
func vars(t testing.TB, calls []fault.Call, fn string) map[string]fault.Value {
	t.Helper()
	for _, c := range calls {
		if c.Func != fn {
			continue
		}
		if c.Why != "" {
			t.Fatalf("%s: %s", fn, c.Why)
		}
		m := map[string]fault.Value{}
		for _, v := range c.Vars {
			name := v.Name
			for v.Shadowed && m[name].Name != "" || v.Shadowed && name == v.Name {
				name += "*"
			}
			m[name] = v
		}
		return m
	}
	t.Fatalf("no call of %s in %v", fn, funcs(calls))
	return nil
}

func funcs(calls []fault.Call) (names []string) {
	for _, c := range calls {
		names = append(names, c.Func+":"+strconv.Itoa(c.Line))
	}
	return names
}

// outline is a value and what it leads to, a line each.
func outline(v fault.Value) string {
	var s strings.Builder
	var write func(v fault.Value, indent string)
	write = func(v fault.Value, indent string) {
		fmt.Fprintf(&s, "%s%s %s = %s", indent, v.Name, v.Type, v.Text)
		for _, f := range []struct {
			name string
			is   bool
		}{{"gone", v.Gone}, {"param", v.Param}, {"captured", v.Captured}, {"shadowed", v.Shadowed}} {
			if f.is {
				s.WriteString(" " + f.name)
			}
		}
		if v.More > 0 {
			fmt.Fprintf(&s, " +%d", v.More)
		}
		if v.Cut > 0 {
			fmt.Fprintf(&s, " cut %d", v.Cut)
		}
		if v.Cycle != "" {
			s.WriteString(" cycle " + v.Cycle)
		}
		if v.Unreadable != "" {
			s.WriteString(" unreadable: " + v.Unreadable)
		}
		s.WriteByte('\n')
		for _, c := range v.Children {
			write(c, indent+"  ")
		}
	}
	write(v, "")
	return s.String()
}
