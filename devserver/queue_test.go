package devserver

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
)

// Of the tasks that are asked for while one runs, the newest is begun and counts.
func TestSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		defer close(q.done)
		var s slot
		var log []string
		ends := make(chan struct{})
		ask := func(name string) {
			s.start(q, func() task {
				log = append(log, "begin "+name)
				return func(ctx context.Context) func() {
					select {
					case <-ctx.Done():
						name += " stopped"
					case <-ends:
					}
					return func() { log = append(log, name) }
				}
			})
		}
		check := func(busy bool, want ...string) {
			t.Helper()
			if !slices.Equal(log, want) || s.busy() != busy {
				t.Fatalf("%q, busy %v; want %q, %v", log, s.busy(), want, busy)
			}
		}
		ask("a")
		ask("b")
		ask("c")
		check(true, "begin a")
		ends <- struct{}{}
		(<-q.calls)()
		check(true, "begin a", "begin c")
		ends <- struct{}{}
		(<-q.calls)()
		check(false, "begin a", "begin c", "c")

		log = nil
		ask("d")
		s.stop()
		ask("e") // that is, instead of what runs
		(<-q.calls)()
		check(true, "begin d", "begin e")
		ask("f")
		s.stop()
		(<-q.calls)()
		check(false, "begin d", "begin e", "e stopped")
	})
}
