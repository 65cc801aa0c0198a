package fastbuild

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/version"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"devrun/devserver/internal/build"
)

// Learn asks the go command what the app consists of, after it has built it, and
// proves that compiling here gives the same: then, and package by package as that
// goes on, Build needs the go command no more. The question takes about as long
// as a build of nothing, twice; the proof compiles the user's packages, with low
// priority. What it
// finds stays valid for as long as Build finds nothing changed; Learn on
// what is known already does nothing.
//
// An error is why there will be no fast path for the app as it is. A difference in
// the proof is none: it disables the Builder, and Off says so.
func (b *Builder) Learn(ctx context.Context, r build.Request) error {
	if b.Off() != "" {
		return nil
	}
	if rec, err := b.known(); err == nil && rec.fits(r) {
		if moved, err := b.prove(ctx, rec, r); err != nil || !moved {
			return err
		}
	}
	rec, err := b.ask(ctx, r)
	for range attempts {
		if !errors.Is(err, errMoved) {
			break
		}
		rec, err = b.ask(ctx, r)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if b.set(rec, err); err != nil {
		return err
	}
	_, err = b.prove(ctx, rec, r)
	rec.look.forget()
	return err
}

// attempts is how often the go command is asked again when a file is saved while it
// answers: somebody who never stops must not keep it busy.
const attempts = 5

// fits reports that the recipe is one for r and for what is on disk.
func (rec *recipe) fits(r build.Request) bool {
	if rec.settings != settings(r) {
		return false
	}
	now, err := rec.lookAt(r, shapes{})
	return err == nil && rec.differs(now) == nil
}

// listed is a package as `go list` prints it.
type listed struct {
	ImportPath, Name, Dir, Export, BuildID string
	Standard, DepOnly                      bool
	Module                                 *struct {
		Path, Dir, GoMod, GoVersion string
		Main                        bool
	}
	Error *struct{ Err string }

	GoFiles, CgoFiles, CFiles, CXXFiles, MFiles, HFiles, FFiles, SFiles, SwigFiles, SwigCXXFiles, SysoFiles []string
	EmbedPatterns, EmbedFiles                                                                               []string
	Imports                                                                                                 []string
	ImportMap                                                                                               map[string]string
}

const listFields = "ImportPath,Name,Dir,Export,BuildID,Standard,DepOnly,Module,Error," +
	"GoFiles,CgoFiles,CFiles,CXXFiles,MFiles,HFiles,FFiles,SFiles,SwigFiles,SwigCXXFiles,SysoFiles," +
	"EmbedPatterns,EmbedFiles,Imports,ImportMap"

// ask makes the recipe.
func (b *Builder) ask(ctx context.Context, r build.Request) (*recipe, error) {
	if err := ordinary(r); err != nil {
		return nil, err
	}
	tmp, err := b.temporary()
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	tool, err := build.GoTool()
	if err != nil {
		return nil, err
	}
	quiet := r
	quiet.Env = build.Environ(r, tmp)
	run := func(args ...string) ([]byte, error) {
		var out, text bytes.Buffer
		if err := build.RunTool(ctx, quiet, &out, &text, tool, args...); err != nil {
			return nil, fmt.Errorf("go %s: %w: %s", args[0], err, firstLine(text.String()))
		}
		if args[0] == "build" {
			return text.Bytes(), nil
		}
		return out.Bytes(), nil
	}

	known := shapes{}
	rec := &recipe{settings: settings(r), byPath: map[string]*pkg{}, archives: map[string]string{}}
	out, err := run("env", "-json")
	if err != nil {
		return nil, err
	}
	env := map[string]string{}
	if err := json.Unmarshal(out, &env); err != nil {
		return nil, fmt.Errorf("read the output of go env: %w", err)
	}
	for name, value := range env {
		rec.env = append(rec.env, name+"="+value)
	}
	slices.Sort(rec.env)
	exe := env["GOEXE"]
	if env["GOHOSTOS"] == "windows" {
		exe = ".exe"
	}
	rec.compiler = filepath.Join(env["GOTOOLDIR"], "compile"+exe)
	linker := filepath.Join(env["GOTOOLDIR"], "link"+exe)
	rec.linking.linker = linker

	flags := build.Flags(r)
	out, err = run(slices.Concat([]string{"list", "-export", "-deps", "-json=" + listFields}, flags, []string{"--", r.Package})...)
	if err != nil {
		return nil, err
	}
	list, err := readList(out)
	if err != nil {
		return nil, err
	}
	if err := rec.take(list, r, env); err != nil {
		return nil, err
	}
	before, err := rec.lookAt(r, known)
	if err != nil {
		return nil, err
	}
	out, err = run(slices.Concat([]string{"build", "-n", "-o", filepath.Join(tmp, "none")}, flags, []string{"--", r.Package})...)
	if err != nil {
		return nil, err
	}
	if strings.Contains(string(out), rec.compiler+" ") {
		return nil, errMoved // all was compiled a moment ago
	}
	isOwn := func(path string) bool { return rec.byPath[path] != nil }
	var cached map[string]string
	if rec.linking, cached, err = parseLinking(string(out), linker, isOwn); err != nil {
		return nil, err
	}
	// The link names the archives of what was there after the look, the list those
	// of what was there before it: the same ones are of what was looked at.
	if err := rec.agrees(cached); err != nil {
		return nil, err
	}
	if rec.look, err = rec.lookAt(r, known); err != nil {
		return nil, err
	}
	if !rec.look.same(before) {
		return nil, errMoved
	}
	return rec, rec.setKeys()
}

func readList(out []byte) (list []listed, err error) {
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return list, nil
		} else if err != nil {
			return nil, fmt.Errorf("read the output of go list: %w", err)
		}
		list = append(list, p)
	}
}

