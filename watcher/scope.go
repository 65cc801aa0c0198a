package watcher

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Scope says what to watch. Paths may be relative or not exist yet; changes are
// reported in the Scope's spelling, made absolute, symlinked roots kept.
type Scope struct {
	Trees []string // directories with all below, minus what .gitignore and the built-in list ignore
	Whole []string // the same, minus the built-in list alone
	Dirs  []string // directories by themselves, ignored or not
	Exts  []string // in Dirs only names with these endings count (".go"); nil means all
	Files []string // single files, ignored or not
}

// clean returns the scope with absolute paths, or why it cannot be watched.
func (sc Scope) clean() (Scope, error) {
	out := Scope{Exts: slices.Clone(sc.Exts)}
	for _, list := range []struct{ from, to *[]string }{
		{&sc.Trees, &out.Trees}, {&sc.Whole, &out.Whole}, {&sc.Dirs, &out.Dirs}, {&sc.Files, &out.Files},
	} {
		for _, path := range *list.from {
			abs, err := filepath.Abs(path)
			if err != nil {
				return out, fmt.Errorf("watch %s: %w", path, err)
			}
			*list.to = append(*list.to, abs)
		}
		slices.Sort(*list.to)
		*list.to = slices.Compact(*list.to)
	}
	for _, tree := range slices.Concat(out.Trees, out.Whole) {
		if err := refuse(tree); err != nil {
			return out, err
		}
	}
	return out, nil
}

// refuse names the trees that hold a whole machine or everything a user has.
func refuse(tree string) error {
	real := resolve(tree)
	why := ""
	if filepath.Dir(real) == real {
		why = "it is the root of the file system"
	} else if home, err := os.UserHomeDir(); err == nil && home != "" {
		switch home = resolve(home); {
		case home == real:
			why = "it is the home directory"
		case within(real, home):
			why = "the home directory is below it"
		}
	}
	if why == "" {
		return nil
	}
	return fmt.Errorf("will not watch all below %s: %s; name the directory of one project", tree, why)
}

// resolve follows symlinks as far as the path exists.
func resolve(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return path
}

// within reports whether path is dir or below it; both are clean.
func within(dir, path string) bool {
	rest, ok := strings.CutPrefix(path, dir)
	return ok && (rest == "" || os.IsPathSeparator(rest[0]) || os.IsPathSeparator(dir[len(dir)-1]))
}

// filter says what counts in one directory.
type filter struct {
	tree  bool            // reached by a tree: files and directories not ignored
	whole bool            // by one in which nothing is
	rules *rules          // in force here, for tree
	rel   string          // slash path of the directory from the top of the rules
	dir   bool            // named in Dirs: files with an ending of exts
	exts  []string        //
	names map[string]bool // named in Files
}

// file reports whether a file of that name counts.
func (f *filter) file(name string) bool {
	if f.names[name] {
		return true
	}
	if f.dir && !temporary(name) && (f.exts == nil || slices.ContainsFunc(f.exts, func(ext string) bool {
		return strings.HasSuffix(name, ext)
	})) {
		return true
	}
	return f.tree && !builtin(name) && (f.whole || !f.rules.ignored(join(f.rel, name), false))
}

// sub reports whether a directory of that name is entered.
func (f *filter) sub(name string) bool {
	return f.tree && !builtin(name) && (f.whole || !f.rules.ignored(join(f.rel, name), true))
}

// relevant reports whether an event on that name can matter.
func (f *filter) relevant(name string) bool {
	return f.file(name) || f.sub(name) || f.tree && name == ".gitignore"
}

// named is a directory of which only single files matter.
func (f *filter) named() bool { return !f.tree && !f.dir }
