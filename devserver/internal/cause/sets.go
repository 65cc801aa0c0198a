package cause

import (
	"go/ast"

	"devrun/devserver/internal/fault"
	"devrun/devserver/internal/srctree"
)

// sets says where the variables of a call were last set before its line. They are
// read at the point of failure, so one that may have been set anywhere else since is
// left out.
func (a *analysis) sets(call int, f srctree.Frame, c fault.Call) (all []fault.Set) {
	if len(c.Vars) == 0 {
		return nil
	}
	e, _ := a.evidence(f, c)
	if e == nil {
		return nil
	}
	ast.Inspect(e.fn.body, func(n ast.Node) bool {
		id, ok := n.(*ast.Ident)
		if !ok {
			return true
		}
		v := e.local(id)
		if v == nil || e.info.Defs[id] != v {
			return true
		}
		i, ok := e.variable(id)
		if !ok || !known(c.Vars[i]) || c.Vars[i].Shadowed || c.Vars[i].Param {
			return true
		}
		if o := e.origin(v); o.line > 0 {
			all = append(all, fault.Set{Call: call, Var: i, Line: o.line})
		}
		return true
	})
	return all
}
