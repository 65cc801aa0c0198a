package inspect

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/go-delve/delve/pkg/proc"
)

// Process is a running process whose goroutines can be looked at.
type Process struct {
	b      *Binary
	pid    int
	target *proc.Target
	p      *backend
	r      io.ReaderAt
}

// Attach prepares to look at a process through its memory, and changes nothing
// about it. It fails with ErrOtherBinary if the process does not run the code
// that b describes. It takes a while, so it is best done before there is
// something to look at. The caller closes mem when it needs the Process no more:
// a [Memory], or one that is read in another way and like it gives io.EOF when the
// process has ended and [ErrNothing] where nothing can be read.
func (b *Binary) Attach(pid int, mem io.ReaderAt) (*Process, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bi == nil {
		return nil, errClosed
	}
	if e := entryOf(pid); e != 0 && e != b.entry {
		return nil, ErrOtherBinary
	}
	if err := b.runs(mem); err != nil {
		return nil, err
	}
	t, p, err := newTarget(b.bi, b.path, b.entry, pid, mem)
	if err != nil {
		return nil, fmt.Errorf("cannot look at process %d: %w", pid, err)
	}
	return &Process{b: b, pid: pid, target: t, p: p, r: mem}, nil
}

const (
	parkWithin    = 2 * time.Second // from what the hook says to where it waits are microseconds; a loaded machine may stretch them
	pollEvery     = 100 * time.Microsecond
	maxGoroutines = 1 << 20
)

// state is what the runtime says of a goroutine.
type state struct {
	g, status, lo, sp, pc, bp uint64
}

const (
	scanned = 0x1000 // the collector looks at it, in addition to another status
	waiting = 4
	dead    = 6
)

// find is the address of a goroutine.
func (p *Process) find(id uint64) (uint64, error) {
	r := &memory{r: p.r}
	all, err := words(fresh{p.r}, p.b.module.allgs, 2)
	if err != nil {
		return 0, err
	}
	// A new goroutine is at the end as often as in an old one's place.
	for n, i := min(all[1], maxGoroutines), uint64(0); i < n; i++ {
		g, err := number(r, all[0]+8*(n-1-i), 8)
		if err == nil && g != 0 {
			var got uint64
			if got, err = number(r, g+uint64(p.b.g.id), 8); err == nil && got == id {
				return g, nil
			}
		}
		if errors.Is(err, ErrGone) {
			return 0, err
		}
	}
	return 0, ErrNoGoroutine
}

// state reads what changes while the goroutine runs, from where it is now.
func (p *Process) state(g, id uint64) (s state, err error) {
	l := p.b.g
	s.g = g
	// The status first: where a goroutine waits is there before it says that it does.
	var got uint64
	if err := p.fields(g, field64{l.id, &got}, field64{l.status, &s.status}); err != nil {
		return s, err
	}
	if err := p.fields(g, field64{l.lo, &s.lo}, field64{l.sp, &s.sp}, field64{l.pc, &s.pc}, field64{l.bp, &s.bp}); err != nil {
		return s, err
	}
	s.status &= math.MaxUint32 &^ scanned // it has 4 bytes
	if got != id || s.status == dead {
		return s, ErrNoGoroutine
	}
	return s, nil
}

// field64 is 8 bytes of a struct, and where they go.
type field64 struct {
	off int64
	to  *uint64
}

// fields reads what is there now of the struct at addr, all at once.
func (p *Process) fields(addr uint64, list ...field64) error {
	from, to := list[0].off, list[0].off
	for _, f := range list {
		from, to = min(from, f.off), max(to, f.off)
	}
	b := make([]byte, to+8-from)
	if err := readAt(p.r, b, addr+uint64(from)); err != nil {
		return err
	}
	for _, f := range list {
		*f.to = binary.LittleEndian.Uint64(b[f.off-from:])
	}
	return nil
}

// Word is the word that is at addr now.
func (p *Process) Word(addr uint64) (uint64, error) { return number(fresh{p.r}, addr, 8) }

// parked waits until the goroutine waits.
func (p *Process) parked(ctx context.Context, id uint64) (state, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, parkWithin, ErrNotParked)
	defer cancel()
	g, err := p.find(id)
	if err != nil {
		return state{}, err
	}
	for {
		s, err := p.state(g, id)
		if err != nil || s.status == waiting {
			return s, err
		}
		select {
		case <-ctx.Done():
			return s, context.Cause(ctx)
		case <-time.After(pollEvery):
		}
	}
}

// look runs f with the stack of a parked goroutine, innermost first, and fails
// if the goroutine went on meanwhile.
func (p *Process) look(ctx context.Context, id uint64, frames int, f func(*proc.G, []proc.Stackframe) error) (err error) {
	p.b.mu.Lock()
	defer p.b.mu.Unlock()
	if p.b.bi == nil {
		return errClosed
	}
	s, err := p.parked(ctx, id)
	if err != nil {
		return fmt.Errorf("goroutine %d: %w", id, err)
	}
	defer func() {
		// What cannot be read is told in many ways; the reason is one.
		if _, gone := number(fresh{p.r}, p.b.module.addr, 8); err != nil && errors.Is(gone, ErrGone) {
			err = fmt.Errorf("goroutine %d: %w", id, ErrGone)
		}
	}()
	defer recovered(&err)
	p.p.mem.forget()
	defer p.p.mem.forget()
	p.target.ClearCaches()
	p.p.thread.regs = registers{pc: s.pc, sp: s.sp, bp: s.bp, g: s.g}
	p.p.thread.common = proc.CommonThread{}
	g, err := proc.GetG(p.p.thread)
	if err != nil {
		return fmt.Errorf("goroutine %d: %w", id, err)
	}
	g.Thread = nil // its registers are those that were saved when it was parked
	stack, err := proc.GoroutineStacktrace(p.target, g, frames-1, 0)
	if err != nil {
		return fmt.Errorf("the stack of goroutine %d: %w", id, err)
	}
	if err := f(g, stack); err != nil {
		return err
	}
	after, err := p.state(s.g, id)
	switch {
	case errors.Is(err, ErrNoGoroutine) || err == nil && (after.status != waiting || after.sp != s.sp || after.pc != s.pc || after.lo != s.lo):
		return fmt.Errorf("goroutine %d went on while it was read: %w", id, cmp.Or(err, ErrNotParked))
	case err != nil:
		return fmt.Errorf("goroutine %d: %w", id, err)
	}
	return nil
}
