package hook

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"devrun/devserver/internal/wire"
	"devrun/devserver/suite"
)

const (
	mod = "module example.com/app\n\ngo 1.25\n"
	dep = "\nrequire example.com/dep v0.0.0\n\nreplace example.com/dep => ../dep\n"

	depMod = "module example.com/dep\n\ngo 1.25\n"
	depGo  = `package dep

const Word = "dep"
`
	mainGo = `package main

import (
	"io"
	"net/http"
	"os"

	"example.com/dep"
)

func main() {
	http.ListenAndServe(os.Args[1], http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, dep.Word) }))
}
`
	cgoGo = `package main

/*
static const char *word(void) { return "cgo"; }
*/
import "C"

import (
	"io"
	"net/http"
	"os"
)

func main() {
	http.ListenAndServe(os.Args[1], http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, C.GoString(C.word())) }))
}
`
	fiberGo = `package main

import (
	"os"

	"github.com/gofiber/fiber/v2"
)

func main() {
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Get("/", func(c *fiber.Ctx) error { return c.SendString("fiber") })
	app.Listen(os.Args[1])
}
`
)

// tree writes files, by slash-separated name, below a new directory.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		name = filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// withDep is an app whose dependency is another module beside it.
func withDep(t *testing.T) string {
	t.Helper()
	return tree(t, map[string]string{
		"app/go.mod": mod + dep, "app/cmd/web/main.go": mainGo,
		"dep/go.mod": depMod, "dep/dep.go": depGo,
	})
}

// serves runs binary, which must be moved off its port and answer with word.
func serves(t *testing.T, binary, word string) {
	t.Helper()
	_, port := public(t, "127.0.0.1:0")
	p := run(t, binary, nil, "127.0.0.1:"+port)
	m := p.serving()
	if m.Wanted != "127.0.0.1:"+port || m.Addr == m.Wanted {
		t.Errorf("not moved: %+v", m)
	}
	if body := get(t, "http://"+m.Addr+"/"); !strings.Contains(body, word) {
		t.Errorf("app answers %q, want %q in it", body, word)
	}
}

