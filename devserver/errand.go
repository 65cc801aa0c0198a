package devserver

import "context"

// errand is what tools do for the binary that runs, when nothing else is to be
// done: the link with debug information, the comparison with go build's.
type errand struct {
	cancel context.CancelFunc
	done   chan struct{} // closed when it has ended
}

// atLeisure runs f beside everything else, with a context that a build ends, and
// tells the loop what it returns.
func (l *loop) atLeisure(f func(context.Context) any) {
	ctx, cancel := context.WithCancel(context.Background())
	e := &errand{cancel, make(chan struct{})}
	l.errand = e
	go func() {
		defer cancel()
		result := f(ctx)
		close(e.done)
		l.tell(result)
	}()
}

// stopErrand ends one under way: a newer build is wanted, and there are never two.
// The returned channel is closed when it is gone, nil if there is none.
func (l *loop) stopErrand() <-chan struct{} {
	if l.errand == nil {
		return nil
	}
	l.errand.cancel()
	return l.errand.done
}
