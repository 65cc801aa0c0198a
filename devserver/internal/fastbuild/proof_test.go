package fastbuild

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"devrun/devserver/internal/build"
	"devrun/devserver/suite"
)

// A compile that does not give the go command's archive is the end of direct
// builds, whatever the reason.
func TestProofFails(t *testing.T) {
	a := newApp(t, map[string]string{"main.go": mainGo, "leaf/leaf.go": leafGo})
	// The go command is told what the request does not say.
	a.request.UserPatterns = nil
	a.request.Env = append(a.request.Env, "GOFLAGS=-gcflags=-B")
	a.full(notLearned, "f1g")
	if err := a.builder.Learn(t.Context(), a.next()); err != nil {
		t.Fatal(err)
	}
	if off := a.builder.Off(); !strings.Contains(off, "example.com/app compiled directly is not what go build makes of it") {
		t.Errorf("off because %q", off)
	}
	a.full("compiled directly is not", "f1g")
}

// What a linker or compiler here refuses and go build takes is a mistake here.
func TestRefusal(t *testing.T) {
	a := newApp(t, map[string]string{"main.go": mainGo, "leaf/leaf.go": leafGo})
	a.build()
	a.learn()
	a.builder.recipe.linking.after = append(a.builder.recipe.linking.after, "-nonsense")
	a.full("link: flag provided but not defined: -nonsense", "f1g")
	if off := a.builder.Off(); !strings.Contains(off, "go build takes what a direct build does not") {
		t.Errorf("off because %q", off)
	}
}

// The linker is the last to see that a package was not compiled again.
func TestLinkerRefusesOtherFingerprints(t *testing.T) {
	a := newApp(t, map[string]string{"main.go": mainGo, "leaf/leaf.go": leafGo})
	a.build()
	a.learn()
	rec := a.builder.recipe
	main := rec.packages[len(rec.packages)-1]
	main.imports = nil // as if its key forgot them
	c := &compilation{recipe: rec, snapshot: rec.snapshot}
	main.key = c.key(len(rec.packages)-1, nil)
	a.write("leaf/leaf.go", strings.Replace(leafGo, `"g"`, `"h"`, 1))
	a.full("fingerprint mismatch", "f1h")
	if off := a.builder.Off(); !strings.Contains(off, "fingerprint mismatch") {
		t.Errorf("off because %q", off)
	}
}

func TestMade(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads ELF files")
	}
	a := newApp(t, map[string]string{"main.go": mainGo, "leaf/leaf.go": leafGo})
	a.build()
	a.learn()
	a.write("leaf/leaf.go", strings.Replace(leafGo, "f1", "f2", 1))
	made := a.direct("f2g").Made
	honest := func() string {
		r := a.next()
		if _, err := build.Run(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		return r.Output
	}
	right := honest()
	if err := made.check(right); err != nil {
		t.Error(err)
	}
	a.write("leaf/leaf.go", strings.Replace(leafGo, "f1", "f3", 1))
	wrong := honest()
	if err := made.check(wrong); err != nil {
		t.Errorf("files that have changed since say nothing: %v", err)
	}
	a.write("leaf/leaf.go", "package le")
	if err := a.builder.Verify(t.Context(), a.next(), made); err != nil {
		t.Errorf("files that are being written say %v", err)
	}
	a.write("leaf/leaf.go", strings.Replace(leafGo, "f1", "f2", 1))
	_, different := errors.AsType[*Difference](made.check(wrong))
	if err := made.check(wrong); !different || !strings.Contains(err.Error(), "section .rodata") || !strings.Contains(err.Error(), "linux/") {
		t.Errorf("error %v", err)
	}
	if err := made.check(filepath.Join(a.dir, "go.mod")); err == nil {
		t.Error("a file that is no program says nothing")
	}
}

// A save that changes nothing in the program is not linked.
func TestSame(t *testing.T) {
	const words = "package leaf\n\n// G is a constant.\nconst G = \"g\" // %s\n\n// F is a function.\nfunc F() string {\n\treturn \"%s\"\n}\n"
	a := newApp(t, map[string]string{"main.go": mainGo, "leaf/leaf.go": fmt.Sprintf(words, "one", "f1")})
	a.build()
	a.learn()
	a.write("leaf/leaf.go", fmt.Sprintf(words, "one", "f2"))
	runs := a.direct("f2g").Made
	build := func(same bool) {
		t.Helper()
		r := a.next()
		res, err := a.builder.Build(t.Context(), r, runs)
		if err != nil || res.Full != "" || res.Same != same {
			t.Fatalf("%v, with go build because %q, the same: %t", err, res.Full, res.Same)
		}
		if _, err := os.Stat(r.Output); same != errors.Is(err, os.ErrNotExist) {
			t.Errorf("the binary: %v", err)
		}
		runs = res.Made
	}
	build(true)
	a.write("leaf/leaf.go", fmt.Sprintf(words, "two", "f2"))
	build(true)
	a.write("main.go", mainGo+"// The end.\n")
	build(true)
	a.write("main.go", "// The beginning.\n"+mainGo)
	build(false) // lines are others
	a.write("leaf/leaf.go", fmt.Sprintf(words, "two", "f3"))
	build(false)
	a.write("leaf/leaf.go", fmt.Sprintf(words, "two", "f2"))
	build(false)
	build(true)
	a.request.LDFlags = "-X main.v=2"
	if res := a.build(); res.Same || res.Full == "" {
		t.Errorf("other flags: %+v", res)
	}
}

