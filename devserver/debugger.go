package devserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"devrun/devserver/internal/build"
	"devrun/devserver/internal/fastbuild"
	"devrun/devserver/internal/inspect"
)

// debugger is what reads the variables of one binary: a second link of the
// same code with its debug information, made when the machine has nothing
// better to do.
type debugger struct {
	request build.Request
	made    *fastbuild.Made // nil if go build made the binary

	info *inspect.Binary
	err  error // why there is none

	checked checked // its packages, for the console
}

// debuggerAfter: the debugger is linked so long after the app is ready. The next
// save may come at once, and a failure that comes sooner starts it.
const debuggerAfter = time.Second

// debugged: a debugger is ready, or cannot be.
type debugged struct {
	of   *debugger
	info *inspect.Binary
	err  error
}

// prepareDebugger sets off the link for the binary of the app, unless that was
// done; urgent when a request waits for it.
func (l *loop) prepareDebugger(urgent bool) {
	if l.app == nil || l.closing || l.build != nil || l.errand != nil || l.cancelLearn != nil && !urgent {
		return
	}
	d := l.app.binary.debugger
	if d == nil || d.info != nil || d.err != nil {
		return
	}
	made := d.made
	l.atLeisure(func(ctx context.Context) any {
		info, err := d.make(ctx, l.builder, made, urgent)
		return debugged{d, info, err}
	})
}

// make links and reads.
func (d *debugger) make(ctx context.Context, b *fastbuild.Builder, made *fastbuild.Made, urgent bool) (*inspect.Binary, error) {
	r := d.request
	r.Background = !urgent
	r.Output = filepath.Join(filepath.Dir(r.Output), "debugger", filepath.Base(r.Output))
	if err := os.Mkdir(filepath.Dir(r.Output), 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	defer os.RemoveAll(filepath.Dir(r.Output))
	if err := b.Debug(ctx, r, made); err != nil {
		return nil, fmt.Errorf("link the app with debug information: %w", err)
	}
	return inspect.Load(ctx, r.Output)
}
