package cause

import (
	"go/ast"
	"go/token"
	"go/types"
	"strconv"
	"strings"

	"devrun/devserver/internal/fault"
)

// nilMap finds the one map that the line writes.
func (e *evidence) nilMap() fault.Cause {
	var found []*ast.IndexExpr
	for _, n := range e.exprs {
		var written []ast.Expr
		switch n := n.(type) {
		case *ast.AssignStmt:
			written = n.Lhs
		case *ast.IncDecStmt:
			written = []ast.Expr{n.X}
		}
		for _, w := range written {
			if x, ok := ast.Unparen(w).(*ast.IndexExpr); ok {
				if v, ok := e.value(x.X); ok && !(v.Kind == fault.Map && v.Nil) {
					continue
				}
				found = append(found, x)
			}
		}
	}
	if len(found) != 1 {
		return fault.Cause{}
	}
	x := found[0].X
	c := e.blame(x, "is nil", fault.Say("%s is a nil map on line "+strconv.Itoa(e.line)+": it can be read, but not written.", e.text(x)))
	if v := e.local(x); v != nil {
		c.Why = append(c.Why, e.origin(v).say...)
	}
	return c
}

// division finds the divisor.
func (e *evidence) division() fault.Cause {
	type divide struct{ whole, by ast.Expr }
	var found []divide
	for _, n := range e.exprs {
		switch n := n.(type) {
		case *ast.BinaryExpr:
			if n.Op == token.QUO || n.Op == token.REM {
				found = append(found, divide{n, n.Y})
			}
		case *ast.AssignStmt:
			if n.Tok == token.QUO_ASSIGN || n.Tok == token.REM_ASSIGN {
				found = append(found, divide{n.Lhs[0], n.Rhs[0]})
			}
		}
	}
	var zero []divide
	for _, d := range found {
		if tv, ok := e.info.Types[d.by]; ok && tv.Value != nil {
			continue // a constant is not zero, or it would not compile
		}
		if v, ok := e.value(d.by); ok && v.Text != "0" {
			continue
		}
		zero = append(zero, d)
	}
	if len(zero) != 1 {
		return fault.Cause{}
	}
	by := e.text(zero[0].by)
	return e.blame(zero[0].by, "is 0", fault.Say("%s is 0 on line "+strconv.Itoa(e.line)+", and %s is divided by it.", by, e.dividend(zero[0].whole)))
}

func (e *evidence) dividend(x ast.Expr) string {
	if b, ok := x.(*ast.BinaryExpr); ok {
		return e.text(b.X)
	}
	return e.text(x)
}

// assertion: the wanted and the found type.
func (e *evidence) assertion(message string) fault.Cause {
	checked := map[ast.Expr]bool{} // v, ok := x.(T) does not panic
	var found []*ast.TypeAssertExpr
	for _, n := range e.exprs {
		switch n := n.(type) {
		case *ast.AssignStmt:
			if len(n.Lhs) == 2 && len(n.Rhs) == 1 {
				checked[ast.Unparen(n.Rhs[0])] = true
			}
		case *ast.ValueSpec:
			if len(n.Names) == 2 && len(n.Values) == 1 {
				checked[ast.Unparen(n.Values[0])] = true
			}
		case *ast.TypeAssertExpr:
			if n.Type != nil && !checked[n] {
				found = append(found, n)
			}
		}
	}
	if len(found) != 1 {
		return fault.Cause{}
	}
	x := found[0].X
	name, on := e.text(x), " on line "+strconv.Itoa(e.line)
	switch {
	case noConcrete.MatchString(message):
		m := noConcrete.FindStringSubmatch(message)
		return e.blame(x, "is nil", fault.Say("%s is nil"+on+", so it holds no %s.", name, m[1]))
	case noMethod.MatchString(message):
		m := noMethod.FindStringSubmatch(message)
		return e.blame(x, "holds "+m[1], fault.Say("%s holds a value of type %s"+on+", which does not implement %s: it has no method %s.", name, m[1], m[2], m[3]))
	case conversion.MatchString(message):
		m := conversion.FindStringSubmatch(message)
		if m[2] == "nil" {
			return e.blame(x, "is nil", fault.Say("%s is nil"+on+", so it holds no %s.", name, m[3]))
		}
		return e.blame(x, "holds "+m[2], fault.Say("%s holds a value of type %s"+on+", not %s.", name, m[2], m[3]))
	}
	return fault.Cause{}
}

// channel finds the one channel that the line sends on or closes.
func (e *evidence) channel(message string) fault.Cause {
	var found []ast.Expr
	for _, n := range e.exprs {
		switch n := n.(type) {
		case *ast.SendStmt:
			if strings.HasPrefix(message, "send") {
				found = append(found, n.Chan)
			}
		case *ast.CallExpr:
			if id, ok := n.Fun.(*ast.Ident); ok && id.Name == "close" && len(n.Args) == 1 && strings.HasPrefix(message, "close") {
				if _, builtin := e.object(id).(*types.Builtin); builtin {
					found = append(found, n.Args[0])
				}
			}
		case *ast.DeferStmt:
			return fault.Cause{} // it runs later, when the function ends
		}
	}
	if len(found) != 1 || e.inSelect() {
		return fault.Cause{}
	}
	on := " on line " + strconv.Itoa(e.line)
	switch message {
	case "send on closed channel":
		return e.blame(found[0], "is closed", fault.Say("%s was closed before the send"+on+".", e.text(found[0])))
	case "close of closed channel":
		return e.blame(found[0], "is closed", fault.Say("%s was closed already when it is closed"+on+".", e.text(found[0])))
	}
	return e.blame(found[0], "is nil", fault.Say("%s is nil"+on+", and only a channel that was made can be closed.", e.text(found[0])))
}

func (e *evidence) inSelect() bool {
	for _, c := range e.conds {
		if s, ok := c.(*ast.SelectStmt); ok && e.scope.line(s.Pos()) <= e.line && e.line <= e.scope.line(s.End()) {
			return true
		}
	}
	return false
}
