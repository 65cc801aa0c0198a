//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var graphBehaviours = []behaviour{
	{"ignored files cost nothing", testIgnored},
	{"only what the app is made of is built", testGraph},
	{"modules beside the app", testWorkspace},
	{"cgo sources", testCgo},
	{".env", testEnvFile},
	{"a generator that writes the same again", testGenerator},
	{"a symlinked root", testSymlinkedRoot},
	{"spaces, quotes and other letters in paths", testOddPaths},
	{"the clock of a file goes backwards", testClockBackwards},
	{"vendor, tags, race, trimpath", testBuildFlags},
}

func testIgnored(t *testing.T, mode string) {
	r := newRig(t, mode)
	r.git("init", "-q")
	r.write(".gitignore", "/tmp/\nnode_modules/\n*.gen.go\n")
	r.write("web/.gitignore", "!keep.gen.go\n")
	for i := range 40 {
		for j := range 250 {
			r.write(fmt.Sprintf("web/node_modules/p%d/f%d.js", i, j), "")
		}
		r.write(fmt.Sprintf("tmp/t%d/x.html", i), "")
	}
	r.start()
	if mode == "notify" {
		if n := r.watches(); n > 50 {
			t.Errorf("%d watches", n)
		}
	}
	before, pid := r.builds(), r.appPid()
	r.write("tmp/t1/x.html", "changed")
	r.write("web/node_modules/p1/f1.js", "changed")
	r.write("tmp/t1/new/deep/x.css", "new")
	if n := r.quiet(before, "v2"); n != 0 {
		t.Errorf("ignored files: %d builds", n)
	}
	gone(t, pid)
	if s := r.stderr.String(); strings.Contains(s, "x.html") || strings.Contains(s, "f1.js") || strings.Contains(s, "x.css") {
		t.Errorf("an ignored file is named:\n%s", s)
	}
	// A source of the app counts even if git ignores it.
	r.write("web/keep.gen.go", "package web\n\nfunc init() { page = \"kept\" }\n")
	r.answers("/template", "kept")
	// A rule that is added is in force at once.
	r.write(".gitignore", r.read(".gitignore")+"static/\n")
	r.write("static/now_ignored.js", "x")
	r.setVersion("v3")
	r.served("v3")
	if strings.Contains(r.stderr.String(), "now_ignored") {
		t.Error("a new rule of .gitignore is not in force")
	}
}

// watches counts devrun's inotify watches.
func (r *rig) watches() int {
	r.t.Helper()
	infos, err := filepath.Glob(fmt.Sprintf("/proc/%d/fdinfo/*", r.cmd.Process.Pid))
	if err != nil || len(infos) == 0 {
		r.t.Fatal("no fdinfo: ", err)
	}
	n := 0
	for _, f := range infos {
		b, err := os.ReadFile(f)
		if err != nil {
			continue // a descriptor that was closed meanwhile
		}
		n += strings.Count(string(b), "inotify wd:")
	}
	return n
}

func testGraph(t *testing.T, mode string) {
	r := newRig(t, mode).start()
	before := r.builds()
	r.write("unused/unused.go", "package unused\n\nconst X = 2\n")
	r.write("web/web_test.go", "package web\n\nimport \"testing\"\n\nfunc TestOther(t *testing.T) {}\n")
	r.write("web/web_plan9.go", "package web\n\nthis is no Go\n")
	r.write("notes.txt", "x")
	if n := r.quiet(before, "v2"); n != 0 {
		t.Errorf("files that are no part of the app: %d builds", n)
	}
	r.write("web/embedded.txt", "e2\n")
	r.answers("/embedded", "e2")
	before = r.builds()
	r.write("go.mod", r.read("go.mod")+"\n// changed\n")
	eventually(t, "go.mod is a build", func() error {
		if r.builds() == before {
			return errors.New("no build")
		}
		return nil
	})
	r.served("v2")
	// What becomes part of the app is watched from then on.
	r.replace("main.go", `"example.test/app/web"`, "\"example.test/app/unused\"\n\t\"example.test/app/web\"")
	r.replace("main.go", "web.Handler(version)", "web.Handler(fmt.Sprint(version, unused.X))")
	r.served("v22")
	r.write("unused/unused.go", "package unused\n\nconst X = 3\n")
	r.served("v23")
}

