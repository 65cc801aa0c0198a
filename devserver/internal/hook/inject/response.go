//go:build linux && go1.21 && (amd64 || arm64)

package hook

import (
	"fmt"
	"io"
	"net/http"
	"path"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"devrun/devserver/internal/wire"
)

const (
	holdSmall = 2048    // bytes of an answer that net/http keeps back, too, so that nobody sees a difference
	holdError = 1 << 20 // bytes of a 5xx answer
	answerFor = 10 * time.Second
	drainMost = 64 << 20 // bytes of a request that are taken before its failure is answered
	drainFor  = 5 * time.Second
)

// response is the app's answer as far as it is known. Until it is committed
// net/http knows nothing of it, and devrun's can take its place.
type response struct {
	real rw

	mu        sync.Mutex
	status    int         // as first written, 0 before
	header    http.Header // as it was then
	length    int64       // that the header promises, -1 for none
	body      []byte      // what is held, or the beginning
	size      int64
	committed bool
	hijacked  bool
	deadline  bool // the app has set one for writing

	failing bool         // a 5xx was written, even if too late
	raised  []raised     // panics at that point
	frames  []wire.Frame // and calls
	done    bool         // devrun was to be told of it
	about   []byte       // what is being written meanwhile

	is       string  // of the last report, "" before
	p        *parked // of a reported status that is not finished, or of what goes on in its own way
	address  string  // of the last report, for the app's answer
	own      bool    // which is the one that goes out
	answered bool    // by devrun; what the app still writes is for nobody
	scrap    http.Header
}

func (q *request) isOut() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.committed || q.hijacked
}

func (q *request) isHijacked() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.hijacked
}

func (q *request) isAnswered() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.answered
}

func (q *request) reported() (is string, p *parked) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.is, q.p
}

func (q *request) setReported(h how, p *parked) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.is, q.address, q.own = h.is, "", false
	if h.is == "status" && !h.stays {
		q.p = p
	}
}

// proceeds takes what devrun says of the app's answer. The time that it took is not the
// app's.
func (q *request) proceeds(m wire.Message) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.address, q.own = m.Address, m.Own
	if q.s.WriteTimeout > 0 && !q.deadline && !q.hijacked {
		q.real.SetWriteDeadline(time.Now().Add(q.s.WriteTimeout))
	}
}

func (q *request) isOwn() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.own
}

// passes is for a failure that does not stay, for the sake of the app's answer: devrun
// is told of that as of a status.
func (q *request) passes(p *parked) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.own {
		q.p = p
	}
}

// soFar is the answer as it stands. cut is for a panic: what net/http holds is
// thrown away then.
func (q *request) soFar(cut bool) wire.Response {
	q.mu.Lock()
	defer q.mu.Unlock()
	if cut && !q.committed {
		return wire.Response{}
	}
	body := append(q.body[:len(q.body):len(q.body)], q.about...)
	r := wire.Response{Status: q.status, Body: body, Size: int(q.size) + len(q.about), Started: q.committed, Header: fields(q.header)}
	if len(r.Body) > mostBody {
		r.Body = r.Body[:mostBody:mostBody]
	}
	return r
}

// begin is the first WriteHeader. Called with mu held.
func (q *request) begin(status int) {
	q.status, q.header, q.length = status, q.real.Header().Clone(), -1
	if n, err := strconv.ParseInt(strings.TrimSpace(q.header.Get("Content-Length")), 10, 64); err == nil && n >= 0 {
		q.length = n
	}
	if status == http.StatusSwitchingProtocols || status == http.StatusNoContent || status == http.StatusNotModified {
		q.commit() // net/http answers a body in its own way
	}
}

// hold keeps b back if it can; else the answer is committed and b is for the
// caller to write. Called with mu held.
func hold[B []byte | string](q *request, b B) bool {
	most := holdSmall
	if q.failing && !q.own {
		most = holdError
	}
	n := int64(len(b))
	q.size += n
	if room := most - len(q.body); !q.committed && len(b) <= room && (q.length < 0 || q.size <= q.length) {
		q.body = append(q.body, b...)
		return true
	}
	q.commit()
	if room := holdSmall - len(q.body); room > 0 { // the beginning
		if len(b) > room {
			b = b[:room]
		}
		q.body = append(q.body, b...)
	}
	return false
}

