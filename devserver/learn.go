package devserver

import (
	"context"
	"errors"

	"devrun/devserver/internal/build"
)

// learned: the next save can be built without the go command, or err says why not.
type learned struct{ err error }

// learn has the go command say how the app is built, beside everything else and
// with low priority, and devrun prove that it does the same. What is known already
// costs nothing but a look at the files.
func (l *loop) learn(r build.Request) {
	if l.cancelLearn != nil {
		l.learnNext = &r
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	l.cancelLearn = cancel
	go func() {
		defer cancel()
		l.tell(learned{l.builder.Learn(ctx, r)})
	}()
}

func (l *loop) onLearned(e learned) {
	next := l.learnNext
	l.cancelLearn, l.learnNext = nil, nil
	if l.closing {
		return
	}
	if next != nil {
		l.learn(*next)
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
