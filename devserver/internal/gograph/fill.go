package gograph

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"devrun/devserver/internal/gocmd"
)

// fill takes over what the go command listed.
func (g *Graph) fill(list []gocmd.Package, root *gocmd.Package) {
	for i := range list {
		g.addModule(list[i].Module)
	}
	missing := map[string]string{} // importer -> what it imports in vain
	for i := range list {
		p := &list[i]
		// A package compiled once more for a profile is listed as "path [main]".
		p.ImportPath, _, _ = strings.Cut(p.ImportPath, " ")
		known := g.Imports[p.ImportPath]
		g.Imports[p.ImportPath] = true
		if p.Dir == "" {
			if p.Error != nil && len(p.Error.ImportStack) > 0 {
				missing[p.Error.ImportStack[len(p.Error.ImportStack)-1]] = p.Error.String()
			}
			p.Dir = g.dirOf(p.ImportPath)
		}
		if p.ImportPath == "golang.org/x/sys/unix" {
			g.SysUnix = p.Dir
		}
		if known || p.Dir == "" || p != root && !editable(p) {
			continue
		}
		g.Packages = append(g.Packages, packageOf(p))
	}
	for i := range g.Packages {
		p := &g.Packages[i]
		if p.Error == "" {
			p.Error = missing[p.ImportPath]
		}
		if p.ImportPath == root.ImportPath {
			// A profile of this name is a part of the build by default.
			if pgo := filepath.Join(p.Dir, "default.pgo"); exists(pgo) {
				p.Files = append(p.Files, pgo)
			}
			g.Main = *p
		}
	}
	if root.Module != nil {
		g.MainModule = moduleOf(root.Module)
	}
	slices.SortStableFunc(g.Modules, func(a, b Module) int {
		switch g.MainModule.Path {
		case b.Path:
			return 1
		case a.Path:
			return -1
		}
		return strings.Compare(a.Path, b.Path)
	})
	g.HasHTTP = g.Imports["net/http"]
}

// unreadable makes the best of a module that the go command cannot load: the
// files whose change may mend it.
func (g *Graph) unreadable(dir, pkg string, env settings, failure string) {
	at := dir
	if isLocal(pkg) {
		at = resolve(dir, pkg)
	}
	g.Main = Package{Dir: at, Name: "main", Error: failure}
	g.Packages = []Package{g.Main}
	if env.GOMOD != "" && env.GOMOD != os.DevNull {
		g.MainModule = Module{Dir: filepath.Dir(env.GOMOD), Main: true}
		g.Modules = []Module{g.MainModule}
	}
	g.ModFiles = modFiles(env, g.Modules, nil)
}

// editable: the user's own, and what has no module at all (GOPATH mode).
func editable(p *gocmd.Package) bool {
	return !p.Standard && (p.Module == nil || editableModule(p.Module))
}

// editableModule: main modules (a workspace has several) and those replaced by a
// directory, which have no version of their own.
func editableModule(m *gocmd.Module) bool {
	return m.Main || m.Replace != nil && m.Replace.Version == ""
}

func moduleOf(m *gocmd.Module) Module {
	return Module{Path: m.Path, Dir: m.Dir, GoVersion: m.GoVersion, Main: m.Main}
}

func (g *Graph) addModule(m *gocmd.Module) {
	if m == nil || !editableModule(m) {
		return
	}
	same := func(have Module) bool { return have.Path == m.Path }
	if !slices.ContainsFunc(g.Modules, same) {
		g.Modules = append(g.Modules, moduleOf(m))
	}
}

// dirOf is where a package that does not exist yet would be, "" when that is
// not in a module of the user.
func (g *Graph) dirOf(importPath string) string {
	var best Module
	for _, m := range g.Modules {
		if m.Dir != "" && within(importPath, m.Path) && len(m.Path) > len(best.Path) {
			best = m
		}
	}
	if best.Path == "" {
		return ""
	}
	return filepath.Join(best.Dir, filepath.FromSlash(strings.TrimPrefix(importPath, best.Path)))
}

func within(importPath, module string) bool {
	rest, ok := strings.CutPrefix(importPath, module)
	return ok && (rest == "" || rest[0] == '/')
}

func packageOf(p *gocmd.Package) Package {
	q := Package{
		ImportPath: p.ImportPath, Dir: p.Dir, Name: p.Name,
		Files: filesOf(p), Embeds: inDir(p.Dir, p.EmbedFiles), EmbedPatterns: p.EmbedPatterns,
	}
	if p.Error != nil {
		q.Error = p.Error.String()
	}
	return q
}

// modFiles lists what decides the meaning of imports, existing or not.
func modFiles(env settings, modules []Module, flags []string) []string {
	var files []string
	root := ""
	if env.GOMOD != "" && env.GOMOD != os.DevNull {
		root = filepath.Dir(env.GOMOD)
		files = append(files, env.GOMOD, filepath.Join(root, "go.sum"), filepath.Join(root, "go.work"))
	}
	if env.GOWORK != "" && env.GOWORK != "off" {
		root = filepath.Dir(env.GOWORK)
		files = append(files, env.GOWORK, env.GOWORK+".sum")
	}
	if root != "" {
		files = append(files, filepath.Join(root, "vendor", "modules.txt"))
	}
	for _, m := range modules {
		if m.Dir != "" {
			files = append(files, filepath.Join(m.Dir, "go.mod"), filepath.Join(m.Dir, "go.sum"))
		}
	}
	for _, flag := range append(strings.Fields(env.GOFLAGS), flags...) {
		if file, ok := strings.CutPrefix(strings.TrimLeft(flag, "-"), "modfile="); ok {
			if !filepath.IsAbs(file) {
				file = filepath.Join(root, file)
			}
			files = append(files, file, strings.TrimSuffix(file, ".mod")+".sum")
		}
	}
	slices.Sort(files)
	return slices.Compact(files)
}
