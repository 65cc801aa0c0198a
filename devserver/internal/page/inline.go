package page

import (
	"go/ast"
	"strings"

	"devrun/devserver/internal/fault"
	"devrun/devserver/internal/srctree"
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

// inlines returns, by line, the values of the variables that were last set there
// before the line of a call. It shows what was read at the point of failure, so a
// variable that may have been set anywhere else since is left out.
func (s *sources) inlines(f srctree.Frame, call fault.Call, culprit string) map[int][]inline {
	if len(call.Vars) == 0 {
		return nil
	}
	sc := s.scope(f.Path)
	if sc == nil {
		return nil
	}
	e := &evidence{scope: sc, call: call, line: f.Line}
	var ok bool
	if e.fn, ok = sc.function(f.Line, f.Func); !ok {
		return nil
	}
	e.gather()
	out := map[int][]inline{}
	done := map[string]bool{}
	ast.Inspect(e.fn.body, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		if !ok {
			return true
		}
		v := e.local(id)
		if v == nil || e.info.Defs[id] != v || done[id.Name] {
			return true
		}
		val, ok := e.value(id)
		if !ok || val.Shadowed || val.Param {
			return true
		}
		o := e.origin(v)
		if o.line == 0 || len(out[o.line]) == maxInline {
			return true
		}
		done[id.Name] = true
		if text := besides(val); text != "" {
			bad := id.Name == culprit
			if bad || o.line != f.Line {
				out[o.line] = append(out[o.line], inline{cut(visible(id.Name), 40) + " = " + text, bad})
			}
		}
		return true
	})
	return out
}

// besides is a value short enough for the end of a line, or "".
func besides(v fault.Value) string {
	switch {
	case v.Nil:
		return "nil"
	case v.Kind == fault.Interface && len(v.Children) == 1:
		return cut(oneLine(v.Children[0].Type), maxInlineText)
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
