package devserver

import (
	"path/filepath"
	"slices"
	"strings"

	"devrun/devserver/internal/gocmd"
	"devrun/watcher"
)

// action is what a batch of changes asks for; a larger one includes the
// smaller ones.
type action uint8

const (
	ignore     action = iota // the app is not made of it
	swapStyle                // browsers swap the stylesheet in place
	reloadPage               // browsers reload; the app is not touched
	restart                  // the same binary starts again
	rebuild                  // go build, then a start
)

// decision is the answer to one batch.
type decision struct {
	action  action
	files   []string            // the changes that led to it, absolute
	reshape bool                // the list of packages or files may have changed: ask the go command again
	ignored map[string][]string // the others, by the reason
}

// rules are what decides of the app's files: nothing is read from disk for it, and
// nothing is changed.
type rules struct {
	packages map[string]bool     // directories of the app's packages
	sources  map[string]bool     // files that take part in the build
	embedded map[string]bool     // files in the binary by go:embed
	embedsIn map[string][]string // directory of a package -> its embed patterns
	modules  []string            // directories of the app's modules
	modFiles map[string]bool
	envFiles map[string]bool
}

// moment is what decides besides, and is another at each save.
type moment struct {
	opened func(path string) when // by the running app

	// untrusted: the last build failed or the go command is being asked, so that a
	// package may be missing and any Go file of the modules may be of one.
	untrusted bool
}

// change is a change with what the file says; see [sources.read].
type change struct {
	watcher.Change
	reshaped bool // what the go command reads ahead of compiling is not what it was
	fits     bool // its name and constraints let it into the build
}

// decide says what to do about a batch: the largest action that one of its
// changes asks for, with the files that ask for something.
func decide(batch []change, r *rules, m moment) decision {
	d := decision{ignored: map[string][]string{}}
	for _, c := range batch {
		v := r.one(c, m)
		if v.action == ignore {
			d.ignored[v.why] = append(d.ignored[v.why], c.Path)
			continue
		}
		d.files = append(d.files, c.Path)
		d.action = max(d.action, v.action)
		d.reshape = d.reshape || v.reshape
	}
	return d
}

// verdict is what one change asks for.
type verdict struct {
	action  action
	reshape bool   // see decision
	why     string // it asks for nothing
}

func (r *rules) one(c change, m moment) verdict {
	dir, name := filepath.Split(c.Path)
	dir = filepath.Clean(dir)
	ext := strings.ToLower(filepath.Ext(name))
	opened := m.opened(c.Path)
	switch {
	case r.envFiles[c.Path]:
		return verdict{action: restart}
	case r.modFiles[c.Path]:
		return verdict{action: rebuild, reshape: true}
	case r.embedded[c.Path] && (opened == 0 || ext == ".go"):
		return verdict{action: rebuild, reshape: c.Op == watcher.Removed}
	case c.Op != watcher.Modified && r.embeds(c.Path):
		return verdict{action: rebuild, reshape: true}
	case ext == ".go":
		return r.goFile(c, m, dir, name)
	case sourceExts[ext] && r.packages[dir] && (r.sources[c.Path] || c.Op == watcher.Created):
		return verdict{action: rebuild, reshape: c.Op != watcher.Modified}
	case opened == atStart:
		return verdict{action: restart}
	case ext == ".css":
		return verdict{action: swapStyle}
	case assetExts[ext], opened == eachTime:
		return verdict{action: reloadPage}
	case restartExts[ext], opened == onRequest:
		return verdict{action: restart}
	}
	return verdict{why: "the app has not opened it"}
}

func (r *rules) goFile(c change, m moment, dir, name string) verdict {
	switch {
	case strings.HasSuffix(name, "_test.go"):
		return verdict{why: "a test is no part of the app"}
	case !r.packages[dir]:
		if m.untrusted && slices.ContainsFunc(r.modules, func(module string) bool { return within(module, dir) }) {
			return verdict{action: rebuild, reshape: true}
		}
		return verdict{why: "the app does not import its package"}
	case r.sources[c.Path]:
		return verdict{action: rebuild, reshape: c.reshaped || c.Op == watcher.Removed}
	case c.Op != watcher.Removed && c.fits:
		return verdict{action: rebuild, reshape: true}
	}
	return verdict{why: "its name or constraints leave it out of the build"}
}

// embeds reports whether path, new or gone, matches a go:embed pattern.
func (r *rules) embeds(path string) bool {
	for dir, patterns := range r.embedsIn {
		rel, err := filepath.Rel(dir, path)
		if err != nil || !filepath.IsLocal(rel) {
			continue
		}
		rel = filepath.ToSlash(rel)
		for _, p := range patterns {
			all := strings.HasPrefix(p, "all:")
			p = strings.TrimPrefix(p, "all:")
			// A pattern that names a directory takes all below it, but for names
			// that begin with . or _ unless it says all:.
			for at := rel; at != "."; at = pathDir(at) {
				if ok, err := filepath.Match(filepath.FromSlash(p), filepath.FromSlash(at)); err == nil && ok {
					if all || !hiddenBelow(rel, at) {
						return true
					}
				}
			}
			if p == "." && (all || !hiddenBelow(rel, "")) {
				return true
			}
		}
	}
	return false
}

// hiddenBelow reports whether an element of rel below its prefix at begins
// with a dot or an underscore.
func hiddenBelow(rel, at string) bool {
	rest := strings.TrimPrefix(strings.TrimPrefix(rel, at), "/")
	for e := range strings.SplitSeq(rest, "/") {
		if strings.HasPrefix(e, ".") || strings.HasPrefix(e, "_") {
			return true
		}
	}
	return false
}

func pathDir(slashed string) string {
	if i := strings.LastIndexByte(slashed, '/'); i >= 0 {
		return slashed[:i]
	}
	return "."
}

// within reports whether path is dir or below it.
func within(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}

// set makes a table of names to look up.
func set(names ...string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, n := range names {
		m[n] = true
	}
	return m
}

var (
	// sourceExts are the files, besides Go, that the go command compiles or
	// links when they lie in a package's directory.
	sourceExts = set(gocmd.SourceExts...)

	// restartExts are read from disk, as a rule once, when an app starts:
	// templates, configuration, translations, SQL.
	restartExts = set(".html", ".htm", ".gohtml", ".tmpl", ".gotmpl", ".tpl", ".mustache",
		".hbs", ".jet", ".pug", ".xhtml", ".yaml", ".yml", ".toml", ".ini", ".po", ".mo", ".sql")

	// assetExts are served as they are. Formats that apps write while they
	// serve (.json, .txt, .db, .log) are left out: they would reload for ever.
	assetExts = set(".js", ".mjs", ".svg", ".png", ".jpg", ".jpeg", ".gif", ".webp", ".avif",
		".ico", ".woff", ".woff2", ".ttf", ".otf", ".wasm", ".webmanifest")
)
