package fastbuild

import (
	"errors"
	"fmt"
	"go/version"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"devrun/devserver/internal/build"
	"devrun/devserver/internal/gocmd"
)

// listFields are those of a [gocmd.Package] that are read.
const listFields = "ImportPath,Name,Dir,Export,BuildID,Standard,DepOnly,Module,Error," +
	"GoFiles,CgoFiles,CFiles,CXXFiles,MFiles,HFiles,FFiles,SFiles,SwigFiles,SwigCXXFiles,SysoFiles," +
	"EmbedPatterns,EmbedFiles,Imports,ImportMap"

// take sorts the packages, dependencies first, into those that may change and all
// others. A library in the module cache is one of the first if it imports the app's
// own module, which may hold more than the app.
func (rec *recipe) take(list []gocmd.Package, r build.Request, env map[string]string) error {
	rec.goVersion = env["GOVERSION"]
	modules := map[string]string{} // directories of the user's modules by path
	for _, l := range list {
		switch {
		case l.Error != nil:
			return fmt.Errorf("%s: %s", l.ImportPath, firstLine(l.Error.Err))
		case l.ImportPath == "unsafe":
		case strings.Contains(l.ImportPath, " "):
			return fmt.Errorf("%s is compiled in a special way", l.ImportPath)
		case l.Export == "":
			return fmt.Errorf("the go command has no archive of %s", l.ImportPath)
		case l.Standard || within(env["GOMODCACHE"], l.Dir) && !slices.ContainsFunc(l.Imports, rec.mayChange):
			rec.archives[l.ImportPath] = l.Export
		case l.Module == nil || !version.IsValid("go"+l.Module.GoVersion):
			return fmt.Errorf("%s is in no module with a go line", l.ImportPath)
		default:
			p := pkgOf(l, r)
			rec.packages, rec.byPath[p.path] = append(rec.packages, p), p
			if l.Module.Dir != "" && !within(env["GOMODCACHE"], l.Dir) {
				modules[l.Module.Path] = l.Module.Dir
			}
		}
	}
	if len(rec.packages) == 0 {
		return errors.New("the app has no package that may change")
	}
	main := rec.packages[len(rec.packages)-1]
	if main.name != "main" {
		return fmt.Errorf("%s is not package main", main.path)
	}
	if profile := filepath.Join(main.dir, "default.pgo"); stateOf(profile) != "absent" {
		return fmt.Errorf("the app is compiled for a profile, %s", profile)
	}
	rec.fixed = rec.fixedFiles(list, modules, r, env)
	return nil
}

// mayChange reports whether a package is one of those taken so far that may change.
func (rec *recipe) mayChange(path string) bool { return rec.byPath[path] != nil }

func pkgOf(l gocmd.Package, r build.Request) *pkg {
	p := &pkg{
		path: l.ImportPath, dir: l.Dir, name: l.ImportPath, lang: version.Lang("go" + l.Module.GoVersion),
		flags: build.CompilerFlags(r, l.ImportPath), files: l.GoFiles, importMap: l.ImportMap,
		patterns: l.EmbedPatterns, export: l.Export, buildID: l.BuildID,
	}
	if l.Name == "main" {
		p.name = "main"
	}
	for _, path := range l.Imports {
		if path != "unsafe" && path != "C" {
			p.imports = append(p.imports, path)
		}
	}
	switch {
	case len(l.CgoFiles) > 0:
		p.other = "uses cgo"
	case len(l.SFiles) > 0:
		p.other = "has assembly"
	case len(l.CFiles)+len(l.CXXFiles)+len(l.MFiles)+len(l.FFiles)+len(l.SwigFiles)+len(l.SwigCXXFiles)+len(l.SysoFiles) > 0:
		p.other = "has more than Go files"
	}
	return p
}

// fixedFiles are the files, there or not, that decide what imports and settings
// mean.
func (rec *recipe) fixedFiles(list []gocmd.Package, modules map[string]string, r build.Request, env map[string]string) []string {
	seen := map[string]bool{}
	add := func(elem ...string) { seen[filepath.Join(elem...)] = true }
	add(env["GOROOT"], "VERSION")
	add(env["GOROOT"], "go.env")
	if env["GOENV"] != "off" {
		add(env["GOENV"])
	}
	roots := []string{r.Dir}
	for _, p := range rec.packages {
		roots = append(roots, p.dir)
	}
	for _, l := range list {
		if rec.byPath[l.ImportPath] != nil && l.Module.GoMod != "" {
			add(l.Module.GoMod)
			roots = append(roots, filepath.Dir(l.Module.GoMod))
		}
		for path, dir := range modules {
			// A directory that the user's module may get would be another package
			// of the same name.
			if rest, ok := strings.CutPrefix(l.ImportPath, path+"/"); ok && rec.byPath[l.ImportPath] == nil {
				add(dir, filepath.FromSlash(rest))
			}
		}
	}
	for _, dir := range roots {
		for at := dir; ; at = filepath.Dir(at) {
			for _, name := range []string{"go.mod", "go.work"} {
				if seen[filepath.Join(at, name)] {
					continue
				}
				add(at, name)
			}
			if at == filepath.Dir(at) {
				break
			}
		}
	}
	for _, file := range []string{env["GOMOD"], env["GOWORK"]} {
		if file == "" || file == os.DevNull || file == "off" {
			continue
		}
		dir := filepath.Dir(file)
		add(file)
		add(dir, "go.sum")
		add(dir, "go.work.sum")
		add(dir, "vendor", "modules.txt")
		// Modules of a workspace and those that replace others have their say in
		// versions, even with no package in the app.
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it is among the fixed files, as unreadable
		}
		for _, word := range strings.Fields(string(text)) {
			word = strings.Trim(word, "\"`")
			if strings.HasPrefix(word, ".") || filepath.IsAbs(word) {
				if !filepath.IsAbs(word) {
					word = filepath.Join(dir, word)
				}
				add(word, "go.mod")
				add(word, "go.sum")
			}
		}
	}
	var files []string
	for file := range seen {
		files = append(files, file)
	}
	slices.Sort(files)
	return files
}

// within reports whether path is below dir.
func within(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return dir != "" && err == nil && filepath.IsLocal(rel)
}