// unchanged checks that a build left nothing in the user's tree.
func unchanged(t *testing.T, root string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if strings.Contains(path, "zz_devrun") {
			t.Errorf("%s exists", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestLongBuildReplaced(t *testing.T) {
	suite.Long(t)
	root := withDep(t)
	p := project{module: "example.com/app", dir: filepath.Join(root, "app"), main: "cmd/web"}
	serves(t, p.build(t), "dep")
	unchanged(t, root)

	// A new private directory, as every run of devrun has one, compiles nothing
	// that the last run has compiled.
	if out := p.compile(t, t.TempDir(), "-v", "-o", os.DevNull); out != "" {
		t.Errorf("compiled again:\n%s", out)
	}
}

func TestBuildVendored(t *testing.T) {
	root := withDep(t)
	p := project{module: "example.com/app", dir: filepath.Join(root, "app"), main: "cmd/web"}
	if out, err := p.command("mod", "vendor").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := os.RemoveAll(filepath.Join(root, "dep")); err != nil {
		t.Fatal(err)
	}
	p.env = []string{"GOFLAGS=-buildvcs=false -mod=vendor"}
	serves(t, p.build(t), "dep")
	unchanged(t, root)
}

func TestBuildWorkspace(t *testing.T) {
	root := withDep(t)
	for name, text := range map[string]string{
		"go.work": "go 1.25\n\nuse (\n\t./app\n\t./dep\n)\n", "app/go.mod": mod,
	} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	p := project{module: "example.com/app", dir: filepath.Join(root, "app"), main: "cmd/web", env: []string{"GOWORK="}}
	serves(t, p.build(t), "dep")
	unchanged(t, root)
}

// An app's first build finds the hook as another app's build has left it.
func TestBuildAnother(t *testing.T) {
	build := func(module string) string {
		root := tree(t, map[string]string{
			"go.mod":  "module " + module + "\n\ngo 1.25\n",
			"main.go": "package main\n\nimport _ \"net/http\"\n\nfunc main() { println(\"" + t.TempDir() + "\") }\n",
		})
		return project{module: module, dir: root}.compile(t, t.TempDir(), "-v", "-o", os.DevNull)
	}
	build("example.com/one")
	equal(t, "compiled", build("example.com/another"), "example.com/another\n")
}

// Quotes, blanks and letters beyond ASCII, and the user's own way to spell a
// directory.
func TestLongBuildPath(t *testing.T) {
	suite.Long(t)
	root := withDep(t)
	odd := filepath.Join(root, `my "app" ünd 'so'`)
	if err := os.Rename(filepath.Join(root, "app"), odd); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(root, "link")
	if err := os.Symlink(odd, link); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{odd, link} {
		serves(t, project{module: "example.com/app", dir: dir, main: "cmd/web"}.build(t), "dep")
	}
	unchanged(t, root)
}

// The user's own -X survives beside the hook's flag, and -trimpath is possible.
func TestBuildFlags(t *testing.T) {
	dir, err := filepath.Abs("testdata/app")
	if err != nil {
		t.Fatal(err)
	}
	p := project{module: "example.com/app", dir: dir, ldflags: "-X main.version=v1.2.3", flags: []string{"-trimpath"}}
	serves(t, p.build(t), " v1.2.3 ")
}

func TestLongBuildRace(t *testing.T) {
	suite.Long(t)
	needGCC(t)
	dir, err := filepath.Abs("testdata/app")
	if err != nil {
		t.Fatal(err)
	}
	binary := project{module: "example.com/app", dir: dir, flags: []string{"-race"}}.build(t)
	_, port := public(t, "127.0.0.1:0")
	p := run(t, binary, nil, ":"+port)
	m := p.serving()
	for range 20 {
		get(t, "http://"+m.Addr+"/dial?to="+m.Addr)
	}
	p.kill()
	if strings.Contains(p.out.String(), "DATA RACE") {
		t.Error(p.out.String())
	}
}

func TestLongBuildCgo(t *testing.T) {
	suite.Long(t)
	needGCC(t)
	root := tree(t, map[string]string{"go.mod": mod, "main.go": cgoGo})
	serves(t, project{module: "example.com/app", dir: root, env: []string{"CGO_ENABLED=1"}}.build(t), "cgo")
}

func needGCC(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("NOT TESTED, needs a C compiler: ", err)
	}
}

// Another toolchain out of the module cache, which no overlay may touch.
func TestLongBuildToolchain(t *testing.T) {
	suite.Long(t)
	root := withDep(t)
	p := project{module: "example.com/app", dir: filepath.Join(root, "app"), main: "cmd/web", env: []string{"GOTOOLCHAIN=go1.25.1"}}
	out, err := p.command("env", "GOVERSION").CombinedOutput()
	if err != nil {
		t.Skipf("NOT TESTED, needs the network to get go1.25.1: %v\n%s", err, out)
	}
	binary := p.build(t)
	_, port := public(t, "127.0.0.1:0")
	app := run(t, binary, nil, "127.0.0.1:"+port)
	equal(t, "Go", app.next(wire.Hello).Go, "go1.25.1")
	serves(t, binary, "dep")
}

// A framework that does without net/http's server.
func TestLongBuildFiber(t *testing.T) {
	suite.Long(t)
	root := tree(t, map[string]string{
		"go.mod":  mod + "\nrequire github.com/gofiber/fiber/v2 v2.52.9\n",
		"main.go": fiberGo,
	})
	p := project{module: "example.com/app", dir: root}
	if out, err := p.command("mod", "tidy").CombinedOutput(); err != nil {
		t.Skipf("NOT TESTED, needs the network to get fiber: %v\n%s", err, out)
	}
	binary := p.build(t)
	_, port := public(t, "127.0.0.1:0")
	for _, asks := range []string{"127.0.0.1:", ":"} {
		app := run(t, binary, nil, asks+port)
		app.next(wire.Hello)
		m := app.next(wire.Listening)
		if m.Addr == m.Wanted {
			t.Errorf("not moved: %+v", m)
		}
		equal(t, "answer", get(t, "http://"+m.Addr+"/"), "fiber")
		app.kill()
	}
}
