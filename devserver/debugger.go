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
	made    *fastbuild.Made // to be compared with what go build links here; nil if that made it too

	cancel context.CancelFunc // of the link
	done   chan struct{}      // closed when it has ended

	info *inspect.Binary
	err  error // why there is none

	checked checked // its packages, for the console
}

// debugger is linked so long after the app is ready: the next save may come at
// once, and a failure that comes sooner starts it.
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
	if l.app == nil || l.closing || l.build != nil || l.linking != nil || l.cancelLearn != nil && !urgent {
		return
	}
	d := l.app.binary.debugger
	if d == nil || d.info != nil || d.err != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	d.cancel, d.done = cancel, make(chan struct{})
	l.linking = d
	go func() {
		info, doubt, err := d.make(ctx, urgent)
		close(d.done)
		if doubt != nil {
			l.tell(doubted{d, doubt})
		}
		l.tell(debugged{d, info, err})
	}()
}

// make links and reads. What the go command has linked then shows whether the
// binary that runs is what it should be; doubt says that it is not, or that this
// could not be seen.
func (d *debugger) make(ctx context.Context, urgent bool) (info *inspect.Binary, doubt, err error) {
	r := d.request
	r.Debugger, r.Background = true, !urgent
	r.Output = filepath.Join(filepath.Dir(r.Output), "debugger", filepath.Base(r.Output))
	if err := os.Mkdir(filepath.Dir(r.Output), 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, nil, err
	}
	defer os.RemoveAll(filepath.Dir(r.Output))
	res, err := build.Run(ctx, r)
	if err != nil {
		return nil, nil, fmt.Errorf("link the app with debug information: %w", err)
	}
	if d.made != nil {
		doubt = d.made.Check(res.Binary)
	}
	info, err = inspect.Load(ctx, res.Binary)
	return info, doubt, err
}

// stopDebugger ends a link under way: a newer build is wanted, and there are
// never two. The returned channel is closed when it is gone.
func (l *loop) stopDebugger() <-chan struct{} {
	if l.linking == nil {
		return nil
	}
	l.linking.cancel()
	return l.linking.done
}
