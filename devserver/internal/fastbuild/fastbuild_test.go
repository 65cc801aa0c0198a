package fastbuild

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"devrun/devserver/internal/build"
)

const appMod = "module example.com/app\n\ngo 1.25\n"

// app is a module on disk and what builds it.
type app struct {
	t       testing.TB
	dir     string
	request build.Request
	builder *Builder
	builds  int
}

// newApp writes the files, builds them with go build and learns.
func newApp(t testing.TB, files map[string]string) *app {
	t.Helper()
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	a := &app{t: t, dir: filepath.Join(base, "app"), builder: New(filepath.Join(base, "fast"), filepath.Join(base, "linkers"))}
	if err := os.Mkdir(filepath.Join(base, "linkers"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.builder.Close)
	if files["go.mod"] == "" {
		files["go.mod"] = appMod
	}
	for name, text := range files {
		a.write(name, text)
	}
	a.request = build.Request{
		Dir: a.dir, Package: ".", MainDir: a.dir, UserPatterns: []string{"example.com/app/..."}, GOFLAGS: " ",
		// Tests must not depend on how this machine's go command is set.
		Env: append(os.Environ(), "GOENV=off", "GOFLAGS=", "GOWORK="),
	}
	return a
}

func (a *app) write(name, text string) {
	a.t.Helper()
	path := filepath.Join(a.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		a.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		a.t.Fatal(err)
	}
}

func (a *app) remove(name string) {
	a.t.Helper()
	if err := os.RemoveAll(filepath.Join(a.dir, filepath.FromSlash(name))); err != nil {
		a.t.Fatal(err)
	}
}

// next gives the request of another build.
func (a *app) next() build.Request {
	a.builds++
	r := a.request
	r.Output = filepath.Join(filepath.Dir(a.dir), fmt.Sprintf("app-%d", a.builds))
	return r
}

// learn has the builder know the app as it is now.
func (a *app) learn() {
	a.t.Helper()
	if err := a.builder.Learn(a.t.Context(), a.next()); err != nil {
		a.t.Fatal(err)
	}
	if off := a.builder.Off(); off != "" {
		a.t.Fatal(off)
	}
}

// build builds what must pass.
func (a *app) build() Result {
	a.t.Helper()
	res, err := a.builder.Build(a.t.Context(), a.next(), nil)
	if failure, ok := errors.AsType[*build.Failure](err); ok {
		a.t.Fatalf("%v\n%s", err, failure.Output)
	}
	if err != nil {
		a.t.Fatal(err)
	}
	return res
}

// direct builds what must not need go build and must say want.
func (a *app) direct(want string) Result {
	a.t.Helper()
	res := a.build()
	if res.Full != "" {
		a.t.Errorf("go build made it: %s", res.Full)
	}
	if got := output(a.t, res.Binary); got != want {
		a.t.Errorf("the app says %q, want %q", got, want)
	}
	return res
}

// full builds what must be left to go build, as a first one, for a reason that has
// why in it.
func (a *app) full(why, want string) {
	a.t.Helper()
	a.builder.due = false
	res := a.build()
	if res.Full == "" || !strings.Contains(res.Full, why) {
		a.t.Errorf("the reason for go build is %q, want one with %q", res.Full, why)
	}
	if got := output(a.t, res.Binary); got != want {
		a.t.Errorf("the app says %q, want %q", got, want)
	}
}

func output(t testing.TB, binary string) string {
	t.Helper()
	out, err := exec.Command(binary).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return strings.TrimSpace(string(out))
}

// compiled are the packages whose archives a build has added, by their build's
// archives before and after.
func (a *app) archives() []string {
	a.t.Helper()
	entries, err := os.ReadDir(a.builder.store.dir)
	if err != nil {
		a.t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	slices.Sort(names)
	return names
}

const (
	mainGo = "package main\n\nimport \"example.com/app/leaf\"\n\nfunc main() { println(leaf.F() + leaf.G) }\n"
	leafGo = "package leaf\n\n// G is a constant.\nconst G = \"g\"\n\n// F is a function.\nfunc F() string {\n\treturn \"f1\"\n}\n"
)

func TestDirect(t *testing.T) {
	a := newApp(t, map[string]string{"main.go": mainGo, "leaf/leaf.go": leafGo})
	a.full(notLearned, "f1g")
	a.learn()
	a.direct("f1g")
	if n := len(a.archives()); n != 0 {
		t.Errorf("%d archives for what the go command has", n)
	}

	a.write("leaf/leaf.go", strings.Replace(leafGo, "f1", "f2", 1))
	a.direct("f2g")
	if n := len(a.archives()); n != 1 {
		t.Errorf("%d archives were made for a changed body, want that of its package", n)
	}
	a.write("leaf/leaf.go", strings.Replace(leafGo, `"g"`, `"h"`, 1))
	a.direct("f1h")
	if n := len(a.archives()); n != 3 {
		t.Errorf("%d archives are there after a changed constant, want two more", n)
	}
	a.write("leaf/leaf.go", strings.Replace(leafGo, "f1", "f2", 1))
	a.direct("f2g")
	a.write("leaf/leaf.go", leafGo)
	a.direct("f1g")
	if n := len(a.archives()); n != 3 {
		t.Errorf("%d archives are there after going back, want none more", n)
	}
}
