package fault

import "strings"

// Prose is a sentence in which some words are code.
type Prose []Word

// Word is a piece of a sentence.
type Word struct {
	Text string
	Code bool
}

// Say makes prose of a format whose %s are code.
func Say(format string, code ...string) Prose {
	var p Prose
	for i, text := range strings.Split(format, "%s") {
		if i > 0 {
			p = append(p, Word{code[i-1], true})
		}
		if text != "" {
			p = append(p, Word{text, false})
		}
	}
	return p
}

func (p Prose) String() string {
	var b strings.Builder
	for _, w := range p {
		b.WriteString(w.Text)
	}
	return b.String()
}
