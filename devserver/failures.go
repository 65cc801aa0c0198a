package devserver

import (
	"cmp"
	"crypto/rand"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"devrun/devserver/internal/console"
	"devrun/devserver/internal/expr"
	"devrun/devserver/internal/fault"
	"devrun/devserver/internal/page"
	"devrun/devserver/internal/proxy"
	"devrun/devserver/internal/term"
	"devrun/devserver/internal/wire"
)

// maxFailures are kept of a run; their variables as data, whatever became of
// their process.
const maxFailures = 50

// failure is a request that failed, and where it stands.
type failure struct {
	fault.Failure
	app     *app          // whose it is, nil when in is
	in      *image        // in which process, nil when that has ended or has no hook
	id      string        // what the hook calls it
	mark    wire.Mark     // of its goroutine
	seen    bool          // its variables were read, or cannot be
	done    bool          // of a Status: its handler has returned, Production is the whole answer
	answers bool          // its request waits for devrun
	own     bool          // and gets what the app gives, nothing of devrun's in its place
	stays   bool          // its goroutine is there until it is released
	late    bool          // its goroutine has gone on: there is nothing to read
	session *expr.Session // what the console has defined
}

// failures are the requests that failed. They belong to the loop, as does all that is
// done with them but for what says otherwise.
type failures struct {
	queue    queue
	term     *term.Terminal
	pages    *page.Pages
	console  *console.Console
	visitors func(http.Handler) http.Handler // who may see a page on the app's address
	state    func() page.State               // what the app is doing
	off      bool                            // nobody sees a page, or another form of it, on the app's address
	wanted   func()                          // a request waits for debug information
	wait     time.Duration                   // for how long

	list []*failure // oldest first
}

// examined is what the variables of a failure have told.
type examined struct {
	calls []fault.Call
	way   string // fault.Values.Way
	cause fault.Cause
	said  string // the message, without secrets
	why   string // the cause for the terminal
	err   error
}

// debuggerWait is how long a failed request waits for the debugger to be
// linked; then its page goes out without variables, which follow.
const debuggerWait = 5 * time.Second

// failed notes a failure and has its variables read.
func (s *failures) failed(a *app, in *image, m wire.Failure) {
	f := &failure{Failure: failureOf(m), app: a, in: in, id: m.ID, mark: m.Mark, session: &expr.Session{}}
	f.Generation, f.Pid, f.Built = a.gen, in.channel.Pid, a.binary.Built
	f.Beside = f.Pid != a.proc.Pid()
	f.own = s.isOwn(f.Failure)
	f.stays, f.late = m.Stays && (!f.own || f.How == fault.Panicked), m.Returned
	if f.goesOn() {
		f.Gone = goneEarly
		switch {
		case m.Stays && s.off:
			f.Gone += " With --pages=off only panics that nobody has answered are parked."
		case m.Stays:
			f.Gone += goneOwn
		case f.How == fault.Status:
			f.Gone += " Only requests that panicked are parked; --park=10,5xx parks 5xx answers too."
		}
	}
	f.answers = !m.Hijacked && !m.Response.Started
	s.record(f)
	if f.own && f.How == fault.Panicked {
		s.proceed(f) // there is no answer that would have to be written first
	}
	s.examine(f)
}

// isOwn tells whether who asked gets what the app gives: all but a person, and who asks
// for devrun's by name.
func (s *failures) isOwn(f fault.Failure) bool {
	r := requestOf(f.Request)
	return s.off || f.How != fault.Panicked && !proxy.WantsPage(r) && !page.ByName(r.Header)
}

// proceed has the handler go on, or of a panic the connection be cut. Who may not see
// devrun's pages is not told where they are.
func (s *failures) proceed(f *failure) {
	f.answers = f.answers && !f.own
	m := wire.Message{Kind: wire.Proceed, ID: f.id, Own: f.own}
	tell := func(http.ResponseWriter, *http.Request) { m.Address = s.url(f) }
	s.visitors(http.HandlerFunc(tell)).ServeHTTP(&answerWriter{header: http.Header{}}, requestOf(f.Request))
	f.in.send(m)
}

// goesOn reports that its handler goes on once the variables are read: Proceed.
func (f *failure) goesOn() bool { return !f.stays && !f.late }

// record puts f with the others, under a name.
func (s *failures) record(f *failure) {
	f.ID, f.At = rand.Text()[:12], time.Now()
	s.list = append(s.list, f)
	// One whose request waits for its page is kept until it has it.
	answered := func(f *failure) bool { return !f.answers }
	for len(s.list) > maxFailures {
		i := slices.IndexFunc(s.list, answered)
		if i < 0 {
			break
		}
		s.list[i].letGo()
		s.list = slices.Delete(s.list, i, i+1)
	}
}

var (
	errReturned = errors.New("the handler had returned when the answer went out, so its variables are gone")
	errWentOn   = errors.New("the request had finished before its variables were read")
	errNotYet   = errors.New("debug information is still being linked")
)

// examine reads the variables of f as soon as that can be done.
func (s *failures) examine(f *failure) {
	in := f.in
	info, err := f.app.binary.Info()
	switch {
	case f.late:
		s.unexamined(f, errReturned)
	case err != nil:
		s.unexamined(f, err)
	case info == nil:
		s.wanted()
		s.queue.after(s.wait, func() { s.hurry(f) })
	default:
		data, mark := f.Failure, f.mark
		go func() {
			var e examined
			e.calls, e.way, e.err = in.calls(info, uint64(data.Goroutine), mark)
			s.explain(f, data, e)
		}()
	}
}

