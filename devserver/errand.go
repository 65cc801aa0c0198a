package devserver

import "context"

// atLeisure has f do what is done for the binary that runs when nothing else is to
// be done: the link with debug information, the comparison with go build's. It runs
// beside everything else, with a context that a build ends, and the loop is told
// what it returns.
func (l *loop) atLeisure(f func(context.Context) any) {
	ctx, cancel := context.WithCancel(context.Background())
	l.errand = cancel
	go func() {
		defer cancel()
		l.tell(f(ctx))
	}()
}

// stopErrand ends one under way: a newer build is wanted. It does not wait until the
// errand is gone; that there are never two of the go command is the builder's care.
func (l *loop) stopErrand() {
	if l.errand != nil {
		l.errand()
	}
}

// errandDone goes on with what has waited for the end of one, which may have been of
// an older binary.
func (l *loop) errandDone() {
	l.errand = nil
	if l.app == nil {
		return
	}
	for _, f := range l.failures {
		if f.app == l.app && !f.Values.Here && !f.late {
			l.examine(f)
		}
	}
	if l.app.idle {
		l.prepareDebugger(false)
	}
}
