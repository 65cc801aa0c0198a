package cause

import (
	"go/ast"
	"go/token"
	"go/types"
	"strconv"

	"devrun/devserver/internal/fault"
	"devrun/devserver/internal/srctree"
)

// origin is where a variable got its value.
type origin struct {
	line int // of its last assignment, 0 when it is not sure
	say  []fault.Prose
}

// assignment is one place where a variable is set.
type assignment struct {
	node  ast.Node
	value ast.Expr   // nil: of its declaration, or not one expression
	with  []ast.Expr // what else the same call sets
}

// origin says where v was last set before the failing line, when no path through
// the function makes that uncertain.
func (e *evidence) origin(v *types.Var) origin {
	sets, sure := e.assignments(v)
	if !sure {
		return origin{}
	}
	if len(sets) == 0 {
		switch {
		case e.declares(e.fn.recv, v):
			return origin{say: []fault.Prose{fault.Say("It is the receiver of %s.", e.fn.name)}}
		case e.declares(e.fn.typ.Params, v) && e.fn.name != "":
			return origin{say: []fault.Prose{fault.Say("It is a parameter of %s.", e.fn.name)}}
		}
		return origin{}
	}
	last := -1
	for i, a := range sets {
		if e.scope.line(a.node.End()) < e.line && (last < 0 || a.node.Pos() > sets[last].node.Pos()) {
			last = i
		}
	}
	if last < 0 {
		return origin{}
	}
	best := sets[last]
	at := e.scope.line(best.node.Pos())
	// It must have run: what contains it contains the failing line, too.
	for _, c := range e.conds {
		within := c.Pos() <= best.node.Pos() && best.node.End() <= c.End()
		around := e.scope.line(c.Pos()) <= e.line && e.line <= e.scope.line(c.End())
		if within && !around && c != best.node {
			return origin{}
		}
		if within && around && e.otherBranch(c, best.node) {
			return origin{}
		}
		// A later one in a loop around both runs before the next round.
		if isLoop(c) && around && !within {
			for _, a := range sets {
				if c.Pos() <= a.node.Pos() && a.node.End() <= c.End() {
					return origin{}
				}
			}
		}
	}
	for i, a := range sets {
		if i != last && e.scope.line(a.node.End()) == e.line {
			return origin{} // set on the failing line as well
		}
	}
	return origin{at, e.tellOrigin(best, at)}
}

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

func isLoop(n ast.Node) bool {
	switch n.(type) {
	case *ast.ForStmt, *ast.RangeStmt:
		return true
	}
	return false
}

// otherBranch reports that n is in a part of c that the failing line is not in and
// that need not have run: the other arm of an if, another case.
func (e *evidence) otherBranch(c, n ast.Node) bool {
	in := func(part ast.Node, line bool) bool {
		if line {
			return e.scope.line(part.Pos()) <= e.line && e.line <= e.scope.line(part.End())
		}
		return part.Pos() <= n.Pos() && n.End() <= part.End()
	}
	var parts []ast.Node
	switch c := c.(type) {
	case *ast.IfStmt:
		parts = append(parts, c.Body)
		if c.Else != nil {
			parts = append(parts, c.Else)
		}
	case *ast.SwitchStmt:
		for _, s := range c.Body.List {
			parts = append(parts, s)
		}
	case *ast.TypeSwitchStmt:
		for _, s := range c.Body.List {
			parts = append(parts, s)
		}
	case *ast.SelectStmt:
		for _, s := range c.Body.List {
			parts = append(parts, s)
		}
	case *ast.ForStmt:
		parts = append(parts, c.Body)
		if c.Post != nil && in(c.Post, false) {
			return true
		}
	case *ast.RangeStmt:
		parts = append(parts, c.Body)
	}
	for _, p := range parts {
		if in(p, false) && !in(p, true) {
			return true
		}
	}
	return false
}

