package page

import (
	"fmt"
	"slices"
	"strings"

	"devrun/devserver/internal/fault"
	"devrun/devserver/internal/srctree"
)

func (p *Pages) locate(frames []fault.Frame) []srctree.Frame {
	var out []srctree.Frame
	for _, f := range frames {
		out = append(out, p.Tree.Frame(f))
	}
	return out
}

// stackGroup is a heading in the stack and the calls below it.
type stackGroup struct {
	Title string
	Rows  []stackRow
}

// stackRow is a call, or library calls folded into one row, or a gap.
type stackRow struct {
	Gap   string
	Fold  string
	Open  bool
	Inner []stackRow

	Class     string // "bad", "lib"
	Pkg, Name string
	At        string
	Panel     string // id of its source, "" when there is none
	Current   bool
}

// panel is the source of a call.
type panel struct {
	ID     string
	On     bool
	Lib    bool // shown only when it is asked for
	At     string
	Func   string
	Note   string
	Open   link
	Source excerpt
}

// stack builds the rows and panels of one crash page.
type stack struct {
	pages   *Pages
	sources *sources
	limits  limits
	panels  []panel
	ids     map[string]string // place to id of its panel
	own     int               // panels of the app's calls
	libs    int               // panels of library calls
	current string            // place of the call to show first
}

// rows lists at most most calls; those at the places in bad failed.
func (s *stack) rows(frames []srctree.Frame, bad []int, most int) []stackRow {
	var rows []stackRow
	var lib []srctree.Frame
	own := slices.ContainsFunc(frames, func(f srctree.Frame) bool { return f.Own })
	flush := func() {
		if len(lib) > 0 {
			rows = append(rows, s.fold(lib, s.libRows(lib), !own))
			lib = nil
		}
	}
	shown := 0
	for i := 0; i < len(frames); i++ {
		if shown++; shown > most {
			flush()
			return append(rows, stackRow{Gap: count(len(frames)-i, "more frame")})
		}
		f := frames[i]
		if f.Elided != 0 {
			flush()
			gap := "frames left out by the runtime"
			if f.Elided > 0 {
				gap = count(f.Elided, "frame") + " left out by the runtime"
			}
			rows = append(rows, stackRow{Gap: gap})
		}
		if !f.Own {
			lib = append(lib, f)
			continue
		}
		flush()
		class := ""
		if slices.Contains(bad, i) {
			class = "bad"
		}
		rows = append(rows, s.row(f, class, ""))
		if period, times := repeats(frames[:i+1], frames[i+1:]); times > 1 {
			gap := "this call"
			if period > 1 {
				gap = fmt.Sprintf("these %d calls", period)
			}
			rows = append(rows, stackRow{Gap: fmt.Sprintf("%s %d times more", gap, times)})
			i += period * times
		}
	}
	flush()
	return rows
}

// maxPeriod is how many functions may call each other in turn to be seen as a
// recursion.
const maxPeriod = 4

// repeats says how many times the last calls of done, period of them, come again
// at the beginning of next.
func repeats(done, next []srctree.Frame) (period, times int) {
	same := func(a, b srctree.Frame) bool {
		return b.Elided == 0 && a.Func == b.Func && a.At() == b.At() && a.File == b.File
	}
	for period = 1; period <= min(maxPeriod, len(done)); period++ {
		last := done[len(done)-period:]
		n := 0
		for n < len(next) && same(last[n%period], next[n]) {
			n++
		}
		if times = n / period; times > 1 {
			return period, times
		}
	}
	return 0, 0
}

func (s *stack) libRows(frames []srctree.Frame) (rows []stackRow) {
	for _, f := range frames {
		rows = append(rows, s.row(f, "lib", ""))
	}
	return rows
}

// fold is one row for library calls.
func (s *stack) fold(frames []srctree.Frame, rows []stackRow, open bool) stackRow {
	var pkgs []string
	row := stackRow{Open: open, Inner: rows}
	for _, f := range frames {
		if !slices.Contains(pkgs, f.Package()) {
			pkgs = append(pkgs, f.Package())
		}
	}
	names := strings.Join(pkgs[:min(len(pkgs), 3)], ", ")
	if len(pkgs) > 3 {
		names += " …"
	}
	row.Fold = count(len(frames), "library frame") + ": " + s.text(names)
	return row
}

func (s *stack) text(data string) string { return fault.Cut(visible(data), min(s.limits.message, 400)) }

// room takes the place of one more panel, if there is any.
func (s *stack) room(f srctree.Frame) bool {
	switch {
	case f.Own && s.own < s.limits.excerpts:
		s.own++
	case !f.Own && f.Path != "" && s.libs < s.limits.libs:
		s.libs++
	default:
		return false
	}
	return true
}

// libAround is how many lines stand on each side in a library's source.
const libAround = 4

// row lists one call and makes the panel with its source.
func (s *stack) row(f srctree.Frame, class, note string) stackRow {
	pkg, name := f.Split()
	row := stackRow{Class: class, Pkg: s.text(pkg), Name: s.text(name), At: s.text(f.At())}
	key := f.Path + "\x00" + f.At()
	if s.ids[key] == "" {
		if !s.room(f) {
			return row
		}
		mark := class
		if class != "bad" {
			mark = "here"
		}
		src := s.sources.file(f.Path)
		from, to := f.Line-libAround, f.Line+libAround
		if f.Own {
			from, to = src.function(f.Line, s.limits.around)
		}
		s.ids[key] = fmt.Sprintf("f%d", len(s.panels)+1)
		p := panel{
			ID: s.ids[key], Lib: !f.Own, At: row.At, Func: s.text(strings.TrimPrefix(f.Func, "main.")), Note: note,
			Open:   link{"Open in editor", s.pages.editor.link(f.Path, f.Line, 1)},
			Source: src.excerpt(from, to, f.Line, 0, mark, ""),
		}
		s.panels = append(s.panels, p)
	}
	row.Panel = s.ids[key]
	row.Current = key == s.current
	if row.Current {
		s.current = "" // the first row of several at one place
		for i := range s.panels {
			s.panels[i].On = s.panels[i].ID == row.Panel
		}
	}
	return row
}

// failed returns which calls of a panicking goroutine are to blame: the one that
// raised the panic and, where that was raised while another was handled, the one
// that raised the other; root is the oldest of them, -1 when no own call is there.
func failed(frames []srctree.Frame, chain bool) (bad []int, root int) {
	root = -1
	want := true // an own call right behind the top, or behind the runtime's panic
	for i, f := range frames {
		if f.Func == "panic" {
			want = true
			if !chain {
				bad = nil // one panic, raised again: where it came from first
			}
		}
		if want && f.Own {
			bad, root, want = append(bad, i), i, false
		}
	}
	return bad, root
}
