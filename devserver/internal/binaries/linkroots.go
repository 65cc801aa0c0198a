package binaries

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"

	"devrun/devserver/internal/diskcache"
	"devrun/devserver/internal/expr"
	"devrun/devserver/internal/gocmd"
	"devrun/devserver/internal/gograph"
	"devrun/devserver/internal/stamp"
)

// std is the source of a file of the hook's package that keeps functions of the
// standard library linked in, for the console; "" when it cannot be made. It takes a
// moment, so it is kept for the next run.
func (k *linkRoots) std(g *gograph.Graph) string {
	toolchain := strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/\ `, r) {
			return '-'
		}
		return r
	}, fmt.Sprintf("%s-%s-%s-%d", g.GoVersion, g.GOOS, g.GOARCH, expr.LinkRootsVersion))
	var file string
	if k.cache != "" {
		file = filepath.Join(k.cache, toolchain+".go")
		if b, err := os.ReadFile(file); err == nil {
			return string(b)
		}
	}
	source, err := expr.StdLinkRoots("hook", g.GOROOT, g.GOOS, g.GOARCH)
	if err != nil {
		return ""
	}
	source = append([]byte("//go:build go1.21\n\n"), source...)
	if file != "" {
		_ = diskcache.Write(file, source) // only a convenience
	}
	return string(source)
}

// maxRooted is how many files of the user are parsed for what to keep: with more
// it would be felt at each start.
const maxRooted = 2000

// linkRoots adds to an overlay the files that keep the functions of the user's
// packages linked in, also those that nothing calls. One build at a time uses it.
type linkRoots struct {
	dir   string             // where the files are, private to this run
	cache string             // of what is the same for all apps, "" for none
	made  map[string]rootsOf // by directory of the package
}

// rootsOf is what was made of a package, and from what.
type rootsOf struct {
	from stamp.Stamps
	file string // "" for none
}

// overlay gives an overlay file that has what the one of the hook has, and the
// keep files of pkgs as their source is now. Whatever cannot be made is left out.
func (k *linkRoots) overlay(hook string, pkgs []gograph.Package) (string, error) {
	replace, err := gocmd.ReadOverlay(hook)
	if err != nil {
		return "", err
	}
	left := maxRooted
	for _, p := range pkgs {
		var files []string
		for _, f := range p.Files {
			if strings.HasSuffix(f, ".go") {
				files = append(files, f)
			}
		}
		if left -= len(files); left < 0 {
			break
		}
		if file := k.file(p.Dir, files); file != "" {
			replace[filepath.Join(p.Dir, expr.LinkRootsFile)] = file
		}
	}
	file := filepath.Join(k.dir, "overlay-keep.json")
	return file, gocmd.WriteOverlay(file, replace)
}

// file is the keep file of the package in dir, "" for none.
func (k *linkRoots) file(dir string, files []string) string {
	now := stamp.All(files)
	if was, ok := k.made[dir]; ok && was.from.Equal(now) {
		return was.file
	}
	made := rootsOf{from: now}
	if _, err := os.Lstat(filepath.Join(dir, expr.LinkRootsFile)); err != nil {
		if source := rootsIn(files); source != nil {
			id := sha256.Sum256([]byte(dir))
			file := filepath.Join(k.dir, "keep-"+hex.EncodeToString(id[:8])+".go")
			if diskcache.Write(file, source) == nil {
				made.file = file
			}
		}
	}
	k.made[dir] = made
	return made.file
}

// rootsIn is nil if a file cannot be read or does not parse: the build says so
// in better words.
func rootsIn(files []string) []byte {
	fset := token.NewFileSet()
	var parsed []*ast.File
	for _, f := range files {
		file, err := parser.ParseFile(fset, f, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil
		}
		parsed = append(parsed, file)
	}
	return expr.LinkRoots(parsed)
}
