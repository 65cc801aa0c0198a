// Package fastbuild builds an app that is being written without the go command:
// it compiles the packages that a save has changed, those whose imports mean
// something else by it, and links. Most of the time that `go build` takes for
// a small change is not in those.
//
// What it knows it has from the go command ([Builder.Learn]): the packages, the
// archives in its cache, the link. It trusts none of its own conclusions before
// its own compiles have given the go command's archives byte for byte, and
// builds with go build whatever is out of the ordinary, so that a build is
// either go's own or one that go would have made with the same code in it:
//
//   - an input that the go command looks at ahead of compiling has changed: the
//     list of files, imports, constraints, directives, embed patterns, go.mod
//     and the like, the toolchain, flags, the environment;
//   - a package with more than Go files in it (cgo, assembly) has to be compiled;
//   - the build is not an ordinary one: -race, -trimpath, a profile, flags for the
//     compiler;
//   - the code does not compile or link: the go command says why in its own words.
//
// The rest is decided by the content of files, and a package is compiled from
// copies of exactly what was looked at. An import counts by the fingerprint of
// its export data, which is all of it that a compiler reads; the linker
// refuses packages whose fingerprints do not fit.
//
// The source in the module cache and GOROOT is taken to be immutable.
package fastbuild

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"devrun/devserver/internal/build"
)

// Builder builds one app, again and again. One Build, one Learn, and one of Debug,
// Verify and Keep may run at a time, also side by side; the go command is never run
// twice at once. The other methods may be called at any time and wait for nothing.
type Builder struct {
	dir    string        // archives and what tools need meanwhile
	store  *store        // archives by what they are made of; Build's
	shapes shapes        // of files, by content; Build's
	turn   chan struct{} // capacity 1: who runs the go command

	restored   *restored // for the next Build; Build's
	prelinking prelinking

	mu     sync.Mutex
	recipe *recipe                 // nil: the go command has not been asked
	why    string                  // it could not be learned, or why there is none yet
	off    string                  // why there is no fast path in this run, "" if there is
	forget bool                    // the next build is go build's
	due    bool                    // the last build was go's, and what it has built has not been learned
	asking context.CancelCauseFunc // of Learn's question under way, nil if there is none
	proven map[string]bool         // ways of compiling that have been seen to be go's
}

// Result is a build that passed.
type Result struct {
	build.Result
	Full    string        // why go build made it, "" if this package did
	Asked   bool          // the go command was asked first, in the time that Compile says
	Compile time.Duration // what Took consists of, if it did
	Link    time.Duration
	Made    *Made // for comparison with what go build makes; nil if that made it
	Cached  bool  // it is the binary of an earlier run, and was not linked
	Same    bool  // it is the program that runs, and was not linked: there is no Binary
	Ahead   bool  // the linker had begun before there was anything to link
}

// notLearned is why the first build is go build's.
const notLearned = "the go command has not been asked yet what the app consists of"

// New returns a Builder that keeps its files in dir, which it makes, and linkers for
// later runs in cache, unless that is "". What is in dir is nothing to anybody once the
// Builder is closed.
func New(dir, cache string) *Builder {
	return &Builder{
		dir: dir, why: notLearned, store: newStore(filepath.Join(dir, "archives")),
		shapes: shapes{}, turn: make(chan struct{}, 1), proven: map[string]bool{},
		prelinking: prelinking{dir: dir, cache: cache},
	}
}

// Off reports why everything is built with go build in this run, "" if it is not.
func (b *Builder) Off() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.off
}

// Disable has everything built with go build from now on.
func (b *Builder) Disable(why string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.off == "" {
		b.off = why
	}
}

// Forget has the next build made with go build, whatever is known.
func (b *Builder) Forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.forget = true
}

// startOver does what Forget has asked for, once.
func (b *Builder) startOver() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.forget {
		b.forget, b.recipe, b.why = false, nil, "a build from scratch was requested"
	}
}

// known is the recipe for a build, or why there is none.
func (b *Builder) known() (*recipe, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.off != "":
		return nil, errors.New(b.off)
	case b.recipe == nil:
		return nil, errors.New(b.why)
	}
	return b.recipe, nil
}

// set notes what is known from now on, or why that is nothing.
func (b *Builder) set(r *recipe, why error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.recipe = r; why != nil {
		b.recipe, b.why = nil, why.Error()
		return
	}
	for _, p := range r.packages {
		p.proven.Store(b.proven[r.way(p)])
	}
}

// answered is set with what the go command has just been asked.
func (b *Builder) answered(r *recipe, err error) {
	b.set(r, err)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.due = false
}

