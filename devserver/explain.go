package devserver

import (
	"devrun/devserver/internal/cause"
	"devrun/devserver/internal/fault"
)

// explain finds the cause of a failure, for the terminal and all of its pages, and tells
// the loop. It reads files, and is not for the loop itself.
func (s *failures) explain(f *failure, data fault.Failure, e examined) {
	if e.err == nil {
		data.Calls, data.Values = e.calls, fault.Values{Here: true, Way: e.way}
	}
	clean := cause.Explain(data, s.pages.Tree)
	e.said, e.cause = clean.Message, clean.Cause
	if e.err == nil {
		e.why = e.cause.String()
	}
	s.queue.tell(func() { s.examined(f, e) })
}

// unexamined says why the variables of f cannot be read. It is explained without them,
// unless that was done before.
func (s *failures) unexamined(f *failure, why error) {
	e := examined{cause: f.Cause, err: why}
	if f.seen {
		s.examined(f, e)
		return
	}
	go s.explain(f, f.Failure, e)
}
