package page

import (
	"fmt"
	"strings"

	"devrun/devserver/internal/fault"
)

// facts is a small table.
type facts struct {
	Title string
	Rows  []factRow
}

type factRow struct {
	Name, Value string
	Mute        bool // devrun's words, not the app's
	Redacted    bool // all of it
	Part        fault.Part
	Path        string // for fault.FieldAt, where devrun can be asked for what is masked; Part is then not ""
}

// drawers fills what is closed at the foot of the page.
func (v *failureView) drawers(c *failureContent, l limits) {
	v.requestDrawer(c, l)
	v.productionDrawer(c, l)

	c.GoroutineID, c.GoroutineNote = v.Goroutine, fmt.Sprint(v.Goroutine)
	switch {
	case v.Gone != "":
		c.GoroutineNote += ", finished"
		c.Stays = visible(fault.Cut(v.Gone, l.message))
	default:
		c.GoroutineNote += ", parked"
		c.Stays = "It stays parked until the next restart, for 30 minutes, or until you let it go. The request has been answered."
		c.CanRelease = !v.at.Away
	}
	c.Goroutine.Rows = []factRow{{Name: "goroutine", Value: fmt.Sprint(v.Goroutine)}}
	if v.CreatedBy != nil {
		f := v.pages.Tree.Frame(*v.CreatedBy)
		c.Goroutine.Rows = append(c.Goroutine.Rows, factRow{Name: "started by", Value: fault.Cut(oneLine(f.Func+", "+f.At()), l.message)})
	}
	c.Goroutine.Rows = append(c.Goroutine.Rows,
		factRow{Name: "process", Value: fmt.Sprintf("pid %d, generation %d", v.Pid, v.Generation)})
}

func (v *failureView) requestDrawer(c *failureContent, l limits) {
	q := v.Request
	path, query, _ := strings.Cut(q.URI, "?")
	general := facts{Title: "Request"}
	add := func(name, value string) {
		row := factRow{Name: name, Value: fault.Cut(oneLine(value), l.message)}
		if value == "" {
			row.Value, row.Mute = "none", true
		}
		general.Rows = append(general.Rows, row)
	}
	add("method", q.Method)
	add("path", path)
	add("query", query)
	if v.reveals() && strings.Contains(query, fault.Mask) {
		general.Rows[len(general.Rows)-1].Part = fault.OfQuery
	}
	add("route", q.Route)
	add("host", q.Host)
	add("protocol", strings.TrimSuffix(q.Proto+map[bool]string{true: " over TLS"}[q.TLS], " "))
	add("from", q.Remote)
	c.Request = append(c.Request, general)

	form := v.fieldFacts("Form", fault.OfForm, q.Form, l)
	if len(q.Form) == 0 {
		form.Rows = []factRow{{Name: "form", Value: "not parsed, or empty", Mute: true}}
	}
	cookies := fault.Cookies(q.Header)
	jar := v.fieldFacts("Cookies", fault.OfCookie, cookies, l)
	if len(cookies) == 0 {
		jar.Rows = []factRow{{Name: "cookie", Value: "not sent", Mute: true}}
	}
	c.Request = append(c.Request, form, v.fieldFacts("Headers", fault.OfHeader, q.Header, l), jar)
	headers := 0
	for _, h := range q.Header {
		if !isCookie(h) {
			headers++
		}
	}
	c.RequestNote = fault.Cut(fmt.Sprintf("%s, %s, %s, %s", fault.Cut(v.asked(), 100), count(len(q.Form), "form field"), count(headers, "header"), count(len(cookies), "cookie")), l.message)
}

func isCookie(f fault.Field) bool { return strings.EqualFold(f.Name, "Cookie") }

// reveals says whether devrun can be asked for what is masked.
func (v *failureView) reveals() bool { return !v.at.Away && v.Gone == "" }

// fieldFacts lists fields, a row for each value; cookies have a table of their own.
func (v *failureView) fieldFacts(title string, part fault.Part, list []fault.Field, l limits) facts {
	out := facts{Title: title}
	for i, f := range list {
		if part == fault.OfHeader && isCookie(f) {
			continue
		}
		if len(out.Rows) >= l.items/2 {
			out.Rows = append(out.Rows, factRow{Name: "and", Value: count(len(list)-i, "more"), Mute: true})
			break
		}
		name := fault.Cut(oneLine(f.Name), min(l.text, 120))
		for j, value := range f.Values {
			if j == 5 {
				out.Rows = append(out.Rows, factRow{Name: name, Value: fmt.Sprintf("and %d more", len(f.Values)-j), Mute: true})
				break
			}
			row := factRow{Name: name, Value: fault.Cut(oneLine(value), l.text), Redacted: value == fault.Mask}
			if v.reveals() && strings.Contains(value, fault.Mask) {
				row.Part, row.Path = part, fmt.Sprintf("%d.%d", i, j)
			}
			out.Rows = append(out.Rows, row)
		}
		if len(f.Values) == 0 {
			out.Rows = append(out.Rows, factRow{Name: name, Value: "empty", Mute: true})
		}
	}
	return out
}

func (v *failureView) productionDrawer(c *failureContent, l limits) {
	a := v.Production
	switch {
	case a.Started:
		c.ProductionNote = "an answer that breaks off"
		c.ProductionSays = []string{fmt.Sprintf("The header was out before the failure, with status %d, so nothing could be put in its place: the connection is cut after %s.", a.Status, fault.Size(int64(a.Size)))}
	case a.Status == 0:
		c.ProductionNote = "no answer: the connection is closed after 0 bytes"
		c.ProductionSays = []string{"Your app had written nothing when it panicked, so net/http closes the connection: the browser shows its own error page."}
	default:
		c.ProductionNote = v.statusLine() + ", " + fault.Size(int64(a.Size))
		if a.Size == 0 {
			c.ProductionSays = []string{"The answer has no body: the browser shows an empty page."}
		}
	}
	if len(a.Header) > 0 {
		h := v.fieldFacts("", fault.OfAnswer, a.Header, l)
		c.ProductionHeader = &h
	}
	if a.Body != "" {
		c.ProductionBody = fault.Cut(visible(a.Body), l.output/4)
	}
}
