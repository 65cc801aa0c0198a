package devserver

import (
	"errors"
	"sync"

	"devrun/devserver/internal/inspect"
	"devrun/devserver/internal/wire"
)

// looking is the view into one process, made when it is first needed.
type looking struct {
	mu      sync.Mutex
	closed  bool
	memory  *inspect.Memory
	process *inspect.Process
}

// at is the process of a pid, which runs the code that info describes.
func (k *looking) at(info *inspect.Binary, pid int) (*inspect.Process, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return nil, errors.New("the process has ended")
	}
	if k.process != nil {
		return k.process, nil
	}
	m, err := inspect.OpenMemory(pid)
	if err != nil {
		return nil, err
	}
	p, err := info.Attach(pid, m)
	if err != nil {
		m.Close()
		return nil, err
	}
	k.memory, k.process = m, p
	return p, nil
}

func (k *looking) close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed = true; k.memory != nil {
		k.memory.Close()
		k.memory, k.process = nil, nil
	}
}

// results are the evaluations that a process has not answered yet.
type results struct {
	mu     sync.Mutex
	closed bool
	last   int
	wanted map[int]chan *wire.EvalValue
}

// expect gives the number for a question and where its answer comes, which is
// closed when none can come.
func (r *results) expect() (seq int, answer <-chan *wire.EvalValue) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := make(chan *wire.EvalValue, 1)
	if r.closed {
		close(c)
		return 0, c
	}
	if r.wanted == nil {
		r.wanted = map[int]chan *wire.EvalValue{}
	}
	r.last++
	r.wanted[r.last] = c
	return r.last, c
}

// forget is for a question that nobody waits for any more.
func (r *results) forget(seq int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.wanted, seq)
}

func (r *results) deliver(m wire.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.wanted[m.Seq]; c != nil {
		delete(r.wanted, m.Seq)
		if m.Result != nil {
			c <- m.Result
		}
		close(c)
	}
}

func (r *results) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for _, c := range r.wanted {
		close(c)
	}
	r.wanted = nil
}