func testWorkspace(t *testing.T, mode string) {
	r := newRig(t, mode)
	lib := func(name, text string) {
		t.Helper()
		path := filepath.Join(filepath.Dir(r.dir), name)
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
	r.write("go.mod", r.read("go.mod")+"\nrequire example.test/lib v0.0.0\n\nreplace example.test/lib => ../lib\n")
	r.replace("main.go", `"example.test/app/web"`, "\"example.test/app/web\"\n\t\"example.test/lib\"\n\t\"example.test/work\"")
	r.replace("main.go", "web.Handler(version)", "web.Handler(version + lib.Name + work.Name)")
	r.launch()
	r.served("v1ab")
	lib("lib/lib.go", "package lib\n\nconst Name = \"A\"\n")
	r.served("v1Ab")
	lib("work/work.go", "package work\n\nconst Name = \"B\"\n")
	r.served("v1AB")
	before := r.builds()
	lib("lib/unused/unused.go", "package unused\n\nconst X = 1\n")
	r.setVersion("v2")
	r.served("v2AB")
	if n := r.builds() - before; n != 1 {
		t.Errorf("%d builds", n)
	}
	lib("go.work", "go 1.25\n\nuse (\n\t./app\n\t./work\n)\n\n// changed\n")
	eventually(t, "go.work is a build", func() error {
		if r.builds() != before+2 {
			return fmt.Errorf("%d builds", r.builds()-before)
		}
		return nil
	})
}

func testCgo(t *testing.T, mode string) {
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("NOT TESTED: cgo needs gcc, which is not on this machine")
	}
	r := newRig(t, mode)
	r.write("web/answer.go", "package web\n\n// #include \"answer.h\"\nimport \"C\"\n\nimport \"fmt\"\n\nfunc init() { page = fmt.Sprint(C.answer()) }\n")
	r.write("web/answer.h", "int answer(void);\n#define PLUS 0\n")
	r.write("web/answer.c", "#include \"answer.h\"\nint answer(void) { return 41 + PLUS; }\n")
	r.start()
	r.answers("/template", "41")
	r.write("web/answer.c", "#include \"answer.h\"\nint answer(void) { return 42 + PLUS; }\n")
	r.answers("/template", "42")
	r.write("web/answer.h", "int answer(void);\n#define PLUS 1\n")
	r.answers("/template", "43")
	r.write("web/answer.c", "#include \"answer.h\"\nint answer(void) { return nothing; }\n")
	r.says(`^  web/answer\.c:2:27 +.*nothing`)
}

func testEnvFile(t *testing.T, mode string) {
	r := newRig(t, mode)
	r.write(".env", "GREETING=hello\nGOING=soon\nPORT=1\n")
	r.start() // the real environment's PORT wins
	r.answers("/env/GREETING", `"hello" true`)
	builds := r.builds()
	r.write(".env.local", "GREETING=hi\n")
	r.answers("/env/GREETING", `"hi" true`)
	r.write(".env.development", "GREETING=moin\n")
	r.answers("/env/GREETING", `"moin" true`)
	r.write(".env", "GREETING=hello\n")
	r.answers("/env/GOING", `"" false`)
	if r.builds() != builds {
		t.Errorf("%d builds", r.builds()-builds)
	}
	pid := r.appPid()
	r.write(".env", "GREETING=hello\nBROKEN=\"no end\n")
	r.says(`^devrun: \.env line 2: `)
	if r.appPid() != pid {
		t.Error("a broken .env touched the app")
	}
	r.write(".env", "GREETING=hello\nAGAIN=1\n")
	r.answers("/env/AGAIN", `"1" true`)
}

