package binaries

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"devrun/devserver/internal/build"
	"devrun/devserver/internal/fastbuild"
	"devrun/devserver/internal/hook"
	"devrun/devserver/internal/inspect"
)

// Learn has the go command say how b was built, with low priority, and proves that the
// same can be done without it, so that the next save is. What is known already costs
// nothing but a look at the files.
func (m *Maker) Learn(ctx context.Context, b *Binary) {
	err := m.fast.Learn(ctx, b.request)
	m.detail("saves are built with go build: ", err)
}

// Prelink has a linker begin that waits for the next build. It takes no time.
func (m *Maker) Prelink(b *Binary) {
	if b.Hooked() {
		m.fast.Prelink(b.request)
	}
}

// Debug links b once more with its debug information, the same code at the same
// addresses, and reads that; urgent when somebody waits for it. What comes of it b
// says: [Binary.Info].
func (m *Maker) Debug(ctx context.Context, b *Binary, urgent bool) {
	info, err := m.debug(ctx, b, urgent)
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case errors.Is(err, context.Canceled): // for a newer build: another time
	case b.closed && info != nil:
		_ = info.Close() // it was read only
	default:
		b.info, b.err = info, err
	}
}

func (m *Maker) debug(ctx context.Context, b *Binary, urgent bool) (*inspect.Binary, error) {
	r, done, err := beside(b.request, "debugger")
	if err != nil {
		return nil, err
	}
	defer done()
	r.Background = !urgent
	if err := m.fast.Debug(ctx, r, b.current()); err != nil {
		return nil, fmt.Errorf("link the app with debug information: %w", err)
	}
	return inspect.Load(ctx, r.Output, hook.Overwritten...)
}

// beside is r with an output of its own, in a directory that done removes.
func beside(r build.Request, dir string) (_ build.Request, done func(), err error) {
	dir = filepath.Join(filepath.Dir(r.Output), dir)
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return r, nil, err
	}
	r.Background = true
	r.Output = filepath.Join(dir, filepath.Base(r.Output))
	return r, func() { os.RemoveAll(dir) }, nil
}

// Prove compares b with what go build makes, if it was made without, and then keeps it
// for the next run and turns prelinking on. The error says that it is not what it should
// be: from now on go build makes all.
func (m *Maker) Prove(ctx context.Context, b *Binary) error {
	made := b.current()
	if made != nil {
		if err := m.compare(ctx, b.request, made); err != nil {
			if _, ok := errors.AsType[*fastbuild.Difference](err); ok && ctx.Err() == nil {
				m.fast.Disable(err.Error())
				m.mu.Lock()
				m.told = true // by who is given the error
				m.mu.Unlock()
				return err
			}
			m.detail("the binary could not be compared with go build's: ", err)
			return nil
		}
	}
	kept := b.request
	kept.Background = true
	cold := m.cache(ctx, kept, made)
	compared, err := m.fast.EnablePrelinking(ctx, kept, made)
	if compared {
		cold = m.cache(ctx, kept, made) // that, too
		if m.o.Detail != nil {
			m.o.Detail("prelinking is on")
		}
	}
	m.detail("the binary is not cached for the next run: ", cold)
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil && ctx.Err() == nil && err.Error() != m.slowLink {
		m.slowLink = err.Error()
		m.detail("prelinking is off: ", err)
	}
	return nil
}

func (m *Maker) compare(ctx context.Context, r build.Request, made *fastbuild.Made) error {
	r, done, err := beside(r, "verify")
	if err != nil {
		return err
	}
	defer done()
	return m.fast.Verify(ctx, r, made)
}

// detail tells an error to who wants to know of it, unless it is that of something which
// a build has ended.
func (m *Maker) detail(what string, err error) {
	if m.o.Detail != nil && err != nil && !errors.Is(err, context.Canceled) {
		m.o.Detail(what + err.Error())
	}
}
