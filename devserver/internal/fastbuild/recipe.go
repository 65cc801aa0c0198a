package fastbuild

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"devrun/devserver/internal/build"
	"devrun/devserver/internal/gocmd"
)

// recipe is what the go command said about an app: all that a build needs but
// for the content of files. Once it is made, no more than proofs come to it.
type recipe struct {
	said      answers
	settings  [sha256.Size]byte
	env       []string          // NAME=value, as `go env` prints them
	compiler  string            // path
	goVersion string            // of it
	packages  []*pkg            // those that may change, dependencies first; the last is main
	byPath    map[string]*pkg   // by import path
	archives  map[string]string // of all others, by import path
	linking   linking
	fixed     []string  // files whose content, or absence, decides what all this is
	snapshot  *snapshot // the files that it is about, as they were
}

// pkg is a package that may change.
type pkg struct {
	path, dir string
	name      string // what the compiler calls it: "main" or path
	lang      string // "go1.26"
	flags     []string
	files     []string          // what is compiled, names in dir
	imports   []string          // import paths
	importMap map[string]string // as written -> import path, where they differ
	patterns  []string          // of go:embed
	export    string            // the go command's archive
	buildID   string            // of that
	other     string            // why only the go command can compile it, "" if it need not
	proven    atomic.Bool       // a compile here gives export byte for byte
	key       key               // of export
}

// toolEnv is the environment of compilers and linkers, as the go command makes it.
func (r *recipe) toolEnv(req build.Request, tmp string) []string {
	return slices.Concat(gocmd.Environ(req.Env, tmp), r.env)
}

// variable is one of those that `go env` prints.
func (r *recipe) variable(name string) string {
	for _, e := range r.env {
		if value, ok := strings.CutPrefix(e, name+"="); ok {
			return value
		}
	}
	return ""
}

// differs says what has changed that is more than the content of files.
func (r *recipe) differs(now *snapshot) error {
	was := r.snapshot
	for path, state := range now.fixed {
		if was.fixed[path] != state {
			return fmt.Errorf("%s has changed", path)
		}
	}
	if !slices.Equal(slices.Sorted(maps.Keys(was.overlay)), slices.Sorted(maps.Keys(now.overlay))) {
		return errors.New("devrun adds other files to the app")
	}
	for i, p := range r.packages {
		was, now := was.packages[i], now.packages[i]
		switch {
		case !slices.EqualFunc(was.files, now.files, sameName):
			return fmt.Errorf("a file was added or removed in %s", p.dir)
		case was.shape != now.shape:
			return fmt.Errorf("imports, constraints or directives have changed in %s", p.dir)
		case !maps.EqualFunc(was.embedded, now.embedded, slices.Equal):
			return fmt.Errorf("an embedded file was added or removed in %s", p.dir)
		}
	}
	return nil
}

func sameName(a, b file) bool { return a.name == b.name }

// linking is the go command's link of an app.
type linking struct {
	linker   string
	archives []string // lines of the import configuration that are no user's package
	modinfo  string   // its last line
	before   []string // arguments up to the build id
	after    []string // and behind it
	buildID  string   // of the shape that the binary must have: its length moves addresses
}

// parseLinking reads what `go build -n` prints for an app whose packages are all
// in the cache. The commands there are no shell's, but those of a link have no
// word in them that cannot be told.
func parseLinking(output, linker string, isOwn func(importPath string) bool) (l linking, archives map[string]string, err error) {
	l.linker, archives = linker, map[string]string{}
	inside := false
	for line := range strings.Lines(output) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case strings.HasPrefix(line, "cat >") && strings.Contains(line, "importcfg.link << 'EOF'"):
			inside = true
		case inside && line == "EOF":
			inside = false
		case inside && strings.HasPrefix(line, "packagefile "):
			path, archive, ok := strings.Cut(strings.TrimPrefix(line, "packagefile "), "=")
			if !ok || strings.Contains(archive, "$WORK") || !filepath.IsAbs(archive) {
				return l, nil, fmt.Errorf("package %s is not in the build cache", path)
			}
			archives[path] = archive
			if !isOwn(path) {
				l.archives = append(l.archives, line)
			}
		case inside && strings.HasPrefix(line, "modinfo ") && l.modinfo == "":
			l.modinfo = line
		case inside:
			return l, nil, fmt.Errorf("the link needs something unknown: %s", line)
		case strings.Contains(line, " -importcfg ") && strings.Contains(line, " -o "):
			if l.before != nil {
				return l, nil, errors.New("there is more than one link")
			}
			if err := l.parse(line); err != nil {
				return l, nil, fmt.Errorf("the link is not an ordinary one (%w): %s", err, line)
			}
		}
	}
	if l.before == nil || l.modinfo == "" {
		return l, nil, errors.New("the go command prints no link")
	}
	return l, archives, nil
}

// parse takes the arguments of the linker's command line: after its environment
// the tool, -o and -importcfg with files that are ours to name, and at the end
// package main.
func (l *linking) parse(line string) error {
	words, err := unquoteWords(line)
	if err != nil {
		return err
	}
	for len(words) > 0 && words[0] != l.linker {
		if !strings.Contains(words[0], "=") {
			return fmt.Errorf("it begins with %s", words[0])
		}
		words = words[1:]
	}
	if len(words) < 6 || words[1] != "-o" || words[3] != "-importcfg" {
		return errors.New("its first arguments are others")
	}
	args := words[5 : len(words)-1]
	exe := slices.Contains(args, "-buildmode=exe")
	at := slices.IndexFunc(args, func(a string) bool { return strings.HasPrefix(a, "-buildid=") })
	if !exe || at < 0 {
		return errors.New("it makes no ordinary program")
	}
	for _, a := range args[:at] {
		if a != "-buildmode=exe" && !strings.HasPrefix(a, "-X=runtime.godebugDefault=") {
			return fmt.Errorf("it has %s", a)
		}
	}
	if slices.ContainsFunc(args, func(a string) bool { return strings.Contains(a, "$WORK") }) {
		return errors.New("it needs a temporary file")
	}
	l.before, l.after, l.buildID = append([]string{}, args[:at]...), args[at+1:], strings.TrimPrefix(args[at], "-buildid=")
	return nil
}
