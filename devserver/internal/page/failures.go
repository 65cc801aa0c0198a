package page

import (
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"devrun/devserver/internal/fault"
)

// State is what the app is doing, for the pages on devrun's own address.
type State struct {
	Doing      string    // one word: "serving", "building", "starting", "failed", "crashed", "stopped"
	Generation int       // that answers, 0 for none
	Pid        int       // of the app, 0 for none
	Since      time.Time // that it has been doing so
	URLs       []string  // where the app answers
}

// mark is the shape of the dot and the state in a word.
func (s State) mark() (class, label string) {
	label = fault.Cut(oneLine(s.Doing), 40)
	switch s.Doing {
	case "serving":
		return "ok", label
	case "building", "starting":
		return "work", label
	case "":
		return "ok", "serving"
	}
	return "bad", label
}

// Shown is what the bar on top of a page has of the state: the class of the dot, its
// name, and the words at the right.
func (s State) Shown() (dot, label, words string) {
	dot, label = s.mark()
	return dot, label, s.short()
}

func (s State) short() string {
	var parts []string
	if s.Generation > 0 {
		parts = append(parts, fmt.Sprintf("generation %d", s.Generation))
	}
	if s.Pid > 0 {
		parts = append(parts, fmt.Sprintf("pid %d", s.Pid))
	}
	return strings.Join(parts, " · ")
}

// maxListed failures are on the list.
const maxListed = 50

// FailurePath is the address of a failure on devrun's own origin.
func FailurePath(id string) string { return "/failures/" + url.PathEscape(id) }

type failuresContent struct {
	Listed bool // the page is the overview
	List   []failureItem
	Note   string
	Saves  savesContent
}

type failureItem struct {
	URL        string
	Tag, Class string
	Text       string
	Asked      string
	Generation string
	At         time.Time
}

// Overview returns the first page of devrun's own address: what the app is doing,
// the failures that are kept and the last saves, in their given order. Status 200.
func (p *Pages) Overview(list []fault.Failure, saves []Save, s State) http.Handler {
	class, label := s.mark()
	c := failuresContent{Listed: true, Note: fmt.Sprintf("the last %d, newest first", len(list))}
	if len(list) == 1 {
		c.Note = "one is kept"
	}
	type itemJSON struct {
		ID         string    `json:"id"`
		How        string    `json:"how"`
		Error      string    `json:"error"`
		Method     string    `json:"method"`
		URI        string    `json:"uri"`
		At         string    `json:"at,omitempty"` // "handlers.go:87"
		Generation int       `json:"generation"`
		Time       time.Time `json:"time"`
		Gone       string    `json:"gone,omitempty"`
	}
	items := []itemJSON{}
	var text strings.Builder
	fmt.Fprintf(&text, "%s: %s\n", visible(p.app.Name), strings.TrimSuffix(label+", "+s.short(), ", "))
	for i, f := range list {
		if i == maxListed {
			break
		}
		f.ID = fault.Cut(f.ID, 100)
		// All of it is looked at, since a variable may name what is secret in a message.
		v := p.newFailureView(f, Place{})
		v.Message = fault.Cut(v.Message, maxName)
		at := ""
		if v.root >= 0 {
			at = fault.Cut(visible(v.frames[v.root].At()), 100)
		}
		said := []string{fault.Cut(v.asked(), 160)}
		if at != "" {
			said = append(said, at)
		}
		if f.Gone == "" {
			said = append(said, "parked")
		}
		c.List = append(c.List, failureItem{
			URL: FailurePath(f.ID), Tag: v.tag(), Class: "bad", Text: fault.Cut(oneLine(v.message()), 200),
			Asked: strings.Join(said, ", "), Generation: fmt.Sprintf("generation %d", f.Generation), At: f.At,
		})
		items = append(items, itemJSON{f.ID, string(f.How), v.message(), v.Request.Method, v.Request.URI, at, f.Generation, f.At, v.Gone})
		fmt.Fprintf(&text, "%s  %s: %s (%s)\n", f.At.Local().Format("15:04:05"), v.tag(), fault.Cut(oneLine(v.message()), 300), strings.Join(said, ", "))
	}
	text.WriteString(savesText(saves))
	pg := page{
		Kind: "failures", Title: "devrun: " + label + " " + p.app.Name, State: class, Label: label, Status: s.short(),
		Tag: label, TagClass: map[string]string{"ok": "good"}[class], Nav: &nav{"overview", len(list)},
		Kick: kick(s), At: s.Since, Text: p.app.Name,
		Keys: []keyHelp{{[]string{"j", "k"}, "Next and previous failure"}, {[]string{"Enter"}, "Open it"}, {[]string{"?"}, "This help"}, {[]string{"Esc"}, "Close"}},
	}
	if len(s.URLs) > 0 {
		pg.Text = fault.Cut(oneLine(s.URLs[0]), 200)
		if originOf(s.URLs[0]) != "" {
			pg.Primary = link{"Open the app", template.URL(originOf(s.URLs[0]))}
		}
	}
	switch {
	case len(list) == 0:
		pg.Why = []fault.Prose{fault.Say("No request has failed.")}
	default:
		pg.Why = []fault.Prose{fault.Say("The last failure was at " + list[0].At.Local().Format("15:04:05") + ".")}
	}
	return &answer{
		status: http.StatusOK,
		html: p.fit(func(l limits) page {
			c := c
			c.List = c.List[:min(len(c.List), l.items)]
			c.Saves = newSavesContent(saves[:min(len(saves), l.items)])
			pg.Content = c
			return pg
		}),
		json: encodeJSON(struct {
			Kind       string     `json:"kind"` // "failures"
			State      string     `json:"state"`
			Generation int        `json:"generation"`
			Pid        int        `json:"pid"`
			Failures   []itemJSON `json:"failures"`
			Saves      []saveJSON `json:"saves"`
		}{"failures", label, s.Generation, s.Pid, items, savesJSON(saves)}),
		markdown: "## failures\n\n" + indent(text.String()),
		text:     text.String(),
	}
}

func kick(s State) []string {
	var out []string
	if s.Pid > 0 {
		out = append(out, fmt.Sprintf("pid %d", s.Pid))
	}
	if s.Generation > 0 {
		out = append(out, fmt.Sprintf("generation %d", s.Generation))
	}
	return out
}

// Missing returns the page for the address of a failure that is not kept any more,
// or never was: status 404.
func (p *Pages) Missing(kept int, s State) http.Handler {
	class, label := s.mark()
	const text = "This failure is not kept any more."
	return &answer{
		status: http.StatusNotFound,
		html: p.render(page{
			Kind: "failures", Title: text, State: class, Label: label, Status: s.short(), Tag: "not kept", TagClass: "none", Text: text,
			Why:     []fault.Prose{fault.Say("devrun keeps the last few, and none from before it was started.")},
			Nav:     &nav{"failures", kept},
			Primary: link{"All failures", "/#failures"},
			Content: failuresContent{},
		}),
		json: encodeJSON(struct {
			Kind  string `json:"kind"` // "missing"
			Error string `json:"error"`
		}{"missing", text}),
		markdown: "## not kept\n\n" + indent(text),
		text:     text + "\n",
	}
}
