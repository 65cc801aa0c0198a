package page

import (
	"fmt"
	"slices"
	"strings"

	"devrun/devserver/internal/fault"
)

func panelID(i int) string { return fmt.Sprintf("f%d", i) }

// maxLibValues is how many rows the variables of one library call take.
const maxLibValues = 12

// panel is one call.
func (v *failureView) panel(i int, s *stack, budget *rowBudget) callPanel {
	f, call, l := v.frames[i], v.Calls[i], s.limits
	_, name := f.Split()
	if k := strings.LastIndexByte(name, ')'); k >= 0 && k+2 < len(name) {
		name = name[k+2:]
	}
	class, c := "here", fault.Cause{}
	if i == v.root {
		class, c = "bad", v.Cause
	}
	p := callPanel{panel: panel{
		ID: panelID(i), On: i == v.root, Lib: !f.Own, At: s.text(f.At()), Func: s.text(f.Func),
		Open: link{"Open in editor", v.pages.editor.link(f.Path, f.Line, max(c.Col, 1))},
	}, Index: i, Short: s.text(name)}
	if i > 0 && v.frames[i-1].Own {
		_, called := v.frames[i-1].Split()
		p.Note = "calls " + s.text(called)
	}
	src := v.source.file(f.Path)
	if f.Own {
		var beside map[int][]inline
		if v.Values.Here {
			beside = v.inlines(i)
		}
		p.Source = src.passage(f.Line, class, c, beside, l.around)
	} else {
		p.Source = src.excerpt(f.Line-libAround, f.Line+libAround, f.Line, 0, class, "")
	}
	p.Far = slices.ContainsFunc(p.Source.Lines, func(l line) bool { return strings.HasPrefix(l.Class, "far") })

	if i == v.root {
		p.Notes = v.notes(l)
	}
	switch {
	case !v.Values.Here && v.Gone != "" && i == v.root:
		p.VarsNone = fault.Cut(visible(orElse(v.Values.Why, "They were not read.")), l.message)
	case !v.Values.Here && v.Gone != "":
		p.VarsNone = "They were not read."
	case !v.Values.Here:
		p.VarsNone = "No variables yet. " + fault.Cut(visible(orElse(strings.TrimSuffix(v.Values.Why, "."), "Debug information is still being linked")), l.message) + "."
		if v.at.Away && v.at.ConsoleURL != "" {
			p.VarsNone += " They will be on the page with the console."
		}
	case len(call.Vars) == 0 && !f.Own:
	case len(call.Vars) == 0:
		p.VarsNone = "There are none here."
		if call.Why != "" {
			p.VarsNone = fault.Cut(visible(call.Why), l.message)
		}
	default:
		var on []string
		if i == v.root {
			on = v.onLine(i)
			p.VarsNote = "as they were at the panic"
			if v.How == fault.Status {
				p.VarsNote = "as they were at the answer"
			}
		}
		if call.Optimised {
			p.VarsNote = "this code is optimised, so some have no value left"
		}
		share := *budget
		switch {
		case !f.Own:
			share.left = min(budget.left, maxLibValues)
		case i != v.root && i < v.root+8:
			share.left = max(budget.left/2, 0)
		}
		had := share.left
		p.Groups = share.groups(i, call.Vars, on, c.Var, l.call)
		budget.left -= had - share.left
	}
	return p
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// smallGap is how many lines are shown rather than left out.
const smallGap = 3

// farLines from the failing line are folded on a small screen.
const farLines = 3

// passage is the function around a line: all of it when it is short, else the lines
// near the line, its first, and those with a value beside them.
func (f *source) passage(at int, class string, c fault.Cause, beside map[int][]inline, around int) excerpt {
	e := f.excerpt(at, at, at, 0, class, "")
	if e.Gone != "" {
		return e
	}
	if c.Col > 0 && c.End > c.Col {
		start, end := f.bounds(at)
		a, b := min(start+c.Col-1, end), min(start+c.End-1, end)
		spans := f.spans(start, end, a, b, a-start)
		e.Lines[0].Spans = spans
		e.Lines = append(e.Lines, line{Class: class + " at", Spans: carets(spans, " "+visible(c.Note))})
	}
	e.Lines[0].Beside = beside[at]
	from, to := f.function(at, around)
	lines := map[int]bool{}
	for n := max(from, 1); n <= min(to, len(f.starts)); n++ {
		lines[n] = true
	}
	if first := f.signature(at); first > 0 && around > 1 {
		lines[first] = true
		for n := range beside {
			lines[n] = true
		}
	}
	var order []int
	for n := range lines {
		order = append(order, n)
	}
	slices.Sort(order)
	for i := len(order) - 1; i > 0; i-- {
		// A gap takes a line of its own, so a small one is not worth it.
		for gap := order[i] - order[i-1] - 1; gap > 0 && gap <= smallGap; gap-- {
			order = append(order, order[i-1]+gap)
		}
	}
	slices.Sort(order)
	failing := e.Lines
	e.Lines = nil
	for i, n := range order {
		if i > 0 && n > order[i-1]+1 {
			e.Lines = append(e.Lines, line{Class: "gap"})
		}
		if n == at {
			e.Lines = append(e.Lines, failing...)
			continue
		}
		start, end := f.bounds(n)
		ln := line{N: fmt.Sprint(n), Spans: f.spans(start, end, -1, -1, 0), Beside: beside[n]}
		if abs(n-at) > farLines && len(beside[n]) == 0 {
			ln.Class = "far"
		}
		e.Lines = append(e.Lines, ln)
	}
	return e
}

// errors fills the chain of the panic's value, or of the one error of the failing
// call that is not nil.
func (v *failureView) errors(c *failureContent, l limits) {
	for i, p := range v.Panics {
		if i == l.others {
			break
		}
		c.Panics = append(c.Panics, fault.Cut(visible(p.Text), l.message))
	}
	e := v.Error
	if e == nil {
		e, c.ChainOf = v.Cause.Error, fault.Cut(visible(v.Cause.ErrorOf), 60)
	}
	if e == nil {
		return
	}
	steps, n := chain(*e, l.message)
	if n < 2 {
		return // the headline has said it
	}
	c.Chain, c.ChainNote = steps, count(n, "error")+", outermost first"
}

// notes are what limits the truth of what is shown.
func (v *failureView) notes(l limits) (list []string) {
	for _, n := range v.Notes[:min(len(v.Notes), l.others)] {
		list = append(list, fault.Cut(visible(n), l.message))
	}
	if v.Values.Way != "" {
		list = append(list, fault.Cut(visible(v.Values.Way), l.message))
	}
	return list
}
