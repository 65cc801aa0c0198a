//go:build linux

// Package watching tests which changes devrun learns of, where the system tells
// it and where it has to look, and which of them concern the app.
package watching

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
)

func TestMain(m *testing.M) { e2e.Main(m) }

func TestWatching(t *testing.T) { watched.Run(t, "notify") }

func TestLongWatching(t *testing.T) {
	suite.Long(t)
	longWatched.Run(t, "notify")
	slices.Concat(longWatched, watched).Run(t, "poll")
}

var (
	watched = e2e.Behaviours{
		{"only what the app is made of is built", testGraph},
		{"modules beside the app", testWorkspace},
		{".env", testEnvFile},
		{"what the app reads", testRead},
	}
	longWatched = e2e.Behaviours{
		{"ignored files cost nothing", testIgnored},
		{"cgo sources", testCgo},
		{"embedded files that git ignores", testIgnoredEmbeds},
		{"a generator that writes the same again", testGenerator},
		{"a symlinked root", testSymlinkedRoot},
		{"spaces, quotes and other letters in paths", testOddPaths},
		{"the clock of a file goes backwards", testClockBackwards},
	}
)

func testIgnored(t *testing.T, mode string) {
	r := e2e.New(t, mode)
	r.Git("init", "-q")
	r.Write(".gitignore", "/tmp/\nnode_modules/\n*.gen.go\n")
	r.Write("web/.gitignore", "!keep.gen.go\n")
	for i := range 40 {
		for j := range 250 {
			r.Write(fmt.Sprintf("web/node_modules/p%d/f%d.js", i, j), "")
		}
		r.Write(fmt.Sprintf("tmp/t%d/x.html", i), "")
	}
	r.Start()
	if mode == "notify" {
		if n := watches(r); n > 50 {
			t.Errorf("%d watches", n)
		}
	}
	before, pid := r.Builds(), r.AppPid()
	r.Write("tmp/t1/x.html", "changed")
	r.Write("web/node_modules/p1/f1.js", "changed")
	r.Write("tmp/t1/new/deep/x.css", "new")
	if n := r.Quiet(before, "v2"); n != 0 {
		t.Errorf("ignored files: %d builds", n)
	}
	e2e.Gone(t, pid)
	if s := r.Stderr.String(); strings.Contains(s, "x.html") || strings.Contains(s, "f1.js") || strings.Contains(s, "x.css") {
		t.Errorf("an ignored file is named:\n%s", s)
	}
	// A source of the app counts even if git ignores it.
	r.Write("web/keep.gen.go", "package web\n\nfunc init() { page = \"kept\" }\n")
	r.Answers("/template", "kept")
	// A rule that is added is in force at once.
	r.Write(".gitignore", r.Read(".gitignore")+"static/\n")
	r.Write("static/now_ignored.js", "x")
	r.SetVersion("v3")
	r.Served("v3")
	if strings.Contains(r.Stderr.String(), "now_ignored") {
		t.Error("a new rule of .gitignore is not in force")
	}
}

func testGraph(t *testing.T, mode string) {
	r := e2e.New(t, mode).Start()
	before := r.Builds()
	r.Write("unused/unused.go", "package unused\n\nconst X = 2\n")
	r.Write("web/web_test.go", "package web\n\nimport \"testing\"\n\nfunc TestOther(t *testing.T) {}\n")
	r.Write("web/web_plan9.go", "package web\n\nthis is no Go\n")
	r.Write("notes.txt", "x")
	if n := r.Quiet(before, "v2"); n != 0 {
		t.Errorf("files that are no part of the app: %d builds", n)
	}
	r.Write("web/embedded.txt", "e2\n")
	r.Answers("/embedded", "e2")
	before = r.Builds()
	r.Write("go.mod", r.Read("go.mod")+"\n// changed\n")
	suite.Until(t, "go.mod is a build", func() error {
		if r.Builds() == before {
			return errors.New("no build")
		}
		return nil
	})
	r.Served("v2")
	// What becomes part of the app is watched from then on.
	r.Replace("main.go", `"example.test/app/web"`, "\"example.test/app/unused\"\n\t\"example.test/app/web\"")
	r.Replace("main.go", "web.Handler(version)", "web.Handler(fmt.Sprint(version, unused.X))")
	r.Served("v22")
	r.Write("unused/unused.go", "package unused\n\nconst X = 3\n")
	r.Served("v23")
}

