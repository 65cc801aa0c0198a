package term

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// visible returns s with every character that could control the terminal, or
// turn the reading direction around, replaced by a visible form.
func visible(s string) string {
	if utf8.ValidString(s) && strings.IndexFunc(s, controls) < 0 {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r < utf8.RuneSelf:
			b.WriteString(caret(byte(r)))
		case controls(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func controls(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
}

// width is the number of cells that s takes. Letters of East Asia and pictures
// count two, marks that combine none; the ranges are the common ones, since
// terminals differ in the rest.
func width(s string) int {
	n := 0
	for _, r := range s {
		n += cells(r)
	}
	return n
}

func cells(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case r >= 0x1100 && r <= 0x115f, r >= 0x2e80 && r <= 0xa4cf, r >= 0xac00 && r <= 0xd7a3,
		r >= 0xf900 && r <= 0xfaff, r >= 0xfe30 && r <= 0xfe6f, r >= 0xff00 && r <= 0xff60,
		r >= 0xffe0 && r <= 0xffe6, r >= 0x1f300 && r <= 0x1faff, r >= 0x20000 && r <= 0x3fffd:
		return 2
	}
	return 1
}

// wrap breaks one line at spaces so that no part takes more than max cells. A
// word that is longer is broken where the row ends: nothing is ever cut off.
// The indentation of the line is repeated. With max 0 the line stays whole.
func wrap(line string, max int) []string {
	if max <= 0 || width(line) <= max {
		return []string{line}
	}
	text := strings.TrimLeft(line, " ")
	indent := line[:len(line)-len(text)]
	if len(indent) > max/2 {
		indent = ""
	}
	room := max - len(indent)
	var rows []string
	row, used := "", 0
	flush := func() {
		rows = append(rows, indent+row)
		row, used = "", 0
	}
	for _, word := range strings.Fields(text) {
		w := width(word)
		switch {
		case used > 0 && used+1+w <= room:
			row, used = row+" "+word, used+1+w
			continue
		case used > 0:
			flush()
		}
		for _, r := range word {
			if used+cells(r) > room && used > 0 {
				flush()
			}
			row, used = row+string(r), used+cells(r)
		}
	}
	if row != "" {
		flush()
	}
	return rows
}

var styling = regexp.MustCompile("\x1b\\[[0-9;]*m|\x1b\\]8;;[^\x1b]*\x1b\\\\|\n")

// unstyled is a line of devrun's own without its colours, links and end.
func unstyled(s string) string { return styling.ReplaceAllString(s, "") }

// took is how long something took: 0.33s, 12.04s, 3m12s, 2h0m5s.
func took(d time.Duration) string {
	if d = d.Round(10 * time.Millisecond); d < time.Minute {
		return fmt.Sprintf("%.2fs", d.Seconds())
	}
	return d.Round(time.Second).String()
}

// short is a duration as a person would write it: 3s, 500ms, 1m, 1h30m.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// count is "1 error" or "3 errors".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
