package devserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"

	"devrun/devserver/internal/console"
	"devrun/devserver/internal/fault"
	"devrun/devserver/internal/gate"
	"devrun/devserver/internal/page"
	"devrun/devserver/internal/proxy"
	"devrun/devserver/internal/term"
	"devrun/devserver/internal/wire"
)

// openConsole opens devrun's own origin. Without a terminal there are its
// pages, and nothing can be evaluated.
func (l *loop) openConsole() (*console.Console, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for devrun's own pages: %w", err)
	}
	own, err := gate.Own(ln.Addr())
	if err != nil {
		ln.Close()
		return nil, err
	}
	s, mux := l.failures, http.NewServeMux()
	mux.HandleFunc("GET /{$}", l.serveOverview)
	mux.HandleFunc("GET /failures/{$}", l.serveOverview)
	mux.HandleFunc("GET /failures/{id}", s.serve)
	return console.Serve(ln, console.Config{
		Check: own.Check, Accepted: gate.Accepted, Pages: mux, Assets: page.Assets(), Mail: l.web.mail.handler(),
		Enabled: l.cfg.Console == ConsoleOn || l.cfg.Console == ConsoleOnTerminal && l.term.IsTerminal(term.Stderr),
		Backend: console.Backend{
			Eval: s.eval, Complete: s.complete, Release: s.release, Reveal: s.reveal, Field: s.field, More: s.more, State: s.stateOf,
		},
		Asked:  func() { l.term.PIN(l.web.console.PIN()) },
		Locked: func() { l.term.ConsoleLocked(10) },
	}), nil
}

// copyOf is the failure as it is now, with what is needed to ask it something.
func (s *failures) copyOf(id string) (f failure, ok bool) {
	s.queue.do(func() {
		if p := s.byID(id); p != nil {
			f, ok = *p, true
		}
	})
	return f, ok
}

func (l *loop) serveOverview(w http.ResponseWriter, r *http.Request) {
	var list []fault.Failure
	var saves []page.Save
	var now page.State
	if !l.queue.do(func() { list, saves, now = l.failures.all(), l.saves.last(l.state()), l.pageState() }) {
		return
	}
	l.web.pages.Overview(list, saves, now).ServeHTTP(w, r)
}

// all are the failures, the newest first.
func (s *failures) all() (list []fault.Failure) {
	for _, f := range slices.Backward(s.list) {
		list = append(list, f.Failure)
	}
	return list
}

// serve is the page of a failure on devrun's own origin.
func (s *failures) serve(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	f, ok := s.copyOf(id)
	var place page.Place
	s.queue.do(func() { place = s.homePlace(id) })
	if !ok {
		s.pages.Missing(place.Kept, place.State).ServeHTTP(w, r)
		return
	}
	s.pages.Failed(f.Failure, place).ServeHTTP(w, r)
}

// homePlace is where a failure is read on devrun's own origin.
func (s *failures) homePlace(id string) page.Place {
	at := page.Place{Kept: len(s.list), State: s.state()}
	for i, f := range s.list {
		if f.ID != id {
			continue
		}
		if i > 0 {
			at.Previous = page.FailurePath(s.list[i-1].ID)
		}
		if i+1 < len(s.list) {
			at.Next = page.FailurePath(s.list[i+1].ID)
		}
	}
	return at
}

// awayPlace is where a failure is read as the answer to its request r.
func (s *failures) awayPlace(f *failure, r *http.Request) page.Place {
	return page.Place{Away: true, Script: !proxy.WantsPage(r), ConsoleURL: s.url(f), WaitURL: s.console.WaitURL(f.ID, f.Generation)}
}

func (s *failures) url(f *failure) string { return s.console.URL() + page.FailurePath(f.ID) }

