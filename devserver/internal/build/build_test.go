package build

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

const (
	goMod = "module example.com/app\n\ngo 1.25\n"
	hello = "package main\n\nvar version, extra = \"none\", \"\"\n\nfunc main() { println(version + extra) }\n"
)

// app writes a module and returns a request for its root package.
func app(t *testing.T, files map[string]string) Request {
	t.Helper()
	base := t.TempDir()
	r := Request{
		Generation: 7, Dir: filepath.Join(base, "app"), Package: ".",
		UserPatterns: []string{"example.com/app/..."},
		Output:       filepath.Join(base, "out", "gen-7"),
	}
	if files["go.mod"] == "" {
		files["go.mod"] = goMod
	}
	writeFiles(t, r.Dir, files)
	if err := os.Mkdir(filepath.Dir(r.Output), 0o777); err != nil {
		t.Fatal(err)
	}
	return r
}

// left lists the directory of the output.
func left(t *testing.T, r Request) string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(r.Output))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

func mustRun(t *testing.T, r Request) {
	t.Helper()
	result, err := Run(t.Context(), r)
	var failure *Failure
	if errors.As(err, &failure) {
		t.Fatalf("%v\n%s\n%s", err, failure.Command, failure.Output)
	}
	if err != nil {
		t.Fatal(err)
	}
	if result.Binary != r.Output || result.Took <= 0 || left(t, r) != filepath.Base(r.Output) {
		t.Errorf("%+v, with %s", result, left(t, r))
	}
}

func mustFail(t *testing.T, r Request) *Failure {
	t.Helper()
	_, err := Run(t.Context(), r)
	var failure *Failure
	if !errors.As(err, &failure) {
		t.Fatalf("error %v, want a failure", err)
	}
	if left(t, r) != "" {
		t.Errorf("%s is left", left(t, r))
	}
	return failure
}

