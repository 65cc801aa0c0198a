package fastbuild

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"devrun/devserver/internal/build"
	"devrun/devserver/internal/linker"
)

// prelinking has a linker begin before there is anything to link.
type prelinking struct {
	dir   string // for what the linkers that have begun need
	cache string // where linkers are kept, "" for none

	mu        sync.Mutex
	off       string // why no linker begins in this run
	path      string // of one that is known to link as tool does, "" for none
	tool      string
	sought    bool // in the cache, by Prelink
	prelinked *linker.Prelinked
	env       string // of prelinked, as linkerEnv has it
	closed    bool
	count     int
}

var errNoCache = errors.New("there is no directory for a linker that nobody else can write to")

// EnablePrelinking makes links quicker: it has a linker begin that waits for the next one.
// The first time with a toolchain that linker is built, and the first time with an
// app its binary is compared with what the go command's linker makes of m, or if that
// is nil of what go build has made for r. It reports whether the comparison has been
// made; an error says why links take as long as they did.
func (b *Builder) EnablePrelinking(ctx context.Context, r build.Request, m *Made) (compared bool, err error) {
	a := &b.prelinking
	a.mu.Lock()
	off := a.off
	a.mu.Unlock()
	switch {
	case off != "":
		return false, errors.New(off)
	case a.cache == "":
		return false, errNoCache
	}
	if m == nil {
		if m, err = b.asMade(ctx, r); err != nil {
			return false, err
		}
	}
	tool := m.recipe.linking.linker
	a.mu.Lock()
	known := a.path != "" && a.tool == tool
	a.mu.Unlock()
	if !known {
		path, err := b.makeLinker(ctx, r, m.recipe)
		if err != nil {
			return false, err
		}
		b.mu.Lock()
		compared = !b.proven[linkerWay(path)]
		b.mu.Unlock()
		if compared {
			if err := b.proveLinker(ctx, path, r, m); err != nil {
				return false, err
			}
			b.mu.Lock()
			b.proven[linkerWay(path)] = true
			b.mu.Unlock()
		}
		a.use(path, tool)
	}
	a.begin(m.recipe, m.request, m.archives)
	return compared, nil
}

// Prelink has a linker begin that waits for the next build, if one is known to be right.
// It takes no time.
func (b *Builder) Prelink(r build.Request) {
	rec, err := b.known()
	a := &b.prelinking
	if err != nil || a.cache == "" {
		return
	}
	a.mu.Lock()
	seek := !a.sought && a.path == ""
	a.sought = true
	a.mu.Unlock()
	if !seek {
		a.begin(rec, r, nil)
		return
	}
	go func() {
		path := linker.Find(rec.linking.linker, a.cache)
		b.mu.Lock()
		proven := b.proven[linkerWay(path)]
		b.mu.Unlock()
		if path != "" && proven {
			a.use(path, rec.linking.linker)
			a.begin(rec, r, nil)
		}
	}()
}

// linkerWay is the way of linking with a linker, as recipe.way is one of compiling.
func linkerWay(path string) string { return "link " + path }

// use has the linker at path prelink from now on, in the place of tool.
func (a *prelinking) use(path, tool string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.off == "" {
		a.path, a.tool = path, tool
	}
}

// Close ends what waits for the next build.
func (b *Builder) Close() {
	a := &b.prelinking
	a.mu.Lock()
	prelinked := a.prelinked
	a.prelinked, a.closed = nil, true
	a.mu.Unlock()
	if prelinked != nil {
		prelinked.End()
	}
}

// makeLinker is in a turn of the go command's if it has to be built.
func (b *Builder) makeLinker(ctx context.Context, r build.Request, rec *recipe) (string, error) {
	if err := b.begin(ctx); err != nil {
		return "", err
	}
	defer b.end()
	return linker.Make(ctx, r.Command(""), rec.variable("GOROOT"), rec.linking.linker, b.prelinking.cache)
}

