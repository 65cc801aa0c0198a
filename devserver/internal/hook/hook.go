// Package hook adds a package to a Go app while it is built, without a change
// to the app: it reports when and where the app listens, moves its listeners
// aside so that devrun can own the app's ports across restarts, holds requests
// that fail so that they can be looked into and answered with a page, and ends
// the app when devrun is gone.
//
// The package is in inject; [Prepare] writes it to a private directory and makes
// a `go build -overlay` file of it. Below GOROOT, where it is one package for all
// apps and compiled once, it exists for the compiler only. It works through function
// variables of the standard library that have no public name (go:linkname), so the
// promises are:
//
//   - A variable is touched, or a function called, only if its declaration in
//     the app's own GOROOT has exactly the type that is expected: another type
//     would corrupt memory.
//     What is missing costs one part, and [Overlay.Lost] says so in a sentence.
//   - An app that devrun did not start, and whose parents it did not, is as if built
//     without the hook.
//   - Nothing is written but in [Target.Dir], and the same target gives the same
//     bytes, so that the build cache serves every run.
//
// Limits: nothing on Windows; port takeover and failed requests on Linux only, the
// latter on amd64 and arm64 and only those of net/http's own server; a package main that
// is not in a module that can be overlaid (one in the module cache) fails to
// build and has to be built plain.
package hook

import (
	"embed"
	"errors"
	"fmt"
	"go/token"
	"go/version"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"devrun/devserver/internal/gocmd"
	"devrun/devserver/internal/wire"
)

// Target is the app that is built, as the go command names things.
type Target struct {
	GOROOT, GoVersion     string // of the toolchain that builds, "go1.26.1"
	ModCache              string // the module cache, in which nothing can be overlaid
	ModulePath, ModuleDir string // the module of package main
	MainDir               string
	Dir                   string // private to this run; files in it are overwritten
	HTTP                  bool   // net/http is in the import graph
	SysUnix               string // where golang.org/x/sys/unix is if that is in it
	LinkRoots             string // source of a file for the hook's package, with the evaluator; "" for none
	GOOS, GOARCH          string // "" is devrun's own
}

// Overlay is what has to go into the build.
type Overlay struct {
	File    string   // for -overlay, "" when there is no hook
	Package string   // import path of the added package; one more lies below it
	LDFlags string   // to be merged into the user's -ldflags
	Parts   []string // what the hook does: "channel", "listen", "takeover", "raw", "rawunix", "serve", "capture", "pins", "eval", "exit", "files"
	Lost    []string // a sentence for each thing it cannot do here, with the reason
	Why     string   // why there is no hook, "" when there is one
}

const (
	importer = "zz_devrun.go"                   // joins package main
	added    = "zz_devrun_hook"                 // below GOROOT/src
	wirePath = "devrun/devserver/internal/wire" // as inject spells it
	sysUnix  = "golang.org/x/sys/unix"          // the one package besides the standard library that the hook knows
	oldest   = "go1.23"                         // the first linker that knows -checklinkname
	absent   = "building without devrun's hook, so the app keeps its port: connections are refused while it restarts"
)

//go:embed inject/*.go
var inject embed.FS

// part is a piece of the hook that is left out as a whole.
type part struct {
	name  string
	files []string // the first one decides whether the part exists for a GOOS and GOARCH
	uses  []decl
	where func(Target) bool            // else there is nothing for it to do; nil: everywhere
	made  func(Target) (string, error) // the text of the last file, for t
	needs string                       // another part
	loss  string                       // what the user has to do without; "" is not worth a word
}

