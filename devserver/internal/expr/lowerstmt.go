package expr

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"strings"

	"devrun/devserver/internal/wire"
)

func (l *lowering) block(list []ast.Stmt) *wire.Node {
	n := &wire.Node{Op: "block"}
	for _, s := range list {
		n.Args = append(n.Args, l.stmt(s, false))
	}
	return n
}

// stmt lowers a statement; what one at the top declares is the console's.
func (l *lowering) stmt(s ast.Stmt, top bool) *wire.Node {
	label := l.label
	l.label = ""
	switch s := s.(type) {
	case *ast.EmptyStmt:
		return &wire.Node{Op: "block"}
	case *ast.BlockStmt:
		return l.block(s.List)
	case *ast.ExprStmt:
		return &wire.Node{Op: "expr", Args: []*wire.Node{l.expr(s.X)}}
	case *ast.AssignStmt:
		return l.assign(s, top)
	case *ast.IncDecStmt:
		one := l.constant(constant.MakeInt64(1), l.typeOf(s.X))
		return &wire.Node{Op: "update", Name: s.Tok.String()[:1], Type: l.tb.of(l.typeOf(s.X)), Args: []*wire.Node{l.expr(s.X), one}}
	case *ast.DeclStmt:
		return l.declaration(s.Decl.(*ast.GenDecl), top)
	case *ast.LabeledStmt:
		l.label = s.Label.Name
		return l.stmt(s.Stmt, false)
	case *ast.IfStmt:
		n := &wire.Node{Op: "block"}
		if s.Init != nil {
			n.Args = append(n.Args, l.stmt(s.Init, false))
		}
		branch := &wire.Node{Op: "if", Args: []*wire.Node{l.expr(s.Cond), l.block(s.Body.List), nil}}
		if s.Else != nil {
			branch.Args[2] = l.stmt(s.Else, false)
		}
		n.Args = append(n.Args, branch)
		return n
	case *ast.ForStmt:
		n := &wire.Node{Op: "for", Name: label, Args: []*wire.Node{nil, nil, nil, nil}}
		if s.Init != nil {
			n.Args[0] = l.stmt(s.Init, false)
			if a, ok := s.Init.(*ast.AssignStmt); ok && a.Tok == token.DEFINE {
				for _, e := range a.Lhs {
					if obj := l.info.Defs[e.(*ast.Ident)]; obj != nil && obj.Name() != "_" {
						n.Slots = append(n.Slots, l.slots[obj])
					}
				}
			}
		}
		if s.Cond != nil {
			n.Args[1] = l.expr(s.Cond)
		}
		if s.Post != nil {
			n.Args[2] = l.stmt(s.Post, false)
		}
		n.Args[3] = l.block(s.Body.List)
		return n
	case *ast.RangeStmt:
		n := &wire.Node{Op: "range", Name: label, Args: []*wire.Node{nil, nil, l.expr(s.X), nil}}
		for i, e := range []ast.Expr{s.Key, s.Value} {
			if e != nil {
				n.Args[i] = l.target(e, s.Tok == token.DEFINE, false)
				if n.Args[i].Op == "blank" {
					n.Args[i] = nil
				}
			}
		}
		n.Args[3] = l.block(s.Body.List)
		return n
	case *ast.SwitchStmt:
		return l.choice(s, label)
	case *ast.TypeSwitchStmt:
		return l.typeChoice(s, label)
	case *ast.BranchStmt:
		if s.Tok == token.GOTO {
			l.refuse(s, "goto is not evaluated here")
		}
		n := &wire.Node{Op: s.Tok.String()}
		if s.Label != nil {
			n.Name = s.Label.Name
		}
		return n
	case *ast.ReturnStmt:
		return &wire.Node{Op: "return", Args: l.exprs(s.Results)}
	case *ast.SendStmt:
		return &wire.Node{Op: "send", Args: []*wire.Node{l.expr(s.Chan), l.expr(s.Value)}}
	case *ast.GoStmt:
		l.refuse(s, "go statements are not evaluated here")
	case *ast.DeferStmt:
		l.refuse(s, "defer statements are not evaluated here")
	case *ast.SelectStmt:
		l.refuse(s, "select statements are not evaluated here")
	}
	l.refuse(s, "this statement is not evaluated here")
	return nil
}

func (l *lowering) slot(obj types.Object) int {
	l.slots[obj] = l.count
	l.count++
	return l.count - 1
}

// target is what is assigned to.
func (l *lowering) target(e ast.Expr, define, top bool) *wire.Node {
	if id, ok := ast.Unparen(e).(*ast.Ident); ok {
		if id.Name == "_" {
			return &wire.Node{Op: "blank"}
		}
		if obj := l.info.Defs[id]; define && obj != nil {
			return l.fresh(obj, top)
		}
	}
	return l.expr(e)
}

// fresh is a variable that comes to be.
func (l *lowering) fresh(obj types.Object, top bool) *wire.Node {
	n := &wire.Node{Op: "new", Type: l.tb.of(obj.Type())}
	if !top {
		n.N = l.slot(obj)
		return n
	}
	l.session.next++
	l.session.numbers[obj] = l.session.next
	n.Op, n.N = "newvar", l.session.next
	return n
}

func (l *lowering) assign(s *ast.AssignStmt, top bool) *wire.Node {
	if s.Tok != token.ASSIGN && s.Tok != token.DEFINE {
		return &wire.Node{Op: "update", Name: strings.TrimSuffix(s.Tok.String(), "="), Type: l.tb.of(l.typeOf(s.Lhs[0])),
			Args: []*wire.Node{l.expr(s.Lhs[0]), l.expr(s.Rhs[0])}}
	}
	return l.assignment(s.Lhs, s.Rhs, s.Tok == token.DEFINE, top)
}

