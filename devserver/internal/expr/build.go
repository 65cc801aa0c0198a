// Package expr gives Go source typed at a frame of a parked goroutine its
// meaning: the type checker decides what it says at that place, the caller's
// tables where things are, and the result is a tree of package wire that the hook
// carries out inside the app.
//
// What it promises:
//
//   - What Go refuses is refused in go/types' own words, with the position in
//     what was typed. What Go allows and cannot be done here is refused in one
//     sentence that says why.
//   - No address is made up: a tree holds only addresses that the caller's
//     tables gave for exactly the symbol, type or variable meant.
//   - Nothing here runs code of the app or reads its memory.
//
// Limits: statements go, defer, select and goto are not carried out; a package's
// unexported names can be used in frames of that package only, as in Go; a type
// parameter has the type that the frame's variables give it.
package expr

import (
	"context"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"path/filepath"
	"sync"

	"devrun/devserver/internal/gocmd"
)

// Config says what is built, and how: as the app is, so that the build cache
// serves the export data.
type Config struct {
	Dir   string   // where the go command runs
	Env   []string // of the go command; nil is devrun's own
	Flags []string // of go build: -gcflags, -tags, -overlay and so on
	Main  string   // package main: a directory or import path
}

// Build is the packages of one build. It may be used by several goroutines.
type Build struct {
	list   map[string]*gocmd.Package
	byName map[string][]string // import paths, by package name

	mu       sync.Mutex // go/types and importers are not made for several at once
	importer types.Importer
	packages map[string]*Package
}

// List asks the go command for the packages of a build.
func List(ctx context.Context, c Config) (*Build, error) {
	args := []string{"list", "-e", "-export", "-compiled", "-deps",
		"-json=Dir,ImportPath,Name,Export,Standard,GoFiles,CgoFiles,CompiledGoFiles,ImportMap,Module,Error"}
	out, _, err := gocmd.Command{Dir: c.Dir, Env: c.Env}.Output(ctx, append(append(args, c.Flags...), "--", c.Main)...)
	if err != nil {
		return nil, fmt.Errorf("listing the packages: %w", err)
	}
	list, err := gocmd.Packages(out)
	if err != nil {
		return nil, err
	}
	b := &Build{list: map[string]*gocmd.Package{}, byName: map[string][]string{}, packages: map[string]*Package{}}
	for i := range list {
		p := &list[i]
		b.list[p.ImportPath] = p
		b.byName[p.Name] = append(b.byName[p.Name], p.ImportPath)
	}
	b.importer = importer.ForCompiler(token.NewFileSet(), "gc", b.export)
	return b, nil
}

func (b *Build) export(path string) (io.ReadCloser, error) {
	p := b.list[path]
	if p == nil || p.Export == "" {
		return nil, fmt.Errorf("package %s is not in this build", path)
	}
	return os.Open(p.Export)
}

// Package is a package whose source is known.
type Package struct {
	build *Build
	info  *gocmd.Package
	fset  *token.FileSet
	files []*ast.File
	types *types.Package

	scopes map[scopeKey]*types.Scope
	next   token.Pos // where the next scope's positions begin
}

// Package checks the package with the import path, "main" for the main package of
// the build; once, the result is kept.
func (b *Build) Package(path string) (*Package, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if path == "main" {
		for _, p := range b.byName["main"] {
			path = p
		}
	}
	if p := b.packages[path]; p != nil {
		return p, nil
	}
	l := b.list[path]
	if l == nil {
		return nil, fmt.Errorf("package %s is not in this build", path)
	}
	p := &Package{build: b, info: l, fset: token.NewFileSet(), scopes: map[scopeKey]*types.Scope{}}
	names := l.CompiledGoFiles
	if len(names) == 0 {
		names = l.GoFiles
	}
	for _, name := range names {
		if !filepath.IsAbs(name) {
			name = filepath.Join(l.Dir, name)
		}
		text, err := os.ReadFile(name)
		if err != nil {
			continue // of an overlay: nothing of the user's
		}
		f, err := parser.ParseFile(p.fset, name, text, parser.SkipObjectResolution)
		if f == nil {
			return nil, fmt.Errorf("reading package %s: %w", path, err)
		}
		p.files = append(p.files, f)
	}
	if len(p.files) == 0 {
		return nil, fmt.Errorf("package %s has no Go source", path)
	}
	conf := types.Config{
		Importer: mapped{b, l.ImportMap},
		Error:    func(error) {}, // what can be checked is of use
		Sizes:    types.SizesFor("gc", "amd64"),
	}
	p.types, _ = conf.Check(path, p.fset, p.files, nil)
	p.next = token.Pos(p.fset.Base() + 1)
	b.packages[path] = p
	return p, nil
}

// mapped imports as one package does: through its vendor directory, say.
type mapped struct {
	b    *Build
	from map[string]string
}

func (m mapped) Import(path string) (*types.Package, error) {
	if to, ok := m.from[path]; ok {
		path = to
	}
	if path == "unsafe" {
		return types.Unsafe, nil
	}
	return m.b.importer.Import(path)
}
