package devserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"devrun/devserver/internal/console"
	"devrun/devserver/internal/fault"
	"devrun/devserver/internal/gate"
	"devrun/devserver/internal/page"
	"devrun/devserver/internal/term"
	"devrun/devserver/internal/wire"
)

// openConsole opens devrun's own origin. Without a terminal there are its
// pages, and nothing can be evaluated.
func (l *loop) openConsole() error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen for devrun's own pages: %w", err)
	}
	own, err := gate.Own(ln.Addr())
	if err != nil {
		ln.Close()
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", l.serveOverview)
	mux.HandleFunc("GET /failures/{$}", l.serveOverview)
	mux.HandleFunc("GET /failures/{id}", l.serveFailure)
	l.console = console.Serve(ln, console.Config{
		Check: own.Check, Accepted: gate.Accepted, Pages: mux, Assets: page.Assets(), Mail: l.mailPages(),
		Enabled: l.cfg.Console == ConsoleOn || l.cfg.Console == ConsoleOnTerminal && l.term.IsTerminal(term.Stderr),
		Backend: console.Backend{
			Eval: l.eval, Complete: l.complete, Release: l.release, Reveal: l.reveal, Field: l.field, More: l.more, State: l.stateOf,
		},
		Asked:  func() { l.term.PIN(l.console.PIN()) },
		Locked: func() { l.term.ConsoleLocked(10) },
	})
	return nil
}

// call is something that another goroutine wants done by the loop.
type call struct {
	run  func()
	done chan struct{}
}

// do has f run by the loop and waits for it; false when the loop has ended.
func (l *loop) do(f func()) bool { return l.doFor(context.Background(), f) }

// doFor is do for somebody who goes when ctx ends, and then gets false though f may
// still be run: the loop waits for the handlers of a front that it closes.
func (l *loop) doFor(ctx context.Context, f func()) bool {
	c := call{f, make(chan struct{})}
	select {
	case l.events <- c:
	case <-ctx.Done():
		return false
	case <-l.done:
		return false
	}
	select {
	case <-c.done:
		return true
	case <-ctx.Done():
		return false
	case <-l.done:
		return false
	}
}

// copyOf is the failure as it is now, with what is needed to ask it something.
func (l *loop) copyOf(id string) (f failure, ok bool) {
	l.do(func() {
		if p := l.byID(id); p != nil {
			f, ok = *p, true
		}
	})
	return f, ok
}

func (l *loop) serveOverview(w http.ResponseWriter, r *http.Request) {
	var list []fault.Failure
	var saves []page.Save
	var s page.State
	if !l.do(func() { list, saves, s = l.list(), l.lastSaves(), l.pageState() }) {
		return
	}
	l.pages.Overview(list, saves, s).ServeHTTP(w, r)
}

// list is all failures, the newest first.
func (l *loop) list() []fault.Failure {
	var all []fault.Failure
	for i := len(l.failures) - 1; i >= 0; i-- {
		all = append(all, l.failures[i].Failure)
	}
	return all
}

func (l *loop) serveFailure(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	f, ok := l.copyOf(id)
	var place page.Place
	l.do(func() { place = l.homePlace(id) })
	if !ok {
		l.pages.Missing(place.Kept, place.State).ServeHTTP(w, r)
		return
	}
	l.pages.Failed(f.Failure, place).ServeHTTP(w, r)
}

// homePlace is where a failure is read on devrun's own origin.
func (l *loop) homePlace(id string) page.Place {
	at := page.Place{Kept: len(l.failures), State: l.pageState()}
	for i, f := range l.failures {
		if f.ID != id {
			continue
		}
		if i > 0 {
			at.Previous = page.FailurePath(l.failures[i-1].ID)
		}
		if i+1 < len(l.failures) {
			at.Next = page.FailurePath(l.failures[i+1].ID)
		}
	}
	return at
}

