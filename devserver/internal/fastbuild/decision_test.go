package fastbuild

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"devrun/devserver/internal/build"
	"devrun/devserver/suite"
)

// What the go command looks at ahead of compiling is its business.
func TestFullWhenMoreThanContentChanges(t *testing.T) { fullWhen(t, "import", "file", "go.mod") }

func TestLongFullWhenMoreThanContentChanges(t *testing.T) { suite.Long(t); fullWhen(t) }

// fullWhen makes the changes of these names, or all.
func fullWhen(t *testing.T, names ...string) {
	const extra = "package leaf\n\nimport _ \"strings\"\n\nvar E = 1\n"
	files := map[string]string{
		"main.go": mainGo, "leaf/leaf.go": leafGo, "leaf/extra.go": extra,
		"leaf/other_windows.go": "package leaf\n", "go.sum": "", "data/x.txt": "x",
		"embed.go": "package main\n\nimport _ \"embed\"\n\n//go:embed data/*.txt\nvar x string\n",
	}
	a := newApp(t, files)
	a.build()
	a.learn()
	for name, test := range map[string]struct {
		file, text string // what is written, "" is to be removed
		why        string
		broken     bool // go build does not like it
	}{
		"import":              {file: "leaf/leaf.go", text: strings.Replace(leafGo, "package leaf", "package leaf\n\nimport _ \"bytes\"", 1), why: "imports"},
		"constraint":          {file: "leaf/extra.go", text: "//go:build linux || windows || darwin\n\n" + extra, why: "constraints"},
		"directive":           {file: "leaf/leaf.go", text: leafGo + "\n//go:linkname F\n", why: "imports", broken: true},
		"line":                {file: "leaf/leaf.go", text: leafGo + "\n//line x.go:7\n", why: "directives"},
		"debug setting":       {file: "main.go", text: "//go:debug panicnil=1\n" + mainGo, why: "directives"},
		"clause":              {file: "leaf/extra.go", text: strings.Replace(extra, "leaf", "other", 1), why: "directives", broken: true},
		"syntax":              {file: "leaf/extra.go", text: "package leaf\n\nimport (", why: "directives", broken: true},
		"file":                {file: "leaf/more.go", text: "package leaf\n", why: "added or removed"},
		"file for others":     {file: "leaf/more_windows.go", text: "package leaf\n", why: "added or removed"},
		"assembly":            {file: "leaf/x.s", text: "\n", why: "added or removed"},
		"profile":             {file: "default.pgo", text: "", why: "added or removed"},
		"no file":             {file: "leaf/extra.go", why: "added or removed"},
		"file no constraint":  {file: "leaf/other_windows.go", text: "//go:build never\n\npackage leaf\n", why: "constraints"},
		"go.mod":              {file: "go.mod", text: strings.Replace(appMod, "1.25", "1.24", 1), why: "go.mod has changed"},
		"go.sum":              {file: "go.sum", text: "\n", why: "go.sum has changed"},
		"a module in between": {file: "leaf/go.mod", text: "module example.com/app/leaf\n", why: "leaf/go.mod has changed", broken: true},
		"workspace":           {file: "../go.work", text: "go 1.25\n\nuse ./app\n", why: "go.work has changed"},
		"embedded file":       {file: "data/y.txt", text: "y", why: "embedded file was added or removed", broken: true},
		"nothing embedded":    {file: "data/x.txt", why: "no matching files", broken: true},
	} {
		if len(names) > 0 && !slices.Contains(names, name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			a.t = t
			path := filepath.Join(a.dir, filepath.FromSlash(test.file))
			was, err := os.ReadFile(path)
			if test.text == "" && name != "profile" {
				a.remove(test.file)
			} else {
				a.write(test.file, test.text)
			}
			a.builder.due = false
			res, buildErr := a.builder.Build(t.Context(), a.next(), nil)
			if _, failed := errors.AsType[*build.Failure](buildErr); failed != test.broken {
				t.Errorf("go build: %v", buildErr)
			}
			if !strings.Contains(res.Full, test.why) {
				t.Errorf("the reason is %q, want one with %q", res.Full, test.why)
			}
			if err == nil {
				a.write(test.file, string(was))
			} else {
				a.remove(test.file)
			}
			a.direct("f1g")
		})
	}
}

