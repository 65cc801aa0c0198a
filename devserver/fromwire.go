package devserver

import (
	"strings"

	"devrun/devserver/internal/fault"
	"devrun/devserver/internal/wire"
)

// failureOf is the hook's message as the rest of devrun speaks of it.
func failureOf(m wire.Failure) fault.Failure {
	f := fault.Failure{
		How: fault.How(m.How), Type: m.Type, Message: m.Text, Goroutine: int(m.Goroutine),
		Request: fault.Request{
			Method: m.Request.Method, URI: m.Request.URI, Proto: m.Request.Proto, Host: m.Request.Host, Remote: m.Request.Remote,
			Route: m.Request.Route, TLS: m.Request.TLS, Header: fieldsOf(m.Request.Header), Form: fieldsOf(m.Request.Form),
		},
		Production: responseOf(m.Response),
		Values:     fault.Values{Why: "The variables are still being read."},
	}
	if f.How == fault.Status && codingOf(m.Response) != "" {
		f.Message = strings.TrimSpace(textOf(m.Response))
	}
	if m.Error != nil {
		e := errorOf(*m.Error)
		f.Error = &e
	}
	for _, e := range m.Panics {
		f.Panics = append(f.Panics, errorOf(e))
	}
	for _, fr := range m.Frames {
		f.Calls = append(f.Calls, fault.Call{Frame: frameOf(fr), PC: fr.PC})
	}
	if m.CreatedBy != nil {
		fr := frameOf(*m.CreatedBy)
		f.CreatedBy = &fr
	}
	if m.Collected {
		f.Notes = append(f.Notes, "The garbage collector ran between the start of the request and the failure: a variable that was no longer in use may show what took its place.")
	}
	if m.Moved {
		f.Notes = append(f.Notes, "The goroutine's stack was moved after the failure: a pointer to a local variable may show what it was before.")
	}
	return f
}

func frameOf(f wire.Frame) fault.Frame { return fault.Frame{Func: f.Func, File: f.File, Line: f.Line} }

func errorOf(e wire.Error) fault.Error {
	out := fault.Error{Type: e.Type, Text: e.Text, Note: e.Note}
	for _, c := range e.Causes {
		out.Causes = append(out.Causes, errorOf(c))
	}
	return out
}

func fieldsOf(fields []wire.Field) []fault.Field {
	out := make([]fault.Field, len(fields))
	for i, f := range fields {
		out[i] = fault.Field(f)
	}
	return out
}

func responseOf(r wire.Response) fault.Response {
	return fault.Response{Status: r.Status, Header: fieldsOf(r.Header), Body: textOf(r), Size: r.Size, Started: r.Started}
}
