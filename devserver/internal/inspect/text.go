package inspect

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-delve/delve/pkg/dwarf/godwarf"

	"devrun/devserver/internal/fault"
)

// text is a value in one line. A string is as long as the bounds of strings
// allow, anything else about as long as those of lines.
func (w *walk) text(n *node) string {
	switch {
	case n.v.Unreadable != "" || n.v.Gone || n.v.Cycle != "":
		return ""
	case n.v.Kind == fault.String:
		return n.v.Text
	case n.v.Kind == fault.Slice && n.v.Text != "":
		return sizes(&n.v) + " " + n.v.Text
	}
	return w.line(n, w.l.Line)
}

// line is a value in the line of another. What does not fit within about room
// bytes is "…".
func (w *walk) line(n *node, room int) string {
	v := &n.v
	switch {
	case v.Unreadable != "" || v.Gone || v.Cycle != "":
		return "…"
	case v.Nil:
		return "nil"
	}
	switch v.Kind {
	case fault.Pointer:
		if n.deref {
			if len(n.kids) == 0 {
				return "&…"
			}
			return "&" + w.line(n.kids[0], room-1)
		}
		return "&" + w.fieldsLine(n, room-1)
	case fault.Interface:
		if len(n.kids) == 0 {
			return w.b.typeName(n.dyn) + " …"
		}
		return w.held(n.kids[0], room)
	case fault.Struct:
		if v.Text != "" { // a time
			return v.Text
		}
		return w.fieldsLine(n, room)
	case fault.Array:
		return w.listLine(n, "", "[", "]", room)
	case fault.Slice:
		prefix := sizes(v) + " "
		if v.Text != "" {
			return prefix + fit(v.Text, room-len(prefix))
		}
		return w.listLine(n, prefix, "[", "]", room)
	case fault.Chan:
		prefix := sizes(v) + " "
		if v.Text != "" {
			prefix += v.Text + " "
		}
		return w.listLine(n, prefix, "[", "]", room)
	case fault.Map:
		return w.listLine(n, "len "+strconv.FormatInt(v.Len, 10)+" ", "{", "}", room)
	case fault.String:
		return fit(v.Text, room)
	}
	return v.Text
}

func sizes(v *fault.Value) string {
	return "len " + strconv.FormatInt(v.Len, 10) + " cap " + strconv.FormatInt(v.Cap, 10)
}

// held is a value with its type where the literal alone would have another one.
func (w *walk) held(n *node, room int) string {
	text := w.line(n, room)
	switch n.v.Kind {
	case fault.Pointer:
		if p, ok := n.real.(*godwarf.PtrType); ok && !n.v.Nil && strings.HasPrefix(text, "&{") && strings.HasPrefix(n.v.Type, "*") {
			return "&" + w.b.typeName(p.Type) + text[1:]
		}
		return "(" + n.v.Type + ")(" + text + ")"
	case fault.Struct:
		if n.v.Text == "" {
			return n.v.Type + text
		}
	case fault.Slice, fault.Map, fault.Chan, fault.Array, fault.Func:
		return n.v.Type + " " + text
	}
	switch n.v.Type {
	case "string", "int", "bool", "float64", "complex128", "time.Time":
		return text
	}
	return n.v.Type + "(" + text + ")"
}

func (w *walk) fieldsLine(n *node, room int) string {
	return w.listLine(n, "", "{", "}", room)
}

// listLine is the children of n between brackets, those that fit.
func (w *walk) listLine(n *node, prefix, open, close string, room int) string {
	var s strings.Builder
	s.WriteString(prefix + open)
	more := n.v.More > 0
	first := true
	for _, k := range n.kids {
		if k.v.Name == "_" { // a field that only takes up room
			continue
		}
		sep := ""
		if !first {
			sep = ", "
		}
		switch {
		case n.v.Kind == fault.Map, n.v.Kind == fault.Struct, n.v.Kind == fault.Pointer:
			sep += k.v.Name + ": "
		}
		left := room - s.Len() - len(sep) - len(close)
		text := ""
		if left > 0 {
			text = w.line(k, min(left, max(room/2, 24)))
		}
		if left <= 0 || len(text) > left && !first {
			more = true
			break
		}
		first = false
		s.WriteString(sep + text)
	}
	if more {
		if !strings.HasSuffix(s.String(), open) {
			s.WriteString(", ")
		}
		s.WriteString("…")
	}
	s.WriteString(close)
	return s.String()
}

// fit cuts a literal in the middle of other text.
func fit(literal string, room int) string {
	if len(literal) <= max(room, 8) {
		return literal
	}
	s := trimCut(literal)
	s = s[:min(max(room-4, 4), len(s)-1)]
	for len(s) > 1 && !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	// An escape sequence is kept whole or not at all.
	if i := strings.LastIndexByte(s, '\\'); i >= 0 {
		if _, err := strconv.Unquote(s + `"`); err != nil {
			s = strings.TrimRight(s[:i], `\`)
		}
	}
	return s + `"…`
}

func trimCut(literal string) string { return strings.TrimSuffix(literal, "…") }