// proveLinker links twice and compares.
func (b *Builder) proveLinker(ctx context.Context, path string, r build.Request, m *Made) error {
	tmp, err := b.temporary()
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	r.Background = true
	r.Env = m.recipe.toolEnv(r, tmp)
	r.Output = filepath.Join(tmp, "stock")
	c := &compilation{recipe: m.recipe, request: r, snapshot: m.snapshot, store: b.store, tmp: tmp}
	if err := c.link(ctx, m.archives); err != nil {
		return err
	}
	theirs, err := os.ReadFile(r.Output)
	if err != nil {
		return err
	}
	r.Env = append(slices.Clip(r.Env), linkerMemory...)
	prelinked, err := linker.Prelink(r.Command(path), filepath.Join(tmp, "list"), m.recipe.archivesWith(m.archives))
	if err != nil {
		return err
	}
	c.request.Output = filepath.Join(tmp, "ahead")
	args, err := c.linkArgs(m.archives)
	if err != nil {
		prelinked.End()
		return err
	}
	said, err := prelinked.Link(ctx, args)
	var ours []byte
	if err == nil {
		ours, err = os.ReadFile(c.request.Output)
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		err = fmt.Errorf("devrun's linker fails: %w: %s", err, strings.TrimSpace(said))
	case !bytes.Equal(ours, theirs):
		err = fmt.Errorf("devrun's linker makes a different binary (%s)", m.recipe.goVersion)
	default:
		return nil
	}
	b.prelinking.disable(err.Error())
	return err
}

// disable has every link done by the go command's linker from now on.
func (a *prelinking) disable(why string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.off, a.path = why, ""
}

// begin starts a linker for the next link, unless one waits or none is known to be
// right.
func (a *prelinking) begin(rec *recipe, r build.Request, made map[string]archive) {
	a.mu.Lock()
	defer a.mu.Unlock()
	env := rec.linkerEnv()
	if a.closed || a.path == "" || a.tool != rec.linking.linker || a.prelinked != nil && a.env == env {
		return
	}
	if old := a.prelinked; old != nil {
		a.prelinked = nil
		go old.End()
	}
	a.count++
	tmp := filepath.Join(a.dir, "link") // the linker's own files are in directories of theirs
	err := os.MkdirAll(tmp, 0o700)
	if err == nil {
		r.Env = slices.Concat(rec.toolEnv(r, tmp), linkerMemory)
		r.Background = false
		list := filepath.Join(tmp, fmt.Sprintf("archives-%d", a.count))
		a.prelinked, err = linker.Prelink(r.Command(a.path), list, rec.archivesWith(made))
	}
	if err != nil {
		a.off, a.path = err.Error(), ""
	}
	a.env = env
}

// take gives the linker that waits, if there is one for such a link; it is the
// caller's then.
func (a *prelinking) take(rec *recipe) *linker.Prelinked {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.prelinked == nil || a.path == "" || a.tool != rec.linking.linker || a.env != rec.linkerEnv() {
		return nil
	}
	prelinked := a.prelinked
	a.prelinked = nil
	return prelinked
}

// linkerEnv stands for what a linker may heed of its environment.
func (rec *recipe) linkerEnv() string {
	h := sha256.New()
	h.Write(rec.settings[:])
	for _, e := range rec.env {
		switch name, _, _ := strings.Cut(e, "="); name {
		case "GOTMPDIR", "GOGCCFLAGS": // have names of temporary files in them
		default:
			fmt.Fprintf(h, "%q\n", e)
		}
	}
	return string(h.Sum(nil))
}

// archivesWith are the files of all packages, with the archives that were made.
func (rec *recipe) archivesWith(made map[string]archive) []string {
	var files []string
	for _, line := range rec.linking.archives {
		_, path, _ := strings.Cut(line, "=")
		files = append(files, path)
	}
	for _, p := range rec.packages {
		if a, ok := made[p.path]; ok {
			files = append(files, a.path)
		} else {
			files = append(files, p.export)
		}
	}
	return files
}
