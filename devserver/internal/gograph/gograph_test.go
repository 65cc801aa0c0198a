package gograph

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// tree writes files, named relative to a new directory, and returns that.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "tree")
	write(t, dir, files)
	return dir
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

func mod(path string) string { return "module " + path + "\n\ngo 1.25\n" }

const emptyMain = "package main\n\nfunc main() {}\n"

func load(t *testing.T, o Options) *Graph {
	t.Helper()
	g, err := Load(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// rel makes paths short enough to compare: relative to dir, with slashes.
func rel(t *testing.T, dir string, paths []string) string {
	t.Helper()
	var out []string
	for _, p := range paths {
		r, err := filepath.Rel(dir, p)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, filepath.ToSlash(r))
	}
	return strings.Join(out, " ")
}

func equal(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

func find(g *Graph, path string) *Package {
	for i := range g.Packages {
		if g.Packages[i].ImportPath == path {
			return &g.Packages[i]
		}
	}
	return nil
}

func TestSingleModule(t *testing.T) {
	dir := tree(t, map[string]string{
		"go.mod":              mod("example.com/app"),
		"main.go":             "package main\n\nimport (\n\t_ \"embed\"\n\t\"net/http\"\n\n\t\"example.com/app/store\"\n)\n\n//go:embed web/*.html one.txt\nvar s embedFS\n\nfunc main() { store.F(); http.NotFound(nil, nil) }\n",
		"main_test.go":        "package main\n\nimport _ \"example.com/app/testhelp\"\n",
		"linux_only_x.go":     "//go:build never\n\npackage main\n",
		"tagged.go":           "//go:build special\n\npackage main\n\nimport _ \"example.com/app/extra\"\n",
		"web/a.html":          "a",
		"web/b.html":          "b",
		"web/c.txt":           "c",
		"one.txt":             "1",
		"store/store.go":      "package store\n\nfunc F() {}\n",
		"testhelp/help.go":    "package testhelp\n",
		"unused/unused.go":    "package unused\n",
		"extra/extra.go":      "package extra\n",
		"store/sub/nested.go": "package sub\n",
	})
	g := load(t, Options{Dir: dir, Package: "."})

	equal(t, "main", g.Main.ImportPath+" "+g.Main.Name+" "+g.Main.Dir, "example.com/app main "+dir)
	equal(t, "dirs", rel(t, dir, dirs(g)), ". store")
	equal(t, "files", rel(t, dir, g.Main.Files), "main.go")
	equal(t, "embeds", rel(t, dir, g.Main.Embeds), "one.txt web/a.html web/b.html")
	equal(t, "embed patterns", strings.Join(g.Main.EmbedPatterns, " "), "one.txt web/*.html")
	equal(t, "module files", rel(t, dir, g.ModFiles), "go.mod go.sum go.work vendor/modules.txt")
	equal(t, "patterns", strings.Join(g.Patterns(), " "), "example.com/app/...")
	want := Module{Path: "example.com/app", Dir: dir, GoVersion: "1.25", Main: true}
	if g.MainModule != want || len(g.Modules) != 1 || g.Modules[0] != want {
		t.Errorf("modules %+v, main %+v", g.Modules, g.MainModule)
	}
	if !g.HasHTTP || !g.Imports["net/http"] || !g.Imports["runtime"] || !g.Imports["example.com/app/store"] || g.Imports["example.com/app/testhelp"] {
		t.Errorf("imports: %d", len(g.Imports))
	}
	if g.Broken() {
		t.Errorf("broken: %+v", g.Packages)
	}
	equal(t, "target", g.GOOS+" "+g.GOARCH, runtime.GOOS+" "+runtime.GOARCH)
	if !strings.HasPrefix(g.GoVersion, "go1.") || !exists(filepath.Join(g.GOROOT, "src", "runtime")) {
		t.Errorf("go %q in %q", g.GoVersion, g.GOROOT)
	}

	owner := func(name string) string {
		if p := owner(g, filepath.Join(dir, filepath.FromSlash(name))); p != nil {
			return p.ImportPath
		}
		return ""
	}
	equal(t, "owners", strings.Join([]string{owner("main.go"), owner("new.go"), owner("store/x.go"), owner("store/sub/nested.go"), owner("web/a.html")}, ","),
		"example.com/app,example.com/app,example.com/app/store,,")

	for _, o := range []Options{
		{Flags: []string{"-tags=special"}},
		{Env: append(os.Environ(), "GOFLAGS=-tags=special")},
	} {
		o.Dir, o.Package = dir, "example.com/app"
		g := load(t, o)
		equal(t, "dirs with a tag", rel(t, dir, dirs(g)), ". extra store")
	}
}

func TestWorkspaceReplaceVendor(t *testing.T) {
	dir := tree(t, map[string]string{
		"ws/go.work":      "go 1.25\n\nuse (\n\t./app\n\t./util\n)\n",
		"ws/app/go.mod":   mod("example.com/app") + "\nrequire example.com/lib v0.0.0\nreplace example.com/lib => ../../lib\n",
		"ws/app/c/m.go":   "package main\n\nimport (\n\t_ \"example.com/util/deep\"\n\t_ \"example.com/lib\"\n)\n\nfunc main() {}\n",
		"ws/util/go.mod":  mod("example.com/util"),
		"ws/util/u.go":    "package util\n",
		"ws/util/deep.go": "package util\n",
		"ws/util/deep/d.go": "package deep\n\nimport _ \"embed\"\n\n//go:embed `a b.txt`\nvar S string\n" +
			"//go:embed \"d e.txt\"\nvar T string\n",
		"ws/util/deep/a b.txt": "", "ws/util/deep/d e.txt": "",
		"lib/go.mod": mod("example.com/lib"),
		"lib/l.go":   "package lib\n",
	})
	app := filepath.Join(dir, "ws", "app")
	g := load(t, Options{Dir: app, Package: "./c"})
	equal(t, "dirs", rel(t, dir, dirs(g)), "lib ws/app/c ws/util/deep")
	equal(t, "patterns", strings.Join(g.Patterns(), " "), "example.com/app/... example.com/lib/... example.com/util/...")
	equal(t, "module files", rel(t, dir, g.ModFiles),
		"lib/go.mod lib/go.sum ws/app/go.mod ws/app/go.sum ws/app/go.work ws/go.work ws/go.work.sum ws/util/go.mod ws/util/go.sum ws/vendor/modules.txt")
	if m := g.Modules[1]; m.Main || m.Path != "example.com/lib" || m.Dir != filepath.Join(dir, "lib") {
		t.Errorf("replaced module: %+v", m)
	}
	if m := g.Modules[2]; !m.Main || g.MainModule.Path != "example.com/app" {
		t.Errorf("workspace modules: %+v", g.Modules)
	}
	equal(t, "embeds", rel(t, dir, find(g, "example.com/util/deep").Embeds), "ws/util/deep/a b.txt ws/util/deep/d e.txt")

	// Vendored, the copy is what is built.
	write(t, app, map[string]string{
		"c/m.go":                      "package main\n\nimport _ \"example.com/lib\"\n\nfunc main() {}\n",
		"vendor/modules.txt":          "# example.com/lib v0.0.0 => ../../lib\n## explicit; go 1.25\nexample.com/lib\n# example.com/lib => ../../lib\n",
		"vendor/example.com/lib/l.go": "package lib\n",
	})
	g = load(t, Options{Dir: app, Package: "./c", Env: append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=vendor")})
	equal(t, "vendored", rel(t, app, dirs(g)), "c vendor/example.com/lib")
	equal(t, "vendored module files", rel(t, app, g.ModFiles[:1])+" "+rel(t, app, g.ModFiles[len(g.ModFiles)-1:]), "go.mod vendor/modules.txt")
	if g.Broken() {
		t.Errorf("broken: %+v", g.Packages)
	}
}

func TestCgoAndProfile(t *testing.T) {
	dir := tree(t, map[string]string{
		"go.mod":      mod("example.com/app"),
		"main.go":     "package main\n\nimport _ \"example.com/app/c\"\n\nfunc main() {}\n",
		"default.pgo": "",
		"c/c.go":      "package c\n\n// #include \"x.h\"\nimport \"C\"\n\nfunc F() { C.f() }\n",
		"c/plain.go":  "package c\n",
		"c/x.c":       "#include \"x.h\"\nvoid f(void) {}\n",
		"c/x.h":       "void f(void);\n",
		"c/y.cpp":     "",
		"c/z.syso":    "",
		"c/notes.txt": "",
	})
	g := load(t, Options{Dir: dir, Package: ".", Env: append(os.Environ(), "CGO_ENABLED=1")})
	equal(t, "main", rel(t, dir, g.Main.Files), "main.go default.pgo")
	if len(g.Packages) != 2 {
		t.Errorf("packages: %+v", g.Packages)
	}
	c := find(g, "example.com/app/c")
	equal(t, "cgo files", rel(t, c.Dir, c.Files), "c.go plain.go x.c x.h y.cpp z.syso")
	g = load(t, Options{Dir: dir, Package: ".", Env: append(os.Environ(), "CGO_ENABLED=0")})
	c = find(g, "example.com/app/c")
	equal(t, "files without cgo", rel(t, c.Dir, c.Files), "plain.go x.h z.syso")
}

func TestBrokenCode(t *testing.T) {
	leaf := func(leaf string) map[string]string {
		return map[string]string{
			"go.mod":    mod("example.com/app"),
			"main.go":   "package main\n\nimport _ \"example.com/app/leaf\"\n\nfunc main() {}\n",
			"leaf/l.go": leaf,
		}
	}
	cycle := leaf("package leaf\n\nimport _ \"example.com/app/back\"\n")
	cycle["back/b.go"] = "package back\n\nimport _ \"example.com/app/leaf\"\n"
	twoClauses := leaf("package leaf\n")
	twoClauses["a.go"] = "package other\n"
	for _, test := range []struct {
		name, dirs, at, err string
		files               map[string]string
	}{
		{"syntax", ". leaf", "example.com/app/leaf", "", leaf("package leaf\n\nfunc F() {\n")},
		{"imports unreadable", ". leaf", "example.com/app/leaf", "leaf/l.go:3:8: string literal not terminated", leaf("package leaf\n\nimport \"fmt\n")},
		{"package clause", ". leaf", "example.com/app/leaf", "leaf/l.go:1:1: expected 'package', found packag", leaf("packag leaf\n")},
		{"empty file", ". leaf", "example.com/app/leaf", "leaf/l.go:1:1: expected 'package', found 'EOF'", leaf("")},
		{"missing module", ". leaf", "example.com/app/leaf", "leaf/l.go:3:8: no required module provides package example.org/nope; to add it:\n\tgo get example.org/nope", leaf("package leaf\n\nimport _ \"example.org/nope\"\n")},
		{"missing package", ". leaf new/one", "example.com/app/leaf", "leaf/l.go:3:8: no required module provides package example.com/app/new/one; to add it:\n\tgo get example.com/app/new/one", leaf("package leaf\n\nimport _ \"example.com/app/new/one\"\n")},
		{"cycle", ". back leaf", "example.com/app/leaf", "import cycle not allowed", cycle},
		{"two package clauses", ". leaf", "example.com/app", "found packages other (a.go) and main (main.go) in $DIR", twoClauses},
		{"constraints", ". leaf", "example.com/app/leaf", "build constraints exclude all Go files in $DIR/leaf", leaf("//go:build never\n\npackage leaf\n")},
		{"embed", ". leaf", "example.com/app/leaf", "leaf/l.go:5:12: pattern no*: no matching files found", leaf("package leaf\n\nimport _ \"embed\"\n\n//go:embed no*\nvar s string\n")},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := tree(t, test.files)
			g := load(t, Options{Dir: dir, Package: "."})
			equal(t, "main", g.Main.ImportPath+" in "+g.Main.Dir, "example.com/app in "+dir)
			equal(t, "dirs", rel(t, dir, dirs(g)), test.dirs)
			p := find(g, test.at)
			if p == nil {
				t.Fatalf("no %s in %+v", test.at, g.Packages)
			}
			equal(t, "error", filepath.ToSlash(p.Error), strings.ReplaceAll(test.err, "$DIR", filepath.ToSlash(dir)))
			if g.Broken() != (test.err != "") {
				t.Errorf("broken is %t", g.Broken())
			}
		})
	}
}

func TestUnreadableModule(t *testing.T) {
	for name, test := range map[string]struct {
		files   map[string]string
		err     string
		modFile string
	}{
		"go.mod":    {map[string]string{"go.mod": "module example.com/app\n\nbogus x\n"}, "go.mod:3: unknown directive: bogus", "go.mod"},
		"go.work":   {map[string]string{"go.mod": mod("example.com/app"), "go.work": "go 1.25\nuse ./nope\n"}, "cannot load module nope listed in go.work", "go.work"},
		"too new":   {map[string]string{"go.mod": "module example.com/app\n\ngo 1.999\n"}, "go.mod requires go >= 1.999", "go.mod"},
		"vendoring": {map[string]string{"go.mod": mod("example.com/app") + "require example.com/x v1.0.0\n", "vendor/modules.txt": ""}, "inconsistent vendoring", "vendor/modules.txt"},
	} {
		t.Run(name, func(t *testing.T) {
			test.files["cmd/x/main.go"] = emptyMain
			dir := tree(t, test.files)
			g := load(t, Options{Dir: dir, Package: "./cmd/x", Env: append(os.Environ(), "GOTOOLCHAIN=local")})
			if !strings.Contains(g.Main.Error, test.err) || !g.Broken() {
				t.Errorf("error %q, want %q", g.Main.Error, test.err)
			}
			equal(t, "dirs", rel(t, dir, dirs(g)), "cmd/x")
			if !slices.Contains(g.ModFiles, filepath.Join(dir, filepath.FromSlash(test.modFile))) {
				t.Errorf("module files %q, want %s among them", g.ModFiles, test.modFile)
			}
			if len(g.Patterns()) != 0 {
				t.Errorf("patterns %q", g.Patterns())
			}
		})
	}
}

func TestOddNames(t *testing.T) {
	base := tree(t, map[string]string{
		`it's a "dir" ünd $HOME/go.mod`:     mod("example.com/app"),
		`it's a "dir" ünd $HOME/main.go`:    "package main\n\nimport _ \"example.com/app/pkg\"\n\nfunc main() {}\n",
		`it's a "dir" ünd $HOME/pkg/p q.go`: "package pkg\n",
	})
	dir := filepath.Join(base, `it's a "dir" ünd $HOME`)
	g := load(t, Options{Dir: dir, Package: dir})
	equal(t, "dirs", rel(t, dir, dirs(g)), ". pkg")
	equal(t, "files", rel(t, dir, find(g, "example.com/app/pkg").Files), "pkg/p q.go")
}

func TestSymbolicLinkIsKept(t *testing.T) {
	base := tree(t, map[string]string{
		"real/go.work":        "go 1.25\n\nuse ./app\n",
		"real/app/go.mod":     mod("example.com/app") + "\nrequire example.com/lib v0.0.0\nreplace example.com/lib => ./lib\n",
		"real/app/main.go":    "package main\n\nimport (\n\t_ \"embed\"\n\t_ \"example.com/lib\"\n)\n\n//go:embed x.txt\nvar x string\n\nfunc main() {}\n",
		"real/app/x.txt":      "",
		"real/app/lib/go.mod": mod("example.com/lib"),
		"real/app/lib/l.go":   "package lib\n",
	})
	link := filepath.Join(base, "link")
	if err := os.Symlink("real", link); err != nil {
		t.Skip("no symbolic links:", err)
	}
	dir := filepath.Join(link, "app")
	for _, lib := range []string{"./lib", filepath.Join(base, "real", "app", "lib")} {
		write(t, dir, map[string]string{"go.mod": mod("example.com/app") +
			"\nrequire example.com/lib v0.0.0\nreplace example.com/lib => " + lib + "\n"})
		g := load(t, Options{Dir: dir, Package: "."})
		equal(t, "main", g.Main.Dir, dir)
		equal(t, "dirs", rel(t, dir, dirs(g)), ". lib")
		equal(t, "files", rel(t, dir, append(g.Main.Files, g.Main.Embeds...)), "main.go x.txt")
		equal(t, "modules", rel(t, dir, []string{g.MainModule.Dir, g.Modules[1].Dir}), ". lib")
		if i := slices.IndexFunc(g.ModFiles, func(f string) bool { return !strings.HasPrefix(f, link) }); i >= 0 {
			t.Errorf("%s is not under %s", g.ModFiles[i], link)
		}
	}
	pkg, err := found(t, dir)
	if err != nil || pkg != "." {
		t.Errorf("found %q, %v", pkg, err)
	}
}

// dirs are the directories of the packages, sorted.
func dirs(g *Graph) (list []string) {
	for _, p := range g.Packages {
		list = append(list, p.Dir)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// owner is the package in whose own directory a file is, nil for none.
func owner(g *Graph, path string) *Package {
	for i := range g.Packages {
		if g.Packages[i].Dir == filepath.Dir(path) {
			return &g.Packages[i]
		}
	}
	return nil
}
