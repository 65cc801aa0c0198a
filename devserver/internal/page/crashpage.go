package page

import (
	"fmt"
	"slices"
	"strings"

	"devrun/devserver/internal/fault"
)

// tailLines of stderr are on the crash page at once; the rest is one click away.
const tailLines = 30

// crashContent is the data of templates/crash.html.
type crashContent struct {
	Earlier    []string
	Groups     []stackGroup
	Others     string // "9 other goroutines", "" for none
	OtherStack []stackGroup
	OthersOpen bool
	Panels     []panel
	NoOwn      bool // there is a stack, but no call of the app in it
	Tail       string
	TailTitle  string
	Whole      string // all lines of stderr that are kept
	WholeNote  string
	Exit       []fact
	ExitNote   string
	Markdown   string
}

type fact struct{ Name, Value string }

func (p *Pages) crashPage(v *crashView, l limits) page {
	s := &stack{pages: p, sources: v.source, limits: l, ids: map[string]string{}}
	var c crashContent
	if v.root >= 0 {
		f := v.frames[v.root]
		s.current = f.Path + "\x00" + f.At()
	}
	if g := v.first(); g != nil {
		c.Groups = append(c.Groups, stackGroup{Title: fault.Cut(visible(goroutine(*g)), 200), Rows: s.rows(v.frames, v.bad, l.items)})
		if g.CreatedBy != nil {
			f := p.Tree.Frame(*g.CreatedBy)
			class := ""
			if !f.Own {
				class = "lib"
			}
			title := "started"
			switch request := g.Request(); {
			case request != "":
				title = "started by " + fault.Cut(visible(request), 200)
			case g.Creator != 0:
				title = fmt.Sprintf("started by goroutine %d", g.Creator)
			}
			c.Groups = append(c.Groups, stackGroup{Title: title, Rows: []stackRow{s.row(f, class, "started the goroutine")}})
		}
		c.NoOwn = len(s.panels) == 0
		v.others(&c, s)
	}
	if len(s.panels) > 0 && !slices.ContainsFunc(s.panels, func(p panel) bool { return p.On }) {
		s.panels[0].On = true // the call to look at first is beyond what is listed
	}
	for _, m := range v.Trace.Earlier {
		if len(c.Earlier) == l.others {
			break
		}
		c.Earlier = append(c.Earlier, fault.Cut(visible(m), l.message))
	}
	c.Panels = s.panels
	v.stderr(&c, l)
	v.facts(&c)
	c.Markdown = fault.Cut(v.markdown(), l.output)

	before, text := v.headline()
	pg := page{
		Kind: "crash", Title: fault.Cut(strings.TrimPrefix(before+" "+firstLine(visible(text)), " "), l.message),
		State: "bad", Label: "stopped", Status: "stopped · waiting for a save",
		Rebuilding: "Everything below is from the process before.",
		Tag:        "crash", Kick: strings.SplitN(v.ended(), ", ", 2),
		At: v.At, Before: before, Text: fault.Cut(visible(text), l.message),
		Why:  v.why(),
		Copy: true, Content: c,
	}
	if v.hint != "" {
		pg.Why = append(pg.Why, fault.Prose{{Text: fault.Cut(v.hint, l.message)}})
	}
	pg.Why = append(pg.Why, fault.Say("This page reloads by itself after the next save."))
	help := keys("frame", "the crash")
	pg.Keys = slices.Insert(help, 1, keyHelp{[]string{"n"}, "App frames only, or all frames"})
	if v.root >= 0 {
		f := v.frames[v.root]
		if url := p.editor.link(f.Path, f.Line, 1); url != "" {
			pg.Primary = link{"Open " + place(f.Rel, f.Line), url}
		}
	}
	return pg
}

func goroutine(g fault.Goroutine) string {
	return strings.TrimSuffix(fmt.Sprintf("goroutine %d, %s", g.ID, g.State), ", ")
}

func firstLine(s string) string {
	first, _, _ := strings.Cut(s, "\n")
	return first
}

// others lists the goroutines that did not fail; those that stand at the same
// place for the same reason are one entry.
func (v *crashView) others(c *crashContent, s *stack) {
	rest := v.Trace.Goroutines[1:]
	if len(rest) == 0 {
		return
	}
	c.Others = count(v.goroutines-1, "other goroutine")
	c.OthersOpen = v.Trace.Kind == "fatal error" && strings.HasPrefix(v.Trace.Message, "all goroutines are asleep")
	same := map[string]int{}
	var order []fault.Goroutine
	key := func(g fault.Goroutine) string { return fmt.Sprint(g.State, g.Frames) }
	for _, g := range rest {
		if same[key(g)]++; same[key(g)] == 1 {
			order = append(order, g)
		}
	}
	for i, g := range order {
		if i == s.limits.others {
			c.OtherStack = append(c.OtherStack, stackGroup{Title: count(len(order)-i, "more stack")})
			break
		}
		title := goroutine(g)
		if n := same[key(g)]; n > 1 {
			title = fmt.Sprintf("%d goroutines, %s", n, g.State)
		}
		c.OtherStack = append(c.OtherStack, stackGroup{Title: fault.Cut(visible(title), 200), Rows: s.rows(v.pages.locate(g.Frames), nil, s.limits.others)})
	}
}

func (v *crashView) stderr(c *crashContent, l limits) {
	lines := oneLines(v.Exit.Stderr, maxName)
	end := len(lines)
	title := fmt.Sprintf("Last %d lines of stderr", tailLines)
	if start := v.Trace.Start; start > 0 && start < end && end-start > 2*tailLines/3 {
		// A long report would leave little of what the app said before, and is on the
		// page already, as the stack.
		end, title = start+1, "Stderr up to the crash"
	}
	tail := lines[max(0, end-tailLines):end]
	c.Tail = cutFront(strings.Join(tail, "\n"), l.output/2)
	c.TailTitle = "Stderr"
	if len(lines) > len(tail) {
		c.TailTitle = title
		c.Whole = cutFront(strings.Join(lines, "\n"), 2*l.output)
		c.WholeNote = count(len(lines), "line")
		if n := strings.Count(c.Whole, "\n") + 1; n < len(lines) {
			c.WholeNote = fmt.Sprintf("the last %d of %d lines", n, len(lines))
		}
	}
}

func (v *crashView) facts(c *crashContent) {
	e := v.Exit
	status, signal, memory := fmt.Sprint(e.Code), "none", "unknown"
	if e.Signal != "" {
		status, signal = "none", e.Signal
	}
	if e.MaxRSS > 0 {
		memory = fault.Size(e.MaxRSS)
	}
	c.Exit = []fact{
		{"status", status}, {"signal", signal}, {"pid", fmt.Sprint(e.Pid)},
		{"ran", lasting(e.Ran)}, {"peak memory", memory}, {"generation", fmt.Sprint(v.Generation)},
	}
	if v.root >= 0 {
		c.Exit = append(c.Exit, fact{"last line of the app", fault.Cut(visible(v.frames[v.root].At()), 400)})
	}
	c.ExitNote = e.String()
	if v.unstarted() {
		c.Exit, c.ExitNote = []fact{{"generation", fmt.Sprint(v.Generation)}}, "none, there was no process"
	}
	if e.MaxRSS > 0 {
		c.ExitNote += ", peak memory " + memory
	}
}