// commit hands net/http what was held, with the header as it was. Called with mu
// held.
func (q *request) commit() {
	if q.committed {
		return
	}
	q.committed = true
	h, header := q.real.Header(), q.header
	if q.address != "" {
		header = header.Clone()
		header.Set(wire.FailureHeader, q.address)
	}
	if sameHeader(h, header) {
		q.real.WriteHeader(q.status)
	} else {
		now := h.Clone()
		setHeader(h, header)
		q.real.WriteHeader(q.status)
		setHeader(h, now)
	}
	if len(q.body) > 0 {
		q.real.Write(q.body)
	}
}

func sameHeader(a, b http.Header) bool {
	if len(a) != len(b) {
		return false
	}
	for name, values := range a {
		other, ok := b[name]
		if !ok || len(other) != len(values) {
			return false
		}
		for i := range values {
			if values[i] != other[i] {
				return false
			}
		}
	}
	return true
}

func setHeader(h, to http.Header) {
	clear(h)
	for name, values := range to {
		h[name] = values
	}
}

// answer sends devrun's response in the place of the app's.
func (q *request) answer(page *wire.Response) {
	q.mu.Lock()
	q.answered, q.scrap = true, http.Header{}
	deadline := q.deadline
	q.mu.Unlock()
	// A deadline of an HTTP/1 connection outlives the exchange, unless the server
	// sets one for each.
	if deadline || q.s.WriteTimeout > 0 || q.asked.ProtoMajor == 2 {
		q.real.SetWriteDeadline(time.Now().Add(answerFor))
	}
	q.drain()
	h := q.real.Header()
	clear(h)
	for _, f := range page.Header {
		for _, v := range f.Values {
			h.Add(f.Name, v)
		}
	}
	h.Set("Content-Length", strconv.Itoa(len(page.Body)))
	status := page.Status
	if status < 200 || status > 599 || status == http.StatusNoContent || status == http.StatusNotModified {
		status = http.StatusInternalServerError
	}
	q.real.WriteHeader(status)
	q.real.Write(page.Body)
}

// drain reads what the client still sends. net/http cuts the connection of one that
// sends much which nobody reads, and the answer is lost with it when the client
// reads late: it is an upload's page that would be missing.
func (q *request) drain() {
	body := q.asked.Body
	if body == nil || q.asked.ProtoMajor != 1 || q.asked.Header.Get("Expect") != "" {
		return
	}
	q.real.SetReadDeadline(time.Now().Add(drainFor)) // net/http sets its own for the next request
	io.CopyN(io.Discard, body, drainMost)
}

// finish ends an exchange whose handler has returned.
func (q *request) finish() {
	q.mu.Lock()
	late := q.failing && !q.done && !q.hijacked && !q.answered
	q.done = true
	h := how{is: "status", gone: true, frames: q.frames, panics: q.raised}
	q.mu.Unlock()
	if late { // a header and no body
		if panicking(h.panics) {
			h.is = "recovered"
		}
		if p := q.report(h); p != nil {
			q.mu.Lock()
			q.p = p
			q.mu.Unlock()
		}
	}
	if _, p := q.reported(); p != nil {
		whole := q.soFar(false)
		q.finishStatus(&whole)
		answered := q.await(p, !q.isOut())
		q.f.forget(p)
		if answered {
			return
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.status != 0 && !q.hijacked && !q.answered {
		q.commit()
	}
}

// finishStatus tells devrun what became of a 5xx without a panic, if there was
// one.
func (q *request) finishStatus(whole *wire.Response) {
	if _, p := q.reported(); p != nil {
		q.f.c.send(wire.Message{Kind: wire.Finished, ID: p.id, Response: whole})
	}
}

// complain prints what net/http prints of a misplaced call, with the app's line in
// the place of the hook's.
func (q *request) complain(what string) {
	if q.asked.ProtoMajor != 1 {
		return
	}
	pcs := make([]uintptr, 32)
	n := runtime.Callers(2, pcs)
	var f runtime.Frame
	for fs, more := runtime.CallersFrames(pcs[:n]), n > 0; more; {
		f, more = fs.Next()
		if !strings.HasPrefix(f.Function, own) && !strings.HasPrefix(f.Function, "net/http.") {
			break
		}
	}
	q.logf("%s", fmt.Sprintf("http: %s from %s (%s:%d)", what, f.Function, path.Base(f.File), f.Line))
}
