package gograph

import (
	"path/filepath"
	"slices"
	"strings"
)

// Patterns match the user's packages, as -gcflags takes them: "example.com/app/...".
func (g *Graph) Patterns() []string {
	var patterns []string
	for _, m := range g.Modules {
		if m.Path != "" {
			patterns = append(patterns, m.Path+"/...")
		}
	}
	for i := range g.Packages {
		path := g.Packages[i].ImportPath
		inside := func(m Module) bool { return m.Path != "" && within(path, m.Path) }
		if path != "" && !slices.ContainsFunc(g.Modules, inside) {
			patterns = append(patterns, path)
		}
	}
	return patterns
}

// Broken reports that something could not be read or found, so that the graph
// may lack directories that the app had before and will have again.
func (g *Graph) Broken() bool {
	return slices.ContainsFunc(g.Packages, func(p Package) bool { return p.Error != "" })
}

// Readable reports that the go command could say what the app is made of, not why it
// cannot.
func (g *Graph) Readable() bool { return g.Main.ImportPath != "" }

// spelling turns paths with symbolic links resolved back into the user's words.
type spelling struct{ real, dir string }

func newSpelling(dir string) spelling {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		real = dir
	}
	return spelling{real: real, dir: dir}
}

func (s spelling) of(path string) string {
	rest, ok := strings.CutPrefix(path, s.real)
	if !ok || s.real == s.dir || rest != "" && rest[0] != filepath.Separator {
		return path
	}
	return s.dir + rest
}

func (s spelling) apply(g *Graph) {
	all := func(paths []string) {
		for i := range paths {
			paths[i] = s.of(paths[i])
		}
	}
	for i := range g.Packages {
		p := &g.Packages[i]
		p.Dir = s.of(p.Dir)
		all(p.Files)
		all(p.Embeds)
	}
	g.Main.Dir = s.of(g.Main.Dir) // its slices are those of its entry in Packages
	g.MainModule.Dir = s.of(g.MainModule.Dir)
	for i := range g.Modules {
		g.Modules[i].Dir = s.of(g.Modules[i].Dir)
	}
	all(g.ModFiles)
}
