package expr

import (
	"go/ast"
	"go/types"

	"devrun/devserver/internal/wire"
)

// pc is where the code of a symbol begins.
func (l *lowering) pc(at ast.Node, name string, symbols ...string) uint64 {
	for _, s := range symbols {
		if pc, ok := l.f.FuncPC(s); ok && sane(pc) {
			return pc
		}
	}
	l.refuse(at, "%s is not in this build (nothing in the app calls it)", name)
	return 0
}

// dictionary is what generic code is told about its type arguments.
func (l *lowering) dictionary(at ast.Node, pkg *types.Package, name string) *wire.Node {
	addr, ok := l.f.Global(prefix(linkPath(pkg)) + "..dict." + name)
	if !ok || !sane(addr) {
		l.refuse(at, "%s.%s is not in this build (nothing in the app uses it with these types)", pkg.Name(), name)
	}
	return &wire.Node{Op: "ptr", Type: l.tb.pointer(), Addr: addr}
}

// code is the function that an expression names: a call of it that still lacks
// the parameters, with dictionary if it is generic.
func (l *lowering) code(at ast.Node, name ast.Expr) *wire.Node {
	var id *ast.Ident
	switch name := ast.Unparen(name).(type) {
	case *ast.Ident:
		id = name
	case *ast.SelectorExpr:
		id = name.Sel
	}
	fn, ok := l.info.Uses[id].(*types.Func)
	if id == nil || !ok {
		l.refuse(at, "this function is not evaluated here")
	}
	if fn.Pkg() == nil {
		l.refuse(at, "%s is not evaluated here", fn.Name())
	}
	base := prefix(linkPath(fn.Pkg())) + "." + fn.Name()
	sig := fn.Signature()
	inst, ok := l.info.Instances[id]
	if !ok {
		return &wire.Node{Op: "callpc", Name: qualified(fn), Type: l.tb.function(nil, sig), Addr: l.pc(at, qualified(fn), base)}
	}
	args := l.realList(inst.TypeArgs)
	full := fn.Name() + "[" + linkList(args) + "]"
	sig = l.real(inst.Type).(*types.Signature)
	n := &wire.Node{Op: "callpc", Name: qualified(fn)}
	if pc, ok := l.f.FuncPC(prefix(linkPath(fn.Pkg())) + "." + full); ok && sane(pc) { // it has its dictionary in it
		n.Type, n.Addr = l.tb.function(nil, sig), pc
		return n
	}
	n.Type = l.tb.function([]int{l.tb.pointer()}, sig)
	n.Addr = l.pc(at, qualified(fn)+"["+shortList(args)+"]", base+"["+shapes(args, fn.Signature().TypeParams())+"]")
	n.Args = []*wire.Node{l.dictionary(at, fn.Pkg(), full)}
	return n
}

func qualified(fn *types.Func) string {
	if fn.Pkg() == nil {
		return fn.Name()
	}
	return fn.Pkg().Name() + "." + fn.Name()
}

func shortList(args *types.TypeList) string {
	s := ""
	for i := range args.Len() {
		if i > 0 {
			s += ", "
		}
		s += short(args.At(i))
	}
	return s
}

// function is a function as a value.
func (l *lowering) function(at, name ast.Expr) *wire.Node {
	n := l.code(at, name)
	t := l.tb.of(l.typeOf(at))
	if len(n.Args) > 0 {
		return &wire.Node{Op: "bound", Type: t, Args: []*wire.Node{n}}
	}
	n.Op, n.Type = "func", t
	return n
}

// method is a call of the method that e selects, without the parameters.
func (l *lowering) method(e *ast.SelectorExpr) *wire.Node {
	t := l.real(l.info.Selections[e].Recv())
	obj, index, _ := types.LookupFieldOrMethod(t, true, l.p.types, e.Sel.Name)
	m, ok := obj.(*types.Func)
	if !ok {
		l.refuse(e, "%s is not evaluated here", e.Sel.Name)
	}
	x, t := l.path(l.expr(e.X), t, index[:len(index)-1])
	sig := m.Signature()
	if in, ok := t.Underlying().(*types.Interface); ok {
		n := &wire.Node{Op: "callitab", Name: short(t) + "." + m.Name(), Args: []*wire.Node{x}, Type: l.tb.function([]int{l.tb.pointer()}, sig)}
		for i, f := range methodsOf(in) {
			if f.Id() == m.Id() {
				n.N = i
			}
		}
		return n
	}
	recv := sig.Recv().Type()
	switch {
	case isPointer(recv) && !isPointer(t):
		x = &wire.Node{Op: "addr", Type: l.tb.of(recv), Args: []*wire.Node{x}}
	case !isPointer(recv) && isPointer(t):
		x = l.deref(x, t)
	}
	symbol, dict := l.methodSymbol(e, m)
	first := []int{l.tb.of(recv)}
	what := short(recv) + "." + m.Name()
	if isPointer(recv) {
		what = "(" + short(recv) + ")." + m.Name()
	}
	n := &wire.Node{Op: "callpc", Name: what, Args: []*wire.Node{x}}
	if dict != nil {
		first, n.Args = append(first, l.tb.pointer()), append(n.Args, dict)
	}
	if pc, ok := l.f.FuncPC(symbol); ok && sane(pc) || isPointer(recv) || dict != nil {
		n.Addr = l.pc(e, what, symbol)
	} else { // the method of the pointer may be there alone
		named := types.Unalias(recv).(*types.Named)
		n.Addr = l.pc(e, what, prefix(linkPath(m.Pkg()))+".(*"+named.Obj().Name()+")."+m.Name())
		first[0] = l.tb.of(types.NewPointer(recv))
		n.Args[0] = &wire.Node{Op: "addr", Type: first[0], Args: []*wire.Node{{Op: "copy", Type: l.tb.of(recv), Args: []*wire.Node{x}}}}
	}
	n.Type = l.tb.function(first, sig)
	return n
}

