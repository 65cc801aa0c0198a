package fastbuild

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"devrun/devserver/internal/build"
)

// compilation is the making of the archives of one snapshot.
type compilation struct {
	recipe     *recipe
	request    build.Request // with the environment of the tools
	snapshot   *snapshot
	store      *store
	tmp        string
	prelinking *prelinking // nil: the linker that links has to begin first
	quick      bool        // the linker had begun
}

// all gives the archives of all packages that may change, by import path. What
// is in the store or in the go command's cache is not compiled; packages that
// do not need each other are compiled side by side.
func (c *compilation) all(ctx context.Context) (map[string]archive, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		mu      sync.Mutex // of the store and of made
		made    = map[string]archive{}
		done    = make([]chan struct{}, len(c.recipe.packages))
		index   = map[string]int{}
		slots   = make(chan struct{}, runtime.GOMAXPROCS(0))
		waiting sync.WaitGroup
	)
	for i, p := range c.recipe.packages {
		done[i], index[p.path] = make(chan struct{}), i
	}
	for i, p := range c.recipe.packages {
		waiting.Go(func() {
			defer close(done[i])
			for _, path := range p.imports {
				if j, ok := index[path]; ok {
					<-done[j]
				}
			}
			if ctx.Err() != nil {
				return
			}
			mu.Lock()
			k := c.key(i, made)
			a, ok, err := c.find(p, k)
			var config []byte
			if !ok && err == nil {
				config, err = c.importConfig(p, made)
			}
			mu.Unlock()
			if !ok && err == nil {
				slots <- struct{}{}
				a, err = c.compile(ctx, i, config, c.store.place(k), inShape(p.buildID, fmt.Sprintf("%x", k)))
				<-slots
			}
			if err != nil {
				cancel(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			made[p.path] = a
			if !ok {
				c.store.put(k, a)
			}
		})
	}
	waiting.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	return made, nil
}

// find looks for an archive that is there, or says why one cannot be made.
func (c *compilation) find(p *pkg, k key) (archive, bool, error) {
	if k == p.key {
		a, err := readArchive(p.export)
		if err != nil {
			return archive{}, false, lost(err)
		}
		return a, true, nil
	}
	if a, ok := c.store.get(k); ok {
		return a, true, nil
	}
	switch {
	case p.other != "":
		return archive{}, false, &staleError{fmt.Errorf("%s has to be compiled and %s", p.path, p.other)}
	case !p.proven.Load():
		return archive{}, false, &unprovenError{p.path}
	}
	return archive{}, false, nil
}

// lost is for an archive in the go command's cache, which may be trimmed or
// emptied at any time.
func lost(err error) error {
	return &staleError{fmt.Errorf("the build cache has lost a package: %w", err)}
}

// key is of package i, whose imports have been made.
func (c *compilation) key(i int, made map[string]archive) key {
	p, l := c.recipe.packages[i], c.snapshot.packages[i]
	h := sha256.New()
	fmt.Fprintf(h, "%s %q %q %q %q\n", c.recipe.compiler, p.args(), p.dir, p.importMap, l.embedded)
	files := l.files
	if p.other == "" {
		files = nil
		for _, name := range p.files {
			f, _ := named(l.files, name)
			files = append(files, f)
		}
	}
	for _, f := range files {
		fmt.Fprintf(h, "file %q %x\n", f.name, f.sum)
	}
	for _, f := range l.embeds {
		fmt.Fprintf(h, "embed %q %x\n", f.name, f.sum)
	}
	for _, path := range p.imports {
		if a, ok := made[path]; ok {
			fmt.Fprintf(h, "import %q %x\n", path, a.fingerprint)
		} else {
			fmt.Fprintf(h, "import %q %s\n", path, c.recipe.archives[path])
		}
	}
	return key(h.Sum(nil))
}

// args are the compiler's flags that depend on the package only.
func (p *pkg) args() []string {
	return append([]string{"-p", p.name, "-lang=" + p.lang, "-complete"}, p.flags...)
}

func (c *compilation) importConfig(p *pkg, made map[string]archive) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("# import config\n")
	for raw, path := range p.importMap {
		fmt.Fprintf(&b, "importmap %s=%s\n", raw, path)
	}
	for _, path := range p.imports {
		file := c.recipe.archives[path]
		if a, ok := made[path]; ok {
			file = a.path
		}
		if _, err := os.Stat(file); err != nil {
			return nil, lost(err)
		}
		fmt.Fprintf(&b, "packagefile %s=%s\n", path, file)
	}
	return b.Bytes(), nil
}

// compile makes the archive of package i at output, from the snapshot. Only
// files that were saved just now are copied, so that the next save cannot get in
// between; if it does with another one, all are.
func (c *compilation) compile(ctx context.Context, i int, importConfig []byte, output, buildID string) (archive, error) {
	a, err := c.compileOf(ctx, i, importConfig, output, buildID, (*file).settled)
	if errors.Is(err, errMoved) {
		a, err = c.compileOf(ctx, i, importConfig, output, buildID, func(*file) bool { return false })
	}
	return a, err
}

