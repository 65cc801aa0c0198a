package hook

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// goroot makes a standard library of the files that the hook looks at, after
// changes of their text.
func goroot(t *testing.T, changes ...string) Target {
	t.Helper()
	root := t.TempDir()
	edit := strings.NewReplacer(changes...)
	for name, text := range map[string]string{
		"net/hook_unix.go": `//go:build unix

package net

import "syscall"

var (
	socketFunc func(int, int, int) (int, error)  = syscall.Socket
	connectFunc func(int, syscall.Sockaddr) error = syscall.Connect
	listenFunc func(int, int) error = syscall.Listen
)
`,
		"net/hook_windows.go":        "package net\n\nvar listenFunc func(syscall.Handle, int) error\n",
		"net/sock.go":                "package net\n\nfunc f() { listenFunc(1, 2) }\n",
		"net/main_test.go":           "package net\n\nvar listenFunc int\n",
		"runtime/pprof/label.go":     "package pprof\n\nimport \"unsafe\"\n\nfunc runtime_getProfLabel() unsafe.Pointer\n",
		"internal/poll/hook_unix.go": "package poll\n\nvar CloseFunc func(int) error = syscall.Close\n",
		"internal/testlog/log.go": `package testlog

type Interface interface {
	Getenv(key string)
	Stat(file string)
	Open(file string)
	Chdir(dir string)
}

func SetLogger(impl Interface) {}
`,
		"internal/runtime/exithook/hooks.go": "package exithook\n\ntype Hook struct {\n\tF            func() // func to run\n\tRunOnFailure bool\n}\n\nfunc Add(h Hook) {}\n",
		"runtime/runtime2.go": `package runtime

type stack struct {
	lo uintptr
	hi uintptr
}

type g struct {
	stack       stack
	stackguard0 uintptr
	stackguard1 uintptr

	_panic *_panic
}

type _panic struct {
	arg  any
	link *_panic
	sp, fp unsafe.Pointer
	recovered bool
	goexit    bool
}
`,
		"runtime/proc.go": `package runtime

var gcphase uint32

func forEachGRace(fn func(gp *g)) {}

func procPin() int { return 0 }

func procUnpin() {}

func spanOf(p uintptr) *mspan { return nil }

func spanOfHeap(p uintptr) *mspan { return nil }

func findObject(p, refBase, refOff uintptr) (base uintptr, s *mspan, objIndex uintptr) { return }

func (s *mspan) isFree(index uintptr) bool { return false }

func (s *mspan) ensureSwept() {}
`,
		"net/http/server.go": "package http\n\nimport \"net\"\n\nvar testHookServerServe func(*Server, net.Listener) // used if non-nil\n",
	} {
		name = filepath.Join(root, "src", filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(edit.Replace(text)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	app := t.TempDir()
	return Target{
		GOROOT: root, GoVersion: "go1.26.0", ModulePath: "example.com/app", ModuleDir: app, MainDir: app,
		Dir: t.TempDir(), HTTP: true, GOOS: "linux", GOARCH: "amd64",
	}
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// What is missing or different in the standard library costs its part only.
func TestLost(t *testing.T) {
	const (
		all      = "channel listen takeover serve capture pins eval exit files"
		refused  = "connections are refused while it restarts"
		unserved = "devrun does not know which of the app's ports speak HTTP, and a failing request shows no page"
		no       = "a failing request shows no page"
	)
	none := func(*Target) {}
	for name, c := range map[string]struct {
		changes []string
		target  func(*Target)
		parts   string
		lost    []string // parts of the sentences, in order
	}{
		"Go 1.25":         {[]string{"arg  any\n", "argp unsafe.Pointer\n\targ any\n"}, none, all, nil},
		"no walk":         {[]string{"forEachGRace", "forEachG"}, none, "channel listen takeover serve exit files", []string{no + " ("}},
		"other panics":    {[]string{"link *_panic", "link puintptr"}, none, "channel listen takeover serve exit files", []string{no + " (runtime._panic.link is a puintptr, not a *_panic)"}},
		"other goroutine": {[]string{"stackguard1 uintptr", "stackguard1 guard"}, none, "channel listen takeover serve exit files", []string{no + " (runtime.g has a guard before _panic)"}},
		"no panics":       {[]string{"type _panic struct", "type _panics struct"}, none, "channel listen takeover serve exit files", []string{no + " (the runtime has no struct _panic where it had one)"}},
		"packed panics":   {[]string{"recovered bool\n\tgoexit    bool", "recovered bool\n\tretpc uintptr\n\tgoexit    bool"}, none, "channel listen takeover serve exit files", []string{no + " (runtime._panic is not packed as expected before goexit)"}},
		"other stack":     {[]string{"lo uintptr", "lo uint64"}, none, "channel listen takeover serve exit files", []string{no + " (runtime.stack is a struct{lo uint64; hi uintptr}"}},
		"no method":       {[]string{"(s *mspan) isFree", "(s mspan) isFree"}, none, "channel listen takeover serve capture exit files", []string{"may show what came later ("}},
		"other method":    {[]string{"isFree(index uintptr)", "isFree(index uint16)"}, none, "channel listen takeover serve capture exit files", []string{"runtime.(*mspan).isFree is a func(index uint16) bool, not a func(index uintptr) bool)"}},
		"other exit hook": {[]string{"RunOnFailure bool", "RunOnFailure int"}, none, "channel listen takeover serve capture pins eval files", []string{"does not say where (exithook.Hook is a struct{"}},
		"nothing":         {nil, none, all, nil},
		"no HTTP":         {nil, func(t *Target) { t.HTTP = false }, "channel listen takeover exit files", nil},
		"development Go":  {nil, func(t *Target) { t.GoVersion = "devel go1.27-0123abc Mon" }, all, nil},
		"Go experiment":   {nil, func(t *Target) { t.GoVersion = "go1.25.1 X:jsonv2" }, all, nil},
		"names of params": {[]string{"func(int, int) error", "func(fd, backlog int) error"}, none, "", []string{"listenFunc is a func(fd, backlog int) error, not a func(int, int) error)"}},
		"no listenFunc":   {[]string{"listenFunc", "listener"}, none, "", []string{"building without devrun's hook, so the app keeps its port: " + refused + " ("}},
		"no socketFunc":   {[]string{"socketFunc", "sockets"}, none, "channel listen serve capture pins eval exit files", []string{"the app keeps its port: " + refused + " ("}},
		"other type":      {[]string{"func(int, int, int) (int, error)", "func(int, int, int32) (int, error)"}, none, "channel listen serve capture pins eval exit files", []string{"net.socketFunc is a func(int, int, int32) (int, error), not a func(int, int, int) (int, error))"}},
		"no type":         {[]string{"func(int, syscall.Sockaddr) error =", "="}, none, "channel listen serve capture pins eval exit files", []string{"net.connectFunc is declared without a type"}},
		"other package":   {[]string{`import "syscall"`, `import syscall "internal/syscall"`}, none, "channel listen serve capture pins eval exit files", []string{"net.connectFunc has types of an unexpected package"}},
		"a function":      {[]string{"var testHookServerServe func(*Server, net.Listener)", "func testHookServerServe(*Server, net.Listener) {}"}, none, "channel listen takeover exit files", []string{unserved + " (http.testHookServerServe is declared with func, not with var"}},
		"no closing":      {[]string{"CloseFunc", "closeFunc"}, none, "channel listen takeover serve capture pins eval exit", []string{"does not declare poll.CloseFunc"}},
		"no logger":       {[]string{"SetLogger", "setLogger"}, none, "channel listen takeover serve capture pins eval exit", []string{"does not declare testlog.SetLogger"}},
		"one method more": {[]string{"Stat(file string)", "Stat(file string)\n\tRead(file string)"}, none, "channel listen takeover serve capture pins eval exit", []string{"testlog.Interface is a interface{"}},
		"no source":       {nil, func(t *Target) { t.GOROOT = filepath.Join(t.GOROOT, "src") }, "", []string{"the source of package net is not there"}},
		"no source code":  {[]string{"package net", "package"}, none, "", []string{"expected 'IDENT'"}},
		"other numbers":   {nil, func(t *Target) { t.GOARCH = "mips64le" }, "channel listen serve exit files", []string{"takeover does not exist for linux/mips64le", no + " (capture does not exist for linux/mips64le)"}},
		"darwin":          {nil, func(t *Target) { t.GOOS = "darwin" }, "channel listen serve exit files", []string{"takeover does not exist for darwin/amd64", no + " (capture does not exist for darwin/amd64)"}},
		"windows":         {nil, func(t *Target) { t.GOOS = "windows" }, "", []string{"the hook does not exist for windows"}},
		"old Go":          {nil, func(t *Target) { t.GoVersion = "go1.22.5" }, "", []string{"needs go1.23 or later, the app is built with go1.22.5"}},
		"no module":       {nil, func(t *Target) { t.ModulePath, t.ModuleDir = "", "" }, "", []string{"not in a module"}},
	} {
		t.Run(name, func(t *testing.T) {
			target := goroot(t, c.changes...)
			c.target(&target)
			o, err := Prepare(target)
			if err != nil {
				t.Fatal(err)
			}
			if have := strings.Join(o.Parts, " "); have != c.parts {
				t.Errorf("parts %q, want %q", have, c.parts)
			}
			if len(o.Lost) != len(c.lost) {
				t.Fatalf("lost %q, want %q", o.Lost, c.lost)
			}
			for i, want := range c.lost {
				if !strings.Contains(o.Lost[i], want) || strings.Contains(o.Lost[i], "\n") {
					t.Errorf("lost %q, want a sentence with %q", o.Lost[i], want)
				}
			}
			if (o.File == "") != (c.parts == "") {
				t.Errorf("overlay %q for parts %q", o.File, c.parts)
			}
			// A variable that is not there must not be named in what is compiled.
			for _, p := range parts {
				_, err := os.Stat(filepath.Join(target.Dir, added+"-"+p.files[0]))
				if active := strings.Contains(" "+c.parts+" ", " "+p.name+" "); active != (err == nil) {
					t.Errorf("part %s active: %t, file: %v", p.name, active, err)
				}
			}
		})
	}
}

// The real standard library has all that the hook wants.
func TestNothingLostHere(t *testing.T) {
	target := goroot(t)
	target.GOROOT, target.GoVersion = goEnv(t, "GOROOT"), goEnv(t, "GOVERSION")
	target.SysUnix = project{dir: "."}.dirOf(t, sysUnix)
	for _, system := range []string{"linux", "darwin", "freebsd"} {
		target.GOOS = system
		for _, p := range parts {
			if err := (&library{Target: target}).lacks(p); err != nil && (system == "linux" || !strings.Contains("takeover raw rawunix capture pins eval", p.name)) {
				t.Errorf("%s: %v", system, err)
			}
		}
	}
}

func TestNamesInUse(t *testing.T) {
	target := goroot(t)
	name := filepath.Join(target.MainDir, importer)
	if err := os.WriteFile(name, []byte("package main\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := Prepare(target)
	if err != nil {
		t.Fatal(err)
	}
	if o.File != "" || len(o.Lost) != 1 || !strings.Contains(o.Lost[0], name+" exists, and devrun needs the name") {
		t.Errorf("%+v", o)
	}
}

func TestTargetIncomplete(t *testing.T) {
	for _, spoil := range []func(*Target){
		func(t *Target) { t.GOROOT = "" },
		func(t *Target) { t.MainDir = "cmd/app" },
		func(t *Target) { t.Dir = "" },
	} {
		target := goroot(t)
		spoil(&target)
		if o, err := Prepare(target); err == nil {
			t.Errorf("%+v gives %+v", target, o)
		}
	}
}

// The numbers that are compiled here are those of this toolchain or of another;
// what an app gets are its own.
func TestLayout(t *testing.T) {
	target := goroot(t)
	here, err := layout(target)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"gPanic = 4*word + 0\n", "panicArg = 0*word + 0\n", "panicLink = 2*word + 0\n", "panicGoexit = 5*word + 1\n"} {
		if !strings.Contains(here, want) {
			t.Errorf("layout:\n%s\nwithout %s", here, want)
		}
	}
}
