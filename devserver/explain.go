package devserver

import (
	"devrun/devserver/internal/cause"
	"devrun/devserver/internal/fault"
)

// explain finds the cause of a failure, for the terminal and all of its pages, and tells
// the loop. It reads files, and is not for the loop itself.
func (l *loop) explain(e examined, data fault.Failure) {
	if e.err == nil {
		data.Calls, data.Values = e.calls, fault.Values{Here: true, Way: e.way}
	}
	clean := cause.Explain(data, l.pages.Tree)
	e.said, e.cause = clean.Message, clean.Cause
	if e.err == nil {
		e.why = e.cause.String()
	}
	l.tell(e)
}

// unexamined says why the variables of f cannot be read. It is explained without them,
// unless that was done before.
func (l *loop) unexamined(f *failure, why error) {
	e := examined{f: f, cause: f.Cause, err: why}
	if f.seen {
		l.onExamined(e)
		return
	}
	go l.explain(e, f.Failure)
}
