// Package gograph says what an app is made of: the packages, files and modules
// that `go build` would read for one package main.
//
// It asks the go command, by its documented interface only (`go list`, `go env`),
// so build constraints, GOFLAGS, go.work, replace and vendor mean what they mean
// there. It reports facts and keeps no state. Code that does not compile, imports
// that lead nowhere and a broken go.mod still give a graph; it may then be smaller
// than the app is, and Broken says so. When a context ends, the go command and
// all it started are killed before a call returns (on Windows as far as taskkill
// reaches). Paths are absolute and spelled as Options.Dir is, symbolic links kept.
package gograph

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"devrun/devserver/internal/gocmd"
)

// Options names the app.
type Options struct {
	Dir     string   // where the go command runs; "" is the current directory
	Env     []string // its whole environment; nil is this process's
	Package string   // one package: ".", "./cmd/app" or an import path; "" finds the only one that it can be
	Flags   []string // build flags as `go build` will get them: -tags=…, -race
}

// Package is one package that the user may edit.
type Package struct {
	ImportPath    string
	Dir           string // may not exist yet, when the package is imported but missing
	Name          string // "" when no package clause could be read
	Files         []string
	Embeds        []string // files that go:embed patterns match now
	EmbedPatterns []string // as written, relative to Dir
	Error         string   // first thing wrong with it or with what it imports, "" when nothing is
}

// Module is a module whose packages the user may edit.
type Module struct {
	Path      string // "" when its go.mod cannot be read
	Dir       string // "" for one that is built from the vendor directory
	GoVersion string // of its go line: "1.26"
	Main      bool   // the main module or one of the workspace's
}

// Graph is what an app is made of.
type Graph struct {
	Package    string // as Options has it, or as it was found
	Main       Package
	Packages   []Package // the user's own in the import graph, Main included, dependencies first
	Modules    []Module  // theirs, MainModule first
	MainModule Module    // Main's
	// ModFiles are the files that decide what the imports mean: go.mod, go.sum,
	// go.work, go.work.sum, vendor/modules.txt. Some do not exist: they would count.
	ModFiles []string
	Imports  map[string]bool // import paths of the whole graph, the standard library's too
	HasHTTP  bool            // net/http is one of them
	SysUnix  string          // directory of golang.org/x/sys/unix, "" if that is none of them

	GOROOT, GoVersion, GOOS, GOARCH string // GoVersion as "go1.26.1"
	GOMODCACHE                      string
	GOFLAGS                         string // as `go env GOFLAGS` prints it; blank, not "", when that is nothing
}

