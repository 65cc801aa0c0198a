//go:build linux && go1.21 && (amd64 || arm64)

package hook

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"time"
)

// rw is what net/http's writers offer on HTTP/1 and HTTP/2 alike; rw1 and rw2 are
// all they offer. Another writer is left alone.
type (
	rw interface {
		http.ResponseWriter
		http.Flusher
		io.StringWriter
		CloseNotify() <-chan bool // of http.CloseNotifier, which apps still ask for
		FlushError() error
		SetReadDeadline(time.Time) error
		SetWriteDeadline(time.Time) error
		EnableFullDuplex() error
	}
	rw1 interface {
		rw
		http.Hijacker
		io.ReaderFrom
	}
	rw2 interface {
		rw
		http.Pusher
	}
)

// wrap returns the writer that the app gets, which offers what net/http's does,
// nil if w is none of net/http's.
func (q *request) wrap(w http.ResponseWriter) http.ResponseWriter {
	one, is1 := w.(rw1)
	two, is2 := w.(rw2)
	switch {
	case is1 && !is2:
		q.real = one
		return &writer1{writer{one, q}, one}
	case is2 && !is1:
		q.real = two
		return &writer2{writer{two, q}, two}
	}
	return nil
}

// writer1 is the app's on HTTP/1.
type writer1 struct {
	writer
	real rw1
}

func (w *writer1) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	q := w.q
	q.mu.Lock()
	if q.answered {
		q.mu.Unlock()
		return nil, nil, http.ErrHijacked
	}
	if q.status != 0 {
		q.commit()
	}
	q.mu.Unlock()
	conn, buf, err := w.real.Hijack()
	if err == nil {
		q.mu.Lock()
		q.hijacked = true
		q.mu.Unlock()
	}
	return conn, buf, err
}

// ReadFrom leaves it to net/http to let the kernel copy a file.
func (w *writer1) ReadFrom(src io.Reader) (n int64, err error) {
	q := w.q
	q.mu.Lock()
	failing, answered := q.failing && !q.committed, q.answered
	if !failing && !answered && q.status != 0 {
		q.commit()
	}
	q.mu.Unlock()
	if failing || answered {
		return io.Copy(struct{ io.Writer }{w}, src)
	}
	panics := true
	defer func() { // a source that gives nothing writes no header
		q.mu.Lock()
		defer q.mu.Unlock()
		q.size += n
		if q.status == 0 && (n > 0 || panics) {
			q.status, q.header, q.committed = http.StatusOK, q.real.Header().Clone(), true
		}
	}()
	n, err = w.real.ReadFrom(src)
	panics = false
	return n, err
}

// writer2 is the app's on HTTP/2.
type writer2 struct {
	writer
	real rw2
}

func (w *writer2) Push(target string, opts *http.PushOptions) error { return w.real.Push(target, opts) }

// writer keeps the app's answer back as long as net/http would, and an error
// until the handler has returned, unless it is known to go out.
type writer struct {
	rw
	q *request
}

// Unwrap is for what http.ResponseController will know one day.
func (w *writer) Unwrap() http.ResponseWriter { return w.rw }

func (w *writer) Header() http.Header {
	w.q.mu.Lock()
	defer w.q.mu.Unlock()
	if w.q.answered {
		return w.q.scrap
	}
	return w.rw.Header()
}

func (w *writer) SetWriteDeadline(t time.Time) error {
	w.q.mu.Lock()
	w.q.deadline = true
	answered := w.q.answered
	w.q.mu.Unlock()
	if answered {
		return nil
	}
	return w.rw.SetWriteDeadline(t)
}

func (w *writer) WriteHeader(status int) {
	q := w.q
	q.mu.Lock()
	late := q.status != 0
	switch {
	case q.answered:
		q.mu.Unlock()
		return
	case q.hijacked:
		q.mu.Unlock()
		q.complain("response.WriteHeader on hijacked connection")
		return
	case !late && (status < 200 && status != http.StatusSwitchingProtocols || status > 999):
		q.mu.Unlock()
		w.rw.WriteHeader(status) // an early one, or one that net/http refuses
		return
	case !late:
		q.begin(status)
	}
	gone := q.asked.Context().Err() != nil // who asked: what is said to nobody is no failure
	failing := status >= 500 && status <= 599 && !q.failing && !gone
	q.failing = q.failing || failing
	q.mu.Unlock()
	if late {
		q.complain("superfluous response.WriteHeader call")
	}
	if failing {
		q.failed()
	}
}

// failed decides where a 5xx is looked into: where the text follows, if it is sure
// to come from the same line, else here.
func (q *request) failed() {
	ps := panics(self())
	frames, _ := stack()
	if !writeFollows(frames) {
		q.tell()
		return
	}
	if panicking(ps) {
		frames = fromPanic(frames)
	}
	q.mu.Lock()
	q.raised, q.frames = ps, bounded(frames)
	q.mu.Unlock()
}

// tell reports a 5xx, once.
func (q *request) tell() {
	q.mu.Lock()
	tell := q.failing && !q.done && !q.answered && !q.hijacked
	q.done = q.done || tell
	q.mu.Unlock()
	if tell {
		q.fail()
	}
}

func (w *writer) Write(b []byte) (int, error) { return write(w, b, w.rw.Write) }

func (w *writer) WriteString(s string) (int, error) { return write(w, s, w.rw.WriteString) }

func write[B []byte | string](w *writer, b B, real func(B) (int, error)) (int, error) {
	q := w.q
	q.mu.Lock()
	if q.status == 0 && !q.hijacked && !q.answered {
		q.begin(http.StatusOK)
	}
	if q.failing && !q.done {
		q.about = []byte(b[:min(len(b), mostBody)])
		q.mu.Unlock()
		q.tell()
		q.mu.Lock()
		q.about = nil
	}
	switch {
	case q.answered:
		q.mu.Unlock()
		return len(b), nil
	case q.hijacked:
		q.mu.Unlock()
		if len(b) > 0 {
			q.complain("response.Write on hijacked connection")
		}
		return 0, http.ErrHijacked
	}
	held := hold(q, b)
	q.mu.Unlock()
	if held {
		return len(b), nil
	}
	return real(b)
}

func (w *writer) Flush() { w.FlushError() }

func (w *writer) FlushError() error {
	q := w.q
	q.mu.Lock()
	if q.answered || q.hijacked {
		q.mu.Unlock()
		return nil
	}
	if q.status == 0 {
		q.begin(http.StatusOK)
	}
	q.mu.Unlock()
	q.tell()
	q.mu.Lock()
	if q.answered || q.hijacked {
		q.mu.Unlock()
		return nil
	}
	q.commit()
	q.mu.Unlock()
	return w.rw.FlushError()
}
