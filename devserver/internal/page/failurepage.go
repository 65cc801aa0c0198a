package page

import (
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"devrun/devserver/internal/fault"
	"devrun/devserver/internal/srctree"
)

// failureContent is the data of templates/failure.html.
type failureContent struct {
	ID      string
	All     bool // the reader sees all
	Waiting bool // the variables are still to come
	Rows    []stackRow
	Created []stackRow
	NoOwn   bool
	Notes   []string // where no call of the app's has them beside its variables
	Panels  []callPanel
	Panics  []string

	Chain     []step
	ChainOf   string
	ChainNote string
	Console   *consoleContent

	RequestNote      string
	Request          []facts
	ProductionNote   string
	ProductionSays   []string
	ProductionHeader *facts
	ProductionBody   string
	GoroutineID      int
	GoroutineNote    string
	Goroutine        facts
	Stays            string
	CanRelease       bool
	Markdown         string
	MarkdownNote     string
	Previous, Next   template.URL
}

// callPanel is a call with its source and its variables.
type callPanel struct {
	panel
	Index    int
	Short    string // name for the prompt: "editProfile"
	Far      bool   // some lines are folded on a small screen
	VarsNote string
	VarsNone string
	Notes    []string
	Groups   []varGroup
}

// consoleContent is the console, or where it is.
type consoleContent struct {
	State string // "locked", "ended", "away"
	Note  string
	Gone  string
	URL   template.URL
	Host  string
}

// html is the smallest of the fits.
func (v *failureView) html(all bool) []byte {
	return v.pages.fit(func(l limits) page { return v.page(l, all) })
}

func (v *failureView) page(l limits, all bool) page {
	before, text := v.headline()
	pg := page{
		Kind: "failure", Title: fault.Cut(v.tag()+": "+firstLine(visible(text)), l.message),
		State: "ok", Label: "serving", TagClass: "bad", Tag: v.tag(), At: v.At,
		Status: State{Generation: v.Generation, Pid: v.Pid}.short(),
		Before: before, Text: fault.Cut(visible(text), l.message), GoType: fault.Cut(oneLine(v.Type), 120),
		Copy: true, Comment: template.HTML(cutComment(v.comment(), l.output)),
	}
	if v.How == fault.Recovered {
		pg.Kick = []string{"recovered by the app"}
	}
	if all {
		pg.Asked = &asked{fault.Cut(oneLine(v.Request.Method), 20), fault.Cut(oneLine(v.Request.URI), min(l.message, 300))}
		pg.Title += " · " + fault.Cut(v.asked(), 120)
		for _, p := range v.Cause.Why {
			pg.Why = append(pg.Why, cutWords(p, l.message))
		}
	}
	c := failureContent{ID: fault.Cut(oneLine(v.ID), 100), All: all, Waiting: !v.at.Away && !v.Values.Here && v.Gone == ""}
	if v.at.Away {
		pg.Inlined = inlined
		if originOf(v.at.WaitURL) != "" {
			pg.Wait = v.at.WaitURL
			pg.Resend = all && !slices.Contains([]string{http.MethodGet, http.MethodHead}, v.Request.Method)
		}
		if host := originOf(v.at.ConsoleURL); host != "" {
			_, host, _ = strings.Cut(host, "://")
			c.Console = &consoleContent{State: "away", Gone: visible(v.Gone), URL: template.URL(address(v.at.ConsoleURL)), Host: fault.Cut(host, 100)}
		}
	} else {
		pg.Nav = &nav{"failures", v.at.Kept}
		if s := v.at.State; s.Doing != "" {
			pg.State, pg.Label = s.mark()
			pg.Status = s.short()
		}
		if v.How != fault.Status || v.Gone == "" {
			c.Console = v.console()
		}
		c.Previous, c.Next = local(v.at.Previous), local(v.at.Next)
	}
	v.stack(&c, l, all)
	if all {
		v.errors(&c, l)
		v.drawers(&c, l)
	}
	c.Markdown = fault.Cut(v.markdown(all), l.output)
	c.MarkdownNote = count(v.total, "frame") + ", as Markdown"
	pg.Content = c

	help := slices.Insert(keys("frame", "the failure"), 1, keyHelp{[]string{"n"}, "App frames only, or all frames"})
	if c.Console != nil {
		help = slices.Insert(help, 4, keyHelp{[]string{"`"}, "Go to the console"})
	}
	if c.Console != nil && !v.at.Away {
		help = slices.Insert(help, 5, keyHelp{[]string{"↑", "↓"}, "Console history"}, keyHelp{[]string{"Ctrl", "L"}, "Clear the console"},
			keyHelp{[]string{"Shift", "Enter"}, "A new line in the console"}, keyHelp{[]string{"Tab"}, "Complete in the console"})
	}
	pg.Keys = help
	if v.root >= 0 {
		f := v.frames[v.root]
		if url := v.pages.editor.link(f.Path, f.Line, max(v.Cause.Col, 1)); url != "" {
			pg.Primary = link{"Open " + place(f.Rel, f.Line), url}
		}
	}
	return pg
}

