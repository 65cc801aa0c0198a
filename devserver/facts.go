package devserver

import (
	"go/build"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"devrun/devserver/internal/gograph"
	"devrun/watcher"
)

// factsOf is what decide has to know of the app that g describes.
func factsOf(g *gograph.Graph, envFiles []string, cfg Config) facts {
	f := facts{
		packages: map[string]bool{},
		sources:  map[string]bool{},
		embedded: map[string]bool{},
		embedsIn: map[string][]string{},
		opened:   map[string]bool{},
		modFiles: set(g.ModFiles...),
		envFiles: set(envFiles...),
	}
	shapes := map[string]string{}
	for _, m := range g.Modules {
		f.modules = append(f.modules, m.Dir)
	}
	for _, p := range g.Packages {
		f.packages[p.Dir] = true
		if len(p.EmbedPatterns) > 0 {
			f.embedsIn[p.Dir] = p.EmbedPatterns
		}
		for _, e := range p.Embeds {
			f.embedded[e] = true
		}
		for _, s := range p.Files {
			f.sources[s] = true
			if filepath.Ext(s) == ".go" {
				shapes[s] = shape(s)
			}
		}
	}
	f.reshaped = func(path string) bool {
		now := shape(path)
		if now == shapes[path] {
			return false
		}
		shapes[path] = now
		return true
	}
	ctx := build.Default
	ctx.GOOS, ctx.GOARCH, ctx.CgoEnabled = g.GOOS, g.GOARCH, true
	ctx.BuildTags = strings.Split(cfg.Tags, ",")
	if cfg.Race {
		ctx.BuildTags = append(ctx.BuildTags, "race")
	}
	for flag := range strings.FieldsSeq(g.GOFLAGS) {
		if _, tags, ok := strings.Cut(flag, "-tags="); ok && cfg.Tags == "" {
			ctx.BuildTags = append(ctx.BuildTags, strings.Split(strings.Trim(tags, `'"`), ",")...)
		}
	}
	f.matches = func(path string) bool {
		ok, err := ctx.MatchFile(filepath.Dir(path), filepath.Base(path))
		return ok || err != nil // what cannot be read is for the compiler to judge
	}
	return f
}

// shape is the part of a Go file that the go command looks at before it
// compiles: package, imports, constraints and embed patterns. A file that
// does not parse has the shape of its error, so mending it is a change.
func shape(path string) string {
	src, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	file, err := parser.ParseFile(token.NewFileSet(), path, src, parser.ImportsOnly)
	if err != nil {
		return err.Error()
	}
	parts := []string{file.Name.Name}
	for _, i := range file.Imports {
		parts = append(parts, i.Path.Value)
	}
	slices.Sort(parts[1:])
	for line := range strings.Lines(string(src)) {
		for _, directive := range []string{"//go:build", "// +build", "//go:embed"} {
			if strings.HasPrefix(line, directive) {
				parts = append(parts, strings.TrimSpace(line))
			}
		}
	}
	return strings.Join(parts, "\n")
}

// scopeOf is what is watched: everything under the directory that the app
// runs in (templates, assets, packages to be) but for what is ignored, and the
// parts of the app that lie elsewhere or are ignored.
func scopeOf(dir string, g *gograph.Graph, envFiles []string) watcher.Scope {
	s := watcher.Scope{Trees: []string{dir}, Exts: packageExts()}
	for _, p := range g.Packages {
		s.Dirs = append(s.Dirs, p.Dir)
		s.Files = append(s.Files, p.Embeds...)
	}
	s.Files = slices.Concat(s.Files, g.ModFiles, envFiles)
	return s
}

func keys(m map[string]bool) []string {
	var s []string
	for k := range m {
		s = append(s, k)
	}
	return s
}