func TestDirectWhenOnlyContentChanges(t *testing.T) {
	a := newApp(t, map[string]string{
		"main.go": "package main\n\nimport \"example.com/app/leaf\"\n\nfunc main() { println(leaf.F() + text + version) }\n\nvar version string\n",
		"more.go": "package main\n\nimport _ \"example.com/app/leaf\"\n",
		"text.go": "package main\n\nimport _ \"embed\"\n\n//go:embed text.txt\nvar text string\n", "text.txt": "1",
		"leaf/leaf.go": leafGo,
		"leaf/tag.go":  "//go:build special\n\npackage leaf\n\nfunc init() { s = \"special\" }\n",
		"leaf/s.go":    "package leaf\n\nvar s string\n",
	})
	a.request.Tags = "special"
	a.request.LDFlags = `-X 'main.version=is "1" 2'`
	const version = `is "1" 2`
	a.build()
	a.learn()
	a.direct("f11" + version)

	a.write("text.txt", "2")
	a.direct("f12" + version)
	a.write("leaf/leaf_test.go", "package leaf\n\nimport \"testing\"\n\nfunc TestF(t *testing.T) {}\n")
	a.direct("f12" + version)
	a.write("leaf/notes.txt", "notes")
	a.direct("f12" + version)
	// Which file of a package imports does not matter.
	a.write("more.go", "package main\n\nfunc more() string { return text }\n")
	a.direct("f12" + version)
	a.write("leaf/tag.go", "//go:build special\n\npackage leaf\n\nfunc init() { s = \"more special\" }\n")
	a.direct("f12" + version)
}

// After a save that did not compile, a package that was changed by it must not be
// taken for compiled, nor those that import it.
func TestAfterFailedSaves(t *testing.T) {
	a := newApp(t, map[string]string{
		"main.go":      "package main\n\nimport (\n\t\"example.com/app/cart\"\n\t\"example.com/app/orders\"\n)\n\nfunc main() { println(cart.C + orders.O) }\n",
		"cart/c.go":    "package cart\n\nimport \"example.com/app/leaf\"\n\nconst C = \"c\" + leaf.G\n",
		"orders/o.go":  "package orders\n\nimport \"example.com/app/leaf\"\n\nconst O = \"o\" + leaf.G\n",
		"leaf/leaf.go": leafGo,
	})
	a.build()
	a.learn()
	a.direct("cgog")
	a.write("leaf/leaf.go", strings.Replace(leafGo, `"g"`, `"h"`, 1))
	a.write("cart/c.go", "package cart\n\nimport \"example.com/app/leaf\"\n\nconst C = \"c\" + leaf.Gone\n")
	r := a.next()
	_, err := a.builder.Build(t.Context(), r, nil)
	got, ok := errors.AsType[*build.Failure](err)
	if !ok {
		t.Fatalf("error %v, want a failure", err)
	}
	_, err = build.Run(t.Context(), r)
	want, ok := errors.AsType[*build.Failure](err)
	if !ok {
		t.Fatalf("error %v, want a failure", err)
	}
	if !slices.Equal(got.Diagnostics, want.Diagnostics) || got.Output != want.Output || got.Command != want.Command {
		t.Errorf("got  %q\nwant %q", got.Output, want.Output)
	}
	a.write("cart/c.go", "package cart\n\nimport \"example.com/app/leaf\"\n\nconst C = \"d\" + leaf.G\n")
	a.direct("dhoh")
}