// cutWords shortens the words of a sentence.
func cutWords(p fault.Prose, n int) fault.Prose {
	out := slices.Clone(p)
	for i := range out {
		out[i].Text = fault.Cut(out[i].Text, n)
	}
	return out
}

// cutComment keeps the end that closes it.
func cutComment(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.TrimRight(strings.ToValidUTF8(s[:n], ""), "-") + "\n-->"
}

// address is an address that was checked, with all escaped that could be anything else.
func address(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return ""
	}
	return u.String()
}

// local takes only a path on the same origin.
func local(s string) template.URL {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//") || strings.HasPrefix(s, `/\`) {
		return ""
	}
	return template.URL(u.String())
}

func (v *failureView) console() *consoleContent {
	if v.Gone != "" {
		return &consoleContent{State: "ended", Gone: visible(v.Gone)}
	}
	return &consoleContent{State: "locked", Note: fmt.Sprintf("goroutine %d is parked, its memory can be read and changed", v.Goroutine)}
}

// stack fills the rail and the panels.
func (v *failureView) stack(c *failureContent, l limits, all bool) {
	s := &stack{pages: v.pages, sources: v.source, limits: l}
	budget := &rowBudget{left: l.values, bytes: l.text, reveal: v.reveals()}
	var lib []srctree.Frame
	var libRows []stackRow
	flush := func() {
		if len(lib) > 0 {
			c.Rows = append(c.Rows, s.fold(lib, libRows, v.root < 0))
			lib, libRows = nil, nil
		}
	}
	gap := func(text string) { c.Rows = append(c.Rows, stackRow{Gap: text}) }
	var later []int // library calls, which take of the budget what the app's leave
	// The call to look at first gets its share of the values, whatever its callers have.
	for i := 0; i < len(v.frames); i++ {
		f := v.frames[i]
		if i == l.items {
			flush()
			gap(count(v.total-i, "more frame"))
			break
		}
		class := ""
		switch {
		case slices.Contains(v.bad, i):
			class = "bad"
		case !f.Own:
			class = "lib"
		}
		pkg, name := f.Split()
		row := stackRow{Class: class, Pkg: s.text(pkg), Name: s.text(name), At: s.text(f.At())}
		if all && s.room(f) {
			row.Panel, row.Current = panelID(i), i == v.root || v.root < 0 && len(later) == 0
			if f.Own {
				c.Panels = append(c.Panels, v.panel(i, s, budget))
			} else {
				later = append(later, i)
			}
		}
		if !f.Own {
			lib, libRows = append(lib, f), append(libRows, row)
			continue
		}
		flush()
		c.Rows = append(c.Rows, row)
		if period, times := repeats(v.frames[:i+1], v.frames[i+1:]); times > 1 {
			calls := "this call"
			if period > 1 {
				calls = fmt.Sprintf("these %d calls", period)
			}
			gap(fmt.Sprintf("%s %d times more", calls, times))
			i += period * times
		}
	}
	flush()
	if n := v.total - len(v.frames); n > 0 && len(v.frames) < l.items {
		gap(count(n, "more frame"))
	}
	for _, i := range later {
		c.Panels = append(c.Panels, v.panel(i, s, budget))
	}
	slices.SortFunc(c.Panels, func(a, b callPanel) int { return a.Index - b.Index })
	c.NoOwn = len(c.Panels) == 0
	if all && v.root < 0 {
		c.Notes = v.notes(l)
		if !v.Values.Here && v.Gone != "" {
			c.Notes = append(c.Notes, fault.Cut(visible(v.Values.Why), l.message))
		}
	}
	if v.root < 0 && len(c.Panels) > 0 {
		c.Panels[0].On = true
	}
	if v.CreatedBy != nil {
		f := v.pages.Tree.Frame(*v.CreatedBy)
		pkg, name := f.Split()
		row := stackRow{Pkg: s.text(pkg), Name: s.text(name), At: s.text(f.At())}
		if !f.Own {
			row.Class = "lib"
		}
		c.Created = []stackRow{row}
	}
}
