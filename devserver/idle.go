package devserver

import (
	"context"
	"time"

	"devrun/devserver/internal/binaries"
)

const (
	// idleAfter is how long after the app is ready its debug information is linked. The
	// next save may come at once, and a failure that comes sooner starts it.
	idleAfter = time.Second

	// proveAfter is how long nothing has been saved when a binary that was built without
	// the go command is compared with the one that go build makes: that takes as long as
	// a build, and somebody who is at work is not to feel it.
	proveAfter = 4 * time.Second
)

// learn has the go command asked how the app is built, beside everything else.
func (l *loop) learn(b *binaries.Binary) {
	l.tasks.learn.start(l.queue, func() task {
		return func(ctx context.Context) func() {
			l.builds.maker.Learn(ctx, b)
			return func() {
				l.sayIfSlow()
				l.prepareDebugger(false)
			}
		}
	})
}

// sayIfSlow says once that everything is built with go build in this run.
func (l *loop) sayIfSlow() {
	if why := l.builds.maker.FellBack(); why != "" {
		l.term.Notice("falling back to go build, which is slower: " + why)
	}
}

// onIdle is for an app that has been ready for a while.
func (l *loop) onIdle(a *app) {
	a.idle = true
	l.builds.maker.Prelink(a.binary)
	l.prepareDebugger(false)
}

// prepareDebugger has the debug information of the app linked, unless that was done;
// urgent when a request waits for it, else when there is nothing better to do.
func (l *loop) prepareDebugger(urgent bool) {
	a := l.process.any()
	if a == nil || l.end.begun() || l.tasks.build.busy() || l.tasks.idle.busy() || !urgent && (!a.idle || l.tasks.learn.busy()) {
		return
	}
	b := a.binary
	if info, err := b.Info(); !b.Hooked() || info != nil || err != nil {
		return
	}
	l.tasks.idle.start(l.queue, func() task {
		return func(ctx context.Context) func() {
			l.builds.maker.Debug(ctx, b, urgent)
			return func() { l.onDebugged(b) }
		}
	})
}

// onDebugged has what waited for debug information read with it. It may be that of an
// older binary.
func (l *loop) onDebugged(b *binaries.Binary) {
	a := l.process.any()
	if info, _ := b.Info(); info != nil && a != nil && a.binary == b {
		l.after(proveAfter, a, func() { l.prove(a) })
	} else if b != l.builds.good.binary {
		b.Close()
	}
	l.idleDone()
}

// idleDone goes on with what has waited for the end of an idle task.
func (l *loop) idleDone() {
	if a := l.process.any(); a != nil {
		l.failures.examineAll(a)
	}
	l.prepareDebugger(false)
}

// prove sets off the comparison of what runs with go build's.
func (l *loop) prove(a *app) {
	if l.end.begun() || l.tasks.build.busy() || l.tasks.idle.busy() {
		return
	}
	b := a.binary
	l.tasks.idle.start(l.queue, func() task {
		return func(ctx context.Context) func() {
			err := l.builds.maker.Prove(ctx, b)
			return func() { l.onProved(b, err) }
		}
	})
}

// onProved builds the app with the go command when what runs is something else.
func (l *loop) onProved(b *binaries.Binary, wrong error) {
	l.idleDone()
	if wrong == nil || l.end.begun() {
		return
	}
	l.term.Error(hinted{wrong, "falling back to go build for this and every later save; please report the line above and the change you saved before it"})
	if a := l.process.any(); a != nil && a.binary == b && !l.tasks.build.busy() {
		l.saves.clock = clock{}
		l.rebuild()
	}
}
