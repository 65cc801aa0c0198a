package mailbox

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// Print writes a mail as Python's DebuggingServer did: each line as the literal
// of its bytes, so that no mail can control the terminal, between two lines of
// dashes. The peer stands below the headers.
func Print(w io.Writer, m Message) error {
	var b bytes.Buffer
	b.WriteString("---------- MESSAGE FOLLOWS ----------\n")
	if len(m.Options) > 0 {
		b.WriteString("mail options: ['" + strings.Join(m.Options, "', '") + "']\n")
	}
	header := true
	for _, line := range splitLines(bytes.TrimSuffix(m.Raw, []byte("\r\n"))) {
		if header && len(line) == 0 {
			b.WriteString(literal([]byte("X-Peer: "+m.Peer)) + "\n")
			header = false
		}
		b.WriteString(literal(line) + "\n")
	}
	b.WriteString("------------ END MESSAGE ------------\n")
	_, err := w.Write(b.Bytes())
	return err
}

// splitLines are the lines without their ends, which are CR, LF or both. What
// ends with one has no empty line behind it.
func splitLines(b []byte) (lines [][]byte) {
	for len(b) > 0 {
		i := bytes.IndexAny(b, "\r\n")
		if i < 0 {
			return append(lines, b)
		}
		lines = append(lines, b[:i])
		if b[i] == '\r' && i+1 < len(b) && b[i+1] == '\n' {
			i++
		}
		b = b[i+1:]
	}
	return lines
}

// literal is how Python writes bytes.
func literal(line []byte) string {
	quote := byte('\'')
	if bytes.IndexByte(line, '\'') >= 0 && bytes.IndexByte(line, '"') < 0 {
		quote = '"'
	}
	var b strings.Builder
	b.WriteString("b" + string(quote))
	for _, c := range line {
		switch {
		case c == quote || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c == '\t':
			b.WriteString(`\t`)
		case c < ' ' || c >= 0x7f: // line ends are not in a line
			fmt.Fprintf(&b, `\x%02x`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String() + string(quote)
}
