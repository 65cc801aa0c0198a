package devserver

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"devrun/devserver/internal/expr"
	"devrun/devserver/internal/fault"
	"devrun/devserver/internal/inspect"
	"devrun/devserver/internal/wire"
)

// mostFailures are kept of a run; their variables as data, whatever became of
// their process.
const mostFailures = 50

// failure is a request that failed, and where it stands.
type failure struct {
	fault.Failure
	app     *app          // whose it is, nil when that process has ended or has no hook
	id      string        // what the hook calls it
	mark    wire.Mark     // of its goroutine
	frames  []int         // where the Calls are among those of the goroutine
	seen    bool          // its variables were read, or cannot be
	done    bool          // of a Status: its handler has returned, Production is the whole answer
	answers bool          // its request waits for a page
	stays   bool          // its goroutine is there until it is released
	late    bool          // its goroutine has gone on: there is nothing to read
	session *expr.Session // what the console has defined
}

// What the loop is told of failures.
type (
	// examined: the variables of a failure were read.
	examined struct {
		f      *failure
		calls  []fault.Call
		frames []int
		way    string // fault.Values.Way
		cause  fault.Cause
		said   string // the message, without secrets
		why    string // the cause for the terminal
		err    error
	}
	// hurry: a failure has waited long enough for the debugger.
	hurry struct{ f *failure }
)

// debuggerWait is how long a failed request waits for the debugger to be
// linked; then its page goes out without variables, which follow.
const debuggerWait = 5 * time.Second

// onFailed notes a failure and has its variables read.
func (l *loop) onFailed(m wire.Failure) {
	f := &failure{Failure: failureOf(m), app: l.app, id: m.ID, mark: m.Mark, session: &expr.Session{}}
	f.Generation, f.Pid, f.Built = l.app.gen, l.app.proc.Pid(), l.app.built
	f.stays, f.late = m.Stays, m.Returned
	if f.goesOn() {
		f.Gone = goneEarly
		if f.How == fault.Status {
			f.Gone += " Without a panic a goroutine stays only if --hold says so, as in --hold=10,5xx."
		}
	}
	f.answers = !m.Hijacked && !m.Response.Started
	l.keep(f)
	l.examine(f)
}

// goesOn reports that its handler goes on once the variables are read: Proceed.
func (f *failure) goesOn() bool { return !f.stays && !f.late }

// keep puts f with the others, under a name.
func (l *loop) keep(f *failure) {
	f.ID, f.At = rand.Text()[:12], time.Now()
	l.failures = append(l.failures, f)
	// One whose request waits for its page is kept until it has it.
	answered := func(f *failure) bool { return !f.answers }
	for len(l.failures) > mostFailures {
		i := slices.IndexFunc(l.failures, answered)
		if i < 0 {
			break
		}
		l.letGo(l.failures[i])
		l.failures = slices.Delete(l.failures, i, i+1)
	}
}

var (
	errReturned = errors.New("the handler had returned when the answer went out, so its variables are gone")
	errWentOn   = errors.New("the goroutine had gone on before its variables were read")
	errNoHook   = errors.New("the app was built without devrun's hook")
	errNotYet   = errors.New("debug information is still being linked; the variables follow")
)

// examine reads the variables of f as soon as that can be done.
func (l *loop) examine(f *failure) {
	a := f.app
	d := a.binary.debugger
	switch {
	case f.late:
		l.unexamined(f, errReturned)
	case d == nil:
		l.unexamined(f, errNoHook)
	case d.err != nil:
		l.unexamined(f, d.err)
	case d.info == nil:
		l.prepareDebugger(true)
		time.AfterFunc(debuggerWait, func() { l.tell(hurry{f}) })
	default:
		info, data, mark := d.info, f.Failure, f.mark
		go func() {
			e := examined{f: f}
			e.calls, e.frames, e.way, e.err = a.calls(info, uint64(data.Goroutine), mark)
			l.explain(e, data)
		}()
	}
}

// readTime bounds how long the variables of a failure may take to be read.
const readTime = 5 * time.Second