// said tells whether a header of the app's answer is devrun's: the address of a failure
// that is kept. No app knows one before its hook is told.
func (s *failures) said(ctx context.Context, name, value string) bool {
	if name != wire.FailureHeader {
		return false
	}
	var f *failure
	ok := s.queue.doFor(ctx, func() { f = s.find(func(f *failure) bool { return s.url(f) == value }) })
	return ok && f != nil
}

// pageState is what the app is doing, for devrun's own pages.
func (l *loop) pageState() page.State {
	s := page.State{Doing: string(l.state())}
	if a := lives(l.process); a != nil {
		s.Generation, s.Pid, s.Since = a.gen, a.pid(), a.binary.Built
	}
	if url := l.web.listeners.url(); url != "" {
		s.URLs = []string{url}
	}
	return s
}

// requestOf is a request as a page needs it to choose its form.
func requestOf(r fault.Request) *http.Request {
	peer := r.Remote
	if _, err := netip.ParseAddrPort(peer); err != nil { // a Unix socket is of this machine
		peer = "127.0.0.1:0"
	}
	req := &http.Request{Method: r.Method, Host: r.Host, RemoteAddr: peer, RequestURI: r.URI, Header: http.Header{}}
	for _, f := range r.Header {
		req.Header[http.CanonicalHeaderKey(f.Name)] = f.Values
	}
	return req
}

// answerWriter collects a page.
type answerWriter struct {
	header http.Header
	status int
	body   []byte
}

func (w *answerWriter) Header() http.Header { return w.header }

func (w *answerWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *answerWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	w.body = append(w.body, p...)
	return len(p), nil
}

func (w *answerWriter) response() *wire.Response {
	r := &wire.Response{Status: w.status, Body: w.body, Size: len(w.body)}
	for name, values := range w.header {
		r.Header = append(r.Header, wire.Field{Name: name, Values: values})
	}
	return r
}

// release lets the goroutine of a failure go on.
func (s *failures) release(id string) (err error) {
	s.queue.do(func() {
		f := s.byID(id)
		switch {
		case f == nil:
			err = console.ErrUnknown
		case f.Gone != "":
			err = console.Gone{Why: f.Gone}
		default:
			f.letGo()
			f.Gone = goneOn
		}
	})
	return err
}

// reveal is a value that the page does not show, because it looks like a
// secret: path counts down to it from the frame's variables.
func (s *failures) reveal(_ context.Context, id string, frame int, path []string) (any, error) {
	f, ok := s.copyOf(id)
	if !ok {
		return nil, console.ErrUnknown
	}
	down, err := numbers(path)
	v, ok := fault.At(f.Failure, frame, down)
	if err != nil || !ok {
		return nil, errors.New("the frame has no such value")
	}
	return shown(v), nil
}

// field is a text of the request or the answer in which the page masks something.
func (s *failures) field(_ context.Context, id, part string, path []string) (any, error) {
	f, ok := s.copyOf(id)
	if !ok {
		return nil, console.ErrUnknown
	}
	text, ok := "", false
	if down, err := numbers(path); err == nil {
		text, ok = fault.FieldAt(f.Failure, fault.Part(part), down)
	}
	if !ok {
		return nil, errors.New("the request has no such field")
	}
	return map[string]string{"text": text}, nil
}

func numbers(path []string) ([]int, error) {
	out := make([]int, len(path))
	for i, step := range path {
		var err error
		if out[i], err = strconv.Atoi(step); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// stateOf is what changes on the page of a failure while somebody looks at it.
func (s *failures) stateOf(id string) (any, bool) {
	var now struct {
		Values bool   `json:"values"` // they are here
		Gone   string `json:"gone"`   // why nothing can be evaluated, "" while it can
		Dot    string `json:"dot"`
		Label  string `json:"label"`
		Words  string `json:"words"`
	}
	found := false
	s.queue.do(func() {
		if f := s.byID(id); f != nil {
			found, now.Values, now.Gone = true, f.Values.Here, f.Gone
			now.Dot, now.Label, now.Words = s.state().Shown()
		}
	})
	return now, found
}
