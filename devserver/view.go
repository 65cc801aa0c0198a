package devserver

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"devrun/devserver/internal/inspect"
	"devrun/devserver/internal/wire"
)

// processView is the view into one process, made when it is first needed.
type processView struct {
	mu      sync.Mutex
	closed  bool
	memory  *inspect.Memory // nil: it is read through the hook
	process *inspect.Process
	way     string // fault.Values.Way
}

// inspect is the process, which runs the code that info describes, and in what way
// it is read, if not in the usual one.
func (in *image) inspect(info *inspect.Binary) (p *inspect.Process, way string, err error) {
	k := &in.view
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return nil, "", errors.New("the process has ended")
	}
	if k.process != nil {
		return k.process, k.way, nil
	}
	pid := in.channel.Pid
	m, denied := inspect.OpenMemory(pid)
	if denied != nil {
		// A process that is not there any more does not answer either.
		p, err = info.Attach(pid, &recall{send: in.channel.Send, peeks: &in.peeks})
		way = fmt.Sprintf("The variables are read by devrun's hook in the app, because devrun itself may not read its memory (%v).", denied)
	} else {
		p, err = info.Attach(pid, m)
	}
	if err != nil {
		if m != nil {
			m.Close()
		}
		return nil, "", err
	}
	k.memory, k.process, k.way = m, p, way
	return p, way, nil
}

func (k *processView) close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.closed, k.process = true, nil
	if k.memory != nil {
		k.memory.Close()
		k.memory = nil
	}
}

// recall is a process's memory as its hook reads it.
type recall struct {
	send  func(wire.Message) error
	peeks *answers[wire.Memory]

	mu   sync.Mutex // one question at a time
	late <-chan *wire.Memory
}

// recallWithin is how long an answer is waited for; it takes some 100 µs.
const recallWithin = 2 * time.Second

var errMute = errors.New("devrun's hook in the app does not answer")

// ReadAt reads what is there now, up to the first byte that cannot be read. While
// an answer is late it fails at once: it is called a thousand times for a page.
func (r *recall) ReadAt(b []byte, addr int64) (n int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.late != nil {
		select {
		case <-r.late:
			r.late = nil
		default:
			return 0, errMute
		}
	}
	for n < len(b) {
		size := min(len(b)-n, wire.MaxPeek)
		seq, answer := r.peeks.expect()
		q := wire.Memory{Addr: uint64(addr) + uint64(n), Size: size}
		if err := r.send(wire.Message{Kind: wire.Peek, Seq: seq, Memory: &q}); err != nil {
			r.peeks.forget(seq)
			return n, err
		}
		limit := time.NewTimer(recallWithin)
		select {
		case m := <-answer:
			limit.Stop()
			switch {
			case m == nil:
				return n, io.EOF
			case m.Error != "":
				return n, errors.New(m.Error)
			}
			n += copy(b[n:], m.Bytes)
			if len(m.Bytes) < size {
				return n, inspect.ErrNothing
			}
		case <-limit.C:
			r.late = answer
			return n, errMute
		}
	}
	return n, nil
}

// answers are those that a process has not given yet to questions of one kind.
type answers[T any] struct {
	mu     sync.Mutex
	closed bool
	last   int
	wanted map[int]chan *T
}

// expect gives the number for a question and where its answer comes, which is
// closed when none can come.
func (r *answers[T]) expect() (seq int, answer <-chan *T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := make(chan *T, 1)
	if r.closed {
		close(c)
		return 0, c
	}
	if r.wanted == nil {
		r.wanted = map[int]chan *T{}
	}
	r.last++
	r.wanted[r.last] = c
	return r.last, c
}

// forget is for a question that nobody waits for any more.
func (r *answers[T]) forget(seq int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.wanted, seq)
}

// deliver gives an answer, nil if there is none, to who waits for it.
func (r *answers[T]) deliver(seq int, answer *T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.wanted[seq]; c != nil {
		delete(r.wanted, seq)
		if answer != nil {
			c <- answer
		}
		close(c)
	}
}

func (r *answers[T]) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for _, c := range r.wanted {
		close(c)
	}
	r.wanted = nil
}