// Load asks the go command for the graph of o.Package. The error is for a person:
// no go command, no module, or no package main to build; ctx.Err() when ctx ended.
func Load(ctx context.Context, o Options) (*Graph, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("find the directory to work in: %w", err)
	}
	pkg := cmp.Or(o.Package, ".")
	if err := checkName(dir, pkg); err != nil {
		return nil, err
	}
	// Both questions take their time, and neither needs the other's answer.
	c := gocmd.Command{Dir: dir, Env: o.Env}
	flags := append(slices.Clone(o.Flags), "-deps")
	var list []gocmd.Package
	var failure string
	var listing sync.WaitGroup
	var listErr error
	listing.Go(func() { list, failure, listErr = askList(ctx, c, flags, pkg) })
	env, envFailure, err := askSettings(ctx, c)
	listing.Wait()
	switch {
	case err != nil:
		return nil, err
	case env.noModule():
		return nil, noModuleError(dir, pkg)
	case envFailure != "":
		list, failure = nil, envFailure
	case listErr != nil:
		return nil, listErr
	}
	if o.Package == "" {
		if failure != "" {
			return nil, errors.New(failure)
		}
		if len(list) == 0 || !mayBeMain(&list[len(list)-1]) { // dependencies come first
			if pkg, err = findMain(ctx, c, o.Flags); err == nil {
				list, failure, err = askList(ctx, c, flags, pkg)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	g := &Graph{
		Package: pkg,
		Imports: map[string]bool{},
		GOROOT:  env.GOROOT, GOMODCACHE: env.GOMODCACHE, GoVersion: env.GOVERSION, GOOS: env.GOOS, GOARCH: env.GOARCH, GOFLAGS: cmp.Or(env.GOFLAGS, " "),
	}
	if failure != "" {
		g.unreadable(dir, pkg, env, failure)
		newSpelling(dir).apply(g)
		return g, nil
	}
	root, err := mainOf(list, dir, pkg)
	if err != nil {
		return nil, err
	}
	g.fill(list, root)
	g.ModFiles = modFiles(env, g.Modules, o.Flags)
	newSpelling(dir).apply(g)
	return g, nil
}

// checkName refuses what is not the name of one package.
func checkName(dir, pkg string) error {
	if fi, err := os.Stat(dir); err != nil || !fi.IsDir() {
		return fmt.Errorf("there is no directory %s", dir)
	}
	if strings.Contains(pkg, "...") {
		return fmt.Errorf("%s is a pattern for several packages: name one package main, such as ./cmd/app", pkg)
	}
	if !isLocal(pkg) && !strings.HasSuffix(pkg, ".go") {
		return nil
	}
	fi, err := os.Stat(resolve(dir, pkg))
	switch {
	case err == nil && !fi.IsDir():
		return fmt.Errorf("%s is a file: name its package instead, %s", pkg, local(filepath.Dir(pkg)))
	case err != nil && isLocal(pkg):
		return fmt.Errorf("there is no directory %s", resolve(dir, pkg))
	}
	return nil
}

// mainOf finds the package that was asked for and checks that it can be built
// into a program, as far as its source can be read.
func mainOf(list []gocmd.Package, dir, pkg string) (*gocmd.Package, error) {
	var root *gocmd.Package
	for i := range list {
		if list[i].DepOnly {
			continue
		}
		if root != nil {
			return nil, fmt.Errorf("%s names several packages: name one package main, such as ./cmd/app", pkg)
		}
		root = &list[i]
	}
	switch {
	case root == nil:
		return nil, fmt.Errorf("the go command knows no package %s", pkg)
	case hasSource(root) && (root.Name == "main" || root.Error != nil):
		return root, nil
	case hasSource(root):
		return nil, fmt.Errorf("%s is package %s, not a package main: name the directory that has func main", pkg, root.Name)
	case isLocal(pkg) && exists(filepath.Join(resolve(dir, pkg), "go.mod")) && resolve(dir, pkg) != dir:
		return nil, ownModuleError(pkg)
	case !isLocal(pkg) && exists(filepath.Join(dir, pkg)):
		return nil, fmt.Errorf("there is no package %s: for the directory write ./%s", pkg, filepath.ToSlash(pkg))
	case root.Error != nil && root.Error.Err != "":
		return nil, fmt.Errorf("no package main in %s: %s", pkg, oneLine(root.Error.Err))
	}
	return nil, fmt.Errorf("no package main in %s: it has no Go files but tests", pkg)
}

func noModuleError(dir, pkg string) error {
	if at := resolve(dir, pkg); isLocal(pkg) && at != dir && exists(filepath.Join(at, "go.mod")) {
		return ownModuleError(pkg)
	}
	return fmt.Errorf("no go.mod in %s or above it: run `go mod init example.com/app` in the app's directory", dir)
}

func ownModuleError(pkg string) error {
	return fmt.Errorf("%s is a separate module: start in that directory, with -C %s", pkg, pkg)
}

// isLocal tells a directory from an import path, as the go command does.
func isLocal(pkg string) bool {
	p := filepath.ToSlash(pkg)
	return p == "." || p == ".." || strings.HasPrefix(p, "./") || strings.HasPrefix(p, "../") || filepath.IsAbs(pkg)
}

func resolve(dir, pkg string) string {
	if filepath.IsAbs(pkg) {
		return filepath.Clean(pkg)
	}
	return filepath.Join(dir, pkg)
}

// local writes a relative path as the go command takes it.
func local(rel string) string {
	rel = filepath.ToSlash(rel)
	if isLocal(rel) {
		return rel
	}
	return "./" + rel
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// oneLine makes a sentence of a message whose remedy is on lines of its own.
func oneLine(s string) string {
	return strings.Join(strings.Fields(s), " ")
}
