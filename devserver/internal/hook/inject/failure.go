//go:build linux && go1.21 && (amd64 || arm64)

package hook

import (
	"net/http"
	"net/url"
	"reflect"
	"runtime"
	"sort"
	"strings"
	"time"
	"unsafe"

	"devrun/devserver/internal/wire"
)

const (
	mostFields = 256
	mostField  = 16 << 10 // bytes of names and values together
	mostAsks   = 256      // bytes of a value that tells who asks
	mostBody   = 64 << 10
)

// how is what is known where a request fails.
type how struct {
	is     string // as in wire.Failure
	g      unsafe.Pointer
	pins   []unsafe.Pointer
	panics []raised
	frames []wire.Frame // of a status whose handler has returned
	gone   bool
	stays  bool // until it is released
}

// report tells devrun of a failure. It returns nil if devrun cannot be told or has
// enough to do: then the app goes on as if alone.
func (q *request) report(h how) *parked {
	id := q.id
	if is, _ := q.reported(); is != "" {
		id = q.f.next() // a 5xx, then a panic
	}
	p := q.f.enter(id, h.pins)
	if p == nil {
		return nil
	}
	f := &wire.Failure{
		ID: id, How: h.is, Frames: h.frames, Returned: h.gone, Stays: h.stays,
		Request: requestOf(q.asked, q.r), Response: q.soFar(h.is == "panic"),
		Collected: pin == nil || q.ran == nil || q.ran(),
		Hijacked:  q.isHijacked(),
	}
	if !h.gone {
		f.Mark = wire.Mark{Addr: uint64(uintptr(unsafe.Pointer(&p.mark))), Value: p.mark}
		q.place(f, h)
	}
	q.describe(f, h)
	if q.f.c.send(wire.Message{Kind: wire.Failed, ID: id, Failure: f}) {
		q.setReported(h, p)
		return p
	}
	q.f.forget(p)
	return nil
}

// place says where in the app the failure is.
func (q *request) place(f *wire.Failure, h how) {
	frames, handler := stack()
	if panicking(h.panics) {
		frames = fromPanic(frames)
	}
	f.Frames = bounded(frames)
	most := 64 // for the goroutine's number
	if !handler {
		most = 64 << 10
	}
	_, f.Goroutine, f.CreatedBy = trace(most)
	if handler && h.g != nil {
		s := (*[2]uintptr)(h.g)
		f.Moved = q.base < s[0] || s[1] <= q.base
	}
}

// describe says what the failure is.
func (q *request) describe(f *wire.Failure, h how) {
	if !panicking(h.panics) {
		f.Text = cut(strings.TrimSpace(string(f.Response.Body)), mostText/4)
		return
	}
	var values []any
	for i, p := range h.panics {
		if !p.goexit && (i == 0 || !same(p.value, h.panics[i-1].value)) { // else raised again
			values = append(values, p.value)
		}
	}
	if len(values) > 8 {
		values = values[:8]
	}
	all := tell(values)
	f.Type, f.Text, f.Error = all[0].kind, all[0].text, all[0].err
	for i := len(all) - 1; i > 0; i-- {
		e := wire.Error{Type: all[i].kind, Text: all[i].text}
		if all[i].err != nil {
			e = *all[i].err
		}
		f.Panics = append(f.Panics, e)
	}
}

// requestOf copies what the client asked. asked is as net/http gave it, r as the
// app has it now.
func requestOf(asked, r *http.Request) wire.Request {
	c := wire.Request{
		Method: cut(asked.Method, 64), URI: cut(asked.RequestURI, 8<<10), Proto: asked.Proto,
		Host: cut(asked.Host, 512), Remote: asked.RemoteAddr, TLS: asked.TLS != nil,
		Header: header(asked.Header),
	}
	// The hook keeps to an older language than the field Pattern needs.
	if v := reflect.ValueOf(r).Elem().FieldByName("Pattern"); v.Kind() == reflect.String {
		c.Route = cut(v.String(), 1<<10)
	}
	form := r.Form
	if form == nil && asked.URL != nil && len(asked.URL.RawQuery) <= mostField {
		form, _ = url.ParseQuery(asked.URL.RawQuery) // what is well-formed of it
	}
	c.Form = fields(form)
	return c
}

// header copies the header of a request, with all of wire.WhoAsks.
func header(h http.Header) []wire.Field {
	rest := h.Clone()
	var all []wire.Field
	for _, name := range wire.WhoAsks {
		if values := h[name]; len(values) > 0 {
			all = append(all, wire.Field{Name: name, Values: []string{cut(values[0], mostAsks)}})
			delete(rest, name)
		}
	}
	all = append(all, fields(rest)...)
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	return all
}

// fields copies a header or a form, bounded, in the order of names.
func fields(m map[string][]string) []wire.Field {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	sort.Strings(names)
	var all []wire.Field
	left := mostField
	for _, name := range names {
		if left <= 0 || len(all) == mostFields {
			break
		}
		f := wire.Field{Name: cut(name, left)}
		left -= len(f.Name)
		for _, v := range m[name] {
			if left <= 0 || len(f.Values) == mostFields {
				break
			}
			v = cut(v, left)
			f.Values = append(f.Values, v)
			left -= len(v) + 1
		}
		all = append(all, f)
	}
	return all
}

// fail is called on the goroutine that writes a 5xx, where it can be looked into.
// After a panic, or if it is asked for, it stays there while devrun answers.
func (q *request) fail() {
	g := self()
	pins := q.seize(g)
	ps := panics(g)
	h := how{g: g, pins: pins, panics: ps, is: "status", stays: q.f.c.statuses && !q.isOut()}
	if panicking(ps) {
		h.is, h.stays = "recovered", !q.isOut()
	}
	p := q.report(h)
	switch {
	case p == nil:
	case h.stays:
		q.out <- outcome{kind: stays, p: p}
		q.lent = q.f.stay(p, true) || q.lent
	default:
		q.look(p)
		if h.is == "recovered" {
			q.f.forget(p)
			q.f.c.send(wire.Message{Kind: wire.Released, ID: p.id})
		}
	}
	runtime.KeepAlive(pins)
}

// look waits until devrun has looked.
func (q *request) look(p *parked) {
	limit := time.NewTimer(wire.HoldFor)
	defer limit.Stop()
	select {
	case m := <-p.proceed:
		q.proceeds(m)
	case <-p.release:
	case <-limit.C:
	}
	p.leave()
}
