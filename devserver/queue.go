package devserver

import (
	"context"
	"time"
)

// queue is how other goroutines have the loop do something.
type queue struct {
	calls chan func()
	done  chan struct{} // closed when nobody takes calls any more
}

func newQueue() queue { return queue{make(chan func(), 64), make(chan struct{})} }

// tell has f called by the loop, from any goroutine but its own.
func (q queue) tell(f func()) {
	select {
	case q.calls <- f:
	case <-q.done:
	}
}

// after has f called by the loop in d.
func (q queue) after(d time.Duration, f func()) { time.AfterFunc(d, func() { q.tell(f) }) }

// do has f called by the loop and waits for it; false when the loop has ended.
func (q queue) do(f func()) bool { return q.doFor(context.Background(), f) }

// doFor is do for somebody who goes when ctx ends, and then gets false though f may
// still be called: the loop waits for the handlers of a front that it closes.
func (q queue) doFor(ctx context.Context, f func()) bool {
	called := make(chan struct{})
	select {
	case q.calls <- func() { f(); close(called) }:
	case <-ctx.Done():
		return false
	case <-q.done:
		return false
	}
	select {
	case <-called:
		return true
	case <-ctx.Done():
		return false
	case <-q.done:
		return false
	}
}

// slot has at most one task in the background. The newest that is asked for wins: it
// begins when the one before has ended, and what came of that is dropped. It belongs to
// the loop.
type slot struct {
	cancel context.CancelFunc // of the task, nil if there is none
	next   func() task
}

// task runs beside the loop, until it is done or ctx ends, and returns what the loop is
// to do then.
type task func(ctx context.Context) (then func())

func (s *slot) busy() bool { return s.cancel != nil }

// start has a task begun as soon as the slot is free; begin is called by the loop then.
func (s *slot) start(q queue, begin func() task) {
	if s.busy() {
		s.next = begin
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	run := begin()
	go func() {
		defer cancel()
		then := run(ctx)
		q.tell(func() {
			next := s.next
			s.cancel, s.next = nil, nil
			if next != nil {
				s.start(q, next)
				return
			}
			then()
		})
	}()
}

// stop ends the task, and has none follow it. What comes of it the loop is told.
func (s *slot) stop() {
	s.next = nil
	if s.busy() {
		s.cancel()
	}
}
