package binaries

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"devrun/devserver/internal/build"
	"devrun/devserver/internal/expr"
	"devrun/devserver/internal/fastbuild"
	"devrun/devserver/internal/fault"
	"devrun/devserver/internal/inspect"
)

// Binary is a program, and what is known of it.
type Binary struct {
	Path     string
	Built    time.Time
	Unhooked string // why devrun's hook is not in it, "" if it is

	request build.Request

	mu     sync.Mutex
	made   *fastbuild.Made // nil if go build made it
	info   *inspect.Binary // from its debug information
	err    error           // why there is none
	closed bool

	typing sync.Mutex
	types  *expr.Build // its packages as the type checker knows them
}

// Hooked reports whether devrun's hook is in it.
func (b *Binary) Hooked() bool { return b.Unhooked == "" }

// current is what the binary is made of at present, nil for none.
func (b *Binary) current() *fastbuild.Made {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.made
}

// Is notes what sources the binary is made of now, by a build that found it the same.
func (b *Binary) Is(r Result) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.made = r.made
}

// Info is what reads the binary's variables. It is nil, as is the error, until [Maker.Debug]
// has made it.
func (b *Binary) Info() (*inspect.Binary, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.info, b.err
}

// Close is for when no process runs the binary and none will.
func (b *Binary) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	if b.info != nil {
		_ = b.info.Close() // it was read only
		b.info = nil
	}
}

// Package is the package of a function, by the linker's name of that, as the type
// checker knows it. The packages are asked for once, when they are first needed.
func (b *Binary) Package(ctx context.Context, function string) (*expr.Package, error) {
	b.typing.Lock()
	defer b.typing.Unlock()
	if b.types == nil {
		r := b.request
		args := build.Args(r)[2:] // behind "go build"
		flags := slices.DeleteFunc(args[2:len(args)-1], func(f string) bool { return strings.HasPrefix(f, "-ldflags=") })
		types, err := expr.List(ctx, expr.Config{Dir: r.Dir, Env: r.Env, Flags: flags, Main: r.Package})
		if err != nil {
			return nil, err
		}
		b.types = types
	}
	return b.types.Package(fault.Frame{Func: function}.Package())
}
