package page

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"devrun/devserver/internal/fault"
)

// varGroup is some variables of a call under one heading.
type varGroup struct {
	Title string // "" for none
	Rows  []valueRow
}

// valueRow is a variable or a part of one.
type valueRow struct {
	Name, Type string
	Note       string // beside the name: "captured"
	Text       string
	Class      string // of the text: "s", "d", "k"
	Chip       string // behind it: "88 of 18,432 bytes"
	Nil        bool
	Absent     string // why there is no text, in devrun's words
	Redacted   bool
	Reveal     bool // devrun can be asked for it
	Hot        bool // to blame
	Open       bool
	Frame      int
	Path       string // indices from the call's variables down, for fault.At
	Rows       []valueRow
	More       string // "and 412 more"
	Rest       *rest  // where devrun can be asked for it
}

// rest says what is left out of a value: its children from one on, or of a text its
// end.
type rest struct {
	Path string // as of a valueRow
	From int
	All  bool // the children that are listed come again, in another order
}

// rowBudget is how many rows a page still takes.
type rowBudget struct {
	left   int
	bytes  int  // of each text
	reveal bool // what is masked or left out can be asked for
}

// groups makes the groups of a call's variables: on the failing line first, then
// errors, then the rest.
func (b *rowBudget) groups(call int, vars []fault.Value, onLine []string, culprit string, most int) []varGroup {
	var line, errs, rest varGroup
	line.Title, errs.Title, rest.Title = "On the failing line", "Errors that are not nil", "Receiver, parameters and other locals"
	add := func(g *varGroup, i int, v fault.Value) {
		row := b.row(v, call, strconv.Itoa(i), 0)
		if v.Name == culprit && !v.Shadowed {
			row.Hot = true
		}
		row.Open = g == &line && len(row.Rows) > 0 && len(row.Rows) <= 6
		g.Rows = append(g.Rows, row)
	}
	// The budget goes to what matters first.
	for _, pass := range []*varGroup{&line, &errs, &rest} {
		for i, v := range vars {
			g := &rest
			switch {
			case slices.Contains(onLine, v.Name) && !v.Shadowed:
				g = &line
			case v.Type == "error" && !v.Nil && !v.Gone:
				g = &errs
			}
			if g != pass {
				continue
			}
			if most--; most < 0 || b.left <= 0 {
				continue
			}
			add(g, i, v)
		}
	}
	slices.SortStableFunc(line.Rows, func(a, b valueRow) int {
		return map[bool]int{true: -1}[a.Hot] - map[bool]int{true: -1}[b.Hot]
	})
	var out []varGroup
	for _, g := range []varGroup{line, errs, rest} {
		if len(g.Rows) > 0 {
			out = append(out, g)
		}
	}
	if len(out) == 1 && len(onLine) == 0 {
		out[0].Title = ""
	}
	shown := len(line.Rows) + len(errs.Rows) + len(rest.Rows)
	if n := len(vars) - shown; n > 0 {
		if len(out) == 0 {
			out = append(out, varGroup{})
		}
		last := &out[len(out)-1]
		last.Rows = append(last.Rows, valueRow{More: count(n, "more variable")})
	}
	return out
}

// maxLevels of a value are on a page.
const maxLevels = 6