// methodSymbol is the symbol of a concrete type's method, with the dictionary
// of a generic one.
func (l *lowering) methodSymbol(at ast.Node, m *types.Func) (symbol string, dict *wire.Node) {
	recv := types.Unalias(m.Signature().Recv().Type())
	star := ""
	if p, ok := recv.(*types.Pointer); ok {
		star, recv = "*", types.Unalias(p.Elem())
	}
	named, ok := recv.(*types.Named)
	if !ok {
		l.refuse(at, "%s is not evaluated here", m.Name())
	}
	name := named.Obj().Name()
	if args := named.TypeArgs(); args.Len() > 0 {
		args = l.realList(args)
		whole := prefix(linkPath(m.Pkg())) + "." + name + "[" + linkList(args) + "]." + m.Name()
		if star != "" {
			whole = prefix(linkPath(m.Pkg())) + ".(*" + name + "[" + linkList(args) + "])." + m.Name()
		}
		if pc, ok := l.f.FuncPC(whole); ok && sane(pc) { // it has its dictionary in it
			return whole, nil
		}
		dict = l.dictionary(at, m.Pkg(), name+"["+linkList(args)+"]")
		name += "[" + shapes(args, named.Origin().TypeParams()) + "]"
	}
	if star != "" {
		name = "(*" + name + ")"
	}
	return prefix(linkPath(m.Pkg())) + "." + name + "." + m.Name(), dict
}

func (l *lowering) call(e *ast.CallExpr) *wire.Node {
	fun := ast.Unparen(e.Fun)
	tv := l.info.Types[fun]
	if tv.IsType() {
		return &wire.Node{Op: "conv", Type: l.tb.of(l.typeOf(e)), Args: []*wire.Node{l.expr(e.Args[0])}}
	}
	if tv.IsBuiltin() {
		return l.builtin(e, fun)
	}
	n := l.callee(fun)
	n.Args = append(n.Args, l.exprs(e.Args)...)
	if len(e.Args) == 1 {
		_, n.Flag = l.info.TypeOf(e.Args[0]).(*types.Tuple)
		n.Flag = n.Flag && isCall(n.Args[len(n.Args)-1])
	}
	if e.Ellipsis.IsValid() {
		n.Slots = []int{1}
	}
	return n
}

func isCall(n *wire.Node) bool { return n.Op == "call" || n.Op == "callpc" || n.Op == "callitab" }

// callee is the call without its parameters.
func (l *lowering) callee(fun ast.Expr) *wire.Node {
	switch f := fun.(type) {
	case *ast.Ident:
		if _, ok := l.info.Uses[f].(*types.Func); ok {
			return l.code(f, f)
		}
	case *ast.SelectorExpr:
		if sel := l.info.Selections[f]; sel != nil && sel.Kind() == types.MethodVal {
			return l.method(f)
		}
		if _, ok := l.info.Uses[f.Sel].(*types.Func); ok && l.info.Selections[f] == nil {
			return l.code(f, f)
		}
	case *ast.IndexExpr:
		if l.info.Types[f.Index].IsType() {
			return l.code(f, f.X)
		}
	case *ast.IndexListExpr:
		return l.code(f, f.X)
	}
	return &wire.Node{Op: "call", Args: []*wire.Node{l.expr(fun)}}
}

func (l *lowering) builtin(e *ast.CallExpr, fun ast.Expr) *wire.Node {
	id, ok := fun.(*ast.Ident)
	if !ok {
		l.refuse(e, "functions of package unsafe are not evaluated here")
	}
	n := &wire.Node{Op: "builtin", Name: id.Name, Flag: e.Ellipsis.IsValid()}
	if t := l.info.TypeOf(e); t != nil {
		if _, none := t.(*types.Tuple); !none {
			n.Type = l.tb.of(t)
		}
	}
	switch id.Name {
	case "print", "println", "recover":
		l.refuse(e, "%s is not evaluated here", id.Name)
	case "make":
		n.Args = l.exprs(e.Args[1:])
	case "new":
		if !l.info.Types[e.Args[0]].IsType() {
			x := &wire.Node{Op: "copy", Type: l.tb.of(l.typeOf(e).Underlying().(*types.Pointer).Elem()), Args: l.exprs(e.Args)}
			return &wire.Node{Op: "addr", Type: n.Type, Args: []*wire.Node{x}}
		}
	default:
		n.Args = l.exprs(e.Args)
	}
	return n
}
