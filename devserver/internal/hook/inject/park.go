//go:build unix && go1.21

package hook

import (
	"strconv"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"devrun/devserver/internal/wire"
)

// evaluate carries out what devrun asks in the goroutine of f; nil when the hook
// cannot. It runs on a goroutine of its own, and f stays parked meanwhile, for
// evaluations that end in time.
var evaluate func(f *parked, m wire.Message) *wire.EvalValue

const (
	mostWaiting = 64 // failures that wait for devrun at a time: under a load test the app goes on as if alone
	mostEvals   = 16 // under way at a time
	evalGrace   = wire.EvalLimit + time.Second
	leaveGrace  = 100 * time.Millisecond // net/http is done with a response by then
)

// parked is a failure that devrun knows and may still ask about.
type parked struct {
	mark  uint64 // see wire.Mark; first, so that it can be set at once on any processor
	nth   uint64 // failure of the process
	id    string
	pins  []unsafe.Pointer // what the goroutine's stack refers to
	state any              // the evaluator's own
	waits bool             // counted in failures.waiting
	asked bool             // something was evaluated in it; guarded by failures.mu

	proceed chan wire.Message   // capacity 1
	answer  chan *wire.Response // capacity 1
	decided chan bool           // capacity 1: whether devrun's answer went out
	release chan struct{}       // closed by letGo
	once    sync.Once

	evals sync.WaitGroup // guarded by failures.mu against a Wait that has begun
}

func (p *parked) letGo() { p.once.Do(func() { close(p.release) }) }

// leave is called by the goroutine before it goes on.
func (p *parked) leave() { atomic.StoreUint64(&p.mark, 0) }

// failures are those of the process.
type failures struct {
	c    *channel
	last atomic.Uint64

	mu      sync.Mutex
	known   map[string]*parked
	order   []*parked // those that stay until they are released, oldest first
	waiting int
	marks   uint64 // given so far
	evals   int
}

func newFailures(c *channel) *failures {
	f := &failures{c: c, known: map[string]*parked{}}
	c.on(wire.Answer, func(m wire.Message) {
		if p := f.find(m.ID); p != nil && m.Response != nil {
			select {
			case p.answer <- m.Response:
			default: // the second one
			}
		}
	})
	c.on(wire.Proceed, func(m wire.Message) {
		if p := f.find(m.ID); p != nil {
			select {
			case p.proceed <- m:
			default:
			}
		}
	})
	c.on(wire.Release, func(m wire.Message) { f.release(m.ID) })
	c.on(wire.Eval, f.eval)
	return f
}

// next numbers a request or a second failure of one.
func (f *failures) next() string { return strconv.FormatUint(f.last.Add(1), 10) }

// enter makes a failure known before devrun hears of it, nil if too many wait.
func (f *failures) enter(id string, pins []unsafe.Pointer) *parked {
	p := &parked{
		id: id, pins: pins,
		proceed: make(chan wire.Message, 1),
		answer:  make(chan *wire.Response, 1),
		decided: make(chan bool, 1),
		release: make(chan struct{}),
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.waiting >= mostWaiting || f.known[id] != nil {
		return nil
	}
	f.waiting++
	f.marks++
	p.nth = f.marks
	p.mark = f.marks*0x9e3779b97f4a7c15 | 1 // nothing that is likely to be there later
	p.waits = true
	f.known[id] = p
	return p
}

// settled ends the wait for devrun.
func (f *failures) settled(p *parked) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if p.waits {
		p.waits = false
		f.waiting--
	}
}

// forget makes a failure unknown and waits for what is evaluated in it.
func (f *failures) forget(p *parked) {
	f.settled(p)
	f.mu.Lock()
	delete(f.known, p.id)
	for i, o := range f.order {
		if o == p {
			f.drop(i)
			break
		}
	}
	f.mu.Unlock()
	done := make(chan struct{})
	go func() {
		p.evals.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(evalGrace):
	}
}

func (f *failures) find(id string) *parked {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.known[id]
}

func (f *failures) release(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.known {
		if id == "" || p.id == id {
			p.letGo()
		}
	}
}

// stay keeps the goroutine that calls it where it is, first until it is known
// whether devrun's answer goes out, then until it is released: by devrun, by
// newer failures, by time. When there is no answer and the app has to give its
// own, it goes on at once if it must. It reports whether anything was evaluated.
func (f *failures) stay(p *parked, must bool) (asked bool) {
	answered := false
	select {
	case answered = <-p.decided:
	case <-time.After(wire.HoldFor + patience): // nobody decides: the request has ended
	}
	if answered || !must {
		at := time.Now()
		f.queue(p)
		limit := time.NewTimer(wire.ParkFor)
		select {
		case <-p.release:
		case <-limit.C:
		}
		limit.Stop()
		time.Sleep(leaveGrace - time.Since(at))
	}
	p.leave()
	f.forget(p)
	f.c.send(wire.Message{Kind: wire.Released, ID: p.id})
	f.mu.Lock()
	defer f.mu.Unlock()
	return p.asked
}

// queue lets the oldest go when there are too many. An older one may come later: each
// comes when its answer is out.
func (f *failures) queue(p *parked) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.order = append(f.order, p)
	for i := len(f.order) - 1; i > 0 && f.order[i-1].nth > p.nth; i-- {
		f.order[i], f.order[i-1] = f.order[i-1], p
	}
	for len(f.order) > f.c.park {
		f.order[0].letGo()
		f.drop(0)
	}
}

// drop takes one out of order and leaves no reference to it.
func (f *failures) drop(i int) {
	last := len(f.order) - 1
	copy(f.order[i:], f.order[i+1:])
	f.order[last] = nil
	f.order = f.order[:last]
}

// eval answers a question in its own time.
func (f *failures) eval(m wire.Message) {
	result := wire.Message{Kind: wire.Result, ID: m.ID, Seq: m.Seq}
	f.mu.Lock()
	p := f.known[m.ID]
	why := ""
	switch {
	case p == nil:
		why = "the goroutine is no longer parked"
	case evaluate == nil:
		why = "this build of the app cannot evaluate"
	case f.evals >= mostEvals:
		why = "too many evaluations are under way"
	default:
		f.evals++
		p.evals.Add(1)
		p.asked = true
	}
	f.mu.Unlock()
	go func() {
		result.Result = &wire.EvalValue{Error: "the evaluation did not end as it should", Len: -1, Cap: -1}
		if why != "" {
			result.Result.Error = why
		} else {
			defer func() {
				recover()
				f.mu.Lock()
				f.evals--
				f.mu.Unlock()
				p.evals.Done()
				f.c.send(result)
			}()
			if v := evaluate(p, m); v != nil {
				result.Result = v
			}
			return
		}
		f.c.send(result)
	}()
}
