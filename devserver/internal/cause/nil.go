package cause

import (
	"go/ast"
	"go/token"
	"go/types"
	"strconv"

	"devrun/devserver/internal/fault"
)

// state is what is known of an expression that the line follows.
type state uint8

const (
	unknown state = iota
	safe          // following it cannot fail
	isNil
)

// nilDereference finds the one nil that the line follows, and is silent unless all
// else that it follows is known not to be nil.
func (e *evidence) nilDereference() fault.Cause {
	called := map[ast.Expr]bool{}
	for _, n := range e.exprs {
		switch n := n.(type) {
		case *ast.CallExpr:
			called[ast.Unparen(n.Fun)] = true
		case *ast.DeferStmt, *ast.GoStmt:
			return fault.Cause{} // the call is made elsewhere
		}
	}
	var culprits []ast.Expr
	for _, n := range e.exprs {
		x, s := e.follows(n, called)
		switch s {
		case unknown:
			return fault.Cause{}
		case isNil:
			culprits = append(culprits, x)
		}
	}
	if len(culprits) == 0 {
		return fault.Cause{}
	}
	for _, c := range culprits[1:] {
		if e.text(c) != e.text(culprits[0]) || e.local(c) != e.local(culprits[0]) {
			return fault.Cause{}
		}
	}
	x := culprits[0]
	for _, c := range culprits {
		if c.Pos() < x.Pos() {
			x = c
		}
	}
	c := e.blame(x, e.text(x)+" is nil", fault.Say("%s is nil on line "+strconv.Itoa(e.line)+".", e.text(x)))
	if v := e.local(x); v != nil {
		c.Why = append(c.Why, e.origin(v).say...)
	}
	return c
}

// follows returns what a node dereferences and what is known of that; safe when it
// dereferences nothing.
func (e *evidence) follows(n ast.Node, called map[ast.Expr]bool) (ast.Expr, state) {
	switch n := n.(type) {
	case *ast.SelectorExpr:
		if id, ok := ast.Unparen(n.X).(*ast.Ident); ok {
			switch e.object(id).(type) {
			case *types.PkgName:
				return n.X, e.calls(n, called)
			case *types.TypeName:
				return n.X, safe
			}
		}
		s := e.pointer(n.X)
		if s == isNil && called[n] && e.nilReceiver(n) {
			return n.X, safe // the method is called, with nil
		}
		if s == safe {
			return n, e.calls(n, called)
		}
		return n.X, s
	case *ast.StarExpr:
		return n.X, e.pointer(n.X)
	case *ast.IndexExpr:
		if e.instantiates(n.X) {
			return n.X, safe
		}
		return n.X, e.pointerToArray(n.X)
	case *ast.SliceExpr:
		return n.X, e.pointerToArray(n.X)
	case *ast.Ident:
		return n, e.calls(n, called)
	case *ast.CallExpr:
		switch ast.Unparen(n.Fun).(type) {
		case *ast.Ident, *ast.SelectorExpr, *ast.ArrayType, *ast.MapType, *ast.InterfaceType, *ast.FuncType, *ast.ChanType, *ast.IndexExpr, *ast.IndexListExpr:
			return n.Fun, safe // looked at by itself
		}
		return n.Fun, unknown
	}
	return nil, safe
}

// calls says what is known of a function value that is called.
func (e *evidence) calls(x ast.Expr, called map[ast.Expr]bool) state {
	if !called[x] {
		return safe
	}
	id, ok := x.(*ast.Ident)
	if !ok {
		sel := x.(*ast.SelectorExpr)
		if s := e.info.Selections[sel]; s != nil && s.Kind() != types.FieldVal {
			return safe
		}
		if base, ok := ast.Unparen(sel.X).(*ast.Ident); ok {
			if _, ok := e.object(base).(*types.PkgName); ok {
				return safe // a package's function; a variable of one is rare and hardly ever nil
			}
		}
		if v, ok := e.value(sel); ok && v.Kind == fault.Func {
			return nilState(v.Nil)
		}
		if base, ok := e.value(sel.X); ok && (base.Kind == fault.Interface || !hasField(base, sel.Sel.Name)) {
			return safe // a method
		}
		return unknown
	}
	switch e.object(id).(type) {
	case *types.Func, *types.Builtin, *types.TypeName:
		return safe
	}
	if v, ok := e.value(id); ok && v.Kind == fault.Func {
		return nilState(v.Nil)
	}
	return unknown
}

func nilState(null bool) state {
	if null {
		return isNil
	}
	return safe
}

func hasField(v fault.Value, name string) bool {
	for (v.Kind == fault.Pointer || v.Kind == fault.Interface) && len(v.Children) == 1 {
		v = v.Children[0]
	}
	if v.Kind == fault.Pointer && len(v.Children) == 0 || v.Kind == fault.Struct && v.More > 0 {
		return true // perhaps
	}
	for _, c := range v.Children {
		if c.Name == name {
			return true
		}
	}
	return false
}

// pointer says whether following x fails.
func (e *evidence) pointer(x ast.Expr) state {
	if v, ok := e.value(x); ok {
		switch v.Kind {
		case fault.Pointer, fault.Interface:
			return nilState(v.Nil)
		}
		return safe
	}
	// What is no variable may still be no pointer.
	switch x := ast.Unparen(x).(type) {
	case *ast.CompositeLit, *ast.BasicLit, *ast.FuncLit:
		return safe
	case *ast.UnaryExpr:
		if x.Op == token.AND {
			return safe
		}
	}
	if tv, ok := e.info.Types[x]; ok && tv.Type != nil && tv.Type != types.Typ[types.Invalid] {
		switch tv.Type.Underlying().(type) {
		case *types.Struct, *types.Array, *types.Basic, *types.Map, *types.Slice, *types.Chan, *types.Signature:
			if !tv.IsType() {
				return safe
			}
		}
	}
	return unknown
}

func (e *evidence) pointerToArray(x ast.Expr) state {
	if v, ok := e.value(x); ok {
		if v.Kind == fault.Pointer {
			return nilState(v.Nil)
		}
		return safe // a nil map reads as empty, a nil slice fails in another way
	}
	return e.pointer(x)
}

// nilReceiver reports a call that is known to reach its method with a nil
// receiver; what fails then fails in there.
func (e *evidence) nilReceiver(x *ast.SelectorExpr) bool {
	s := e.info.Selections[x]
	if s == nil || s.Kind() != types.MethodVal || len(s.Index()) > 1 {
		return false
	}
	recv := s.Obj().(*types.Func).Signature().Recv()
	if recv == nil || types.IsInterface(recv.Type()) {
		return false
	}
	_, pointer := recv.Type().Underlying().(*types.Pointer)
	return pointer
}
