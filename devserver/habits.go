package devserver

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"
)

// habits are what the app does with files by itself: what it opens, and what it writes
// whenever it starts or a page is loaded, which is no save.
type habits struct {
	starts, refreshes brake
	writes            writes
	opened, before    opened // by the binary that runs, and by the one before
	ran               string // that binary
	adding            bool   // what it opens is to be watched soon
}

// whenOpened is when the file is opened, 0 if that is not known. A process that has just
// begun to run another binary may not have come to it yet.
func (h *habits) whenOpened(path string) when {
	return cmp.Or(h.opened[path], h.before[path])
}

// started is for a process that runs the binary.
func (h *habits) started(binary string, now time.Time) {
	h.starts.act(now)
	h.writes.forget(h.starts.acts)
	if binary != h.ran { // other code may read other files
		h.ran, h.before, h.opened = binary, h.opened, opened{}
	}
}

// holds reports whether a change that asks for an action is one that the app makes by
// itself at each start, or at each load of a page; words are for the first such one of
// a file, and lack its name.
func (h *habits) holds(path string, a action, at time.Time) (held bool, words string) {
	seen := h.writes.has(path, h.starts.acts)
	b, most, words := &h.starts, inARow, "changed right after each of the last %d starts, so it restarts nothing until it is saved at another time"
	switch {
	case a == ignore:
		return false, ""
	case a == swapStyle, a == reloadPage:
		if !seen {
			return false, ""
		}
		b, words = &h.refreshes, "changed right after each of the last %d reloads, so it reloads nothing until it is saved at another time"
	case !seen && a == restart:
		most = unseen
	case !seen: // a source that is saved again and again
		return false, ""
	}
	held, first := b.holds(path, at, most)
	if !first {
		return held, ""
	}
	return held, fmt.Sprintf(words, most)
}

// brake tells the saves of a person from what the app does by itself whenever it starts,
// or whenever a page is loaded: a file that it writes then would have it started, or the
// page loaded, again without end.
type brake struct {
	acts  int       // starts of the app so far, or news to the browsers
	begun time.Time // the next one has begun: the process before is asked to end
	last  []act     // oldest first: of a change one may hear late
	runs  map[string]*run
}

// act is when what changes is taken for a consequence of one.
type act struct{ from, until time.Time }

// run is acts in a row, each followed by a change of one file.
type run struct {
	last, length int
	said         bool
}

const (
	// soonAfter is what an app may take to write what it writes at each start.
	soonAfter = 2 * time.Second

	// inARow is how often a file that the app writes may change soon after an act.
	inARow = 3

	// unseen is the same for a file that the app was not seen to write: a program that it
	// starts may do so, or an editor, whose saves must not be missed. No person saves
	// this often in such a time.
	unseen = 20
)

func (b *brake) begins(now time.Time) { b.begun = now }

func (b *brake) act(now time.Time) {
	a := act{now, now.Add(soonAfter)}
	if !b.begun.IsZero() {
		a.from, b.begun = b.begun, time.Time{}
	}
	b.acts++
	b.last = append(b.last[max(0, len(b.last)-inARow):], a)
	maps.DeleteFunc(b.runs, func(_ string, r *run) bool { return b.acts-r.last > len(b.last) })
}

// number is which act a change at that time came soon after, 0 for none.
func (b *brake) number(at time.Time) int {
	for i, a := range slices.Backward(b.last) {
		if !at.Before(a.from) && !at.After(a.until) {
			return b.acts - len(b.last) + 1 + i
		}
	}
	return 0
}

// cut reports whether all acts from one on, before another, were followed by the next
// one too soon to say anything.
func (b *brake) cut(from, to int) bool {
	first := b.acts - len(b.last) + 1
	for n := from; n < to; n++ {
		if i := n - first; i < 0 || b.last[i+1].from.After(b.last[i].until) {
			return false
		}
	}
	return true
}

// holds reports whether a change of the file at that time is to be left alone, since it
// has changed soon after each of the last acts, as many as most; first is for when that
// is to be said.
func (b *brake) holds(path string, at time.Time, most int) (held, first bool) {
	n := b.number(at)
	if n == 0 {
		return false, false
	}
	r := b.runs[path]
	if r == nil {
		if b.runs == nil {
			b.runs = map[string]*run{}
		}
		r = &run{}
		b.runs[path] = r
	}
	switch {
	case n <= r.last: // once more after the same one
	case r.last > 0 && b.cut(r.last+1, n):
		r.last, r.length = n, r.length+1
	default:
		r.last, r.length = n, 1
	}
	held = r.length >= most
	first = held && !r.said
	r.said = r.said || held
	return held, first
}

// changedAt is when a file was written, now if that cannot be told from it.
func changedAt(path string, now time.Time) time.Time {
	if fi, err := os.Lstat(path); err == nil && fi.ModTime().Before(now) {
		return fi.ModTime()
	}
	return now
}