// Build builds, as build.Run does and with its errors. What runs, if it was made
// here and is not nil, is not linked once more.
//
// A question of Learn's gives way to it. So that somebody who saves again and again
// does not keep Learn from ever getting an answer, a second build for want of one
// asks itself and links what the go command has compiled for that.
func (b *Builder) Build(ctx context.Context, r build.Request, runs *Made) (Result, error) {
	begin := time.Now()
	res, direct := b.direct(ctx, r, runs)
	if direct == nil {
		res.Took = time.Since(begin)
		return res, nil
	}
	b.interrupt()
	if err := b.begin(ctx); err != nil {
		return Result{}, err
	}
	defer b.end()
	_ = os.Remove(r.Output) // the linker may have begun it; go build says what is wrong with its place
	var (
		refused  *refusal
		unproven *unprovenError
		stale    *staleError
	)
	switch {
	case errors.As(direct, &refused), errors.As(direct, &unproven): // nothing to be learned
	case errors.As(direct, &stale):
		b.set(nil, stale)
		fallthrough
	default:
		if !b.isDue() || b.Off() != "" {
			break
		}
		rec, err := b.ask(ctx, r)
		if ctx.Err() != nil {
			return Result{}, ctx.Err()
		}
		if b.answered(rec, err); err == nil {
			if res, direct = b.direct(ctx, r, runs); direct == nil {
				res.Took, res.Asked = time.Since(begin), true
				res.Compile = res.Took - res.Link
				return res, nil
			}
		}
	}
	made, err := build.Run(ctx, r)
	made.Took = time.Since(begin)
	if err == nil && refused != nil && !refused.moved() {
		b.Disable(fmt.Sprintf("go build takes what a direct build does not (%v)", refused))
	}
	return Result{Result: made, Full: direct.Error()}, err
}

// begin waits until the go command is free, or ctx ends.
func (b *Builder) begin(ctx context.Context) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	select {
	case b.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b *Builder) end() { <-b.turn }

// interrupt ends the question that Learn has asked, if there is one.
func (b *Builder) interrupt() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.asking != nil {
		b.asking(errInterrupted)
	}
}

// isDue reports whether the question should have been answered by now: there was a
// build for want of it before. From now on there was one.
func (b *Builder) isDue() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	was := b.due
	b.due = true
	return was
}

// direct builds without the go command. An error says why that cannot be.
func (b *Builder) direct(ctx context.Context, r build.Request, runs *Made) (Result, error) {
	b.startOver()
	begin := time.Now()
	rec, snapshot, err := b.snapshot(r, b.shapes)
	if err != nil {
		return Result{}, err
	}
	defer snapshot.forget()
	tmp, err := b.temporary()
	if err != nil {
		return Result{}, err
	}
	defer os.RemoveAll(tmp)
	c := &compilation{recipe: rec, request: r, snapshot: snapshot, store: b.store, tmp: tmp, prelinking: &b.prelinking}
	c.request.Env = rec.toolEnv(r, tmp)
	b.prelinking.begin(rec, r, nil)
	archives, err := c.all(ctx)
	if err != nil {
		return Result{}, err
	}
	compiled := time.Now()
	made := &Made{recipe: rec, request: r, snapshot: snapshot, archives: archives, binary: r.Output}
	cached := b.restored
	b.restored = nil
	if cached.place(snapshot, r.Output) {
		return Result{Result: build.Result{Binary: r.Output}, Compile: compiled.Sub(begin), Made: made, Cached: true}, nil
	}
	if made.sameAs(runs) {
		made.binary = runs.binary
		return Result{Compile: compiled.Sub(begin), Made: made, Same: true}, nil
	}
	if err := c.link(ctx, archives); err != nil {
		return Result{}, err
	}
	b.store.prune()
	return Result{
		Result:  build.Result{Binary: r.Output},
		Compile: compiled.Sub(begin),
		Link:    time.Since(compiled),
		Made:    made,
		Ahead:   c.quick,
	}, nil
}

// snapshot reads the files of an app whose build is known, or says why it is not.
func (b *Builder) snapshot(r build.Request, known shapes) (*recipe, *snapshot, error) {
	if err := ordinary(r); err != nil {
		return nil, nil, err
	}
	rec, err := b.known()
	if err != nil {
		return nil, nil, err
	}
	if rec.settings != settings(r) {
		return nil, nil, errors.New("flags or the environment have changed")
	}
	now, err := rec.takeSnapshot(r, known)
	if err == nil {
		err = rec.differs(now)
	}
	return rec, now, err
}

// temporary makes a directory for one build.
func (b *Builder) temporary() (string, error) {
	if err := os.MkdirAll(b.store.dir, 0o700); err != nil {
		return "", fmt.Errorf("make a directory for archives: %w", err)
	}
	tmp, err := os.MkdirTemp(b.dir, "build-")
	if err != nil {
		return "", fmt.Errorf("make a directory for the build: %w", err)
	}
	return tmp, nil
}

// staleError says why the go command has to be asked anew, though nothing is
// unusual about the app.
type staleError struct{ error }

// unprovenError is about a package that was not yet seen to be compiled here as the
// go command does.
type unprovenError struct{ path string }

func (e *unprovenError) Error() string {
	return "it is not known yet whether " + e.path + " is compiled here as go does"
}

// refusal is a compiler or a linker that does not like what it was given.
type refusal struct {
	tool, output string
	moved        func() bool // the sources are others by now
}

func (r *refusal) Error() string { return r.tool + ": " + firstLine(r.output) }