var parts = []part{{
	name:  "channel",
	files: []string{"hook.go", "gone.go", "group_linux.go", "group_other.go", "join_linux.go", "join_other.go"}, // never lost alone
}, {
	name:  "listen",
	files: []string{"listen.go"},
	uses:  []decl{{token.VAR, "net", "listenFunc", "func(int, int) error"}},
}, {
	name:  "takeover",
	files: []string{"takeover_linux.go"},
	uses: []decl{
		{token.VAR, "net", "socketFunc", "func(int, int, int) (int, error)"},
		{token.VAR, "net", "connectFunc", "func(int, syscall.Sockaddr) error"},
	},
	needs: "listen",
	loss:  "the app keeps its port: connections are refused while it restarts",
}, {
	name:  "raw",
	files: []string{"raw_linux_amd64.go"},
	uses: []decl{
		{token.FUNC, "syscall", "bind", "func(s int, addr unsafe.Pointer, addrlen _Socklen) (err error)"},
		{token.FUNC, "syscall", "Listen", "func(s int, n int) (err error)"},
		{token.TYPE, "syscall", "_Socklen", "uint32"},
	},
	needs: "takeover", // without a word: where a server goes past package net, devrun says so
}, {
	name:  "rawunix",
	files: []string{"rawunix_linux_amd64.go"},
	uses: []decl{
		{token.FUNC, sysUnix, "bind", "func(s int, addr unsafe.Pointer, addrlen _Socklen) (err error)"},
		{token.FUNC, sysUnix, "Listen", "func(s int, n int) (err error)"},
		{token.TYPE, sysUnix, "_Socklen", "uint32"},
	},
	where: func(t Target) bool { return t.SysUnix != "" },
	needs: "raw",
}, {
	name:  "serve",
	files: []string{"serve.go", "secure.go"},
	where: func(t Target) bool { return t.HTTP },
	uses:  []decl{{token.VAR, "net/http", "testHookServerServe", "func(*Server, net.Listener)"}},
	loss:  "devrun does not know which of the app's ports speak HTTP, and a failing request shows no page",
}, {
	name:  "capture",
	files: []string{"capture.go", "works.go", "failure.go", "panics.go", "response.go", "writer.go", "workers.go", "park.go", "peek.go", "value.go", "layout.go"},
	uses: []decl{
		{token.FUNC, "runtime", "forEachGRace", "func(fn func(gp *g))"},
		{token.FUNC, "runtime/pprof", "runtime_getProfLabel", "func() unsafe.Pointer"},
		{token.TYPE, "runtime", "stack", "struct{lo uintptr; hi uintptr}"},
	},
	made:  layout,
	needs: "serve",
	loss:  "a failing request shows no page",
}, {
	name:  "pins",
	files: []string{"pin.go"},
	uses: []decl{
		{token.FUNC, "runtime", "spanOfHeap", "func(p uintptr) *mspan"},
		{token.FUNC, "runtime", "findObject", "func(p, refBase, refOff uintptr) (base uintptr, s *mspan, objIndex uintptr)"},
		{token.FUNC, "runtime", "(*mspan).isFree", "func(index uintptr) bool"},
		{token.FUNC, "runtime", "(*mspan).ensureSwept", "func()"},
		{token.FUNC, "runtime", "procPin", "func() int"},
		{token.FUNC, "runtime", "procUnpin", "func()"},
		{token.VAR, "runtime", "gcphase", "uint32"},
	},
	needs: "capture",
	loss:  "variables on the page of a failing request may show what came later",
}, {
	name:  "eval",
	files: []string{"evalpark.go", "eval.go", "evalbuiltin.go", "evalcall.go", "evalexpr.go", "evalop.go", "evalshow.go", "evalstmt.go", "evaltype.go"},
	uses:  []decl{{token.FUNC, "runtime", "spanOf", "func(p uintptr) *mspan"}},
	needs: "pins",
	loss:  "there is no console on the page of a failing request",
}, {
	name:  "exit",
	files: []string{"exit.go"},
	uses: []decl{
		{token.FUNC, "internal/runtime/exithook", "Add", "func(h Hook)"},
		{token.TYPE, "internal/runtime/exithook", "Hook", "struct{F func(); RunOnFailure bool}"},
	},
	loss: "an app that calls os.Exit does not say where",
}, {
	name:  "files",
	files: []string{"files.go", "left_linux.go"},
	uses: []decl{
		{token.VAR, "internal/poll", "CloseFunc", "func(int) error"},
		{token.FUNC, "internal/testlog", "SetLogger", "func(impl Interface)"},
		{token.TYPE, "internal/testlog", "Interface", "interface{Getenv(key string); Stat(file string); Open(file string); Chdir(dir string)}"},
	},
	loss: "a file that the app itself writes may restart it, and one that it reads counts by its name",
}}

// Overwritten are the functions that the parts "raw" and "rawunix" give other code when
// the app starts.
var Overwritten = []string{"syscall.bind", "syscall.Listen", sysUnix + ".bind", sysUnix + ".Listen"}