// compileOf is compile of files where they are, if inPlace says so. Should one of
// those have been written meanwhile, it returns errMoved.
func (c *compilation) compileOf(ctx context.Context, i int, importConfig []byte, output, buildID string, inPlace func(*file) bool) (archive, error) {
	p, l := c.recipe.packages[i], c.snapshot.packages[i]
	tmp, err := os.MkdirTemp(c.tmp, "compile-")
	if err != nil {
		return archive{}, err
	}
	defer os.RemoveAll(tmp)
	src := filepath.Join(tmp, "src")
	config := filepath.Join(tmp, "importcfg")
	args := []string{"-o", filepath.Join(tmp, "pkg.a"), "-trimpath", src + "=>" + p.dir + ";" + tmp + "=>"}
	args = append(args, p.args()...)
	args = append(args, "-buildid", buildID, "-goversion", c.recipe.goVersion,
		fmt.Sprintf("-c=%d", min(4, runtime.GOMAXPROCS(0))), "-nolocalimports", "-importcfg", config)
	if err := os.WriteFile(config, importConfig, 0o600); err != nil {
		return archive{}, err
	}
	if len(p.patterns) > 0 {
		file := filepath.Join(tmp, "embedcfg")
		place := func(name string) string { return filepath.Join(src, "embed", filepath.FromSlash(name)) }
		if err := os.WriteFile(file, embedConfig(l.embedded, place), 0o600); err != nil {
			return archive{}, err
		}
		args = append(args, "-embedcfg", file)
		for _, f := range l.embeds {
			if err := f.copy(place(f.name)); err != nil {
				return archive{}, err
			}
		}
	}
	args = append(args, "-pack")
	var read []file // in place
	for _, name := range p.files {
		f, ok := named(l.files, name)
		if !ok {
			return archive{}, errMoved
		}
		path := filepath.Join(p.dir, name)
		if f.path == path && inPlace(&f) {
			read = append(read, f)
		} else {
			path = filepath.Join(src, name)
			if err := f.copy(path); err != nil {
				return archive{}, err
			}
		}
		args = append(args, path)
	}
	err = run(ctx, c.request, c.recipe.compiler, args, c.moved)
	if ctx.Err() == nil && slices.ContainsFunc(read, func(f file) bool { return !f.settled() }) {
		return archive{}, errMoved
	}
	if err != nil {
		return archive{}, err
	}
	if err := os.Rename(filepath.Join(tmp, "pkg.a"), output); err != nil {
		return archive{}, err
	}
	return readArchive(output)
}

// run runs a compiler or a linker in the environment of r.
func run(ctx context.Context, r build.Request, tool string, args []string, moved func() bool) error {
	var out bytes.Buffer
	c := r.Command(tool)
	c.Stdout, c.Stderr = &out, &out
	err := c.Run(ctx, args...)
	exit, ended := errors.AsType[*exec.ExitError](err)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil && !(ended && exit.Exited()): // killed, or not started
		return fmt.Errorf("%s: %w", filepath.Base(tool), err)
	case err != nil:
		return &refusal{filepath.Base(tool), strings.TrimSpace(out.String() + "\n" + err.Error()), moved}
	}
	return nil
}

// moved reports that the sources are not what is in the snapshot any more.
func (c *compilation) moved() bool { return c.recipe.moved(c.request, c.snapshot) }

// link makes the binary: with the linker that has begun, if there is one, and with
// the go command's if that does not like what it reads.
func (c *compilation) link(ctx context.Context, made map[string]archive) error {
	args, err := c.linkArgs(made)
	if err != nil {
		return err
	}
	var failed error
	if c.prelinking != nil {
		if begun := c.prelinking.take(c.recipe); begun != nil {
			_, failed = begun.Link(ctx, args)
			if c.quick = failed == nil; c.quick || ctx.Err() != nil {
				return ctx.Err()
			}
			_ = os.Remove(c.request.Output)
		}
	}
	request := c.request
	request.Env = append(slices.Clip(request.Env), linkerMemory...)
	err = run(ctx, request, c.recipe.linking.linker, args, c.moved)
	if failed != nil && err == nil {
		c.prelinking.disable(fmt.Sprintf("devrun's linker has failed (%v)", failed))
	}
	return err
}

// linkArgs writes what the linker reads first and gives its arguments.
func (c *compilation) linkArgs(made map[string]archive) ([]string, error) {
	l := c.recipe.linking
	var config bytes.Buffer
	h := sha256.New()
	for _, line := range l.archives {
		_, path, _ := strings.Cut(line, "=")
		if _, err := os.Stat(path); err != nil {
			return nil, lost(err)
		}
		config.WriteString(line + "\n")
	}
	for _, p := range c.recipe.packages {
		fmt.Fprintf(&config, "packagefile %s=%s\n", p.path, made[p.path].path)
	}
	config.WriteString(l.modinfo + "\n")
	fmt.Fprintf(h, "%x %s", c.snapshot.sum(), config.Bytes())
	file := filepath.Join(c.tmp, "importcfg.link")
	if err := os.WriteFile(file, config.Bytes(), 0o600); err != nil {
		return nil, err
	}
	main := c.recipe.packages[len(c.recipe.packages)-1]
	args := []string{"-o", c.request.Output, "-importcfg", file}
	args = append(args, l.before...)
	args = append(args, "-buildid="+inShape(l.buildID, fmt.Sprintf("%x", h.Sum(nil))))
	return append(append(args, l.after...), made[main.path].path), nil
}

// linkerMemory has the linker, which ends soon, not look for what it could free: an
// eighth of its time.
var linkerMemory = []string{"GOGC=off", "GOMEMLIMIT=1GiB"}

// inShape writes text over and over into the form of a build id, so that what is
// made has room for just as much as the go command's and may not be taken for it.
func inShape(buildID, text string) string {
	b := []byte(buildID)
	for i, n := 0, 0; i < len(b); i++ {
		if b[i] != '/' {
			b[i] = text[n%len(text)]
			n++
		}
	}
	return string(b)
}
