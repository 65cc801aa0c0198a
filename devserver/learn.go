package devserver

import (
	"context"
	"errors"

	"devrun/devserver/internal/build"
	"devrun/devserver/internal/fastbuild"
)

// learning is the go command being asked how the app is built, and the proof
// that devrun does the same.
type learning struct {
	cancel context.CancelFunc
	done   chan struct{} // closed when it has ended
}

// learned: the next save can be built without the go command, or err says why not.
type learned struct {
	by  *learning
	err error
}

// doubted: a binary that was built without the go command may not be what it
// should be.
type doubted struct {
	of  *debugger
	err error
}

// learn sets that off for what was just built. What is known already costs
// nothing but a look at the files.
func (l *loop) learn(r build.Request) {
	ctx, cancel := context.WithCancel(context.Background())
	by := &learning{cancel, make(chan struct{})}
	l.learning = by
	go func() {
		defer cancel()
		err := l.builder.Learn(ctx, r)
		close(by.done)
		l.tell(learned{by, err})
	}()
}

// stopLearning ends it: a newer build is wanted, and the two would be in each
// other's way. The returned channel is closed when it is gone.
func (l *loop) stopLearning() <-chan struct{} {
	if l.learning == nil {
		return nil
	}
	l.learning.cancel()
	return l.learning.done
}

func (l *loop) onLearned(e learned) {
	if l.learning == e.by {
		l.learning = nil
	}
	if l.closing {
		return
	}
	l.sayIfSlow()
	if l.cfg.Verbose && e.err != nil && !errors.Is(e.err, context.Canceled) {
		l.term.Notice("saves are built with go build: " + e.err.Error())
	}
	if l.app != nil && l.app.idle {
		l.prepareDebugger(false)
	}
}

// sayIfSlow says once that everything is built with go build in this run.
func (l *loop) sayIfSlow() {
	if why := l.builder.Off(); why != "" && !l.slowSaid {
		l.slowSaid = true
		l.term.Notice("saves are built with go build from now on, which takes longer: " + why)
	}
}

// onDoubted builds the app with the go command when what runs is something else.
func (l *loop) onDoubted(e doubted) {
	if l.closing {
		return
	}
	if _, ok := errors.AsType[*fastbuild.Difference](e.err); !ok {
		if l.cfg.Verbose {
			l.term.Notice("the binary could not be compared with go build's: " + e.err.Error())
		}
		return
	}
	l.builder.Disable(e.err.Error())
	l.slowSaid = true
	l.term.Error(hinted{e.err, "the app is built with go build now, and so is every save; please report the line above, with the change that you saved before it"})
	if l.build == nil && l.app != nil && l.app.binary.debugger == e.of {
		l.clock = clock{}
		l.rebuild()
	}
}
