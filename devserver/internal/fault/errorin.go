package fault

import (
	"strconv"
	"strings"
)

// ErrorIn reads the chain out of a variable of type error, as far as the errors in
// it are those of fmt and errors, which keep their causes in fields of known names.
func ErrorIn(v Value) (e Error, ok bool) { return errorIn(v, 0) }

// maxCauses is how deep a chain is read out of variables.
const maxCauses = 20

func errorIn(v Value, depth int) (e Error, ok bool) {
	if v.Redacted || v.Nil || v.Gone || depth > maxCauses {
		return e, false
	}
	if v.Kind == Interface {
		if len(v.Children) != 1 {
			return e, false
		}
		return errorIn(v.Children[0], depth)
	}
	e.Type = v.Type
	inner := v
	for inner.Kind == Pointer && len(inner.Children) == 1 {
		inner = inner.Children[0]
	}
	field := func(name string) (Value, bool) {
		for _, c := range inner.Children {
			if c.Name == name {
				return c, true
			}
		}
		return Value{}, false
	}
	str := func(name string) string {
		c, _ := field(name)
		s, err := strconv.Unquote(c.Text)
		if err != nil {
			return c.Text
		}
		return s
	}
	one := func(name string) {
		if c, found := field(name); found {
			if cause, ok := errorIn(c, depth+1); ok {
				e.Causes = append(e.Causes, cause)
			}
		}
	}
	switch v.Type {
	case "*errors.errorString":
		e.Text = str("s")
	case "*fmt.wrapError":
		e.Text = str("msg")
		one("err")
	case "*fmt.wrapErrors", "*errors.joinError":
		e.Text = str("msg")
		list, _ := field("errs")
		var texts []string
		for _, c := range list.Children {
			if cause, ok := errorIn(c, depth+1); ok {
				e.Causes = append(e.Causes, cause)
				texts = append(texts, cause.Text)
			}
		}
		if e.Text == "" {
			e.Text = strings.Join(texts, "\n")
		}
	default:
		// The text of others is what their Error method makes of it, which nobody ran.
		e.Text = v.Text
	}
	return e, e.Text != ""
}
