package expr

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"strconv"

	"devrun/devserver/internal/wire"
)

// lowering makes a tree of checked statements.
type lowering struct {
	*unit
	tb    *table
	slots map[types.Object]int
	count int
	label string // of the next statement
}

// The bounds of a tree: a message that cannot be read costs the connection to the
// app.
const (
	mostTree   = 400 << 10 // bytes
	mostTypes  = 2000
	mostNested = 500  // of source
	mostDeep   = 4000 // of a tree, which is twice as deep as JSON: that ends at 10000
)

func (u *unit) lower() *wire.Expr {
	l := &lowering{unit: u, tb: newTable(u), slots: map[types.Object]int{}}
	if u.session.numbers == nil {
		u.session.numbers = map[types.Object]int{}
	}
	code := &wire.Node{Op: "block"}
	for _, s := range u.lit.Body.List {
		if e, ok := s.(*ast.ExprStmt); ok && e.X == u.last {
			n := &wire.Node{Op: "show", Args: []*wire.Node{l.expr(u.last)}}
			switch t := u.info.TypeOf(u.last).(type) {
			case *types.Tuple:
				n.Slots = l.tb.tuple(t)
				if len(n.Args) == 1 && n.Args[0].Op != "callpc" && n.Args[0].Op != "call" && n.Args[0].Op != "callitab" {
					n.Slots = n.Slots[:1] // the first of a pair
				}
			default:
				n.Slots = []int{l.tb.of(t)}
			}
			code.Args = append(code.Args, n)
			continue
		}
		code.Args = append(code.Args, l.stmt(s, true))
	}
	x := &wire.Expr{Types: l.tb.list, Code: code, Slots: l.count}
	if size(code, 0) > mostTree || len(x.Types) > mostTypes {
		panic(u.errorAt(u.lit.Pos(), "it is too long to be sent to the app"))
	}
	return x
}

// size is about what a tree takes as JSON; one that is too deep for JSON counts
// as too large.
func size(n *wire.Node, depth int) int {
	if n == nil {
		return 5
	}
	if depth > mostDeep {
		return mostTree + 1
	}
	total := 80 + 2*len(n.Text) + len(n.Name)
	for _, a := range n.Args {
		total += size(a, depth+1)
	}
	return total
}

// refuse says what cannot be done.
func (l *lowering) refuse(at ast.Node, format string, args ...any) {
	panic(l.errorAt(at.Pos(), format, args...))
}

// typeOf is the type of an expression, the first one of a pair.
func (l *lowering) typeOf(e ast.Expr) types.Type {
	t := l.info.TypeOf(e)
	if tuple, ok := t.(*types.Tuple); ok && tuple.Len() > 0 {
		t = tuple.At(0).Type()
	}
	if t == nil {
		l.refuse(e, "this has no type")
	}
	return l.real(types.Default(t))
}

func (l *lowering) exprs(list []ast.Expr) (nodes []*wire.Node) {
	for _, e := range list {
		nodes = append(nodes, l.expr(e))
	}
	return nodes
}

func (l *lowering) expr(e ast.Expr) *wire.Node {
	if tv := l.info.Types[e]; tv.Value != nil {
		return l.constant(tv.Value, tv.Type)
	}
	switch e := e.(type) {
	case *ast.ParenExpr:
		return l.expr(e.X)
	case *ast.Ident:
		return l.ident(e)
	case *ast.SelectorExpr:
		return l.selector(e)
	case *ast.FuncLit:
		return l.literal(e)
	case *ast.CompositeLit:
		return l.composite(e)
	case *ast.CallExpr:
		return l.call(e)
	case *ast.StarExpr:
		return l.deref(l.expr(e.X), l.typeOf(e.X))
	case *ast.UnaryExpr:
		x := l.expr(e.X)
		switch e.Op {
		case token.AND:
			if c, ok := ast.Unparen(e.X).(*ast.CompositeLit); ok {
				x = &wire.Node{Op: "copy", Type: l.tb.of(l.typeOf(c)), Args: []*wire.Node{x}}
			}
			return &wire.Node{Op: "addr", Type: l.tb.of(l.typeOf(e)), Args: []*wire.Node{x}}
		case token.ARROW:
			return &wire.Node{Op: "recv", Type: l.tb.of(l.typeOf(e)), Args: []*wire.Node{x}}
		}
		return &wire.Node{Op: "unary", Name: e.Op.String(), Type: l.tb.of(l.typeOf(e)), Args: []*wire.Node{x}}
	case *ast.BinaryExpr:
		n := &wire.Node{Op: "binary", Name: e.Op.String(), Type: l.tb.of(l.typeOf(e)), Args: []*wire.Node{l.expr(e.X), l.expr(e.Y)}}
		if e.Op == token.LAND || e.Op == token.LOR {
			n.Op, n.Name = n.Name, ""
		}
		return n
	case *ast.IndexExpr:
		return l.index(e)
	case *ast.IndexListExpr:
		return l.function(e, e.X)
	case *ast.SliceExpr:
		x := l.expr(e.X)
		if p, ok := l.typeOf(e.X).Underlying().(*types.Pointer); ok {
			x = l.deref(x, p)
		}
		n := &wire.Node{Op: "slice", Type: l.tb.of(l.typeOf(e)), Args: []*wire.Node{x, nil, nil, nil}}
		for i, b := range []ast.Expr{e.Low, e.High, e.Max} {
			if b != nil {
				n.Args[i+1] = l.expr(b)
			}
		}
		return n
	case *ast.TypeAssertExpr:
		n := &wire.Node{Op: "assert", Type: l.tb.of(l.typeOf(e)), Args: []*wire.Node{l.expr(e.X)}}
		if in, ok := l.typeOf(e).Underlying().(*types.Interface); ok && in.NumMethods() == 1 {
			n.Name = " " + in.Method(0).Name()
		}
		return n
	}
	l.refuse(e, "this is not evaluated here")
	return nil
}