func output(t *testing.T, binary string) string {
	t.Helper()
	out, err := exec.Command(binary).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestRun(t *testing.T) {
	r := app(t, map[string]string{"main.go": hello, "b.go": "//go:build never\n\npackage main\n"})
	r.Env = append(os.Environ(), "GOFLAGS=-x '-ldflags=-X \"main.version=from GOFLAGS\"'")
	mustRun(t, r)
	if got := output(t, r.Output); got != "from GOFLAGS" {
		t.Errorf("the app says %q", got)
	}

	r.LDFlags = "-X main.version=mine -X 'main.extra= and more'"
	r.Dir, r.Package = filepath.Dir(r.Dir), r.Dir
	writeFiles(t, r.Dir, map[string]string{"go.work": "go 1.25\n\nuse ./app\n"})
	mustRun(t, r)
	if got := output(t, r.Output); got != "mine and more" {
		t.Errorf("the app says %q", got)
	}

	r.Optimised, r.LDFlags, r.Output = true, "", r.Output+" b"
	_, err := Run(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if got := output(t, r.Output); got != "from GOFLAGS" {
		t.Errorf("the app says %q", got)
	}
	info, err := exec.Command("go", "version", "-m", r.Output).CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	if text := string(info); strings.Contains(text, "-N") || strings.Contains(text, "-s=1") {
		t.Errorf("the optimised build has flags of development:\n%s", text)
	}
}

// What a debugger reads must be of the code that runs: same bytes, same places.
func TestDebugger(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads ELF files")
	}
	r := app(t, map[string]string{"main.go": hello})
	r.UserPatterns, r.LDFlags = []string{"example.com/app/..."}, "-s -X main.version=mine"
	mustRun(t, r)
	without := sections(t, r.Output)
	r.Debugger, r.Output = true, filepath.Join(t.TempDir(), "debugger")
	mustRun(t, r)
	with := sections(t, r.Output)
	for name, a := range without {
		if b := with[name]; a.Addr != 0 && (b == nil || a.Addr != b.Addr || a.Size != b.Size) {
			t.Errorf("%s is in another place with debug information", name)
		}
	}
	if !bytes.Equal(must(without[".text"].Data()), must(with[".text"].Data())) {
		t.Error("the code is another one with debug information")
	}
	if without[".debug_info"] != nil || with[".debug_info"] == nil || with[".debug_info"].Flags&elf.SHF_COMPRESSED != 0 {
		t.Errorf("debug information: %v without, %v with", without[".debug_info"], with[".debug_info"])
	}
}

func sections(t *testing.T, binary string) map[string]*elf.Section {
	t.Helper()
	f, err := elf.Open(binary)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	m := map[string]*elf.Section{}
	for _, s := range f.Sections {
		m[s.Name] = s
	}
	return m
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

func TestFailure(t *testing.T) {
	r := app(t, map[string]string{
		"main.go":  "package main\n\nimport \"example.com/app/sub\"\n\nfunc main() { sub.F() }\n",
		"sub/s.go": "package sub\n\nfunc F() {\n\ta := 1\n\tb()\n}\n",
		"sub/t.go": "package sub\n\nfunc G() int { return \"\" }\n",
	})
	begin := time.Now()
	f := mustFail(t, r)
	want := "[example.com/app/sub] sub/s.go:4:2\ndeclared and not used: a\n" +
		"[example.com/app/sub] sub/s.go:5:2\nundefined: b\n" +
		"[example.com/app/sub] sub/t.go:3:23\ncannot use \"\" (untyped string constant) as int value in return statement\n"
	if got := show(f.Diagnostics); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if d := f.Diagnostics[0]; d.File != filepath.Join(r.Dir, "sub", "s.go") {
		t.Errorf("file %s", d.File)
	}
	if f.Error() != "3 errors in 2 files: "+filepath.Join("sub", "s.go")+":4:2: declared and not used: a" {
		t.Errorf("error %q", f.Error())
	}
	if f.Generation != 7 || f.At.Before(begin) || f.Took <= 0 || !strings.Contains(f.Output, "# example.com/app/sub\n") || f.InHook() {
		t.Errorf("%+v", f)
	}
	if want := "go build -o " + r.Output + " -buildvcs=false '-gcflags=example.com/app/...=-N -l' '-ldflags=-s=1 -w=1 -compressdwarf=false' ."; f.Command != want {
		t.Errorf("command %q, want %q", f.Command, want)
	}
}

func TestCount(t *testing.T) {
	for output, want := range map[string]string{
		"a.go:1:1: x\na.go:2:1: y\n":                          "2 errors in 1 file: a.go:1:1: x",
		"a.go:1:1: x\nb.go:2:1: y\nb.go:2:1: too many errors": "more than 2 errors in 2 files: a.go:1:1: x",
		"a.c:1:1: warning: x\nb.c:2:1: error: y\n":            "1 error in 1 file: b.c:2:1: error: y",
		"a.c:1:1: warning: x\n":                               "1 error: a.c:1:1: warning: x",
		"go: nothing works\n":                                 "1 error: go: nothing works",
		"a.go:1:1: x\n\tmore\na.go:1:1: x\n\tmore\n":          "1 error in 1 file: a.go:1:1: x",
	} {
		f := Failure{}
		f.Diagnostics = parse(output, recordDir, nil)
		if f.Error() != want {
			t.Errorf("%q: got %q, want %q", output, f.Error(), want)
		}
	}
}

func TestHook(t *testing.T) {
	r := app(t, map[string]string{"main.go": hello})
	private := filepath.Join(filepath.Dir(r.Dir), "private")
	hook := func(main, pkg string) {
		writeFiles(t, private, map[string]string{
			"main.go": main, "hook.go": pkg,
			"overlay.json": fmt.Sprintf(`{"Replace": {%q: %q, %q: %q}}`,
				filepath.Join(r.Dir, "zz_devrun.go"), filepath.Join(private, "main.go"),
				filepath.Join(r.Dir, "zz_devrun_hook", "hook.go"), filepath.Join(private, "hook.go")),
		})
	}
	const importHook = "package main\n\nimport _ \"example.com/app/zz_devrun_hook\"\n"
	r.Overlay = filepath.Join(private, "overlay.json")
	r.HookPattern, r.HookLDFlags = "example.com/app/zz_devrun_hook", "-checklinkname=0"

	hook(importHook, "package hook\n\nimport _ \"unsafe\"\n\n//go:linkname gone runtime.noSuchFunction\nfunc gone()\n\nfunc init() { gone() }\n")
	if f := mustFail(t, r); !f.InHook() {
		t.Errorf("a function that the runtime does not have is not seen as the hook's fault: %s", f.Output)
	}

	hook(importHook, "package hook\n\nfunc init() { println(\"hooked\") }\n")
	user := filepath.Join(filepath.Dir(r.Dir), "user")
	writeFiles(t, user, map[string]string{"v.go": "package main\n\nfunc init() { version = \"overlaid\" }\n"})
	writeFiles(t, r.Dir, map[string]string{"user.json": fmt.Sprintf(`{"Replace": {%q: %q}}`, filepath.Join(r.Dir, "v.go"), filepath.Join(user, "v.go"))})
	r.Env = append(os.Environ(), "GOFLAGS=-overlay=user.json")
	mustRun(t, r)
	if got := output(t, r.Output); got != "hooked\noverlaid" {
		t.Errorf("the app says %q", got)
	}
	if err := os.Remove(r.Output); err != nil {
		t.Fatal(err)
	}

	r.Env = nil
	hook(importHook+"\nvar x = y\n", "package hook\n")
	if f := mustFail(t, r); !f.InHook() {
		t.Errorf("an error in the overlaid file is not seen as the hook's fault: %s", f.Output)
	}
	hook(importHook, "package hook\n")
	writeFiles(t, r.Dir, map[string]string{"main.go": "package main\n\nfunc main() { x = y }\n"})
	if f := mustFail(t, r); f.InHook() {
		t.Errorf("the user's mistake is seen as the hook's: %s", f.Output)
	}
	writeFiles(t, private, map[string]string{"overlay.json": "{"})
	if f := mustFail(t, r); !f.InHook() {
		t.Errorf("a broken overlay is not seen as the hook's fault: %s", f.Output)
	}
}

func TestCannotRun(t *testing.T) {
	r := app(t, map[string]string{"main.go": hello})
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ended, r); err != context.Canceled || left(t, r) != "" {
		t.Errorf("cancelled before: %v, %s is left", err, left(t, r))
	}
	gone := r
	gone.Dir += "x"
	if _, err := Run(t.Context(), gone); err == nil || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
	gone = r
	gone.Output = filepath.Join(r.Dir, "gone", "bin")
	if _, err := Run(t.Context(), gone); err == nil || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no directory for the output: %v", err)
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := Run(t.Context(), r); err == nil || !strings.HasPrefix(err.Error(), "no go command on PATH: install Go from") {
		t.Errorf("no go: %v", err)
	}
}

func TestCaptureIsBounded(t *testing.T) {
	c := capture{limit: 10}
	for range 3 {
		if n, err := c.Write([]byte("12345678")); n != 8 || err != nil {
			t.Fatal(n, err)
		}
	}
	if got := c.String(); got != "1234567812\n(14 more bytes of output are left out)\n" {
		t.Errorf("kept %q", got)
	}
}
