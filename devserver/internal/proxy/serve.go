package proxy

import (
	"context"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"path"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// prefix is where devrun's own paths begin.
	prefix = "/__devrun"

	// grace is how long a failed request waits to hear that the app was stopped
	// or died; whoever watches the process knows within a few milliseconds.
	grace = 500 * time.Millisecond

	// doubt is how long it waits before it looks whether the app is alive after
	// all: a handler that panics is a much more common end than a dying process.
	doubt = 20 * time.Millisecond
)

func (f *Front) serveHTTP(w http.ResponseWriter, r *http.Request) {
	if !f.begins() {
		panic(http.ErrAbortHandler)
	}
	defer f.wg.Done()
	if r.URL.Opaque != "" {
		http.Error(w, "the request names no path", http.StatusBadRequest)
		return
	}
	if p, ok := internal(r.URL.Path); ok {
		in := r.Clone(r.Context())
		in.URL.Path, in.URL.RawPath = p, ""
		f.opts.Internal.ServeHTTP(w, in)
		return
	}
	f.answer(w, r)
}

// begins counts a handler; false when the Front is closed. With HTTP/2 one can begin when
// its connection has ended.
func (f *Front) begins() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.conns == nil {
		return false
	}
	f.wg.Add(1)
	return true
}

// internal reports whether the decoded path p is one of devrun's own, and
// returns it without the dots and slashes that disguise it.
func internal(p string) (string, bool) {
	clean := path.Clean("/" + p)
	if clean != prefix && !strings.HasPrefix(clean, prefix+"/") {
		return "", false
	}
	if strings.HasSuffix(p, "/") {
		clean += "/"
	}
	return clean, true
}

// answer sees r through all states until it is answered.
func (f *Front) answer(w http.ResponseWriter, r *http.Request) {
	x := newExchange(r, f.opts.Snippet != nil && WantsPage(r))
	if x.page && f.opts.Asked != nil {
		begun := sync.OnceFunc(f.opts.Asked())
		defer begun()
		w = &asked{w, begun}
	}
	deadline := time.Now().Add(f.opts.HoldMax)
	for {
		s, ok, err := f.await(r.Context(), deadline)
		switch {
		case err != nil:
			panic(http.ErrAbortHandler) // nobody is there to be told
		case !ok:
			instead(w, r, f.opts.Waiting)
			return
		case s.page != nil && (s.app == nil || toPage(r)):
			instead(w, r, s.page)
			return
		}
		err = f.try(w, x, s)
		if err == nil {
			return
		}
		if r.Context().Err() != nil || x.hijacked {
			panic(http.ErrAbortHandler)
		}
		if err != errDrained && !isDial(err) {
			x.sent++
		}
		again := err == errReplaced || err == errDrained
		if x.sent > 1 || !x.repeatable(err) || !again && !f.changedAfter(r.Context(), s, err) {
			h := x.explained(s, err)
			if h == nil {
				h = badGateway(x, s, err)
			}
			instead(w, r, h)
			return
		}
		deadline = time.Now().Add(f.opts.HoldMax) // it had not waited so far
	}
}

// asked is the answer to a request for a page.
type asked struct {
	http.ResponseWriter
	begun func()
}

func (w *asked) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *asked) WriteHeader(code int) {
	w.ResponseWriter.WriteHeader(code)
	if code >= 200 {
		w.begun()
	}
}

const (
	drainMost = 64 << 20 // bytes of a request that are taken before it is answered
	drainFor  = 5 * time.Second
)

// instead has h answer in the app's place, when what the client still sends has been
// read: net/http cuts the connection of one that sends much which nobody reads, and
// the answer is lost with it.
func instead(w http.ResponseWriter, r *http.Request, h http.Handler) {
	if r.ContentLength != 0 && r.Header.Get("Expect") == "" && r.ProtoMajor == 1 {
		c := http.NewResponseController(w)
		if c.SetReadDeadline(time.Now().Add(drainFor)) == nil { // net/http sets its own for the next request
			io.CopyN(io.Discard, r.Body, drainMost)
		}
	}
	h.ServeHTTP(w, r)
}