func testGenerator(t *testing.T, mode string) {
	r := newRig(t, mode).start()
	r.setVersion("v2")
	r.served("v2")
	before := r.builds()
	// A generator that runs on every change and writes the same text anew.
	gen := "package web\n\nfunc generated() {}\n"
	r.write("web/gen.go", gen)
	eventually(t, "the new file is a build", func() error {
		if r.builds() != before+1 {
			return fmt.Errorf("%d builds", r.builds()-before)
		}
		return nil
	})
	for range 20 {
		if err := os.Remove(filepath.Join(r.dir, "web/gen.go")); err != nil {
			t.Fatal(err)
		}
		r.write("web/gen.go", gen)
	}
	if n := r.quiet(before+1, "v3"); n > 1 {
		t.Errorf("%d builds for the same text", n)
	}
}

func testSymlinkedRoot(t *testing.T, mode string) {
	r := newRig(t, mode)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(r.dir, link); err != nil {
		t.Fatal(err)
	}
	real := r.dir
	r.dir = link
	r.start()
	r.setVersion("v2")
	r.served("v2")
	r.dir = real // the same file under its other name
	r.setVersion("v3")
	r.served("v3")
	if !strings.Contains(r.stderr.String(), "devrun: main.go saved") {
		t.Errorf("the file is not named relative to the directory that the user is in")
	}
}

func testOddPaths(t *testing.T, mode string) {
	r := newRig(t, mode)
	odd := filepath.Join(filepath.Dir(r.dir), `it's a "größe" $HOME`)
	if err := os.Rename(r.dir, odd); err != nil {
		t.Fatal(err)
	}
	r.dir = odd
	r.launch(".", "--", "a b", `"q"`, "--flag", "ü")
	r.served("v1")
	r.setVersion("v2")
	r.served("v2")
	r.replace("main.go", `"v2"`, "v2")
	r.says(`^  main\.go:21:17 +undefined: v2`)
	r.replace("main.go", "= v2", `= "v3"`)
	r.served("v3")
}

func testClockBackwards(t *testing.T, mode string) {
	r := newRig(t, mode).start()
	path := filepath.Join(r.dir, "main.go")
	for i, v := range []string{"c2", "c3"} {
		tmp := filepath.Join(t.TempDir(), "main.go")
		if err := os.WriteFile(tmp, []byte(r.source(v)), 0o644); err != nil {
			t.Fatal(err)
		}
		old := time.Date(2001+i, 1, 1, 0, 0, 0, 0, time.UTC)
		if err := os.Chtimes(tmp, old, old); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("cp", "-p", tmp, path).CombinedOutput(); err != nil {
			t.Fatalf("%v %s", err, out)
		}
		r.served(v)
	}
}

func testBuildFlags(t *testing.T, mode string) {
	r := newRig(t, mode)
	// A vendored dependency, as `go mod vendor` leaves it.
	r.write("go.mod", r.read("go.mod")+"\nrequire example.test/dep v1.0.0\n")
	r.write("vendor/modules.txt", "# example.test/dep v1.0.0\n## explicit; go 1.25\nexample.test/dep\n")
	r.write("vendor/example.test/dep/dep.go", "package dep\n\nconst Name = \"d\"\n")
	r.write("stamp.go", "package main\n\nimport \"example.test/dep\"\n\nvar stamp = \"none\"\n\nfunc suffix() string { return dep.Name + tag + stamp }\n")
	r.write("tag_on.go", "//go:build special\n\npackage main\n\nconst tag = \"+\"\n")
	r.write("tag_off.go", "//go:build !special\n\npackage main\n\nconst tag = \"-\"\n")
	r.replace("main.go", "web.Handler(version)", "web.Handler(version + suffix())")
	r.env = append(r.env, "GOFLAGS=-mod=vendor -trimpath")
	r.launch("--tags", "special", "--race", "--ldflags", "-X main.stamp=s1 -X 'main.other=a b'")
	r.served("v1d+s1")
	r.replace("tag_on.go", `"+"`, `"++"`)
	r.served("v1d++s1")
	before := r.builds()
	r.replace("tag_off.go", `"-"`, `"--"`)
	r.setVersion("v2")
	r.served("v2d++s1")
	if n := r.builds() - before; n != 1 {
		t.Errorf("a file that the tags leave out: %d builds", n)
	}
}
