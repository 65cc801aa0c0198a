package binaries

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"devrun/devserver/internal/build"
	"devrun/devserver/internal/fastbuild"
	"devrun/devserver/internal/gograph"
	"devrun/devserver/internal/hook"
	"devrun/devserver/internal/stamp"
)

// Options are the same for all builds of a run.
type Options struct {
	Dir  string // private to this run
	Name string // of the binaries

	// Where something is kept for later runs, "" for nowhere: linkers, what is linked
	// in for the console, and the binary of this app.
	Linkers, LinkRoots, BuildCache string

	Notice func(text string) // something worth knowing
	Detail func(text string) // the same for who wants to know more; nil if nobody does
}

// Maker makes the binaries of one app.
type Maker struct {
	o     Options
	fast  *fastbuild.Builder
	roots linkRoots

	mu       sync.Mutex
	way      way
	told     bool   // that everything is built with go build
	slowLink string // why prelinking is off, as last said
}

// way is how the app is built.
type way struct {
	overlay *hook.Overlay // nil: without the hook
	why     string        // why without it
	bare    bool          // without what the console can call though the app does not
}

func (w way) rooted() bool {
	return !w.bare && w.overlay != nil && slices.Contains(w.overlay.Parts, "eval")
}

// New returns a Maker that has built nothing.
func New(o Options) *Maker {
	return &Maker{
		o: o, fast: fastbuild.New(filepath.Join(o.Dir, "fast"), o.Linkers),
		roots: linkRoots{dir: filepath.Join(o.Dir, "hook"), cache: o.LinkRoots, made: map[string]rootsOf{}},
	}
}

// Close ends what waits for the next build.
func (m *Maker) Close() { m.fast.Close() }

// Hook prepares the hook for the app that g describes, and says what goes without it. Of
// one that the go command cannot read nothing is built.
func (m *Maker) Hook(g *gograph.Graph) {
	if !g.Readable() {
		return
	}
	o, err := hook.Prepare(hook.Target{
		GOROOT: g.GOROOT, ModCache: g.GOMODCACHE, GoVersion: g.GoVersion, GOOS: g.GOOS, GOARCH: g.GOARCH,
		ModulePath: g.MainModule.Path, ModuleDir: g.MainModule.Dir, MainDir: g.Main.Dir,
		Dir: filepath.Join(m.o.Dir, "hook"), HTTP: g.HasHTTP, SysUnix: g.SysUnix,
		LinkRoots: m.roots.std(g),
	})
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil {
		m.way.overlay, m.way.why = nil, err.Error()
		m.o.Notice("building without devrun's hook: " + m.way.why)
		return
	}
	for _, lost := range o.Lost {
		m.o.Notice(lost)
	}
	if m.way.overlay = o; o.File == "" {
		m.way.overlay, m.way.why = nil, o.Why
	}
}

// TakesOver reports whether the app leaves its addresses to devrun.
func (m *Maker) TakesOver() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.way.overlay != nil && slices.Contains(m.way.overlay.Parts, "takeover")
}

// Forget has the next build made with go build, whatever is known.
func (m *Maker) Forget() { m.fast.Forget() }

// FellBack is why everything is built with go build in this run, the first time that
// it is asked since; "" else.
func (m *Maker) FellBack() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	why := m.fast.Off()
	if m.told {
		return ""
	}
	m.told = why != ""
	return why
}

// Request is one build.
type Request struct {
	Generation int
	Settings   Settings
	Graph      *gograph.Graph
	Runs       *Binary // that runs, and may go on if the save has changed nothing in it; nil for none

	Sources []string // while one of them is touched the build is made again
	Touched func()   // one was

	Progress func(done, of int) // of a build that takes long; nil is not told
}

// Settings are how the user wants it built.
type Settings struct {
	Dir, Package           string
	Env                    []string
	Tags, LDFlags, GCFlags string
	Race                   bool
}

// Result is a build that passed.
type Result struct {
	Binary *Binary // nil if it is the same as what runs
	Took   time.Duration
	Link   time.Duration // the end of it, if the go command had no part in it
	Asked  bool          // but for a question ahead of it
	Full   string        // why go build made it, "" if it did not
	Cached bool          // it is the last run's
	Cold   error         // why nothing is used of the last run

	// Sources are as they are now, if they were touched during each of the builds; the
	// binary may be of none of their states.
	Sources stamp.Stamps

	made *fastbuild.Made
}

// maxRepeats is how often in a row a build is made again because a source was
// touched meanwhile: a program that never stops touching one must not keep the
// app from being served.
const maxRepeats = 3

// unwrittenFor is how long a Go file may be empty before that is an error: many editors
// truncate a file and then write it, and no empty one compiles.
const unwrittenFor = time.Second

func unwritten(files []string) bool {
	return slices.ContainsFunc(files, func(file string) bool {
		if filepath.Ext(file) != ".go" {
			return false
		}
		fi, err := os.Stat(file)
		return err == nil && fi.Size() == 0
	})
}