// A profile has the go command compile everything once more for package main.
func TestLongProfile(t *testing.T) {
	suite.Long(t)
	a := newApp(t, map[string]string{"main.go": mainGo, "leaf/leaf.go": leafGo, "default.pgo": ""})
	a.build()
	if err := a.builder.Learn(t.Context(), a.next()); err == nil || !strings.Contains(err.Error(), "compiled for a profile") {
		t.Errorf("error %v", err)
	}
	a.full("compiled for a profile", "f1g")
	if off := a.builder.Off(); off != "" {
		t.Error(off)
	}
}

func TestRequestsForGoBuild(t *testing.T) {
	plain := build.Request{GOFLAGS: " "}
	for why, change := range map[string]func(*build.Request){
		"-race":                  func(r *build.Request) { r.Race = true },
		"-trimpath is":           func(r *build.Request) { r.Trimpath = true },
		"-gcflags":               func(r *build.Request) { r.GCFlags = "-m" },
		"GOFLAGS has -trimpath":  func(r *build.Request) { r.GOFLAGS = "-mod=mod -trimpath" },
		"GOFLAGS has -overlay":   func(r *build.Request) { r.GOFLAGS = "-overlay=x.json" },
		"GOFLAGS has -modfile":   func(r *build.Request) { r.GOFLAGS = "--modfile=x.mod" },
		"GOFLAGS has -pgo":       func(r *build.Request) { r.GOFLAGS = "-pgo=x" },
		"GOFLAGS has -gcflags":   func(r *build.Request) { r.GOFLAGS = "'-gcflags=-N -l'" },
		"GOFLAGS has -cover":     func(r *build.Request) { r.GOFLAGS = "-cover" },
		"GOFLAGS has -buildmode": func(r *build.Request) { r.GOFLAGS = "-buildmode=pie" },
		"GOFLAGS are":            func(r *build.Request) { r.GOFLAGS = "" },
		"GOSSAFUNC":              func(r *build.Request) { r.Env = []string{"GOSSAFUNC=main"} },
		"another kind":           func(r *build.Request) { r.Optimised = true },
	} {
		r := plain
		change(&r)
		if err := ordinary(r); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%v, want a reason with %q", err, why)
		}
	}
	plain.GOFLAGS = `-mod=vendor '-ldflags=-X "main.v=1 2"' -tags=a,b -buildvcs=false -v`
	if err := ordinary(plain); err != nil {
		t.Error(err)
	}
}

// Packages that only the go command can compile are taken as they are for as long
// as they are as they were.
func TestLongOtherPackages(t *testing.T) {
	suite.Long(t)
	const asm = "#include \"textflag.h\"\n\nTEXT ·one(SB), NOSPLIT, $0-8\n\tMOVQ $1, ret+0(FP)\n\tRET\n"
	a := newApp(t, map[string]string{
		"main.go":       "package main\n\nimport \"example.com/app/asm\"\n\nvar add = 1\n\nfunc main() { println(asm.One() + add) }\n",
		"asm/asm.go":    "package asm\n\nimport \"example.com/app/leaf\"\n\nfunc one() int\n\nfunc One() int { return one() + len(leaf.G) }\n",
		"asm/a_amd64.s": asm, "leaf/leaf.go": leafGo,
		"asm/a_arm64.s": "#include \"textflag.h\"\n\nTEXT ·one(SB), NOSPLIT, $0-8\n\tMOVD $1, R0\n\tMOVD R0, ret+0(FP)\n\tRET\n",
	})
	a.build()
	a.learn()
	a.direct("3")
	for _, p := range a.builder.recipe.packages {
		if isAsm := p.path == "example.com/app/asm"; p.proven.Load() == isAsm || (p.other == "has assembly") != isAsm {
			t.Errorf("%s is proven: %v, other: %q", p.path, p.proven.Load(), p.other)
		}
	}
	a.write("main.go", "package main\n\nimport \"example.com/app/asm\"\n\nvar add = 2\n\nfunc main() { println(asm.One() + add) }\n")
	a.direct("4")
	a.write("leaf/leaf.go", strings.Replace(leafGo, "f1", "f2", 1)) // the package with assembly sees nothing of it
	a.direct("4")
	a.write("leaf/leaf.go", strings.Replace(leafGo, `"g"`, `"gg"`, 1))
	a.full("has to be compiled and has assembly", "5")
	a.write("leaf/leaf.go", leafGo)
	a.full("has to be compiled and has assembly", "4")
	a.learn()
	a.direct("4")
	a.write("asm/a_amd64.s", strings.Replace(asm, "$1", "$2", 1))
	a.write("asm/a_arm64.s", strings.Replace(asm, "$1", "$2", 1))
	a.full("has to be compiled and has assembly", "5")
	a.learn()
	a.direct("5")
}

