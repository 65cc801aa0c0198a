//go:build linux

package expr

import (
	"bufio"
	"bytes"
	"context"
	"debug/dwarf"
	"debug/elf"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"devrun/devserver/internal/wire"
)

// app is the app under test, parked below a panic.
type app struct {
	t     testing.TB
	cmd   *exec.Cmd
	in    io.Writer
	out   *bufio.Scanner
	build *Build
	tab   *tables
	first struct {
		Vars []struct {
			Name, Type, Func string
			Line             int
			Addr             uint64
		}
		Frames []struct {
			Func, File string
			Line       int
		}
	}
}

type built struct {
	dir, binary string
	build       *Build
	tab         *tables
}

var builtOnce = sync.OnceValues(func() (*built, error) {
	root, err := os.MkdirTemp("", "devrun-expr")
	if err != nil {
		return nil, err
	}
	temp = root
	return makeApp(root, true)
})

var temp string

func TestMain(m *testing.M) {
	code := m.Run()
	if temp != "" {
		os.RemoveAll(temp)
	}
	os.Exit(code)
}

// makeApp builds the app with the interpreter in it, and with what keeps
// functions linked in if keep says so.
func makeApp(root string, keep bool) (*built, error) {
	dir := filepath.Join(root, "app")
	if err := os.CopyFS(dir, os.DirFS("testdata/app")); err != nil {
		return nil, err
	}
	const own = "example.com/app.v2/hook"
	put := func(name string, text []byte) error {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		text = bytes.ReplaceAll(text, []byte(`"devrun/devserver/internal/wire"`), []byte(`"`+own+`/wire"`))
		return os.WriteFile(name, text, 0o644)
	}
	files, _ := filepath.Glob("../hook/inject/eval*.go")
	for _, f := range append(files, "../hook/inject/pin.go") {
		text, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		if err := put("hook/"+filepath.Base(f), text); err != nil {
			return nil, err
		}
	}
	drive, err := os.ReadFile("testdata/drive.go.txt")
	if err != nil {
		return nil, err
	}
	if err := put("hook/drive.go", drive); err != nil {
		return nil, err
	}
	for name, text := range wire.Source {
		if err := put("hook/wire/"+name, []byte(text)); err != nil {
			return nil, err
		}
	}
	if keep {
		if err := keepAll(dir, put); err != nil {
			return nil, err
		}
	}
	b := &built{dir: dir, binary: filepath.Join(root, "app.bin")}
	flags := []string{"-gcflags=example.com/app.v2/...=-N -l", "-gcflags=" + own + "/...="}
	cmd := exec.Command("go", append(append([]string{"build", "-ldflags=-compressdwarf=false -checklinkname=0", "-o", b.binary}, flags...), ".")...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	if b.build, err = List(context.Background(), Config{Dir: dir, Main: ".", Flags: flags}); err != nil {
		return nil, err
	}
	b.tab, err = read(b.binary)
	return b, err
}

// tables are what a debugger knows of the binary.
type tables struct {
	code, data, types map[string]uint64
}

func read(binary string) (*tables, error) {
	f, err := elf.Open(binary)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	tab := &tables{map[string]uint64{}, map[string]uint64{}, map[string]uint64{}}
	syms, err := f.Symbols()
	if err != nil {
		return nil, err
	}
	for _, s := range syms {
		if elf.ST_TYPE(s.Info) == elf.STT_FUNC {
			tab.code[s.Name] = s.Value
		} else {
			tab.data[s.Name] = s.Value
		}
	}
	d, err := f.DWARF()
	if err != nil {
		return nil, err
	}
	const runtimeType = 0x2904
	offsets := map[dwarf.Offset]uint64{}
	type def struct {
		name string
		to   dwarf.Offset
	}
	var defs []def
	for r := d.Reader(); ; {
		e, err := r.Next()
		if err != nil {
			return nil, err
		}
		if e == nil {
			break
		}
		name, _ := e.Val(dwarf.AttrName).(string)
		if o, ok := e.Val(runtimeType).(uint64); ok && o != 0 {
			offsets[e.Offset] = o
			tab.types[name] = tab.data["runtime.types"] + o
		} else if e.Tag == dwarf.TagTypedef {
			to, _ := e.Val(dwarf.AttrType).(dwarf.Offset)
			defs = append(defs, def{name, to})
		}
		if e.Tag == dwarf.TagSubprogram {
			r.SkipChildren()
		}
	}
	for _, t := range defs {
		if o := offsets[t.to]; o != 0 {
			tab.types[t.name] = tab.data["runtime.types"] + o
		}
	}
	return tab, nil
}

// start runs the app until it is parked.
func start(t testing.TB, b *built) *app {
	t.Helper()
	a := &app{t: t, build: b.build, tab: b.tab, cmd: exec.Command(b.binary)}
	a.cmd.Env = append(os.Environ(), "GODEBUG=gcshrinkstackoff=1")
	var stderr bytes.Buffer
	a.cmd.Stderr = &stderr
	in, err := a.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := a.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := a.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	a.in, a.out = in, bufio.NewScanner(out)
	a.out.Buffer(nil, 1<<20)
	t.Cleanup(func() {
		in.Close()
		if err := a.cmd.Wait(); err != nil {
			t.Errorf("the app: %v\n%.4000s", err, stderr.String())
		}
	})
	a.read(&a.first)
	return a
}

func launch(t testing.TB) *app {
	t.Helper()
	b, err := builtOnce()
	if err != nil {
		t.Fatal(err)
	}
	return start(t, b)
}

func (a *app) read(v any) {
	a.t.Helper()
	if !a.out.Scan() {
		a.t.Fatalf("the app is silent: %v", a.out.Err())
	}
	if err := json.Unmarshal(a.out.Bytes(), v); err != nil {
		a.t.Fatalf("%v: %.300s", err, a.out.Bytes())
	}
}

// frame is the innermost frame of the function.
func (a *app) frame(fn string) Frame {
	a.t.Helper()
	for _, f := range a.first.Frames {
		if f.Func != fn {
			continue
		}
		fr := Frame{
			Func: f.Func, File: f.File, Line: f.Line, PC: 1,
			FuncPC:   func(s string) (uint64, bool) { v, ok := a.tab.code[s]; return v, ok },
			TypeAddr: func(s string) (uint64, bool) { v, ok := a.tab.types[s]; return v, ok },
			Global:   func(s string) (uint64, bool) { v, ok := a.tab.data[s]; return v, ok },
			Vars:     []Var{},
		}
		for _, v := range a.first.Vars {
			if v.Func == f.Func {
				fr.Vars = append(fr.Vars, Var{Name: v.Name, Line: v.Line, Type: v.Type, Addr: v.Addr})
			}
		}
		return fr
	}
	a.t.Fatalf("no frame of %s in %+v", fn, a.first.Frames)
	return Frame{}
}

func (a *app) pkg(path string) *Package {
	a.t.Helper()
	p, err := a.build.Package(path)
	if err != nil {
		a.t.Fatal(err)
	}
	return p
}

// eval compiles and evaluates; an error of Compile is in Error.
func (a *app) eval(f Frame, s *Session, src string) wire.EvalValue {
	a.t.Helper()
	x, err := a.pkg("main").Compile(f, s, src)
	if err != nil {
		return wire.EvalValue{Error: err.Error()}
	}
	return a.run(x)
}

func (a *app) run(x *wire.Expr) (v wire.EvalValue) {
	a.t.Helper()
	b, err := json.Marshal(x)
	if err != nil {
		a.t.Fatal(err)
	}
	if _, err := a.in.Write(append(b, '\n')); err != nil {
		a.t.Fatal(err)
	}
	a.read(&v)
	return v
}

// outcome is what the table compares: a value with its type, a panic, or why
// not.
func outcome(v wire.EvalValue) string {
	switch {
	case v.Panic != "":
		return "panic: " + v.Panic
	case v.Error != "":
		return "error: " + v.Error
	case v.Kind == "":
		return ""
	}
	s := v.Type + " " + v.Text
	if v.Method != "" {
		s += " | " + v.String
	}
	return strings.TrimSpace(s)
}