// changedAfter reports whether the state s, in which a request failed with err,
// is over or ends soon.
func (f *Front) changedAfter(ctx context.Context, s *state, err error) bool {
	if !isDial(err) {
		if f.changes(ctx, s, doubt) {
			return true
		}
		if c, err := net.DialTimeout("tcp", s.app.addr, doubt); err == nil {
			c.Close()
			return false
		}
	}
	return f.changes(ctx, s, grace)
}

// changes waits until s is over, at most for d.
func (f *Front) changes(ctx context.Context, s *state, d time.Duration) bool {
	select {
	case <-s.over.Done():
		return true
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return false
	}
}

// explained is what answers x, which the app in state s has closed the connection of,
// or nil.
func (x *exchange) explained(s *state, err error) http.Handler {
	if x.app.lost == nil || x.answered || x.peer == "" || !isClosed(err) || s.over.Err() != nil {
		return nil
	}
	r := x.r.Clone(x.r.Context())
	dropOwn(r.Header)
	return x.app.lost(r, x.peer)
}

func badGateway(x *exchange, s *state, err error) http.Handler {
	var why string
	switch {
	case s.over.Err() != nil && !x.answered:
		why = "the app was restarted while this request was under way"
	case isCrowded(err):
		why = "devrun has no descriptor left for a connection to the app: raise the limit (ulimit -n)"
	case isDial(err):
		why = "the app does not answer at " + s.app.addr
	case isClosed(err):
		why = "the app closed the connection without an answer"
	default:
		why = "the app's answer cannot be passed on: " + err.Error()
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, why, http.StatusBadGateway)
	})
}

func isDial(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// isClosed tells that the app has closed the connection; while a body is being written,
// the transport does it in its turn.
func isClosed(err error) bool {
	if isDial(err) {
		return false
	}
	for _, closed := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE, net.ErrClosed} {
		if errors.Is(err, closed) {
			return true
		}
	}
	return errors.As(err, new(broken)) // a stream alone
}

// toPage tells who is answered by a page while the app that serves is not the
// newest: a person who navigates, a plain client, a program that reads JSON. What
// a page of the older app loads for itself still comes from that app.
func toPage(r *http.Request) bool {
	if r.Header.Get("Upgrade") != "" {
		return false
	}
	switch r.Header.Get("Sec-Fetch-Dest") {
	case "", "document", "iframe", "frame", "embed", "object":
		return true
	}
	return passedOn(r) || accepts(r, "application/json")
}

// WantsPage tells whether r asks for a whole document, as opposed to a part of
// one that a script will put into a page.
func WantsPage(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost: // what a person can ask for
	default:
		return false
	}
	for _, name := range []string{
		"Range", "Upgrade",
		"Hx-Request", "X-Requested-With", "Turbo-Frame", "X-Up-Version", "Datastar-Request", "X-Pjax",
	} {
		if len(r.Header[name]) > 0 {
			return false
		}
	}
	switch r.Header.Get("Sec-Fetch-Dest") {
	case "document", "iframe", "frame":
		return true
	case "empty":
		return passedOn(r)
	case "":
		return accepts(r, "text/html")
	}
	return false
}

// passedOn tells whether r is a navigation that a service worker passes on: a script
// cannot make one.
func passedOn(r *http.Request) bool {
	return r.Header.Get("Sec-Fetch-Dest") == "empty" && r.Header.Get("Sec-Fetch-Mode") == "navigate"
}

// accepts tells whether r names mediaType in its Accept header.
func accepts(r *http.Request, mediaType string) bool {
	for _, line := range r.Header["Accept"] {
		for item := range strings.SplitSeq(line, ",") {
			if t, _, _ := mime.ParseMediaType(item); t == mediaType {
				return true
			}
		}
	}
	return false
}