// calls reads the frames of a parked goroutine from the point of failure on, with
// their variables, and says where they are among all its frames and in what way they
// were read.
func (a *app) calls(info *inspect.Binary, goroutine uint64, mark wire.Mark) ([]fault.Call, []int, string, error) {
	p, way, err := a.inspect(info)
	if err != nil {
		return nil, nil, "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), readTime)
	defer cancel()
	all, err := p.Calls(ctx, goroutine, inspect.Limits{})
	if err := wentOn(p, mark, err); err != nil {
		return nil, nil, "", err
	}
	calls := inspect.FromFailure(all)
	frames, at := make([]int, len(calls)), len(all)-1
	for i := len(calls) - 1; i >= 0; i-- {
		for at > 0 && (all[at].PC != calls[i].PC || all[at].Func != calls[i].Func) {
			at--
		}
		frames[i], at = at, at-1
		unwrap(calls[i].Vars)
	}
	return calls, frames, way, nil
}

// wentOn is err, that of reading a goroutine that has failed, or errWentOn if it may
// have gone on meanwhile: it serves another request then, and may look the same.
func wentOn(p *inspect.Process, mark wire.Mark, err error) error {
	is, unread := p.Word(mark.Addr)
	switch {
	case unread != nil:
		return cmp.Or(err, unread)
	case is != mark.Value:
		return errWentOn
	}
	return err
}

// unwrap shows net/http's response writer where the hook's is, as it is without
// devrun; in the text of what it is a part of only its type can be mended.
func unwrap(values []fault.Value) {
	for i := range values {
		v := &values[i]
		if v.Kind == fault.Interface && len(v.Children) == 1 && strings.HasPrefix(v.Children[0].Type, "*hook.writer") {
			for _, field := range v.Children[0].Children {
				if field.Name == "real" {
					v.Text, v.Children = field.Text, field.Children
				}
			}
		}
		v.Text = writers.Replace(v.Text)
		unwrap(v.Children)
	}
}

var writers = strings.NewReplacer("hook.writer1", "http.response", "hook.writer2", "http.http2responseWriter")

// onDebugged takes the debugger of a binary, and reads what has waited for it.
func (l *loop) onDebugged(e debugged) {
	e.of.info, e.of.err = e.info, e.err
	if errors.Is(e.err, context.Canceled) {
		e.of.err = nil // for a newer build: another time
	}
	if l.app == nil || l.app.binary.debugger != e.of {
		e.of.close()
	} else if gen := l.app.gen; e.of.info != nil {
		time.AfterFunc(verifyAfter, func() { l.tell(quiet{gen}) })
	}
	l.errandDone()
}

func (d *debugger) close() {
	if d.info != nil {
		_ = d.info.Close() // it was read only
		d.info = nil
	}
}

// onHurry has a failure shown without the variables that it has waited for.
func (l *loop) onHurry(f *failure) {
	if !f.seen {
		l.unexamined(f, errNotYet)
	}
}

// onExamined shows the failure. Variables that come late are only noted: the
// pages that wait for them ask again.
func (l *loop) onExamined(e examined) {
	f := e.f
	if e.err == nil {
		f.Calls, f.frames, f.Values, f.Cause = e.calls, e.frames, fault.Values{Here: true, Way: e.way}, e.cause
	} else if !f.Values.Here {
		f.Values.Why, f.Cause = sentence(e.err), e.cause
		f.late = f.late || errors.Is(e.err, errWentOn)
	}
	if f.seen {
		return
	}
	f.seen = true
	if !slices.ContainsFunc(f.Calls, func(c fault.Call) bool { return l.term.IsApp(c.File) }) {
		f.Notes = append(f.Notes, "None of the app's own calls is on the stack: what led to this has returned, or is not in the app's files.")
	}
	l.announceFailure(f, e)
	if f.goesOn() {
		l.sendTo(f, wire.Message{Kind: wire.Proceed, ID: f.id})
	}
	l.answer(f)
}

// sentence is an error as a sentence.
func sentence(err error) string {
	s := err.Error()
	return strings.ToUpper(s[:1]) + s[1:] + "."
}

// onFinished notes what the app has answered by itself with a 5xx.
func (l *loop) onFinished(id string, r wire.Response) {
	if f := l.byHookID(id); f != nil {
		f.done = true
		f.Production = responseOf(r)
		if f.Message == "" {
			f.Message = strings.TrimSpace(textOf(r))
		}
		f.answers = f.answers && !r.Started
		f.Gone = cmp.Or(f.Gone, goneReturned)
		l.answer(f)
	}
}

// answer sends the page of f as the answer to its request, once its variables
// were read and, of a Status, its handler has returned.
func (l *loop) answer(f *failure) {
	if !f.seen || !f.answers || f.How == fault.Status && !f.stays && !f.done || f.app == nil {
		return
	}
	f.answers = false
	data, app, at := f.Failure, f.app, l.awayPlace(f)
	go func() {
		w := &answerWriter{header: http.Header{}}
		l.fronts.visitors(l.pages.Failed(data, at)).ServeHTTP(w, requestOf(data.Request))
		w.header.Set("Cache-Control", "no-store, no-transform") // the page has its own way to load anew
		_ = app.proc.Send(wire.Message{Kind: wire.Answer, ID: f.id, Response: w.response()})
	}()
}

// Why nothing can be evaluated any more.
const (
	goneReturned = "Its handler has returned, so nothing can be evaluated any more."
	goneEarly    = "It was looked at while the answer was written, and then let go on."
	goneOn       = "Its goroutine was let go, so nothing can be evaluated any more."
	goneWith     = "Its process has ended, so nothing can be evaluated any more."
)

// env is how the hook is told.
func (h Hold) env() string {
	if h.Statuses {
		return strconv.Itoa(h.Requests) + wire.ParkStatus
	}
	return strconv.Itoa(h.Requests)
}

// onReleased notes that a goroutine has gone on.
func (l *loop) onReleased(id string) {
	if f := l.byHookID(id); f != nil {
		why := goneOn
		if f.app.stopping { // all are let go then
			why = goneWith
		}
		f.Gone = cmp.Or(f.Gone, why)
	}
}

func (l *loop) byHookID(id string) *failure {
	for _, f := range l.failures {
		if f.app != nil && f.app == l.app && f.id == id {
			return f
		}
	}
	return nil
}

func (l *loop) byID(id string) *failure {
	for _, f := range l.failures {
		if f.ID == id {
			return f
		}
	}
	return nil
}

// endFailures notes that the process of an app has ended.
func (l *loop) endFailures(a *app) {
	for _, f := range l.failures {
		if f.app == a {
			f.app, f.session, f.answers = nil, nil, false
			f.Gone = cmp.Or(f.Gone, goneWith)
			if !f.Values.Here {
				f.Values.Why = "The process ended before its variables were read."
			}
		}
	}
}

// letGo lets the goroutine of a failure go on.
func (l *loop) letGo(f *failure) {
	l.sendTo(f, wire.Message{Kind: wire.Release, ID: f.id})
}

// sendTo tells the hook of f's app something, without making the loop wait. An
// app that cannot be told is on its way out.
func (l *loop) sendTo(f *failure, m wire.Message) {
	if p := f.app; p != nil {
		go func() { _ = p.proc.Send(m) }()
	}
}
