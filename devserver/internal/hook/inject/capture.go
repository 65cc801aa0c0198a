//go:build linux && go1.21 && (amd64 || arm64)

package hook

import (
	"context"
	"log"
	"net/http"
	"runtime"
	"runtime/pprof"
	"sync"
	"time"
	"unsafe"

	"devrun/devserver/internal/wire"
)

// pin keeps alive what the stack of this goroutine refers to, and watch starts to
// watch whether the collector runs; nil without the part "pins".
var (
	pin   func(g unsafe.Pointer) []unsafe.Pointer
	watch func() (ran func() bool)
)

// capture puts the hook's handler around that of every server. It runs the app's
// handler in a goroutine of its own, so that a failed one can be parked where it is
// while net/http's goroutine answers and returns: neither the connection nor
// Shutdown waits for it.
//
// What an app can notice: a handler does not run on its connection's goroutine,
// as under http.TimeoutHandler; its Request is a copy; a small answer is handed to
// net/http in one piece, at the point where net/http would have sent it; and
// http.MaxBytesReader does not close the connection early.
var _ = add("capture", func(c *channel) bool {
	f, ws := newFailures(c), &workers{}
	var mu sync.Mutex
	wrap = func(s *http.Server) {
		mu.Lock()
		defer mu.Unlock()
		if _, ok := s.Handler.(*handler); ok {
			return // a second Serve of one server
		}
		h := s.Handler
		if h == nil {
			h = http.DefaultServeMux
		}
		s.Handler = &handler{h, s, f, ws}
	}
	return true
})

type handler struct {
	next http.Handler
	s    *http.Server
	f    *failures
	ws   *workers
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := &request{id: h.f.next(), f: h.f, s: h.s, asked: r, out: make(chan outcome, 4)}
	seen := q.wrap(w)
	if seen == nil {
		h.next.ServeHTTP(w, r)
		return
	}
	labelled := pprof.WithLabels(r.Context(), pprof.Labels("devrun", r.Method+" "+cut(r.URL.Path, 100)+" #"+q.id))
	ctx, cancel, stop := detached(labelled)
	q.r, q.cancel = r.WithContext(ctx), cancel
	if watch != nil {
		q.ran = watch()
	}
	h.ws.start(func() bool {
		normal := q.serve(h.next, seen, ctx)
		if q.lent {
			remain()
		}
		return normal
	})
	q.wait(stop)
}

// detached returns a context that ends with its parent until stop is called: what
// a parked frame has in its hands must not be over because the browser is gone.
func detached(parent context.Context) (ctx context.Context, cancel context.CancelCauseFunc, stop func() bool) {
	ctx = context.WithoutCancel(parent)
	free := func() {}
	if at, ok := parent.Deadline(); ok { // of a BaseContext or ConnContext of the app's
		ctx, free = context.WithDeadline(ctx, at)
	}
	ctx, end := context.WithCancelCause(ctx)
	cancel = func(cause error) { end(cause); free() }
	return ctx, cancel, context.AfterFunc(parent, func() { cancel(context.Cause(parent)) })
}

// request is one request and the app's answer to it.
type request struct {
	id     string
	f      *failures
	s      *http.Server
	asked  *http.Request // net/http's own
	r      *http.Request // the app's
	cancel context.CancelCauseFunc
	ran    func() bool // the collector, since the start
	base   uintptr     // where the stack was at the start
	out    chan outcome
	lent   bool // an evaluation had the stack

	response
}

// remain keeps the stack of the goroutine that calls it. Values of an evaluation
// are in the heap and may point into the stack that they are from; the collector
// ends an app in which it finds a pointer to a stack that is gone. The price is
// a goroutine and its 64 kB for each failure that was asked in.
func remain() { select {} }

// outcome is what becomes of the app's handler, as its goroutine tells it to
// net/http's.
type outcome struct {
	kind  outcomeKind
	p     *parked // of panicked and stays, nil if devrun is not asked
	value any     // of panicked
	trace string
}

type outcomeKind int

const (
	returned outcomeKind = iota
	aborted              // by http.ErrAbortHandler
	exited               // by runtime.Goexit
	panicked             // and is over
	stays                // in the writer, and waits for what is decided
)

