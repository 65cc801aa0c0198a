package errormail

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"devrun/devserver/suite"
)

// becomes waits for a value that is ok.
func becomes[T any](t *testing.T, what string, get func() T, ok func(T) bool) (v T) {
	t.Helper()
	suite.Until(t, what, func() error {
		if v = get(); !ok(v) {
			return fmt.Errorf("%v", v)
		}
		return nil
	})
	return v
}

// fakeClock goes on when it is told to.
type fakeClock struct {
	mu      sync.Mutex
	now     time.Time
	waiting []waiting
}

type waiting struct {
	until time.Time
	c     chan time.Time
}

func newClock() *fakeClock {
	return &fakeClock{now: time.Date(2026, 11, 22, 16, 55, 4, 0, time.UTC)}
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) At(t time.Time) <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := waiting{t, make(chan time.Time, 1)}
	c.waiting = append(c.waiting, w)
	c.ring()
	return w.c
}

func (c *fakeClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	c.ring()
}

func (c *fakeClock) ring() {
	c.waiting = slices.DeleteFunc(c.waiting, func(w waiting) bool {
		if w.until.After(c.now) {
			return false
		}
		w.c <- c.now
		return true
	})
}