// Modules of a workspace, those that stand in for others and vendored packages
// may be edited as the main module's.
func TestLongOtherModules(t *testing.T) {
	suite.Long(t)
	const lib, use = "package lib\n\nfunc V() string { return \"1\" }\n", "package main\n\nimport \"example.com/lib\"\n\nfunc main() { println(lib.V()) }\n"
	libMod := map[string]string{"../lib/go.mod": "module example.com/lib\n\ngo 1.24\n", "../lib/lib.go": lib, "main.go": use}
	for name, test := range map[string]struct {
		file  string
		files map[string]string
	}{
		"replace": {"../lib/lib.go", map[string]string{
			"go.mod": appMod + "\nrequire example.com/lib v1.0.0\n\nreplace example.com/lib => ../lib\n"}},
		"workspace": {"../lib/lib.go", map[string]string{
			"../go.work": "go 1.25\n\nuse (\n\t./app\n\t./lib\n)\n"}},
		"vendor": {"vendor/example.com/lib/lib.go", map[string]string{
			"go.mod":                        appMod + "\nrequire example.com/lib v1.0.0\n\nreplace example.com/lib => ../lib\n",
			"vendor/modules.txt":            "# example.com/lib v1.0.0 => ../lib\n## explicit; go 1.24\nexample.com/lib\n# example.com/lib => ../lib\n",
			"vendor/example.com/lib/lib.go": lib}},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{}
			for _, m := range []map[string]string{libMod, test.files} {
				for n, text := range m {
					files[n] = text
				}
			}
			a := newApp(t, files)
			a.request.UserPatterns = []string{"example.com/app/...", "example.com/lib/..."}
			a.full(notLearned, "1")
			a.learn()
			a.direct("1")
			a.write(test.file, strings.Replace(lib, "1", "2", 1))
			a.direct("2")
			a.write("../lib/go.mod", "module example.com/lib\n\ngo 1.23\n")
			a.builder.due = false
			if res, err := a.builder.Build(t.Context(), a.next(), nil); !strings.Contains(res.Full, "lib/go.mod has changed") {
				t.Errorf("the reason is %q (%v)", res.Full, err)
			}
		})
	}
}

// What lies in the module cache does not change, but what is compiled of it does if it
// imports a package of the app's own module.
func TestLibraryThatImportsTheApp(t *testing.T) {
	const lib = "package lib\n\nimport \"example.com/app/leaf\"\n\nfunc V() string { return leaf.F() + leaf.G }\n"
	a := newApp(t, map[string]string{
		"go.mod":                 appMod + "\nrequire example.com/lib v1.0.0\n\nreplace example.com/lib => ../modcache/lib\n",
		"../modcache/lib/go.mod": "module example.com/lib\n\ngo 1.24\n", "../modcache/lib/lib.go": lib,
		"main.go":      "package main\n\nimport \"example.com/lib\"\n\nfunc main() { println(lib.V()) }\n",
		"leaf/leaf.go": leafGo,
	})
	a.request.Env = append(a.request.Env, "GOMODCACHE="+filepath.Join(filepath.Dir(a.dir), "modcache"))
	a.full(notLearned, "f1g")
	a.learn()
	a.write("leaf/leaf.go", strings.Replace(leafGo, "\"f1\"", "\"f2\"", 1))
	a.direct("f2g")
	a.write("leaf/leaf.go", strings.Replace(leafGo, "\"g\"", "\"g2\"", 1)) // what importers see
	a.direct("f1g2")
}

