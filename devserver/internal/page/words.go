package page

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"devrun/devserver/internal/fault"
)

// sgr is colour and weight: it means nothing on a page.
var sgr = regexp.MustCompile("\x1b\\[[0-9;:]*m")

// visible returns text that neither a browser nor a terminal acts on: colours are
// dropped, other control characters and those that reorder or hide text show their
// picture or number, and what is not UTF-8 is replaced. Newlines and tabs stay.
func visible(s string) string {
	return visibleText(sgr.ReplaceAllString(s, ""))
}

func visibleText(s string) string {
	clean := true
	for _, r := range s {
		if hidden(r) || r == utf8.RuneError {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	var b strings.Builder
	for _, r := range strings.ReplaceAll(s, "\r\n", "\n") {
		switch {
		case !hidden(r):
			b.WriteRune(r)
		case r < 0x20:
			b.WriteRune('\u2400' + r) // the pictures are in the order of the characters
		case r == 0x7f:
			b.WriteRune('\u2421')
		default:
			fmt.Fprintf(&b, "[U+%04X]", r)
		}
	}
	return b.String()
}

// hidden reports characters that change how others are seen: controls, and the
// format characters with which source has been made to look like other source. The
// joiner of emoji is one of them by class only.
func hidden(r rune) bool {
	if ' ' <= r && r <= '~' || r == '\n' || r == '\t' || r == '\u200d' {
		return false
	}
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029'
}

// oneLine is visible for names and for lines that must stay lines.
func oneLine(s string) string { return strings.ReplaceAll(visible(s), "\n", "␊") }

// oneLines is oneLine of at most n bytes for each.
func oneLines(lines []string, n int) []string {
	out := make([]string, len(lines))
	for i, line := range lines {
		out[i] = fault.Cut(oneLine(line), n)
	}
	return out
}

// cutFront keeps the end of s, from the beginning of a line.
func cutFront(s string, n int) string {
	if len(s) <= n {
		return s
	}
	s = s[len(s)-n:]
	if _, rest, ok := strings.Cut(s, "\n"); ok {
		return rest
	}
	return strings.ToValidUTF8(s, "")
}

// count is "1 error", "3 errors".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// lasting is a duration for reading: "434 ms", "1.9 s", "23 s", "3 min 12 s", "2 h 5 min".
func lasting(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
}

// indent puts four spaces before every line: in Markdown that is code, and nothing
// in it can end it.
func indent(s string) string {
	return "    " + strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", "\n    ") + "\n"
}