// examineAll is examine for all of a's that have no variables and may get some.
func (s *failures) examineAll(a *app) {
	for _, f := range s.list {
		if f.app == a && !f.Values.Here && !f.late {
			s.examine(f)
		}
	}
}

// hurry has a failure shown without the variables that it has waited for.
func (s *failures) hurry(f *failure) {
	if !f.seen {
		s.unexamined(f, errNotYet)
	}
}

// hurryAll is hurry for all of a's.
func (s *failures) hurryAll(a *app) {
	for _, f := range s.list {
		if f.app == a {
			s.hurry(f)
		}
	}
}

// examined shows the failure. Variables that come late are only noted: the
// pages that wait for them ask again.
func (s *failures) examined(f *failure, e examined) {
	if e.err == nil {
		f.Calls, f.Values, f.Cause = e.calls, fault.Values{Here: true, Way: e.way}, e.cause
	} else if !f.Values.Here {
		f.Values.Why, f.Cause = sentence(e.err), e.cause
		f.late = f.late || errors.Is(e.err, errWentOn)
	}
	if f.seen {
		return
	}
	f.seen = true
	if !slices.ContainsFunc(f.Calls, func(c fault.Call) bool { return s.term.IsApp(c.File) }) {
		f.Notes = append(f.Notes, "None of the app's own calls is on the stack: what led to this has returned, or is not in the app's files.")
	}
	s.announce(f, e)
	if (f.goesOn() || f.own && f.How != fault.Panicked) && f.in != nil {
		s.proceed(f)
	}
	s.answer(f)
}

// sentence is an error as a sentence.
func sentence(err error) string {
	s := err.Error()
	return strings.ToUpper(s[:1]) + s[1:] + "."
}

// finished notes what the app has answered by itself with a 5xx.
func (s *failures) finished(in *image, id string, r wire.Response) {
	if f := s.byHookID(in, id); f != nil {
		f.done = true
		f.Production = responseOf(r)
		if f.Message == "" {
			f.Message = strings.TrimSpace(textOf(r))
		}
		f.answers = f.answers && !r.Started
		f.Gone = cmp.Or(f.Gone, goneReturned)
		s.answer(f)
	}
}

// answer sends the page of f as the answer to its request, once its variables
// were read and, of a Status, its handler has returned.
func (s *failures) answer(f *failure) {
	if !f.seen || !f.answers || f.How == fault.Status && !f.stays && !f.done || f.in == nil {
		return
	}
	f.answers = false
	r := requestOf(f.Request)
	data, in, at := f.Failure, f.in, s.awayPlace(f, r)
	go func() {
		w := &answerWriter{header: http.Header{}}
		s.visitors(s.pages.Failed(data, at)).ServeHTTP(w, r)
		w.header.Set("Cache-Control", "no-store, no-transform") // the page has its own way to load anew
		_ = in.channel.Send(wire.Message{Kind: wire.Answer, ID: f.id, Response: w.response()})
	}()
}

// Why nothing can be evaluated any more.
const (
	goneReturned = "The handler has returned, so nothing can be evaluated any more."
	goneEarly    = "This request has finished."
	goneOwn      = " Its client got the app's own answer, for which it had to go on; a browser's, or one with Accept: application/vnd.devrun+json, is parked."
	goneOn       = "The goroutine is no longer parked, so nothing can be evaluated any more."
	goneWith     = "The app's process has ended, so nothing can be evaluated any more."
)

// env is how the hook is told.
func (p Park) env() string {
	if p.Statuses {
		return strconv.Itoa(p.Requests) + wire.ParkStatus
	}
	return strconv.Itoa(p.Requests)
}

// released notes that a goroutine has gone on; lives is false when the app is to end and
// lets all go.
func (s *failures) released(in *image, id string, lives bool) {
	if f := s.byHookID(in, id); f != nil {
		why := goneOn
		if !lives {
			why = goneWith
		}
		f.Gone = cmp.Or(f.Gone, why)
	}
}

func (s *failures) byHookID(in *image, id string) *failure {
	return s.find(func(f *failure) bool { return f.in == in && f.id == id })
}

func (s *failures) byID(id string) *failure {
	return s.find(func(f *failure) bool { return f.ID == id })
}

func (s *failures) find(is func(*failure) bool) *failure {
	if i := slices.IndexFunc(s.list, is); i >= 0 {
		return s.list[i]
	}
	return nil
}

// ended notes that a process has.
func (s *failures) ended(in *image) {
	for _, f := range s.list {
		if f.in == in {
			f.app, f.in, f.session, f.answers = nil, nil, nil, false
			f.Gone = cmp.Or(f.Gone, goneWith)
			if !f.Values.Here {
				f.Values.Why = "The process ended before its variables were read."
			}
		}
	}
}

// letGo lets the goroutine of a failure go on.
func (f *failure) letGo() {
	if f.in != nil {
		f.in.send(wire.Message{Kind: wire.Release, ID: f.id})
	}
}

// sameFor is how long the same failure, come again, is told in one line.
const sameFor = time.Minute

// announce prints a failure, or how often the same one has come.
func (s *failures) announce(f *failure, e examined) {
	shown := f.Failure
	shown.Message = e.said
	times, since := 1, f.At
	for _, g := range slices.Backward(s.list) {
		if g == f || !g.seen || f.At.Sub(g.At) > sameFor || !same(f.Failure, g.Failure) {
			continue
		}
		times, since = times+1, g.At
	}
	if times > 1 {
		s.term.SameFailure(shown, times, since)
		return
	}
	s.term.RequestFailed(shown, e.why, s.url(f))
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