func (l *lowering) assignment(left, right []ast.Expr, define, top bool) *wire.Node {
	n := &wire.Node{Op: "assign", N: len(left)}
	values := l.exprs(right) // before the names on the left mean something new
	if len(left) == 2 && len(right) == 1 && !isCall(values[0]) {
		values[0] = &wire.Node{Op: "commaok", Args: []*wire.Node{values[0]}}
	}
	for _, e := range left {
		n.Args = append(n.Args, l.target(e, define, top))
	}
	n.Args = append(n.Args, values...)
	return n
}

func (l *lowering) declaration(d *ast.GenDecl, top bool) *wire.Node {
	n := &wire.Node{Op: "block"}
	if d.Tok != token.VAR {
		return n
	}
	for _, spec := range d.Specs {
		spec := spec.(*ast.ValueSpec)
		left := make([]ast.Expr, len(spec.Names))
		for i, id := range spec.Names {
			left[i] = id
		}
		if len(spec.Values) > 0 {
			n.Args = append(n.Args, l.assignment(left, spec.Values, true, top))
			continue
		}
		for _, id := range spec.Names {
			obj := l.info.Defs[id]
			if obj == nil || id.Name == "_" {
				continue
			}
			n.Args = append(n.Args, &wire.Node{Op: "assign", N: 1, Args: []*wire.Node{l.fresh(obj, top), {Op: "zero", Type: l.tb.of(obj.Type())}}})
		}
	}
	return n
}

// hidden puts a value where the clauses of a switch find it.
func (l *lowering) hidden(n *wire.Node, x *wire.Node, t types.Type) func() *wire.Node {
	typ := l.tb.of(t)
	at := l.count
	l.count++
	n.Args = append(n.Args, &wire.Node{Op: "assign", N: 1, Args: []*wire.Node{{Op: "new", N: at, Type: typ}, x}})
	return func() *wire.Node { return &wire.Node{Op: "local", N: at, Type: typ} }
}

func (l *lowering) choice(s *ast.SwitchStmt, label string) *wire.Node {
	n := &wire.Node{Op: "block"}
	if s.Init != nil {
		n.Args = append(n.Args, l.stmt(s.Init, false))
	}
	var tag func() *wire.Node
	if s.Tag != nil {
		tag = l.hidden(n, l.expr(s.Tag), l.typeOf(s.Tag))
	}
	sw := &wire.Node{Op: "switch", Name: label}
	for _, c := range s.Body.List {
		c := c.(*ast.CaseClause)
		clause := &wire.Node{Op: "clause", Flag: c.List == nil, Args: []*wire.Node{nil}}
		for _, e := range c.List {
			cond := l.expr(e)
			if tag != nil {
				cond = &wire.Node{Op: "binary", Name: "==", Type: l.tb.of(types.Typ[types.Bool]), Args: []*wire.Node{tag(), cond}}
			}
			clause.Args = append(clause.Args, cond)
		}
		clause.Args[0] = l.block(c.Body)
		sw.Args = append(sw.Args, clause)
	}
	n.Args = append(n.Args, sw)
	return n
}

func (l *lowering) typeChoice(s *ast.TypeSwitchStmt, label string) *wire.Node {
	n := &wire.Node{Op: "block"}
	if s.Init != nil {
		n.Args = append(n.Args, l.stmt(s.Init, false))
	}
	var x ast.Expr
	switch a := s.Assign.(type) {
	case *ast.ExprStmt:
		x = a.X.(*ast.TypeAssertExpr).X
	case *ast.AssignStmt:
		x = a.Rhs[0].(*ast.TypeAssertExpr).X
	}
	value := l.hidden(n, l.expr(x), l.typeOf(x))
	sw := &wire.Node{Op: "switch", Name: label}
	for _, c := range s.Body.List {
		c := c.(*ast.CaseClause)
		clause := &wire.Node{Op: "clause", Flag: c.List == nil, Args: []*wire.Node{nil}}
		for _, e := range c.List {
			is := &wire.Node{Op: "is", Args: []*wire.Node{value()}}
			if tv := l.info.Types[e]; tv.IsNil() {
				is.Name = "nil"
			} else {
				is.Type = l.tb.of(l.typeOf(e))
			}
			clause.Args = append(clause.Args, is)
		}
		body := &wire.Node{Op: "block"}
		if v, ok := l.info.Implicits[c].(*types.Var); ok {
			from := value()
			if t := l.real(v.Type()); !types.Identical(t, l.typeOf(x)) {
				from = &wire.Node{Op: "assert", Type: l.tb.of(t), Args: []*wire.Node{from}}
			}
			body.Args = append(body.Args, &wire.Node{Op: "assign", N: 1, Args: []*wire.Node{{Op: "new", N: l.slot(v), Type: l.tb.of(v.Type())}, from}})
		}
		body.Args = append(body.Args, l.block(c.Body))
		clause.Args[0] = body
		sw.Args = append(sw.Args, clause)
	}
	n.Args = append(n.Args, sw)
	return n
}

// literal is a function literal.
func (l *lowering) literal(e *ast.FuncLit) *wire.Node {
	n := &wire.Node{Op: "lit", Type: l.tb.of(l.typeOf(e))}
	for _, list := range []*ast.FieldList{e.Type.Params, e.Type.Results} {
		if list == nil {
			continue
		}
		for _, f := range list.List {
			if len(f.Names) == 0 {
				n.Slots = append(n.Slots, -1)
			}
			for _, id := range f.Names {
				s := -1
				if obj := l.info.Defs[id]; obj != nil && id.Name != "_" {
					s = l.slot(obj)
				}
				n.Slots = append(n.Slots, s)
			}
		}
	}
	n.Args = []*wire.Node{l.block(e.Body.List)}
	return n
}