func (l *lowering) constant(v constant.Value, t types.Type) *wire.Node {
	t = l.real(types.Default(t))
	n := &wire.Node{Op: "const", Type: l.tb.of(t)}
	b, ok := t.Underlying().(*types.Basic)
	if !ok {
		t = types.Default(t)
		b, ok = t.Underlying().(*types.Basic)
	}
	if !ok { // of an interface: the constant's own type
		return l.constant(v, map[constant.Kind]types.Type{constant.Bool: types.Typ[types.Bool], constant.String: types.Typ[types.String],
			constant.Int: types.Typ[types.Int], constant.Float: types.Typ[types.Float64], constant.Complex: types.Typ[types.Complex128]}[v.Kind()])
	}
	switch info := b.Info(); {
	case info&types.IsBoolean != 0:
		n.Text = []byte(strconv.FormatBool(constant.BoolVal(v)))
	case info&types.IsString != 0:
		n.Text = []byte(constant.StringVal(v))
	case info&types.IsInteger != 0:
		n.Text = []byte(constant.ToInt(v).ExactString())
	case info&types.IsFloat != 0:
		n.Text = []byte(floatText(v, b.Kind()))
	case info&types.IsComplex != 0:
		c := constant.ToComplex(v)
		re, im := floatText(constant.Real(c), types.Float64), floatText(constant.Imag(c), types.Float64)
		if im[0] != '-' {
			im = "+" + im
		}
		n.Text = []byte(re + im + "i")
	}
	return n
}

// floatText rounds once, to the size of the type.
func floatText(v constant.Value, kind types.BasicKind) string {
	v = constant.ToFloat(v)
	if kind == types.Float32 {
		f, _ := constant.Float32Val(v)
		return strconv.FormatFloat(float64(f), 'g', -1, 32)
	}
	f, _ := constant.Float64Val(v)
	return strconv.FormatFloat(f, 'g', -1, 64)
}

func (l *lowering) ident(id *ast.Ident) *wire.Node {
	obj := l.info.Uses[id]
	if obj == nil {
		obj = l.info.Defs[id]
	}
	switch obj := obj.(type) {
	case *types.Nil:
		t := l.info.TypeOf(id)
		if b, ok := t.(*types.Basic); ok && b.Kind() == types.UntypedNil {
			return &wire.Node{Op: "zero"}
		}
		return &wire.Node{Op: "zero", Type: l.tb.of(t)}
	case *types.Var:
		return l.variable(id, obj)
	case *types.Func:
		return l.function(id, id)
	}
	l.refuse(id, "%s is not a value", id.Name)
	return nil
}

func (l *lowering) variable(at ast.Node, v *types.Var) *wire.Node {
	n := &wire.Node{Name: v.Name(), Type: l.tb.of(v.Type())}
	if s, ok := l.slots[v]; ok {
		n.Op, n.N = "local", s
		return n
	}
	if s, ok := l.session.numbers[v]; ok {
		n.Op, n.N = "var", s
		return n
	}
	n.Op = "mem"
	if v.Pkg() != nil && v.Parent() == v.Pkg().Scope() {
		addr, ok := l.f.Global(prefix(linkPath(v.Pkg())) + "." + v.Name())
		if !ok || !sane(addr) {
			l.refuse(at, "%s is not in this build (nothing in the app uses it)", v.Name())
		}
		n.Addr = addr
		return n
	}
	place := l.place.vars[v]
	switch {
	case place == nil:
		l.refuse(at, "%s has no value at this place: it is not set yet, or was optimised away", v.Name())
	case place.Unusable != "":
		l.refuse(at, "%s cannot be used: %s", v.Name(), place.Unusable)
	case !sane(place.Addr):
		l.refuse(at, "%s has no address in the app's memory", v.Name())
	}
	n.Addr, n.Flag = place.Addr, true
	return n
}

// sane reports whether a is a possible address: made-up ones lie above.
func sane(a uint64) bool { return a >= 4096 && a < 1<<47 }

