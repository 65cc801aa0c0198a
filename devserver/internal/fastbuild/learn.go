package fastbuild

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"devrun/devserver/internal/build"
	"devrun/devserver/internal/gocmd"
)

// Learn asks the go command what the app consists of, after it has built it, and
// proves that compiling here gives the same: then, and package by package as that
// goes on, Build needs the go command no more. The question takes about as long
// as a build of nothing, twice; the proof compiles the user's packages, with low
// priority. What it finds stays valid for as long as Build finds nothing changed;
// Learn on what is known already does nothing.
//
// An error is why there will be no fast path for the app as it is, or
// context.Canceled when a build came first. A difference in the proof is none: it
// disables the Builder, and Off says so.
func (b *Builder) Learn(ctx context.Context, r build.Request) error {
	if b.Off() != "" {
		return nil
	}
	if rec, err := b.known(); err == nil && rec.fits(r) {
		if moved, err := b.prove(ctx, rec, r); err != nil || !moved {
			return err
		}
	}
	rec, err := b.question(ctx, r)
	for n := range attempts {
		// A file that is half written when the go command reads it makes the go
		// command fail: what it says once may be of a program that was never there.
		again := errors.Is(err, errMoved) || err != nil && n == 0
		if !again || ctx.Err() != nil || errors.Is(err, errInterrupted) {
			break
		}
		rec, err = b.question(ctx, r)
	}
	if ctx.Err() != nil || errors.Is(err, errInterrupted) {
		return err
	}
	if b.answered(rec, err); err != nil {
		return err
	}
	_, err = b.prove(ctx, rec, r)
	return err
}

// attempts is how often the go command is asked again when a file is saved while it
// answers: somebody who never stops must not keep it busy.
const attempts = 5

// errInterrupted: a build needs the go command.
var errInterrupted = fmt.Errorf("a build came first: %w", context.Canceled)

// question asks when the go command is free, and gives way to a build.
func (b *Builder) question(ctx context.Context, r build.Request) (*recipe, error) {
	if err := b.begin(ctx); err != nil {
		return nil, err
	}
	defer b.end()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	b.mu.Lock()
	b.asking = cancel
	b.mu.Unlock()
	rec, err := b.ask(ctx, r)
	b.mu.Lock()
	b.asking = nil
	b.mu.Unlock()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return rec, err
}

// fits reports that the recipe is one for r and for what is on disk.
func (rec *recipe) fits(r build.Request) bool {
	if rec.settings != settings(r) {
		return false
	}
	now, err := rec.takeSnapshot(r, shapes{})
	return err == nil && rec.differs(now) == nil
}

// ask makes the recipe, in a turn of the go command's.
func (b *Builder) ask(ctx context.Context, r build.Request) (*recipe, error) {
	if err := ordinary(r); err != nil {
		return nil, err
	}
	tmp, err := b.temporary()
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	goCommand := r.Command("")
	goCommand.Env = gocmd.Environ(r.Env, tmp)

	var said answers
	flags := build.Flags(r)
	if said.Env, _, err = goCommand.Output(ctx, "env", "-json"); err != nil {
		return nil, err
	}
	counted, line, ended := build.Counted(ctx, r, goCommand, slices.Concat([]string{"list", "-export", "-deps", "-json=" + listFields}, flags, []string{"--", r.Package}),
		append(slices.Clone(flags), r.Package))
	said.List, _, err = counted.Output(ctx, line...)
	ended()
	if err != nil {
		return nil, err
	}
	rec, err := newRecipe(r, said)
	if err != nil {
		return nil, err
	}
	known := shapes{}
	before, err := rec.takeSnapshot(r, known)
	if err != nil {
		return nil, err
	}
	_, rec.said.Link, err = goCommand.Output(ctx, slices.Concat([]string{"build", "-n", "-o", filepath.Join(tmp, "none")}, flags, []string{"--", r.Package})...)
	if err != nil {
		return nil, err
	}
	// The link names the archives of what was there after the snapshot, the list those
	// of what was there before it: the same ones are of the snapshot.
	if err := rec.learnLink(); err != nil {
		return nil, err
	}
	if rec.snapshot, err = rec.takeSnapshot(r, known); err != nil {
		return nil, err
	}
	if !rec.snapshot.untouched(before) {
		return nil, errMoved
	}
	return rec, rec.setKeys()
}

// answers are what the go command has printed about an app.
type answers struct {
	Env  []byte // go env -json
	List []byte // go list -export -deps -json
	Link []byte // go build -n
}

// newRecipe is the recipe but for the link and the files.
func newRecipe(r build.Request, said answers) (*recipe, error) {
	rec := &recipe{said: said, settings: settings(r), byPath: map[string]*pkg{}, archives: map[string]string{}}
	env := map[string]string{}
	if err := json.Unmarshal(said.Env, &env); err != nil {
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
	rec.linking.linker = filepath.Join(env["GOTOOLDIR"], "link"+exe)
	list, err := gocmd.Packages(said.List)
	if err != nil {
		return nil, err
	}
	return rec, rec.take(list, r, env)
}

// learnLink takes the link from the answers.
func (rec *recipe) learnLink() (err error) {
	if bytes.Contains(rec.said.Link, []byte(rec.compiler+" ")) {
		return errMoved // all was compiled a moment ago
	}
	isOwn := func(path string) bool { return rec.byPath[path] != nil }
	var cached map[string]string
	if rec.linking, cached, err = parseLinking(string(rec.said.Link), rec.linking.linker, isOwn); err != nil {
		return err
	}
	return rec.agrees(cached)
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
// compiled is what is in the snapshot.
func (rec *recipe) setKeys() error {
	made := map[string]archive{}
	c := &compilation{recipe: rec, snapshot: rec.snapshot}
	for i, p := range rec.packages {
		for _, name := range p.files {
			if _, ok := named(rec.snapshot.packages[i].files, name); !ok {
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