func TestLongSettings(t *testing.T) {
	suite.Long(t)
	a := newApp(t, map[string]string{"main.go": "package main\n\nvar v = \"1\"\n\nfunc main() { println(v) }\n"})
	env := filepath.Join(filepath.Dir(a.dir), "env")
	if err := os.WriteFile(env, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	a.request.Env = append(a.request.Env, "GOENV="+env)
	a.build()
	a.learn()
	a.direct("1")
	a.request.LDFlags = "-X main.v=2"
	a.full("flags or the environment", "2")
	a.learn()
	a.direct("2")
	a.request.Env = append(a.request.Env, "CGO_CFLAGS=-O1")
	a.full("flags or the environment", "2")
	a.learn()
	if err := os.WriteFile(env, []byte("GOAMD64=v2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a.full("env has changed", "2")
	a.learn()
	a.direct("2")
	a.builder.Forget()
	a.full("from scratch", "2")
	a.learn()
	a.builder.Disable("because")
	a.full("because", "2")
}

func TestOverlay(t *testing.T) {
	a := newApp(t, map[string]string{"main.go": "package main\n\nvar v = \"1\"\n\nfunc main() { println(v) }\n"})
	a.request.HookPattern = "example.com/app/hook"
	private := filepath.Join(filepath.Dir(a.dir), "private")
	a.write("../private/hook.go", "package hook\n\nvar H = \"h1\"\n")
	a.write("../private/keep.go", "package main\n\nvar kept = []any{v}\n")
	a.write("../private/main.go", "package main\n\nimport \"example.com/app/hook\"\n\nfunc init() { v += hook.H }\n")
	overlay := func(name string, more string) {
		a.write("../private/"+name, fmt.Sprintf(`{"Replace": {%q: %q, %q: %q, %q: %q%s}}`,
			filepath.Join(a.dir, "zz.go"), filepath.Join(private, "main.go"), filepath.Join(a.dir, "keep.go"), filepath.Join(private, "keep.go"),
			filepath.Join(a.dir, "hook", "hook.go"), filepath.Join(private, "hook.go"), more))
		a.request.Overlay = filepath.Join(private, name)
	}
	overlay("overlay.json", "")
	a.build()
	a.learn()
	a.direct("1h1")
	// What devrun adds never changes, and is not proved.
	a.write("../private/hook.go", "package hook\n\nvar H = \"h2\"\n")
	a.full("not known yet whether example.com/app/hook", "1h2")
	a.write("../private/hook.go", "package hook\n\nvar H = \"h1\"\n")
	a.direct("1h1")
	overlay("renamed.json", "")
	a.write("../private/keep.go", "package main\n\nfunc init() { v += \"kept\" }\n")
	a.direct("1kepth1")
	overlay("overlay.json", fmt.Sprintf(`, %q: %q`, filepath.Join(a.dir, "z.go"), filepath.Join(private, "keep.go")))
	if res, _ := a.builder.Build(t.Context(), a.next(), nil); !strings.Contains(res.Full, "adds other files") {
		t.Errorf("the reason is %q", res.Full)
	}
}

func TestCancelled(t *testing.T) {
	a := newApp(t, map[string]string{"main.go": mainGo, "leaf/leaf.go": leafGo})
	a.build()
	a.learn()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := a.next()
	if _, err := a.builder.Build(ctx, r, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if err := a.builder.Learn(ctx, r); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	left, err := filepath.Glob(filepath.Join(filepath.Dir(r.Output), "fast", "build-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("%v is left (%v)", left, err)
	}
	if _, err := os.Stat(r.Output); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
	a.direct("f1g")
}
