package page

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"devrun/devserver/internal/srctree"
)

// maxLine is how many bytes of a line are shown; longer ones are minified or data,
// and only the part around the column matters.
const maxLine = 300

// excerpt is some lines of a file, or the reason why there are none.
type excerpt struct {
	Lines []line
	Gone  string
}

type line struct {
	N      string // "" in the row of carets
	Class  string // "bad": it failed; "here": it called; "bad at": the carets below; "far": less of interest; "gap": lines are left out
	Spans  []span
	Beside []inline
}

type span struct {
	Class string // of the syntax: "k", "s", "d", "c"
	Text  string
	Mark  bool // the column of the message is in it
}

// sources reads each file of one page once.
type sources struct {
	built time.Time // files changed later are not what was compiled; zero when unknown
	files map[string]*source
	scans *scans // of earlier pages, or nil
}

func newSources(built time.Time) *sources {
	return &sources{built: built, files: map[string]*source{}}
}

// source is one file, or the reason why it cannot be shown.
type source struct {
	gone   string
	data   []byte
	starts []int // offsets of the lines
	tokens []tok
	tree   *tree          // see parse
	idents map[string]int // how often each identifier is there; see similar
}

func (s *sources) file(path string) *source {
	if s.files[path] == nil {
		data, gone := srctree.Read(path, s.built)
		f := s.scans.of(path, data, func(data []byte) scanned {
			f := scanned{data: data, starts: lineStarts(data)}
			if filepath.Ext(path) == ".go" {
				f.tokens = scan(data)
			}
			return f
		})
		s.files[path] = &source{gone: visible(gone), data: f.data, starts: f.starts, tokens: f.tokens}
	}
	return s.files[path]
}

func lineStarts(data []byte) []int {
	starts := []int{0}
	for i, c := range data {
		if c == '\n' {
			starts = append(starts, i+1)
		}
	}
	return starts
}

// excerpt shows the lines from to to of a file, where the line at has the class;
// with a column, a byte of that line from 1, the token there is marked, and the
// note stands behind the carets.
func (f *source) excerpt(from, to, at, col int, class, note string) excerpt {
	if f.gone != "" {
		return excerpt{Gone: f.gone}
	}
	last := len(f.starts)
	if last > 1 && f.starts[last-1] == len(f.data) && at < last {
		last-- // what follows the final newline is a line only for messages about the end of the file
	}
	if at < 1 || at > last {
		return excerpt{Gone: fmt.Sprintf("the file has no line %d", at)}
	}
	var e excerpt
	for n := max(from, 1); n <= min(to, last); n++ {
		if n != at {
			start, end := f.bounds(n)
			e.Lines = append(e.Lines, line{N: strconv.Itoa(n), Spans: f.spans(start, end, -1, -1, 0)})
			continue
		}
		start, end := f.bounds(n)
		if col < 1 {
			e.Lines = append(e.Lines, line{N: strconv.Itoa(n), Class: class, Spans: f.spans(start, end, -1, -1, 0)})
			continue
		}
		a, b := f.tokenAt(start, end, col)
		spans := f.spans(start, end, a, b, a-start)
		e.Lines = append(e.Lines,
			line{N: strconv.Itoa(n), Class: class, Spans: spans},
			line{Class: class + " at", Spans: carets(spans, note)})
	}
	return e
}

// bounds returns where line n begins and ends, without its line ending.
func (f *source) bounds(n int) (start, end int) {
	start, end = f.starts[n-1], len(f.data)
	if n < len(f.starts) {
		end = f.starts[n] - 1
	}
	if end > start && f.data[end-1] == '\r' {
		end--
	}
	return start, end
}

// tokenAt returns the extent of the token at a column of the line, not beyond the
// end of the line; it is empty at the end of the line.
func (f *source) tokenAt(start, end, col int) (from, to int) {
	at := min(start+col-1, end)
	for at > start && at < end && !utf8.RuneStart(f.data[at]) {
		at--
	}
	if t := f.token(at); t != nil {
		return max(t.from, start), min(max(t.to, f.expression(t)), end)
	}
	to = at
	for to < end {
		r, n := utf8.DecodeRune(f.data[to:end])
		if to > at && !wordRune(r) {
			break
		}
		to += n
		if !wordRune(r) {
			break
		}
	}
	return at, to
}

func wordRune(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }

// spans cuts a line into pieces of one class, with the part from a to b marked, -1 for none. Of
// a long line it keeps what is near the offset at.
func (f *source) spans(start, end, a, b, at int) []span {
	var out []span
	from, to := start, end
	if end-start > maxLine {
		from = start + max(0, at-maxLine/3)
		to = min(from+maxLine, end)
		for from > start && !utf8.RuneStart(f.data[from]) {
			from--
		}
		for to < end && !utf8.RuneStart(f.data[to]) {
			to++
		}
	}
	b = min(b, to)
	emit := func(x, y int, class string) {
		for _, cutAt := range []int{a, b, y} {
			if z := min(cutAt, y); z > x {
				out = append(out, span{class, visible(string(f.data[x:z])), x >= a && z <= b})
				x = z
			}
		}
	}
	if from > start {
		out = append(out, span{"c", "…", false})
	}
	pos := from
	for _, t := range f.tokensIn(from, to) {
		if t.class == "" {
			continue // it goes out with what is around it
		}
		emit(pos, max(t.from, from), "")
		emit(max(t.from, from), min(t.to, to), t.class)
		pos = min(t.to, to)
	}
	emit(pos, to, "")
	if a == b && a >= from {
		// An empty mark still has a place, for the carets.
		i := 0
		for x := from; i < len(out) && x < a; i++ {
			x += len(out[i].Text)
		}
		out = slices.Insert(out, i, span{Mark: true})
	}
	if to < end {
		out = append(out, span{"c", "…", false})
	}
	return out
}

// carets is the row below a line: blank up to the mark, then one caret for each
// cell of it. What is not ASCII has no sure width, so there the blank part is the
// line's own text, which the stylesheet hides.
func carets(spans []span, note string) []span {
	var before, marked string
	for _, s := range spans {
		if s.Mark {
			marked += s.Text
		} else if marked == "" {
			before += s.Text
		}
		if s.Mark && s.Text == "" {
			break
		}
	}
	n := 0
	for _, r := range marked {
		n += cells(r)
	}
	row := strings.Repeat("^", max(n, 1)) + note
	blank := strings.Map(func(r rune) rune {
		if r != '\t' && r < utf8.RuneSelf {
			return ' '
		}
		return r
	}, before)
	if strings.ContainsFunc(blank, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return []span{{Class: "g", Text: before}, {Text: row}}
	}
	return []span{{Text: blank + row}}
}

// wide are the blocks whose characters take two cells: East Asian scripts and
// the pictures.
var wide = [][2]rune{
	{0x1100, 0x115f}, {0x2e80, 0x303e}, {0x3041, 0xa4cf}, {0xac00, 0xd7a3}, {0xf900, 0xfaff},
	{0xfe30, 0xfe6f}, {0xff00, 0xff60}, {0xffe0, 0xffe6}, {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff},
	{0x1f900, 0x1f9ff}, {0x20000, 0x3fffd},
}

func cells(r rune) int {
	if unicode.In(r, unicode.Mn, unicode.Me) || r == '\u200d' {
		return 0
	}
	for _, w := range wide {
		if w[0] <= r && r <= w[1] {
			return 2
		}
	}
	return 1
}
