package term

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// maxSequence is the longest colour sequence that is waited for, in bytes; the
// longest in use, two 24-bit colours and attributes, are below 60.
const maxSequence = 64

// filter lets the app's output through to a terminal. Colours, and the control
// characters that stay within the line, pass; all other escapes are turned into
// visible text. The terminal is taken to speak UTF-8. Sequences may be split
// over writes: what is unfinished is held until it is decided.
type filter struct {
	held     []byte
	inString bool // in the body of a sequence such as a title, which BEL ends
}

// pass returns what of p, and of what was held before, is to be written, and
// keeps at up to date.
func (f *filter) pass(at *cursor, p []byte) []byte {
	in := p
	if len(f.held) > 0 {
		in = append(f.held, p...)
		f.held = nil
	}
	out := make([]byte, 0, len(in))
	for len(in) > 0 {
		if n := plain(in); n > 0 {
			out = append(out, in[:n]...)
			at.fresh = false
			in = in[n:]
			continue
		}
		n, shown, complete := f.next(at, in)
		if !complete {
			f.held = bytes.Clone(in)
			break
		}
		out = append(out, shown...)
		in = in[n:]
	}
	return out
}

// flush returns what is held, made visible.
func (f *filter) flush(at *cursor) []byte {
	var out []byte
	for _, c := range f.held {
		if c >= utf8.RuneSelf {
			out = append(out, fmt.Sprintf(`\x%02x`, c)...)
		} else {
			out = append(out, caret(c)...)
		}
		at.fresh = false
	}
	f.held = nil
	return out
}

// plain is the length of the printable ASCII text that b begins with.
func plain(b []byte) int {
	for i, c := range b {
		if c < ' ' || c > '~' {
			return i
		}
	}
	return len(b)
}

// next takes one thing that is not printable ASCII from in: n bytes, to be
// written as shown. It is not complete when more bytes are needed to decide.
func (f *filter) next(at *cursor, in []byte) (n int, shown []byte, complete bool) {
	c := in[0]
	switch {
	case c == '\n':
		f.inString = false
		at.fresh = true
		return 1, in[:1], true
	case c == '\a' && !f.inString:
		return 1, in[:1], true
	case c == '\r' || c == '\b':
		return 1, in[:1], true
	case c == '\t':
		at.fresh = false
		return 1, in[:1], true
	case c == 0x1b:
		return f.escape(at, in)
	case c < utf8.RuneSelf:
		f.inString = f.inString && c != '\a'
		at.fresh = false
		return 1, []byte(caret(c)), true
	}
	if !utf8.FullRune(in) {
		return 0, nil, false
	}
	at.fresh = false
	r, size := utf8.DecodeRune(in)
	switch {
	case r == utf8.RuneError && size == 1 && c <= 0x9f:
		return 1, fmt.Appendf(nil, `\x%02x`, c), true
	case r >= 0x80 && r <= 0x9f:
		return size, fmt.Appendf(nil, `\u%04x`, r), true
	}
	return size, in[:size], true
}

// escape takes one escape sequence: the whole of it when it sets colours, else
// the ESC alone, which makes the rest plain text.
func (f *filter) escape(at *cursor, in []byte) (n int, shown []byte, complete bool) {
	if len(in) == 1 {
		return 0, nil, false
	}
	for i := 2; in[1] == '[' && i < maxSequence; i++ {
		if i == len(in) {
			return 0, nil, false
		}
		c := in[i]
		if c == 'm' {
			at.coloured = len(bytes.Trim(in[2:i], "0;")) > 0
			return i + 1, in[:i+1], true
		}
		if (c < '0' || c > '9') && c != ';' && c != ':' {
			break
		}
	}
	// OSC, DCS, SOS, PM and APC have a body that ends at BEL or ESC \.
	f.inString = bytes.IndexByte([]byte("]PX^_"), in[1]) >= 0
	at.fresh = false
	return 1, []byte(caret(0x1b)), true
}

// caret is the visible form of an ASCII control character: ^[ for ESC.
func caret(c byte) string {
	if c >= ' ' && c != 0x7f {
		return string(rune(c))
	}
	return "^" + string(rune(c^0x40))
}