// take sorts the packages into those that may change and all others.
func (rec *recipe) take(list []listed, r build.Request, env map[string]string) error {
	rec.goVersion = env["GOVERSION"]
	modules := map[string]string{} // directories of the user's modules by path
	for _, l := range list {
		switch {
		case l.Error != nil:
			return fmt.Errorf("%s: %s", l.ImportPath, firstLine(l.Error.Err))
		case l.ImportPath == "unsafe":
		case strings.Contains(l.ImportPath, " "):
			return fmt.Errorf("%s is compiled in a way of its own", l.ImportPath)
		case l.Export == "":
			return fmt.Errorf("the go command has no archive of %s", l.ImportPath)
		case l.Standard || within(env["GOMODCACHE"], l.Dir):
			rec.archives[l.ImportPath] = l.Export
		case l.Module == nil || !version.IsValid("go"+l.Module.GoVersion):
			return fmt.Errorf("%s is in no module with a go line", l.ImportPath)
		default:
			p := l.pkg(r)
			rec.packages, rec.byPath[p.path] = append(rec.packages, p), p
			if l.Module.Dir != "" {
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

func (l listed) pkg(r build.Request) *pkg {
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
func (rec *recipe) fixedFiles(list []listed, modules map[string]string, r build.Request, env map[string]string) []string {
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

// agrees checks that the link takes the archives that the list named.
func (rec *recipe) agrees(cached map[string]string) error {
	for _, p := range rec.packages {
		if cached[p.path] != p.export {
			return errMoved
		}
	}
	for path, archive := range rec.archives {
		if cached[path] != archive {
			return errMoved
		}
	}
	return nil
}

// setKeys gives the go command's archives their keys, and checks that what is
// compiled is what was looked at.
func (rec *recipe) setKeys() error {
	made := map[string]archive{}
	c := &compilation{recipe: rec, look: rec.look}
	for i, p := range rec.packages {
		for _, name := range p.files {
			if _, ok := named(rec.look.packages[i].files, name); !ok {
				return fmt.Errorf("%s is not in %s", name, p.dir)
			}
		}
		a, err := readArchive(p.export)
		if err != nil {
			return err
		}
		p.key = c.key(i, made)
		made[p.path] = a
	}
	return nil
}