// awayPlace is where a failure is read as the answer to its request.
func (l *loop) awayPlace(f *failure) page.Place {
	return page.Place{Away: true, ConsoleURL: l.failureURL(f), WaitURL: l.console.WaitURL(f.ID, f.Generation)}
}

func (l *loop) failureURL(f *failure) string { return l.console.URL() + page.FailurePath(f.ID) }

// pageState is what the app is doing, for devrun's own pages.
func (l *loop) pageState() page.State {
	s := page.State{Doing: l.state().String()}
	if l.lives() {
		s.Generation, s.Pid, s.Since = l.app.gen, l.app.proc.Pid(), l.app.built
	}
	if url := l.fronts.url(); url != "" {
		s.URLs = []string{url}
	}
	return s
}

// announceConsole prints, once, where devrun's own pages are and what unlocks
// them.
func (l *loop) announceConsole() {
	if l.announced {
		return
	}
	l.announced = true
	l.term.Overview(l.console.URL())
	l.announceMail()
	if pin := l.console.PIN(); pin != "" {
		l.term.PIN(pin)
	} else if l.cfg.Console == ConsoleOnTerminal { // who has turned it off knows why
		l.term.ConsoleOff("there is no terminal to show the PIN; --console=on prints it all the same")
	}
}

// onExiting notes the line of the app that calls os.Exit.
func (l *loop) onExiting(e wire.Exit) {
	for _, f := range e.Frames {
		if fr := frameOf(f); l.term.IsApp(fr.File) {
			l.exit = &fr
			return
		}
	}
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
func (l *loop) release(id string) (err error) {
	l.do(func() {
		f := l.byID(id)
		switch {
		case f == nil:
			err = console.ErrUnknown
		case f.Gone != "":
			err = console.Gone{Why: f.Gone}
		default:
			l.letGo(f)
			f.Gone = goneOn
		}
	})
	return err
}

// reveal is a value that the page does not show, because it looks like a
// secret: path counts down to it from the frame's variables.
func (l *loop) reveal(_ context.Context, id string, frame int, path []string) (any, error) {
	f, ok := l.copyOf(id)
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
func (l *loop) field(_ context.Context, id, part string, path []string) (any, error) {
	f, ok := l.copyOf(id)
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
func (l *loop) stateOf(id string) (any, bool) {
	var now struct {
		Values bool   `json:"values"` // they are here
		Gone   string `json:"gone"`   // why nothing can be evaluated, "" while it can
		Dot    string `json:"dot"`
		Label  string `json:"label"`
		Words  string `json:"words"`
	}
	found := false
	l.do(func() {
		if f := l.byID(id); f != nil {
			found, now.Values, now.Gone = true, f.Values.Here, f.Gone
			now.Dot, now.Label, now.Words = l.pageState().Shown()
		}
	})
	return now, found
}

// sameFor is how long the same failure, come again, is told in one line.
const sameFor = time.Minute

// announceFailure prints a failure, or how often the same one has come.
func (l *loop) announceFailure(f *failure, e examined) {
	shown := f.Failure
	shown.Message = e.said
	times, since := 1, f.At
	for i := len(l.failures) - 1; i >= 0; i-- {
		g := l.failures[i]
		if g == f || !g.seen || f.At.Sub(g.At) > sameFor || !same(f.Failure, g.Failure) {
			continue
		}
		times, since = times+1, g.At
	}
	if times > 1 {
		l.term.SameFailure(shown, times, since)
		return
	}
	l.term.RequestFailed(shown, e.why, l.failureURL(f))
}

// same holds for failures with the same cause, to the developer's eye. The text of
// a 5xx may not be known yet.
func same(a, b fault.Failure) bool {
	return a.Generation == b.Generation && a.How == b.How && a.Type == b.Type && (a.Message == b.Message || a.How == fault.Status) && top(a) == top(b) &&
		a.Request.Method == b.Request.Method && a.Request.URI == b.Request.URI
}

func top(f fault.Failure) fault.Frame {
	if len(f.Calls) == 0 {
		return fault.Frame{}
	}
	return f.Calls[0].Frame
}
