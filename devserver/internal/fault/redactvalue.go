package fault

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// values returns a redacted copy of a level of values.
func (r *redactor) values(list []Value, in context, depth int) []Value {
	if list == nil || depth > maxDepth {
		return nil
	}
	out := make([]Value, len(list))
	for i, v := range list {
		out[i], _ = r.value(v, in, depth)
	}
	return out
}

func (r *redactor) value(v Value, in context, depth int) (out Value, changed bool) {
	if v.Redacted {
		v.Text, v.Children = "", nil
		return v, true
	}
	name := v.Name
	if s, err := strconv.Unquote(name); err == nil {
		name = s
	}
	own := max(secrecy(name), ofType(v))
	d := own
	if in == guarded {
		d = max(d, weak)
	}
	if d > open && secret(v, d) {
		r.collect(v, own > open, 0)
		v.Text, v.Children, v.Redacted = "", nil, true
		return v, true
	}
	below := plain
	if d == weak && v.Kind != Func && v.Kind != Chan {
		below = guarded
	}
	children := v.Children
	v.Children = nil
	if children != nil && depth < maxDepth {
		v.Children = make([]Value, len(children))
		for i, c := range children {
			var one bool
			keyed := v.Kind == Map && below == guarded && len(c.Name) >= 14 && c.Name[0] == '"'
			v.Children[i], one = r.value(c, below, depth+1)
			if keyed {
				// Sessions are kept under their secret.
				if s, err := strconv.Unquote(c.Name); err == nil {
					r.found(s)
				}
				v.Children[i].Name, one = strconv.Quote(Mask), true
			}
			changed = changed || one
		}
	}
	if changed {
		v.Text = retold(v)
		return v, true
	}
	text := scrubText(v.Text, weak)
	if text == v.Text {
		return v, false
	}
	if strings.Trim(text, `"`) == Mask {
		r.collect(v, true, 0)
		v.Text, v.Children, v.Redacted = "", nil, true
	} else {
		v.Text = text
	}
	return v, true
}

// secret says whether a value with a telling name hides anything: nothing does
// that is nil, empty, or only true or false.
func secret(v Value, d degree) bool {
	switch {
	case v.Nil, v.Gone, v.Unreadable != "", v.Cycle != "", v.Kind == Bool, v.Kind == Func, v.Kind == Chan,
		v.Text == `""`, v.Len == 0 && slices.Contains([]Kind{String, Slice, Map}, v.Kind) && v.Text != "":
		return false
	case d == strong:
		return true
	}
	return v.Kind == String || isBytes(v) || strings.HasSuffix(v.Type, "PrivateKey")
}

// isBytes tells a list of bytes by its type.
func isBytes(v Value) bool {
	return strings.HasSuffix(v.Type, "]uint8") || strings.HasSuffix(v.Type, "]byte")
}

// ofType is for values whose type says what their name does not.
func ofType(v Value) degree {
	if isBytes(v) && strings.EqualFold(v.Name, "key") { // not a map's: of a cipher
		return weak
	}
	dot := strings.LastIndexByte(v.Type, '.')
	if dot < 0 || v.Kind == Number {
		return open
	}
	switch name := v.Type[dot+1:]; {
	case name == "Cookie" || name == "Token" && strings.HasSuffix(v.Type, "oauth2.Token") || strings.HasSuffix(name, "PrivateKey"):
		return weak
	case name == "Token": // of a parser, most often
		return open
	default:
		if secrecy(name) == strong {
			return strong
		}
	}
	return open
}

// collect remembers the strings of a value that is left out; where only its
// surroundings are secret, those that look it too.
func (r *redactor) collect(v Value, named bool, depth int) {
	if depth > maxDepth {
		return
	}
	if v.Kind == String {
		if s, err := strconv.Unquote(v.Text); err == nil && v.Cut == 0 && (named || random(s)) {
			r.found(s)
		}
	}
	for _, c := range v.Children {
		r.collect(c, named && v.Kind != Struct, depth+1)
	}
}

// summaryParts are how many children a summary names.
const summaryParts = 4

// retold is the one line of a value, made again of what is left of its children.
func retold(v Value) string {
	text := func(c Value) string {
		switch {
		case c.Redacted:
			return "redacted"
		case c.Kind == Struct || c.Kind == Map || c.Kind == Slice || c.Kind == Array || c.Kind == Pointer:
			if c.Nil {
				return "nil"
			}
			if c.Kind == Pointer {
				return "&{…}"
			}
			return "{…}"
		}
		return c.Text
	}
	// A pointer to a struct has the fields as its children.
	if (v.Kind == Pointer || v.Kind == Interface) && len(v.Children) == 1 && v.Children[0].Name == "" {
		c := v.Children[0]
		s := c.Text
		if c.Redacted {
			s = "redacted"
		}
		if v.Kind == Pointer {
			return "&" + s
		}
		return strings.TrimSpace(c.Type + " " + s)
	}
	var parts []string
	for _, c := range v.Children {
		if c.Name == "_" {
			continue
		}
		if len(parts) == summaryParts {
			parts = append(parts, "…")
			break
		}
		if v.Kind == Slice || v.Kind == Array {
			parts = append(parts, text(c))
		} else {
			parts = append(parts, c.Name+": "+text(c))
		}
	}
	s := strings.Join(parts, ", ")
	switch v.Kind {
	case Slice:
		return fmt.Sprintf("len %d cap %d [%s]", v.Len, v.Cap, s)
	case Array:
		return "[" + s + "]"
	case Pointer:
		return "&{" + s + "}"
	}
	return "{" + s + "}"
}

// replaceIn masks known secrets in a tree that is nobody else's.
func replaceIn(list []Value, known func(string) string, depth int) {
	if depth > maxDepth {
		return
	}
	for i := range list {
		v := &list[i]
		v.Text, v.Name = known(v.Text), known(v.Name)
		if strings.Trim(v.Text, `"`) == Mask {
			v.Text, v.Children, v.Redacted = "", nil, true
		}
		replaceIn(v.Children, known, depth+1)
	}
}