// compilation is one of the files as they are now.
func (a *app) compilation(rec *recipe) *compilation {
	a.t.Helper()
	c := &compilation{recipe: rec, request: a.next(), store: a.builder.store}
	var err error
	if c.snapshot, err = rec.takeSnapshot(c.request, shapes{}); err == nil {
		c.tmp, err = a.builder.temporary()
	}
	if err != nil {
		a.t.Fatal(err)
	}
	c.request.Env = rec.toolEnv(c.request, c.tmp)
	return c
}

// says wants a compilation to give a program that says want.
func (a *app) says(c *compilation, want string) {
	a.t.Helper()
	archives, err := c.all(a.t.Context())
	if err == nil {
		err = c.link(a.t.Context(), archives)
	}
	if err != nil {
		a.t.Fatal(err)
	}
	if got := output(a.t, c.request.Output); got != want {
		a.t.Errorf("the app says %q, want %q", got, want)
	}
}

// What is compiled is what is in the snapshot, whatever is written meanwhile.
func TestLongMovedFile(t *testing.T) {
	suite.Long(t)
	a := newApp(t, map[string]string{"main.go": mainGo, "leaf/leaf.go": leafGo})
	a.build()
	a.learn()
	rec := a.builder.recipe
	a.write("leaf/leaf.go", strings.Replace(leafGo, "f1", "f2", 1))
	c := a.compilation(rec)
	a.write("leaf/leaf.go", strings.Replace(leafGo, "f1", "f3", 1))
	a.says(c, "f2g")
	a.direct("f3g")
	c.snapshot.forget()
	c.store = newStore(t.TempDir())
	if _, err := c.all(t.Context()); !errors.Is(err, errMoved) {
		t.Errorf("error %v", err)
	}
}

// What was saved a while ago is compiled where it is; if it is written meanwhile,
// what counts is still the snapshot.
func TestLongWrittenWhileCompiled(t *testing.T) {
	suite.Long(t)
	a := newApp(t, map[string]string{"main.go": mainGo, "leaf/leaf.go": leafGo, "leaf/more.go": "package leaf\n"})
	a.build()
	a.learn()
	leaf := filepath.Join(a.dir, "leaf", "leaf.go")
	a.write("leaf/leaf.go", strings.Replace(leafGo, "f1", "f2", 1))
	if err := os.Chtimes(leaf, time.Time{}, time.Now().Add(-time.Minute)); err != nil {
		t.Fatal(err)
	}
	a.write("leaf/more.go", "package leaf\n\nconst more = 1\n")
	rec := *a.builder.recipe
	c := a.compilation(&rec)
	// A compiler before which somebody saves.
	said, script := filepath.Join(c.tmp, "said"), filepath.Join(c.tmp, "compile")
	text := fmt.Sprintf("#!/bin/sh\necho \"$@\" >>%q\nsed -i s/f2/f3/ %q\nexec %q \"$@\"\n", said, leaf, rec.compiler)
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	rec.compiler, c.store = script, newStore(t.TempDir())
	a.says(c, "f2g")
	args, err := os.ReadFile(said)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(args), " "+leaf) || strings.Contains(string(args), filepath.Join(a.dir, "leaf", "more.go")) {
		t.Errorf("%s, of a minute ago, is copied, or what was just saved is not:\n%s", leaf, args)
	}
	a.direct("f3g")
}

// The build cache may be emptied at any time.
func TestLongEmptiedCache(t *testing.T) {
	suite.Long(t)
	a := newApp(t, map[string]string{"main.go": mainGo, "leaf/leaf.go": leafGo})
	a.request.Env = append(a.request.Env, "GOCACHE="+filepath.Join(filepath.Dir(a.dir), "cache"))
	a.build()
	a.learn()
	a.direct("f1g")
	clean := exec.Command("go", "clean", "-cache")
	clean.Dir, clean.Env = a.dir, a.request.Env
	if out, err := clean.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	a.write("leaf/leaf.go", strings.Replace(leafGo, "f1", "f2", 1))
	a.full("the build cache has lost a package", "f2g")
	if off := a.builder.Off(); off != "" {
		t.Error(off)
	}
	a.learn()
	a.direct("f2g")
}

func TestStoreForgets(t *testing.T) {
	dir := t.TempDir()
	s := newStore(dir)
	for i := range byte(2) {
		k := key{i}
		if err := os.WriteFile(s.place(k), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		s.put(k, archive{path: s.place(k)})
	}
	for range maxTurns + 2 {
		if _, ok := s.get(key{1}); !ok {
			t.Fatal("what is wanted in each turn is gone")
		}
		s.prune()
	}
	if _, ok := s.get(key{0}); ok {
		t.Error("what is not wanted is kept")
	}
	if err := os.Remove(s.place(key{1})); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.get(key{1}); ok {
		t.Error("a file that is gone is there")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 0 {
		t.Errorf("%d files are left (%v)", len(entries), err)
	}
}

func TestUnquoteWords(t *testing.T) {
	got, err := unquoteWords(`GOROOT='/usr/local/my go' /bin/link -o a.out -X "main.x=a \"b\"" -w=1 ""`)
	want := "GOROOT=/usr/local/my go|/bin/link|-o|a.out|-X|main.x=a \"b\"|-w=1|"
	if err != nil || strings.Join(got, "|") != want {
		t.Errorf("got %q, %v", got, err)
	}
	for _, line := range []string{`a "b`, `A='b`, `"a"b`} {
		if got, err := unquoteWords(line); err == nil {
			t.Errorf("%s: %q", line, got)
		}
	}
}