// assignments lists where a variable is set, in its function; sure is false when
// it can be set unseen: by its address, a closure, or jumps.
func (e *evidence) assignments(v *types.Var) (sets []assignment, sure bool) {
	sure = true
	depth := []ast.Node{}
	inside := func() bool { // an inner function
		for _, n := range depth {
			if lit, ok := n.(*ast.FuncLit); ok && ast.Node(lit) != e.fn.node {
				return true
			}
		}
		return false
	}
	is := func(x ast.Expr) bool { return e.local(x) == v }
	add := func(a assignment) {
		if inside() {
			sure = false
		}
		sets = append(sets, a)
	}
	if e.scope.line(v.Pos()) < e.scope.line(e.fn.node.Pos()) || v.Pos() > e.fn.node.End() {
		return nil, false // an outer function's
	}
	ast.Inspect(e.fn.node, func(n ast.Node) bool {
		if n == nil {
			depth = depth[:len(depth)-1]
			return true
		}
		depth = append(depth, n)
		switch n := n.(type) {
		case *ast.BranchStmt:
			if n.Tok == token.GOTO || n.Label != nil {
				sure = false
			}
		case *ast.UnaryExpr:
			if n.Op == token.AND && is(n.X) {
				sure = false
			}
		case *ast.IncDecStmt:
			if is(n.X) {
				add(assignment{node: n})
			}
		case *ast.AssignStmt:
			for i, l := range n.Lhs {
				if !is(l) {
					continue
				}
				a := assignment{node: n}
				switch {
				case n.Tok != token.ASSIGN && n.Tok != token.DEFINE:
				case len(n.Lhs) == len(n.Rhs):
					a.value = n.Rhs[i]
				default:
					a.value, a.with = n.Rhs[0], n.Lhs
				}
				add(a)
			}
		case *ast.ValueSpec:
			for i, l := range n.Names {
				if !is(l) {
					continue
				}
				a := assignment{node: n}
				switch {
				case len(n.Values) == len(n.Names):
					a.value = n.Values[i]
				case len(n.Values) == 1:
					a.value = n.Values[0]
					for _, name := range n.Names {
						a.with = append(a.with, name)
					}
				}
				add(a)
			}
		case *ast.RangeStmt:
			if n.Key != nil && is(n.Key) || n.Value != nil && is(n.Value) {
				add(assignment{node: n})
			}
		}
		return true
	})
	return sets, sure
}

func (e *evidence) declares(list *ast.FieldList, v *types.Var) bool {
	return list != nil && list.Pos() <= v.Pos() && v.Pos() <= list.End()
}

// tellOrigin says what an assignment did.
func (e *evidence) tellOrigin(a assignment, at int) []fault.Prose {
	on := "on line " + strconv.Itoa(at)
	switch x := ast.Unparen(a.value).(type) {
	case nil:
		switch a.node.(type) {
		case *ast.ValueSpec:
			return []fault.Prose{fault.Say("It was declared " + on + " and not set since.")}
		}
		return nil
	case *ast.CallExpr:
		if tv, ok := e.info.Types[x.Fun]; ok && (tv.IsType() || tv.IsBuiltin()) {
			return nil
		}
		p := fault.Say("It was set "+on+" by %s", e.text(x.Fun))
		if err := e.failedWith(a); err != "" {
			return []fault.Prose{append(p, fault.Say(", which also returned an error: %s is not nil.", err)...)}
		}
		return []fault.Prose{append(p, fault.Word{Text: "."})}
	case *ast.Ident:
		if x.Name == "nil" {
			return []fault.Prose{fault.Say("It was set to nil " + on + ".")}
		}
		return []fault.Prose{fault.Say("It was set "+on+" to %s.", e.text(x))}
	case *ast.IndexExpr, *ast.SelectorExpr, *ast.TypeAssertExpr:
		if s := types.ExprString(x); len(s) <= 60 {
			return []fault.Prose{fault.Say("It was set "+on+" to %s.", s)}
		}
	}
	return nil
}

// failedWith names the error that the same call returned, when it was not nil and
// has not been set since.
func (e *evidence) failedWith(a assignment) string {
	for _, w := range a.with {
		id, ok := w.(*ast.Ident)
		if !ok || id.Name == "_" {
			continue
		}
		v, known := e.value(id)
		if !known || v.Type != "error" || v.Nil {
			continue
		}
		obj := e.local(id)
		sets, sure := e.assignments(obj)
		if !sure || obj == nil {
			return ""
		}
		for _, s := range sets {
			if s.node != a.node && s.node.Pos() > a.node.Pos() {
				return ""
			}
		}
		return id.Name
	}
	return ""
}