func (b *rowBudget) row(v fault.Value, call int, path string, level int) valueRow {
	b.left--
	r := valueRow{
		Name: fault.Cut(oneLine(v.Name), min(b.bytes, 120)), Type: fault.Cut(oneLine(v.Type), min(b.bytes, 120)), Frame: call, Path: path,
		Redacted: v.Redacted, Reveal: v.Redacted && b.reveal,
	}
	switch {
	case v.Shadowed:
		r.Note = "shadowed"
	case v.Captured:
		r.Note = "captured"
	}
	switch {
	case v.Redacted:
		return r
	case v.Gone:
		r.Absent = "optimised away"
		return r
	case v.Unreadable != "":
		r.Absent = "unreadable: " + fault.Cut(oneLine(v.Unreadable), b.bytes)
		return r
	case v.Cycle != "":
		r.Absent = "same as " + fault.Cut(oneLine(v.Cycle), b.bytes)
		return r
	case v.Nil:
		r.Nil = true
		return r
	}
	text := oneLine(v.Text)
	if v.Type == "error" {
		if e, ok := fault.ErrorIn(v); ok && e.Type != "" && len(v.Children) == 1 && v.Children[0].Type == e.Type && !strings.Contains(e.Text, "{") {
			text = oneLine(e.Type + " " + strconv.Quote(e.Text))
		}
	}
	r.Text = fault.Cut(text, b.bytes)
	switch v.Kind {
	case fault.String:
		r.Class = "s"
	case fault.Number:
		r.Class = "d"
	case fault.Bool:
		r.Class = "k"
	}
	if v.Kind == fault.String && v.Cut > 0 {
		r.Chip = grouped(v.Cut) + " bytes more"
		if v.Len > v.Cut {
			r.Chip = grouped(v.Len-v.Cut) + " of " + grouped(v.Len) + " bytes"
		}
		if b.reveal {
			r.Rest = &rest{Path: path}
		}
	}
	// A pointer or an interface opens on what is in it: one level less to click.
	// Where its only child has a name, that is the field of a struct.
	for (v.Kind == fault.Pointer || v.Kind == fault.Interface) && len(v.Children) == 1 && v.Children[0].Name == "" {
		inner := v.Children[0]
		path += ".0"
		if len(inner.Children) == 0 || inner.Redacted {
			if inner.Redacted || inner.Kind != fault.Struct && inner.Text != "" && !strings.Contains(r.Text, fault.Cut(oneLine(inner.Text), b.bytes)) {
				v.Children = []fault.Value{inner}
				path = strings.TrimSuffix(path, ".0")
				break
			}
			v.Children = nil
			break
		}
		v = inner
	}
	if level+1 >= maxLevels {
		if len(v.Children) > 0 {
			r.More, r.Rest = count(len(v.Children), "part")+" not shown here", b.rest(v, path, 0)
		}
		return r
	}
	left, listed := v.More, 0
	for i, c := range v.Children {
		if c.Name == "_" { // a field that only takes up room
			continue
		}
		if b.left <= 0 {
			left += int64(len(v.Children) - i)
			break
		}
		listed = i + 1
		r.Rows = append(r.Rows, b.row(c, call, path+"."+strconv.Itoa(i), level+1))
	}
	if left > 0 && v.Kind != fault.String {
		r.More, r.Rest = "and "+grouped(left)+" more", b.rest(v, path, listed)
	}
	return r
}

func (b *rowBudget) rest(v fault.Value, path string, listed int) *rest {
	if !b.reveal {
		return nil
	}
	if v.Kind == fault.Map { // those on the page are some, the first in memory
		return &rest{Path: path, All: true}
	}
	return &rest{Path: path, From: listed}
}

// grouped writes 18432 as "18,432".
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// step is an error of a chain.
type step struct {
	Lead string // "caused by", "and", ""
	Text string
	Type string
	Note string
	Then []step // joined errors
}

// maxSteps of a chain are listed.
const maxSteps = 20

// chain lists an error and its causes, each text without what its cause says
// again.
func chain(e fault.Error, bytes int) (steps []step, n int) {
	left := maxSteps
	steps = chainSteps(e, "", bytes, &left)
	return steps, maxSteps - left
}

func chainSteps(e fault.Error, lead string, bytes int, left *int) []step {
	if *left <= 0 {
		return nil
	}
	*left--
	text := visible(e.Text)
	s := step{Lead: lead, Type: fault.Cut(oneLine(e.Type), min(bytes, 120)), Note: fault.Cut(oneLine(e.Note), min(bytes, 200))}
	switch len(e.Causes) {
	case 0:
	case 1:
		if own := strings.TrimSuffix(strings.TrimSuffix(text, visible(e.Causes[0].Text)), ": "); own != "" && e.Causes[0].Text != "" {
			text = own
		}
	default:
		text = fmt.Sprintf("%d errors joined", len(e.Causes))
		if own, _, ok := strings.Cut(visible(e.Text), visible(e.Causes[0].Text)); ok && strings.TrimSuffix(own, ": ") != "" {
			text = strings.TrimSuffix(own, ": ")
		}
	}
	s.Text = fault.Cut(text, bytes)
	if len(e.Causes) == 1 {
		rest := chainSteps(e.Causes[0], "caused by", bytes, left)
		if len(rest) == 0 {
			s.Note = strings.TrimPrefix(s.Note+", and more below it", ", ")
		}
		return append([]step{s}, rest...)
	}
	for i, c := range e.Causes {
		lead := "and"
		if i == 0 {
			lead = ""
		}
		next := chainSteps(c, lead, bytes, left)
		if len(next) == 0 {
			s.Note = strings.TrimPrefix(fmt.Sprintf("%s, and %d more", s.Note, len(e.Causes)-i), ", ")
			break
		}
		// What causes a joined error stands below it.
		head := next[0]
		head.Then = append(head.Then, next[1:]...)
		s.Then = append(s.Then, head)
	}
	return []step{s}
}
