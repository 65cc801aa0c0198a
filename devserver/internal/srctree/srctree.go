// Package srctree finds the source of an app by what a compiler calls it, and reads
// it.
//
// What it promises:
//
//   - Only regular files below 2 MB with the name of a source file are read: a //line
//     comment can name any file.
//   - A file that was saved after the binary was built is not read, because it is not
//     what failed.
package srctree

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"devrun/devserver/internal/fault"
)

// Tree is the source of one app.
type Tree struct {
	root    string
	modules map[string]string
	roots   []root
}

// root is a directory with files that are the app's own.
type root struct {
	dir  string
	main bool // Tree.root, by whatever name
}

// New returns the tree of an app. The absolute directory dir is what paths are shown
// relative to; files below it are the app's own, and those of modules, which maps the
// paths of all modules under development to their directories.
func New(dir string, modules map[string]string) *Tree {
	t := &Tree{root: dir, modules: modules}
	t.add(dir, true)
	for _, dir := range slices.Sorted(maps.Values(modules)) {
		t.add(dir, false)
	}
	return t
}

func (t *Tree) add(dir string, main bool) {
	if !filepath.IsAbs(dir) {
		return
	}
	dir = filepath.Clean(dir)
	t.roots = append(t.roots, root{dir, main})
	// The compiler may have seen the directory by another name than the user.
	if real, err := filepath.EvalSymlinks(dir); err == nil && real != dir {
		t.roots = append(t.roots, root{real, main})
	}
}

// Dirs are the directories whose files are the app's own; some may be the same by
// another name.
func (t *Tree) Dirs() []string {
	dirs := make([]string, len(t.roots))
	for i, r := range t.roots {
		dirs[i] = r.dir
	}
	return dirs
}

// Frame is a call with what is known about its file.
type Frame struct {
	fault.Frame
	Path string // absolute, "" when it is nowhere on this disk
	Rel  string // as the app's developer would write it; of a library the base name
	Own  bool   // of the app, not of a library
}

// Frame finds the file of a call.
func (t *Tree) Frame(f fault.Frame) Frame {
	out := Frame{Frame: f, Path: filepath.FromSlash(f.File)}
	if !filepath.IsAbs(out.Path) {
		out.Path = ""
		module := ""                       // the innermost: one may be inside another
		for path, dir := range t.modules { // -trimpath: "example.com/app/store.go"
			if rest, ok := strings.CutPrefix(f.File, path+"/"); ok && filepath.IsLocal(rest) && len(path) > len(module) {
				module, out.Path = path, filepath.Join(dir, filepath.FromSlash(rest))
			}
		}
	}
	out.Rel = filepath.Base(filepath.FromSlash(f.File))
	if out.Path == "" {
		return out
	}
	for _, root := range t.roots {
		rel, err := filepath.Rel(root.dir, out.Path)
		if err != nil || !filepath.IsLocal(rel) || library(filepath.ToSlash(rel), f.Func) {
			continue
		}
		out.Own, out.Rel = true, rel
		if fromApp, err := filepath.Rel(t.root, out.Path); err == nil && !root.main && !strings.HasPrefix(fromApp, farAway) {
			out.Rel = fromApp
		}
		break
	}
	return out
}

// farAway begins a relative path that says less than the path inside its module.
var farAway = filepath.Join("..", "..", "..")

// library reports files below the app's directory that somebody else wrote.
func library(rel, function string) bool {
	rel = "/" + rel
	return strings.Contains(rel, "/vendor/") || strings.Contains(rel, "/pkg/mod/") || strings.Contains(function, "zz_devrun")
}

// At is "stats.go:33".
func (f Frame) At() string { return fmt.Sprintf("%s:%d", f.Rel, f.Line) }

// maxSize is the largest file that is read: beyond it are tables made by programs,
// which nobody reads line by line.
const maxSize = 2 << 20

// extensions are the files that a Go build can name: Go, cgo, assembly, module
// files, and what generators point back to with //line comments.
var extensions = strings.Fields(".go .mod .work .sum .s .S .c .cc .cpp .cxx .m .mm .h .hh .hpp .hxx .f .F .for .f90 " +
	".swig .swigcxx .y .rl .re .peg .templ .qtpl .tmpl .gotmpl .gohtml .html")

// Read returns a source file as it was when the binary was built, the zero time for
// as it is now, or why there is none, as a person reads it.
func Read(path string, built time.Time) (data []byte, gone string) {
	name := filepath.Base(path)
	if !filepath.IsAbs(path) {
		return nil, "the message names no file on disk"
	}
	if strings.HasPrefix(name, ".") || !slices.Contains(extensions, filepath.Ext(path)) {
		return nil, name + " is not a source file"
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, name + " is not there any more"
	case err != nil:
		return nil, name + " cannot be read"
	case !info.Mode().IsRegular():
		return nil, name + " is not a regular file"
	case info.Size() > maxSize:
		return nil, name + " is larger than 2 MB"
	// A time in the future is a wrong clock, not a change.
	case !built.IsZero() && info.ModTime().After(built) && info.ModTime().Before(time.Now()):
		return nil, name + " has changed since it was compiled"
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, name + " cannot be read"
	}
	defer f.Close()
	if data, err = io.ReadAll(io.LimitReader(f, maxSize)); err != nil {
		return nil, name + " cannot be read"
	}
	return data, ""
}