// Prepare checks what the hook needs against t.GOROOT and writes the overlay.
// Where there can be no hook at all it returns an Overlay without File that
// says why in Lost; an error is about t or its Dir.
func Prepare(t Target) (*Overlay, error) {
	if t.GOROOT == "" || !filepath.IsAbs(t.MainDir) || !filepath.IsAbs(t.Dir) {
		return nil, errors.New("hook: needs GOROOT and absolute directories of package main and of its own")
	}
	if t.GOOS == "" {
		t.GOOS = runtime.GOOS
	}
	if t.GOARCH == "" {
		t.GOARCH = runtime.GOARCH
	}
	if why := t.impossible(); why != "" {
		return without(why), nil
	}

	o := &Overlay{LDFlags: "-checklinkname=0"}
	var dir string
	o.Package, dir = t.place()
	files := map[string]string{ // as the compiler shall see them: name -> text
		filepath.Join(t.MainDir, importer): "package main\n\nimport _ " + strconv.Quote(o.Package) + "\n",
	}
	for name, text := range wire.Source {
		files[filepath.Join(dir, "wire", name)] = text
	}
	std := &library{Target: t}
	active := map[string]bool{"": true}
	for _, p := range parts {
		if p.where != nil && !p.where(t) || !active[p.needs] {
			continue // nothing to report, or lost together with what it needs
		}
		if why := std.lacks(p); why != nil {
			if p.name == "listen" { // of an app with the hook, it alone says that the app is ready
				return without(why.Error()), nil
			}
			if p.loss != "" {
				o.Lost = append(o.Lost, fmt.Sprintf("%s (%v)", p.loss, why))
			}
			continue
		}
		texts, err := p.texts(t)
		if err != nil {
			o.Lost = append(o.Lost, fmt.Sprintf("%s (%v)", p.loss, err))
			continue
		}
		if p.name == "eval" && t.LinkRoots != "" {
			texts["linkroots.go"] = t.LinkRoots
		}
		active[p.name] = true
		o.Parts = append(o.Parts, p.name)
		for name, text := range texts {
			files[filepath.Join(dir, name)] =
				strings.ReplaceAll(text, strconv.Quote(wirePath), strconv.Quote(o.Package+"/wire"))
		}
	}
	var err error
	if o.File, err = write(t.Dir, files); err != nil {
		return nil, fmt.Errorf("writing the hook: %w", err)
	}
	return o, nil
}

// without is that there is no hook, and why.
func without(why string) *Overlay {
	return &Overlay{Lost: []string{absent + " (" + why + ")"}, Why: why}
}

// texts are p's files by name.
func (p part) texts(t Target) (map[string]string, error) {
	texts := map[string]string{}
	for i, name := range p.files {
		if p.made != nil && i == len(p.files)-1 {
			text, err := p.made(t)
			if err != nil {
				return nil, err
			}
			texts[name] = text
			continue
		}
		text, err := inject.ReadFile("inject/" + name)
		if err != nil {
			return nil, err
		}
		texts[name] = string(text)
	}
	return texts, nil
}

// place is the added package's import path and directory. A toolchain that the go
// command has downloaded lies in the module cache: with it the package is one of
// the app's module.
func (t Target) place() (path, dir string) {
	if rel, err := filepath.Rel(t.ModCache, t.GOROOT); t.ModCache != "" && err == nil && filepath.IsLocal(rel) {
		return t.ModulePath + "/" + added, filepath.Join(t.ModuleDir, added)
	}
	return added, filepath.Join(t.GOROOT, "src", added)
}

// impossible says why there can be no hook at all, "" if there can.
func (t Target) impossible() string {
	if ok, err := t.builds("hook.go"); err != nil || !ok {
		return "the hook does not exist for " + t.GOOS
	}
	goVersion, _, _ := strings.Cut(t.GoVersion, " ") // experiments follow
	if version.IsValid(goVersion) && version.Compare(goVersion, oldest) < 0 {
		return "the hook needs " + oldest + " or later, the app is built with " + goVersion
	}
	if t.ModulePath == "" || !filepath.IsAbs(t.ModuleDir) {
		return "the app is not in a module"
	}
	_, dir := t.place()
	for _, path := range []string{filepath.Join(t.MainDir, importer), dir} {
		if _, err := os.Lstat(path); err == nil {
			return path + " exists, and devrun needs the name"
		}
	}
	return ""
}

// lacks says why p cannot be had, nil if it can.
func (l *library) lacks(p part) error {
	ok, err := l.builds(p.files[0])
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("%s does not exist for %s/%s", p.name, l.GOOS, l.GOARCH)
	}
	for _, v := range p.uses {
		if err := l.declares(v); err != nil {
			return err
		}
	}
	return nil
}

// write puts the texts into dir and returns the overlay file that shows them
// under their names.
func write(dir string, files map[string]string) (string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	replace := map[string]string{}
	for seen, text := range files {
		replace[seen] = filepath.Join(dir, filepath.Base(filepath.Dir(seen))+"-"+filepath.Base(seen))
		if err := os.WriteFile(replace[seen], []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	overlay := filepath.Join(dir, "overlay.json")
	return overlay, gocmd.WriteOverlay(overlay, replace)
}
