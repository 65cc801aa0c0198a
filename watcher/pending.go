package watcher

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Op is what happened to a file between two batches.
type Op uint8

const (
	Created Op = iota + 1
	Modified
	Removed
)

func (op Op) String() string {
	switch op {
	case Created:
		return "created"
	case Modified:
		return "modified"
	case Removed:
		return "removed"
	}
	return fmt.Sprintf("Op(%d)", uint8(op))
}

// Change is one file that differs from what the last batch left. A file that
// came into view because .gitignore no longer names it is Created.
type Change struct {
	Path string // absolute and clean, in the Scope's spelling
	Op   Op
}

func (c Change) String() string { return c.Op.String() + " " + c.Path }

// Batch is sorted by path and names each path once.
type Batch []Change

// doubt is how long a file may be gone or empty before that is believed: longer
// than any editor leaves between the two halves of a save (15 ms was seen), and
// too short to notice when a file is really deleted.
const doubt = 30 * time.Millisecond

// pending holds the changes that nobody has taken yet.
type pending struct {
	changes map[string]*change
	since   time.Time // when the oldest of them was seen
	newest  time.Time // when the newest of them was seen
	firm    bool      // one of them is more than a file gone or empty, or that was confirmed
	batch   Batch     // built from changes; nil when it must be built again
}

// change goes from the file the receiver last heard of to the one there is now;
// nil is no file.
type change struct {
	base, cur *file
	firm      bool // content other than base was really there
}

func (p *pending) add(path string, old, cur *file) {
	if p.changes == nil {
		p.changes = make(map[string]*change)
	}
	p.newest = time.Now()
	if len(p.changes) == 0 {
		p.since, p.firm = p.newest, false
	}
	c := p.changes[path]
	if c == nil {
		c = &change{base: old}
		p.changes[path] = c
	}
	c.cur = cur
	if cur != nil && cur.size > 0 && (c.base == nil || !cur.same(c.base)) {
		c.firm = c.base != nil
		p.firm = true
	}
	if c.op() == 0 {
		delete(p.changes, path)
	}
	p.batch = nil
}

// op is 0 when there is nothing to tell. Content that was different and is back
// to what it was is told: whoever read it in between must read again.
func (c *change) op() Op {
	switch {
	case c.base == nil && c.cur == nil:
		return 0
	case c.base == nil:
		return Created
	case c.cur == nil:
		return Removed
	case !c.firm && c.cur.same(c.base):
		return 0
	}
	return Modified
}

// base returns what the receiver last heard of path, if that is not what the
// snapshot holds; else nil.
func (p *pending) base(path string) *file {
	if c := p.changes[path]; c != nil {
		return c.base
	}
	return nil
}

// offer returns the batch that may be taken now; empty while there is none.
func (p *pending) offer() Batch {
	if !p.firm || len(p.changes) == 0 {
		return nil
	}
	if p.batch == nil {
		p.batch = make(Batch, 0, len(p.changes))
		for path, c := range p.changes {
			p.batch = append(p.batch, Change{path, c.op()})
		}
		slices.SortFunc(p.batch, func(a, b Change) int { return strings.Compare(a.Path, b.Path) })
	}
	return p.batch
}

// doubted returns when to look again at changes that may be half of a save.
func (p *pending) doubted() (until time.Time, ok bool) {
	return p.since.Add(doubt), len(p.changes) > 0 && !p.firm
}

func (p *pending) taken() { p.changes, p.batch, p.firm = nil, nil, false }
