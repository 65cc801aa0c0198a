package page

import (
	"time"

	"devrun/devserver/internal/fault"
)

// failureJSON is the form of a failed request for programs. Fields are only ever
// added; what a reader may not see is missing.
type failureJSON struct {
	Kind       string          `json:"kind"`  // "failure"
	How        string          `json:"how"`   // "panic", "recovered": the app answered for a panic, "status": a 5xx without one
	Error      string          `json:"error"` // the panic's value, or the text of the answer
	Type       string          `json:"type,omitempty"`
	Why        string          `json:"why,omitempty"` // what is proved about the reason
	ID         string          `json:"id"`
	Generation int             `json:"generation"`
	Time       time.Time       `json:"time"`
	Pid        int             `json:"pid"`
	Goroutine  int             `json:"goroutine"`
	Console    string          `json:"console,omitempty"` // address of the whole page
	Request    *requestJSON    `json:"request,omitempty"`
	Chain      *errorJSON      `json:"chain,omitempty"`
	Panics     []errorJSON     `json:"panics,omitempty"` // raised before, oldest first
	Frames     []callJSON      `json:"frames"`           // innermost first
	CreatedBy  *frameJSON      `json:"created_by,omitempty"`
	Production *productionJSON `json:"production,omitempty"` // what would be sent without devrun
	Values     valuesJSON      `json:"values"`
	Gone       string          `json:"gone,omitempty"` // why it takes no expressions any more
	Notes      []string        `json:"notes,omitempty"`
}

type requestJSON struct {
	Method string      `json:"method"`
	URI    string      `json:"uri"`
	Proto  string      `json:"proto,omitempty"`
	Host   string      `json:"host,omitempty"`
	Remote string      `json:"remote,omitempty"`
	TLS    bool        `json:"tls,omitempty"`
	Route  string      `json:"route,omitempty"`
	Header []fieldJSON `json:"header"`
	Form   []fieldJSON `json:"form"`
}

type fieldJSON struct {
	Name   string   `json:"name"`
	Values []string `json:"values"` // "[redacted]" stands for a secret
}

type errorJSON struct {
	Type   string      `json:"type"`
	Text   string      `json:"text"`
	Note   string      `json:"note,omitempty"`
	Causes []errorJSON `json:"causes,omitempty"`
}

type callJSON struct {
	frameJSON
	Optimised bool        `json:"optimised,omitempty"`
	Vars      []valueJSON `json:"vars,omitempty"`
	VarsWhy   string      `json:"vars_why,omitempty"` // why there are none
}

type valueJSON struct {
	Name       string      `json:"name"`
	Type       string      `json:"type"`
	Kind       string      `json:"kind,omitempty"`
	Text       string      `json:"text,omitempty"`
	Nil        bool        `json:"nil,omitempty"`
	Children   []valueJSON `json:"children,omitempty"`
	More       int64       `json:"more,omitempty"` // children that are not listed
	Cut        int64       `json:"cut,omitempty"`  // bytes that text leaves out
	Len        *int64      `json:"len,omitempty"`
	Cap        *int64      `json:"cap,omitempty"`
	Gone       bool        `json:"gone,omitempty"`
	Cycle      string      `json:"cycle,omitempty"`
	Unreadable string      `json:"unreadable,omitempty"`
	Redacted   bool        `json:"redacted,omitempty"`
	Param      bool        `json:"param,omitempty"`
	Captured   bool        `json:"captured,omitempty"`
	Shadowed   bool        `json:"shadowed,omitempty"`
	Line       int         `json:"line,omitempty"`
}

type productionJSON struct {
	Status  int         `json:"status"` // 0: no answer, the connection is cut
	Header  []fieldJSON `json:"header"`
	Body    string      `json:"body"` // its beginning
	Size    int         `json:"size"` // bytes of all of it
	Started bool        `json:"started"`
}

type valuesJSON struct {
	Here bool   `json:"here"`
	Why  string `json:"why,omitempty"`
	Way  string `json:"way,omitempty"` // how they were read, if not as usual
}

// maxJSONValues are listed in all, so that a client gets its answer in one piece.
const maxJSONValues = 3000

func (v *failureView) json(all bool) []byte {
	out := failureJSON{
		Kind: "failure", How: string(v.How), Error: v.message(), Type: v.Type, ID: v.ID, Generation: v.Generation, Time: v.At,
		Pid: v.Pid, Goroutine: v.Goroutine, Console: v.at.ConsoleURL, Frames: []callJSON{}, Gone: v.Gone,
		Values: valuesJSON{v.Values.Here && all, v.Values.Why, v.Values.Way},
	}
	left := maxJSONValues
	for i, c := range v.Calls {
		f := v.frames[i]
		cj := callJSON{frameJSON: frameJSON{f.Func, f.File, f.Rel, f.Line, f.Own}, Optimised: c.Optimised}
		if all {
			cj.Vars, cj.VarsWhy = jsonValues(c.Vars, &left), c.Why
		}
		out.Frames = append(out.Frames, cj)
	}
	if v.CreatedBy != nil {
		f := v.pages.Tree.Frame(*v.CreatedBy)
		out.CreatedBy = &frameJSON{f.Func, f.File, f.Rel, f.Line, f.Own}
	}
	if !all {
		out.Values = valuesJSON{Why: "only a page that fills the window shows variables"}
		return encodeJSON(out)
	}
	out.Why, out.Notes = v.Cause.String(), v.Notes
	q := v.Request
	out.Request = &requestJSON{q.Method, q.URI, q.Proto, q.Host, q.Remote, q.TLS, q.Route, jsonFields(q.Header), jsonFields(q.Form)}
	if v.Error != nil {
		e := jsonErrors([]fault.Error{*v.Error})[0]
		out.Chain = &e
	}
	out.Panics = jsonErrors(v.Panics)
	a := v.Production
	out.Production = &productionJSON{a.Status, jsonFields(a.Header), a.Body, a.Size, a.Started}
	return encodeJSON(out)
}

func jsonFields(list []fault.Field) []fieldJSON {
	out := []fieldJSON{}
	for _, f := range list {
		out = append(out, fieldJSON(f))
	}
	return out
}

func jsonErrors(list []fault.Error) []errorJSON {
	var out []errorJSON
	for _, e := range list {
		out = append(out, errorJSON{e.Type, e.Text, e.Note, jsonErrors(e.Causes)})
	}
	return out
}

func jsonValues(list []fault.Value, left *int) []valueJSON {
	var out []valueJSON
	for _, v := range list {
		if *left--; *left < 0 {
			break
		}
		j := valueJSON{
			Name: v.Name, Type: v.Type, Kind: string(v.Kind), Text: v.Text, Nil: v.Nil, Cut: v.Cut, More: v.More,
			Gone: v.Gone, Cycle: v.Cycle, Unreadable: v.Unreadable, Redacted: v.Redacted,
			Param: v.Param, Captured: v.Captured, Shadowed: v.Shadowed, Line: v.Line,
		}
		switch v.Kind {
		case fault.Slice, fault.Chan:
			j.Len, j.Cap = &v.Len, &v.Cap
		case fault.String, fault.Array, fault.Map:
			j.Len = &v.Len
		}
		j.Children = jsonValues(v.Children, left)
		j.More += int64(len(v.Children) - len(j.Children))
		out = append(out, j)
	}
	return out
}