func (l *lowering) deref(x *wire.Node, t types.Type) *wire.Node {
	p := l.real(t).Underlying().(*types.Pointer)
	return &wire.Node{Op: "deref", Type: l.tb.of(p.Elem()), Args: []*wire.Node{x}}
}

// path follows fields, through pointers; it returns the type it arrives at.
func (l *lowering) path(x *wire.Node, t types.Type, index []int) (*wire.Node, types.Type) {
	for _, i := range index {
		if p, ok := t.Underlying().(*types.Pointer); ok {
			x, t = l.deref(x, t), p.Elem()
		}
		f := t.Underlying().(*types.Struct).Field(i)
		t = l.real(f.Type())
		x = &wire.Node{Op: "field", N: i, Type: l.tb.of(t), Args: []*wire.Node{x}}
	}
	return x, t
}

func (l *lowering) selector(e *ast.SelectorExpr) *wire.Node {
	sel := l.info.Selections[e]
	if sel == nil {
		switch obj := l.info.Uses[e.Sel].(type) {
		case *types.Var:
			return l.variable(e, obj)
		case *types.Func:
			return l.function(e, e.Sel)
		}
		l.refuse(e, "%s is not a value", e.Sel.Name)
	}
	t := l.real(sel.Recv())
	switch sel.Kind() {
	case types.FieldVal:
		_, index, _ := types.LookupFieldOrMethod(t, true, l.p.types, e.Sel.Name)
		x, _ := l.path(l.expr(e.X), t, index)
		return x
	case types.MethodVal:
		call := l.method(e)
		return &wire.Node{Op: "bound", Type: l.tb.of(l.typeOf(e)), Args: []*wire.Node{call}}
	}
	obj, index, _ := types.LookupFieldOrMethod(t, true, l.p.types, e.Sel.Name)
	m, ok := obj.(*types.Func)
	if !ok || len(index) != 1 || types.IsInterface(t) {
		l.refuse(e, "the method expression of a promoted or an interface's method is not evaluated here")
	}
	symbol, dict := l.methodSymbol(e, m)
	if dict != nil || isPointer(t) != isPointer(m.Signature().Recv().Type()) {
		l.refuse(e, "this method expression is not evaluated here")
	}
	return &wire.Node{Op: "func", Name: m.Name(), Type: l.tb.of(l.typeOf(e)), Addr: l.pc(e, short(t)+"."+m.Name(), symbol)}
}

func isPointer(t types.Type) bool {
	_, ok := types.Unalias(t).(*types.Pointer)
	return ok
}

func (l *lowering) index(e *ast.IndexExpr) *wire.Node {
	if tv := l.info.Types[e.Index]; tv.IsType() {
		return l.function(e, e.X)
	}
	x, t := l.expr(e.X), l.typeOf(e.X)
	if p, ok := t.Underlying().(*types.Pointer); ok {
		x, t = l.deref(x, t), p.Elem()
	}
	n := &wire.Node{Op: "index", Type: l.tb.of(l.typeOf(e)), Args: []*wire.Node{x, l.expr(e.Index)}}
	if _, ok := t.Underlying().(*types.Map); ok {
		n.Op = "mapindex"
	}
	return n
}

func (l *lowering) composite(e *ast.CompositeLit) *wire.Node {
	t := l.typeOf(e)
	if p, ok := t.Underlying().(*types.Pointer); ok { // &T left out in a list
		x := &wire.Node{Op: "copy", Type: l.tb.of(p.Elem()), Args: []*wire.Node{l.elements(e, p.Elem())}}
		return &wire.Node{Op: "addr", Type: l.tb.of(t), Args: []*wire.Node{x}}
	}
	return l.elements(e, t)
}

func (l *lowering) elements(e *ast.CompositeLit, t types.Type) *wire.Node {
	n := &wire.Node{Type: l.tb.of(t)}
	switch under := l.real(t).Underlying().(type) {
	case *types.Struct:
		n.Op = "struct"
		for i, el := range e.Elts {
			at := i
			if kv, ok := el.(*ast.KeyValueExpr); ok {
				el = kv.Value
				for j := range under.NumFields() {
					if under.Field(j).Name() == kv.Key.(*ast.Ident).Name {
						at = j
					}
				}
			}
			n.Slots, n.Args = append(n.Slots, at), append(n.Args, l.expr(el))
		}
	case *types.Map:
		n.Op = "map"
		for _, el := range e.Elts {
			kv := el.(*ast.KeyValueExpr)
			n.Args = append(n.Args, l.expr(kv.Key), l.expr(kv.Value))
		}
	case *types.Slice, *types.Array:
		n.Op = "list"
		at := 0
		for _, el := range e.Elts {
			if kv, ok := el.(*ast.KeyValueExpr); ok {
				el = kv.Value
				i, _ := constant.Int64Val(constant.ToInt(l.info.Types[kv.Key].Value))
				at = int(i)
			}
			n.Slots, n.Args = append(n.Slots, at), append(n.Args, l.expr(el))
			at++
			n.N = max(n.N, at)
		}
	default:
		l.refuse(e, "a literal of %s is not evaluated here", short(t))
	}
	return n
}
