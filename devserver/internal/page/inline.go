package page

import (
	"strings"

	"devrun/devserver/internal/fault"
)

// inline is a value beside the code.
type inline struct {
	Text string
	Bad  bool // it is to blame
}

// maxInline values stand beside one line, maxInlineText bytes of each.
const (
	maxInline     = 4
	maxInlineText = 48
)

// inlines returns, by line, the values of the variables of a call that were last set
// there before its own.
func (v *failureView) inlines(call int) map[int][]inline {
	out := map[int][]inline{}
	done := map[string]bool{}
	for _, set := range v.Cause.Sets {
		if set.Call != call || set.Var >= len(v.Calls[call].Vars) || len(out[set.Line]) == maxInline {
			continue
		}
		val := v.Calls[call].Vars[set.Var]
		if done[val.Name] {
			continue
		}
		done[val.Name] = true
		if text := besides(val); text != "" {
			bad := val.Name == v.Cause.Var
			if bad || set.Line != v.frames[call].Line {
				out[set.Line] = append(out[set.Line], inline{fault.Cut(visible(val.Name), 40) + " = " + text, bad})
			}
		}
	}
	return out
}

// besides is a value short enough for the end of a line, or "".
func besides(v fault.Value) string {
	switch {
	case v.Nil:
		return "nil"
	case v.Kind == fault.Interface && len(v.Children) == 1:
		return fault.Cut(oneLine(v.Children[0].Type), maxInlineText)
	}
	text := oneLine(v.Text)
	if len(text) > maxInlineText {
		switch v.Kind {
		case fault.String, fault.Slice, fault.Map:
			if v.Len >= 0 {
				return "len " + grouped(v.Len)
			}
		}
		return ""
	}
	return strings.TrimSpace(text)
}
