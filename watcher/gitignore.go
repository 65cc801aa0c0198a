package watcher

import (
	"strings"
)

// rules is one list of ignore patterns and, through parent, the lists of lower
// precedence. A nil *rules ignores nothing.
type rules struct {
	parent   *rules
	base     string // slash path, from the top of the rules, of the directory the list stands for; "" is the top
	text     string
	patterns []pattern
}

type pattern struct {
	glob    string
	literal int  // length of the part before the first special character
	negated bool // "!": what matches is not ignored
	dirOnly bool // trailing slash
	last    bool // no slash: compared with the last element of the path
}

// newRules parses the text of an ignore file that stands for directory base.
func newRules(parent *rules, base, text string) *rules {
	r := &rules{parent: parent, base: base, text: text}
	for line := range strings.SplitSeq(strings.TrimPrefix(text, "\ufeff"), "\n") {
		if p, ok := parsePattern(strings.TrimSuffix(line, "\r")); ok {
			r.patterns = append(r.patterns, p)
		}
	}
	return r
}

func parsePattern(line string) (pattern, bool) {
	if strings.HasPrefix(line, "#") {
		return pattern{}, false
	}
	p := pattern{glob: trimSpaces(line)}
	p.glob, p.negated = strings.CutPrefix(p.glob, "!")
	p.glob, p.dirOnly = strings.CutSuffix(p.glob, "/")
	p.last = !strings.Contains(p.glob, "/")
	p.glob = strings.TrimPrefix(p.glob, "/")
	p.literal = strings.IndexAny(p.glob, `*?[\`)
	if p.literal < 0 {
		p.literal = len(p.glob)
	}
	return p, p.glob != ""
}

// trimSpaces drops trailing spaces that no backslash protects.
func trimSpaces(line string) string {
	end := 0
	for i := 0; i < len(line); i++ {
		switch line[i] {
		case ' ':
			continue
		case '\\':
			i++
		}
		end = min(i+1, len(line))
	}
	return line[:end]
}

// ignored reports whether the rules exclude path, a slash path from the top of
// the rules. The caller must have asked for each directory above it first:
// nothing below an ignored directory can be brought back.
func (r *rules) ignored(path string, dir bool) bool {
	for ; r != nil; r = r.parent {
		rel := path
		if r.base != "" {
			rel = path[len(r.base)+1:]
		}
		for i := len(r.patterns) - 1; i >= 0; i-- {
			if p := &r.patterns[i]; p.matches(rel, dir) {
				return !p.negated
			}
		}
	}
	return false
}

func (p *pattern) matches(rel string, dir bool) bool {
	if p.dirOnly && !dir {
		return false
	}
	if p.last {
		rel = rel[strings.LastIndexByte(rel, '/')+1:]
	}
	// The rest is matched as a pattern of its own, as git does: in "a**/b" the
	// stars stand at its start and so cross directories.
	rest, ok := strings.CutPrefix(rel, p.glob[:p.literal])
	if !ok {
		return false
	}
	if p.literal == len(p.glob) {
		return rest == ""
	}
	return glob{p.glob[p.literal:], !p.last}.match(0, rest) == yes
}

// glob is a shell pattern. With path set, only "**" as a whole element crosses
// slashes; otherwise every star does.
type glob struct {
	pat  string
	path bool
}

// verdict of a match; the last two spare the stars before it from trying on,
// which keeps patterns with many stars from taking for ever.
type verdict int

const (
	no verdict = iota
	yes
	exhausted // no star further left can help
	atSlash   // only a star that crosses slashes can help
)

// match compares the pattern from index i with the whole of text.
func (g glob) match(i int, text string) verdict {
	for i < len(g.pat) {
		c := g.pat[i]
		if c == '*' {
			return g.star(i, text)
		}
		if text == "" {
			return exhausted
		}
		ok := true
		switch c {
		case '?':
			ok = !g.path || text[0] != '/'
			i++
		case '[':
			i, ok = g.class(i+1, text[0])
			if i < 0 {
				return exhausted
			}
		case '\\':
			i++
			ok = i < len(g.pat) && g.pat[i] == text[0]
			i++
		default:
			ok = c == text[0]
			i++
		}
		if !ok {
			return no
		}
		text = text[1:]
	}
	if text == "" {
		return yes
	}
	return no
}

// star matches the run of stars at index i and all that follows.
func (g glob) star(i int, text string) verdict {
	next := i
	for next < len(g.pat) && g.pat[next] == '*' {
		next++
	}
	rest := g.pat[next:]
	deep := !g.path
	if g.path && next-i > 1 && (i == 0 || g.pat[i-1] == '/') {
		deep = rest == "" || rest[0] == '/' || strings.HasPrefix(rest, `\/`)
		if deep && rest != "" && rest[0] == '/' && g.match(next+1, text) == yes {
			return yes // "**/" stands for no directory at all
		}
	}
	if rest == "" {
		if deep || !strings.Contains(text, "/") {
			return yes
		}
		return no
	}
	for ; text != ""; text = text[1:] {
		switch v := g.match(next, text); {
		case v == yes || v == exhausted:
			return v
		case v == atSlash && !deep:
			return v
		}
		if text[0] == '/' && !deep {
			return atSlash
		}
	}
	return exhausted
}

// class matches c against the bracket expression whose inside starts at i. It
// returns the index after the closing bracket, or -1 when the expression is
// malformed and so matches nothing.
func (g glob) class(i int, c byte) (int, bool) {
	negated := i < len(g.pat) && (g.pat[i] == '!' || g.pat[i] == '^')
	if negated {
		i++
	}
	matched := false
	low := -1 // start of a possible range
	for first := true; ; first = false {
		if i >= len(g.pat) {
			return -1, false
		}
		ch := g.pat[i]
		switch {
		case ch == ']' && !first:
			return i + 1, matched != negated && !(g.path && c == '/')
		case ch == '[' && strings.HasPrefix(g.pat[i:], "[:"):
			end := strings.IndexByte(g.pat[i+2:], ']')
			if end < 0 {
				return -1, false
			}
			name, ok := strings.CutSuffix(g.pat[i+2:i+2+end], ":")
			if !ok { // no ":]": an ordinary bracket
				matched = matched || c == '['
				low = '['
				i++
				continue
			}
			in, known := inClass(name, c)
			if !known {
				return -1, false
			}
			matched = matched || in
			low = -1
			i += 2 + end + 1
			continue
		case ch == '-' && low >= 0 && i+1 < len(g.pat) && g.pat[i+1] != ']':
			i++
			high := g.pat[i]
			if high == '\\' {
				i++
				if i >= len(g.pat) {
					return -1, false
				}
				high = g.pat[i]
			}
			matched = matched || byte(low) <= c && c <= high
			low = -1
			i++
			continue
		case ch == '\\':
			i++
			if i >= len(g.pat) {
				return -1, false
			}
			ch = g.pat[i]
		}
		matched = matched || c == ch
		low = int(ch)
		i++
	}
}

// inClass reports whether c is in the POSIX class of that name, in the C locale.
func inClass(class string, c byte) (in, known bool) {
	lower := 'a' <= c && c <= 'z'
	upper := 'A' <= c && c <= 'Z'
	digit := '0' <= c && c <= '9'
	graph := '!' <= c && c <= '~'
	switch class {
	case "alnum":
		return lower || upper || digit, true
	case "alpha":
		return lower || upper, true
	case "blank":
		return c == ' ' || c == '\t', true
	case "cntrl":
		return c < ' ' || c == 0x7f, true
	case "digit":
		return digit, true
	case "graph":
		return graph, true
	case "lower":
		return lower, true
	case "print":
		return graph || c == ' ', true
	case "punct":
		return graph && !lower && !upper && !digit, true
	case "space":
		return c == ' ' || '\t' <= c && c <= '\r', true
	case "upper":
		return upper, true
	case "xdigit":
		return digit || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F', true
	}
	return false, false
}