// serve runs the app's handler and reports whether it returned as it should.
func (q *request) serve(h http.Handler, w http.ResponseWriter, ctx context.Context) (normal bool) {
	pprof.SetGoroutineLabels(ctx)
	end := q.serves()
	var here byte
	q.base = uintptr(unsafe.Pointer(&here))
	defer func() {
		if !normal && q.unwound() {
			recover()
		}
		end(normal)
		if q.isAnswered() { // net/http has ended the exchange long ago
			q.drop()
		} else if normal {
			q.out <- outcome{kind: returned}
		}
	}()
	h.ServeHTTP(w, q.r)
	normal = true
	return
}

// unwound is the last deferred function of a handler that did not return. It
// reports whether there is a panic to be recovered.
func (q *request) unwound() bool {
	g := self()
	pins := q.seize(g)
	ps := panics(g)
	switch {
	case !panicking(ps):
		q.out <- outcome{kind: exited}
		return false
	case same(ps[0].value, http.ErrAbortHandler):
		q.out <- outcome{kind: aborted}
		return true
	case q.isAnswered(): // and released
		q.out <- outcome{kind: aborted}
		return true
	}
	o := outcome{kind: panicked, value: ps[0].value}
	o.trace, _, _ = trace(64 << 10)
	// Raised again after a 5xx it is the same panic, which is told, unless it takes the
	// app's own answer back.
	if is, _ := q.reported(); is != "recovered" || q.isOwn() {
		o.p = q.report(how{g: g, pins: pins, panics: ps, is: "panic", stays: true})
	}
	q.out <- o
	if o.p != nil {
		q.lent = q.f.stay(o.p, false) || q.lent
		q.drop()
	}
	return true
}

// drop gives back what a handler had that outlived its exchange.
func (q *request) drop() {
	q.cancel(nil)
	if m := q.r.MultipartForm; m != nil { // of which net/http does not know
		m.RemoveAll()
	}
}

// seize takes hold of what the stack refers to; it comes before anything that
// allocates much.
func (q *request) seize(g unsafe.Pointer) []unsafe.Pointer {
	if pin == nil || g == nil {
		return nil
	}
	return pin(g)
}

// wait is what net/http's goroutine does meanwhile. It ends the exchange as
// net/http expects it of a handler.
func (q *request) wait(stop func() bool) {
	for {
		switch o := <-q.out; o.kind {
		case returned:
			q.end()
			q.finish()
			return
		case aborted:
			q.end()
			panic(http.ErrAbortHandler)
		case exited:
			q.end()
			runtime.Goexit()
		case panicked:
			q.logged(o)
			q.finishStatus(&wire.Response{})
			if o.p == nil {
				q.end()
				panic(http.ErrAbortHandler) // net/http cuts the connection and says nothing
			}
			stop()
			answered := q.await(o.p, !q.isOut())
			o.p.decided <- answered
			if !answered {
				panic(http.ErrAbortHandler)
			}
			return
		case stays:
			answered := q.await(o.p, true)
			if answered {
				stop()
			} else {
				q.passes(o.p)
			}
			o.p.decided <- answered
			if answered {
				return
			}
		}
	}
}

// end is for a handler that is over and stays nowhere.
func (q *request) end() {
	q.asked.MultipartForm = q.r.MultipartForm // net/http removes its files
	q.cancel(nil)
}

// await gives devrun's answer and reports whether there was one in time.
func (q *request) await(p *parked, possible bool) bool {
	defer q.f.settled(p)
	if !possible {
		return false
	}
	limit := time.NewTimer(wire.HoldFor)
	defer limit.Stop()
	for !q.isOwn() {
		select {
		case page := <-p.answer:
			q.answer(page)
			return true
		case m := <-p.proceed:
			q.proceeds(m)
		case <-limit.C:
			return false
		}
	}
	return false
}

// logged prints what net/http prints. The value's methods may never return, as
// they may in net/http; that does not keep the page back.
func (q *request) logged(o outcome) {
	server := "http"
	if q.asked.ProtoMajor == 2 {
		server = "http2"
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		q.logf("%s: panic serving %v: %v\n%s", server, q.asked.RemoteAddr, o.value, o.trace)
	}()
	limit := time.NewTimer(tellFor)
	defer limit.Stop()
	select {
	case <-done:
	case <-limit.C:
	}
}

func (q *request) logf(format string, args ...any) {
	if q.s.ErrorLog != nil {
		q.s.ErrorLog.Printf(format, args...)
	} else {
		log.Printf(format, args...)
	}
}