// Those of go.work and of a replace are the app's, too, and go.work itself is.
func testWorkspace(t *testing.T, mode string) {
	r := e2e.New(t, mode)
	lib := func(name, text string) {
		t.Helper()
		path := filepath.Join(filepath.Dir(r.Dir), name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	lib("lib/go.mod", "module example.test/lib\n\ngo 1.25\n")
	lib("lib/lib.go", "package lib\n\nconst Name = \"a\"\n")
	lib("lib/unused/unused.go", "package unused\n")
	lib("work/go.mod", "module example.test/work\n\ngo 1.25\n")
	lib("work/work.go", "package work\n\nconst Name = \"b\"\n")
	lib("go.work", "go 1.25\n\nuse (\n\t./app\n\t./work\n)\n")
	r.Write("go.mod", r.Read("go.mod")+"\nrequire example.test/lib v0.0.0\n\nreplace example.test/lib => ../lib\n")
	r.Replace("main.go", `"example.test/app/web"`, "\"example.test/app/web\"\n\t\"example.test/lib\"\n\t\"example.test/work\"")
	r.Replace("main.go", "web.Handler(version)", "web.Handler(version + lib.Name + work.Name)")
	r.Launch()
	r.Served("v1ab")
	lib("lib/lib.go", "package lib\n\nconst Name = \"A\"\n")
	r.Served("v1Ab")
	lib("work/work.go", "package work\n\nconst Name = \"B\"\n")
	r.Served("v1AB")
	before := r.Builds()
	lib("lib/unused/unused.go", "package unused\n\nconst X = 1\n")
	r.SetVersion("v2")
	r.Served("v2AB")
	if n := r.Builds() - before; n != 1 {
		t.Errorf("%d builds", n)
	}
	lib("go.work", "go 1.25\n\nuse (\n\t./app\n\t./work\n)\n\n// changed\n")
	suite.Until(t, "go.work is a build", func() error {
		if r.Builds() != before+2 {
			return fmt.Errorf("%d builds", r.Builds()-before)
		}
		return nil
	})
}

// A save of C or of a header is a build, and its errors have their place.
func testCgo(t *testing.T, mode string) {
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("NOT TESTED: cgo needs gcc, which is not on this machine")
	}
	r := e2e.New(t, mode)
	r.Write("web/answer.go", "package web\n\n// #include \"answer.h\"\nimport \"C\"\n\nimport \"fmt\"\n\nfunc init() { page = fmt.Sprint(C.answer()) }\n")
	r.Write("web/answer.h", "int answer(void);\n#define PLUS 0\n")
	r.Write("web/answer.c", "#include \"answer.h\"\nint answer(void) { return 41 + PLUS; }\n")
	r.Start()
	r.Answers("/template", "41")
	r.Write("web/answer.c", "#include \"answer.h\"\nint answer(void) { return 42 + PLUS; }\n")
	r.Answers("/template", "42")
	r.Write("web/answer.h", "int answer(void);\n#define PLUS 1\n")
	r.Answers("/template", "43")
	r.Write("web/answer.c", "#include \"answer.h\"\nint answer(void) { return nothing; }\n")
	r.Says(`^  web/answer\.c:2:27 +.*nothing`)
}

// A save of such a file is a restart with its values and no build, and a broken one
// changes nothing.
func testEnvFile(t *testing.T, mode string) {
	r := e2e.New(t, mode)
	r.Write(".env", "GREETING=hello\nGOING=soon\nPORT=1\n")
	r.Start() // the real environment's PORT wins
	r.Answers("/env/GREETING", `"hello" true`)
	builds := r.Builds()
	r.Write(".env.local", "GREETING=hi\n")
	r.Answers("/env/GREETING", `"hi" true`)
	r.Write(".env.development", "GREETING=moin\n")
	r.Answers("/env/GREETING", `"moin" true`)
	r.Write(".env", "GREETING=hello\nHERE=now\n")
	r.Answers("/env/HERE", `"now" true`) // a look may have found the file empty
	r.Answers("/env/GOING", `"" false`)
	if r.Builds() != builds {
		t.Errorf("%d builds", r.Builds()-builds)
	}
	pid := r.AppPid()
	r.Write(".env", "GREETING=hello\nBROKEN=\"no end\n")
	r.Says(`^devrun: \.env line 2: `)
	if r.AppPid() != pid {
		t.Error("a broken .env touched the app")
	}
	r.Write(".env", "GREETING=hello\nAGAIN=1\n")
	r.Answers("/env/AGAIN", `"1" true`)
}

// Twenty times are one build at most.
func testGenerator(t *testing.T, mode string) {
	r := e2e.New(t, mode).Start()
	r.SetVersion("v2")
	r.Served("v2")
	before := r.Builds()
	// A generator that runs on every change and writes the same text anew.
	gen := "package web\n\nfunc generated() {}\n"
	r.Write("web/gen.go", gen)
	suite.Until(t, "the new file is a build", func() error {
		if r.Builds() != before+1 {
			return fmt.Errorf("%d builds", r.Builds()-before)
		}
		return nil
	})
	for range 20 {
		if err := os.Remove(filepath.Join(r.Dir, "web/gen.go")); err != nil {
			t.Fatal(err)
		}
		r.Write("web/gen.go", gen)
	}
	if n := r.Quiet(before+1, "v3"); n > 1 {
		t.Errorf("%d builds for the same text", n)
	}
}

// A save is seen under either name, and told by the user's.
func testSymlinkedRoot(t *testing.T, mode string) {
	r := e2e.New(t, mode)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(r.Dir, link); err != nil {
		t.Fatal(err)
	}
	real := r.Dir
	r.Dir = link
	r.Start()
	r.SetVersion("v2")
	r.Served("v2")
	r.Dir = real // the same file under its other name
	r.SetVersion("v3")
	r.Served("v3")
	if !strings.Contains(r.Stderr.String(), "devrun: main.go saved") {
		t.Errorf("the file is not named relative to the directory that the user is in")
	}
}

// An app in such a place, with such arguments, is built and served.
func testOddPaths(t *testing.T, mode string) {
	r := e2e.New(t, mode)
	odd := filepath.Join(filepath.Dir(r.Dir), `it's a "größe" $HOME`)
	if err := os.Rename(r.Dir, odd); err != nil {
		t.Fatal(err)
	}
	r.Dir = odd
	r.Launch(".", "--", "a b", `"q"`, "--flag", "ü")
	r.Served("v1")
	r.SetVersion("v2")
	r.Served("v2")
	r.Replace("main.go", `"v2"`, "v2")
	r.Says(`^  main\.go:21:17 +undefined: v2`)
	r.Replace("main.go", "= v2", `= "v3"`)
	r.Served("v3")
}

// It is a save like any other.
func testClockBackwards(t *testing.T, mode string) {
	r := e2e.New(t, mode).Start()
	path := filepath.Join(r.Dir, "main.go")
	for i, v := range []string{"c2", "c3"} {
		tmp := filepath.Join(t.TempDir(), "main.go")
		if err := os.WriteFile(tmp, []byte(r.Source(v)), 0o644); err != nil {
			t.Fatal(err)
		}
		old := time.Date(2001+i, 1, 1, 0, 0, 0, 0, time.UTC)
		if err := os.Chtimes(tmp, old, old); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("cp", "-p", tmp, path).CombinedOutput(); err != nil {
			t.Fatalf("%v %s", err, out)
		}
		r.Served(v)
	}
}

// TestLongBuildFlags: vendored packages, tags, the race detector and -trimpath hold
// for each save. What the race detector needs of the standard library is the longest
// build of all; how changes are heard of makes no difference to it.
func TestLongBuildFlags(t *testing.T) {
	suite.Long(t)
	t.Parallel()
	r := e2e.New(t, "notify")
	// A vendored dependency, as `go mod vendor` leaves it.
	r.Write("go.mod", r.Read("go.mod")+"\nrequire example.test/dep v1.0.0\n")
	r.Write("vendor/modules.txt", "# example.test/dep v1.0.0\n## explicit; go 1.25\nexample.test/dep\n")
	r.Write("vendor/example.test/dep/dep.go", "package dep\n\nconst Name = \"d\"\n")
	r.Write("stamp.go", "package main\n\nimport \"example.test/dep\"\n\nvar stamp = \"none\"\n\nfunc suffix() string { return dep.Name + tag + stamp }\n")
	r.Write("tag_on.go", "//go:build special\n\npackage main\n\nconst tag = \"+\"\n")
	r.Write("tag_off.go", "//go:build !special\n\npackage main\n\nconst tag = \"-\"\n")
	r.Replace("main.go", "web.Handler(version)", "web.Handler(version + suffix())")
	r.Env = append(r.Env, "GOFLAGS=-mod=vendor -trimpath")
	r.Prebuild("-race", "-tags", "special").Launch("--tags", "special", "--race", "--ldflags", "-X main.stamp=s1 -X 'main.other=a b'")
	r.Served("v1d+s1")
	r.Replace("tag_on.go", `"+"`, `"++"`)
	r.Served("v1d++s1")
	before := r.Builds()
	r.Replace("tag_off.go", `"-"`, `"--"`)
	r.SetVersion("v2")
	r.Served("v2d++s1")
	if n := r.Builds() - before; n != 1 {
		t.Errorf("a file that the tags leave out: %d builds", n)
	}
}