// Build makes a binary. Where the hook is what does not build, or what the console would
// call, it is made without, and so are all later ones. The error is a *build.Failure when
// the go command did not like what it read, ctx.Err() when ctx ended, and else what kept it
// from running.
func (m *Maker) Build(ctx context.Context, r Request) (Result, error) {
	br := r.build(m.output(r.Generation))
	if err := os.Mkdir(filepath.Dir(br.Output), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return Result{}, err
	}
	m.mu.Lock()
	begun := m.way
	m.mu.Unlock()
	var cold error
	if r.Generation == 1 && m.o.BuildCache != "" {
		cold = m.fast.ReadCache(m.o.BuildCache, m.with(begun, br, r.Graph))
	}
	for w, repeats := begun, 0; ; {
		before := stamp.All(r.Sources) // what the save was about: no wait may come before
		tried := m.with(w, br, r.Graph)
		res, err := m.fast.Build(ctx, tried, r.Runs.current())
		if _, failed := errors.AsType[*build.Failure](err); failed && unwritten(r.Sources) {
			select {
			case <-time.After(unwrittenFor):
			case <-ctx.Done():
			}
		}
		after := stamp.All(r.Sources)
		if ctx.Err() != nil {
			os.RemoveAll(filepath.Dir(br.Output))
			return Result{}, ctx.Err()
		}
		touched := !before.Equal(after)
		if touched {
			r.Touched()
			if repeats < maxRepeats {
				repeats++
				continue
			}
		}
		repeats = 0
		if failure, ok := errors.AsType[*build.Failure](err); ok {
			if w.rooted() && (failure.InHook() || failure.Unlinked()) {
				w.bare = true
				continue
			}
			if w.overlay != nil && failure.InHook() {
				w = way{why: failure.Error(), bare: begun.bare}
				continue
			}
		}
		out := Result{Cold: cold}
		if touched {
			out.Sources = after
		}
		if err != nil {
			return out, err
		}
		m.learnt(begun, w)
		out.Took, out.Link, out.Asked, out.Full, out.Cached, out.made = res.Took, res.Link, res.Asked, res.Full, res.Cached, res.Made
		if res.Same {
			os.RemoveAll(filepath.Dir(br.Output))
			return out, nil
		}
		tried.Progress = nil // what is made of it later nobody waits for
		out.Binary = &Binary{Path: res.Binary, Built: time.Now(), made: res.Made, request: tried}
		if w.overlay == nil {
			out.Binary.Unhooked = w.why
		}
		return out, nil
	}
}

// learnt has all builds made as the one that has passed, and says what goes without the
// hook; begun is how it was tried first.
func (m *Maker) learnt(begun, passed way) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.way.overlay != begun.overlay { // the hook is another one now
		return
	}
	switch {
	case begun.overlay != nil && passed.overlay == nil:
		m.o.Notice("the app does not build with devrun's hook, building without it: " + passed.why)
	case passed.bare && !begun.bare:
		m.o.Notice("console calls are limited to functions that the app itself uses (the others do not link)")
	}
	m.way = passed
}

// with is r as it is built that way.
func (m *Maker) with(w way, r build.Request, g *gograph.Graph) build.Request {
	if w.overlay == nil {
		return r
	}
	r.Overlay, r.HookPattern, r.HookLDFlags = w.overlay.File, w.overlay.Package, w.overlay.LDFlags
	if w.rooted() {
		if file, err := m.roots.overlay(r.Overlay, g.Packages); err == nil { // else the console has less to call
			r.Overlay = file
		}
	}
	return r
}

func (r Request) build(output string) build.Request {
	g, s := r.Graph, r.Settings
	dirs := map[string]string{}
	for _, p := range g.Packages {
		dirs[p.ImportPath] = p.Dir
	}
	return build.Request{
		Generation: r.Generation, Dir: s.Dir, Env: s.Env, Package: s.Package,
		Tags: s.Tags, LDFlags: s.LDFlags, GCFlags: s.GCFlags, Race: s.Race,
		UserPatterns: g.Patterns(), MainDir: g.Main.Dir, PackageDirs: dirs, GOFLAGS: g.GOFLAGS,
		Output: output, Progress: r.Progress, Imports: g.Imports,
	}
}

// output is where the binary of a generation is made.
func (m *Maker) output(generation int) string {
	return filepath.Join(m.o.Dir, "gen-"+strconv.Itoa(generation), m.o.Name)
}

// Tidy deletes all binaries but that one, and what is made for the generation from
// which on they may still be on their way.
func (m *Maker) Tidy(but *Binary, from int) {
	dirs, err := filepath.Glob(filepath.Join(m.o.Dir, "gen-*"))
	if err != nil {
		return
	}
	for _, d := range dirs {
		var n int
		if _, err := fmt.Sscanf(filepath.Base(d), "gen-%d", &n); err != nil || n >= from || but != nil && d == filepath.Dir(but.Path) {
			continue
		}
		os.RemoveAll(d)
	}
}
