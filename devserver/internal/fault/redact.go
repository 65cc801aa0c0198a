package fault

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Mask stands in a text where a secret was. A Value that is a secret as a whole
// has Redacted set instead.
const Mask = "[redacted]"

// Redacted returns a deep copy of f without what looks like a secret: by its
// name, by the look of the value, and wherever a value of the first kind comes
// again in another text. Calls, variables and children keep their places, so
// that At finds in f what the copy leaves out. Redacting twice changes nothing.
//
// It is a net with holes: a secret whose name and look say nothing gets through.
func Redacted(f Failure) Failure {
	r := &redactor{}
	f.Request = r.request(f.Request)
	f.Production.Header = r.fields(f.Production.Header, header)
	f.Calls = slices.Clone(f.Calls)
	for i := range f.Calls {
		f.Calls[i].Vars = r.values(f.Calls[i].Vars, plain, 0)
	}
	if f.CreatedBy != nil {
		by := *f.CreatedBy
		f.CreatedBy = &by
	}
	f.Notes = slices.Clone(f.Notes)

	// What was found by name is looked for in everything else.
	known := r.replacer()
	text := func(s string) string { return scrub(known(s)) }
	f.Message = text(f.Message)
	f.Production.Body = scrubHidden(text(f.Production.Body))
	f.Panics = redactedErrors(f.Panics, text, 0)
	f.Error, f.Cause.Error = redactedError(f.Error, text), redactedError(f.Cause.Error, text)
	f.Cause.Note = text(f.Cause.Note)
	f.Cause.Why = slices.Clone(f.Cause.Why)
	for i, p := range f.Cause.Why {
		f.Cause.Why[i] = slices.Clone(p)
		for j := range p {
			f.Cause.Why[i][j].Text = text(p[j].Text)
		}
	}
	f.Cause.Sets = slices.Clone(f.Cause.Sets)
	f.Request.URI = known(f.Request.URI)
	for _, list := range [][]Field{f.Request.Header, f.Request.Form, f.Production.Header} {
		for _, field := range list {
			for i := range field.Values {
				field.Values[i] = scrub(known(field.Values[i]))
			}
		}
	}
	if len(r.secrets) > 0 {
		for i := range f.Calls {
			replaceIn(f.Calls[i].Vars, known, 0)
		}
	}
	return f
}

// At returns the value at a path of indices, first into the variables of a call,
// then into the children of each value; ok is false where the path leads nowhere.
func At(f Failure, call int, path []int) (v Value, ok bool) {
	if call < 0 || call >= len(f.Calls) || len(path) == 0 {
		return v, false
	}
	level := f.Calls[call].Vars
	for _, i := range path {
		if i < 0 || i >= len(level) {
			return Value{}, false
		}
		v = level[i]
		level = v.Children
	}
	return v, true
}

// These bound what an app can make redaction cost.
const (
	maxDepth   = 100     // of values and of error chains; what is deeper is dropped
	maxSecrets = 300     // looked for elsewhere
	minSecret  = 8       // bytes; shorter ones would blank ordinary words
	maxSecret  = 4 << 10 // bytes; longer ones are not looked for
)

// redactor collects the secrets that it finds.
type redactor struct{ secrets []string }

func (r *redactor) found(s string) {
	if len(s) < minSecret || len(s) > maxSecret || len(r.secrets) >= maxSecrets || strings.Contains(s, Mask) {
		return
	}
	for _, form := range []string{s, url.QueryEscape(s), strings.Trim(strconv.Quote(s), `"`)} {
		if !slices.Contains(r.secrets, form) {
			r.secrets = append(r.secrets, form)
		}
	}
}

// replacer masks the secrets that were found, the longest first where one begins
// like another.
func (r *redactor) replacer() func(string) string {
	if len(r.secrets) == 0 {
		return func(s string) string { return s }
	}
	slices.SortFunc(r.secrets, func(a, b string) int { return len(b) - len(a) })
	var pairs []string
	for _, s := range r.secrets {
		pairs = append(pairs, s, Mask)
	}
	return strings.NewReplacer(pairs...).Replace
}

func (r *redactor) request(q Request) Request {
	q.URI = r.uri(q.URI)
	q.Header = r.fields(q.Header, header)
	q.Form = r.fields(q.Form, plain)
	return q
}

// uri masks the secret values of the query.
func (r *redactor) uri(s string) string {
	path, query, ok := strings.Cut(s, "?")
	if !ok {
		return scrub(s)
	}
	parts := strings.Split(query, "&")
	for i, part := range parts {
		name, value, ok := strings.Cut(part, "=")
		if plainName, err := url.QueryUnescape(name); ok && value != "" && err == nil && secrecy(plainName) > open {
			if v, err := url.QueryUnescape(value); err == nil {
				r.found(v)
			}
			parts[i] = name + "=" + Mask
		}
	}
	return scrub(path) + "?" + scrub(strings.Join(parts, "&"))
}

// context says in what a value stands.
type context uint8

const (
	plain   context = iota
	header          // of a request or response
	guarded         // in something whose strings are secrets: a session, a cookie
)

func (r *redactor) fields(list []Field, in context) []Field {
	list = slices.Clone(list)
	for i, field := range list {
		list[i].Values = slices.Clone(field.Values)
		for j, v := range field.Values {
			switch name := strings.ToLower(field.Name); {
			case v == "":
			case in == header && (name == "cookie" || name == "set-cookie"):
				list[i].Values[j] = r.cookies(v, name == "set-cookie")
			case in == header && strings.HasSuffix(name, "authorization"):
				scheme, rest, ok := strings.Cut(v, " ")
				r.found(rest)
				list[i].Values[j] = Mask
				if ok {
					list[i].Values[j] = scheme + " " + Mask
				} else {
					r.found(v)
				}
			case secrecy(field.Name) > open:
				r.found(v)
				list[i].Values[j] = Mask
			}
		}
	}
	return list
}

// cookies keeps the names, and the attributes of one that is set.
func (r *redactor) cookies(line string, set bool) string {
	parts := strings.Split(line, ";")
	for i, part := range parts {
		name, value, ok := strings.Cut(part, "=")
		if !ok && i == 0 {
			parts[i] = Mask
		}
		if !ok || value == "" || set && i > 0 {
			continue
		}
		if random(value) {
			r.found(value)
		}
		parts[i] = name + "=" + Mask
	}
	return strings.Join(parts, ";")
}

func redactedError(e *Error, text func(string) string) *Error {
	if e == nil {
		return nil
	}
	return &redactedErrors([]Error{*e}, text, 0)[0]
}

func redactedErrors(list []Error, text func(string) string, depth int) []Error {
	if depth > maxDepth {
		return nil
	}
	list = slices.Clone(list)
	for i := range list {
		list[i].Text = text(list[i].Text)
		list[i].Causes = redactedErrors(list[i].Causes, text, depth+1)
	}
	return list
}
