package expr

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"sort"
	"strings"
)

// Completion is a name that could stand at the end of what was typed.
type Completion struct {
	Name string
	Kind string // "var", "field", "method", "func", "type", "const", "package", "keyword"
	Type string // as Go writes it, or ""
}

const mostCompletions = 200

// Complete returns the names that begin as the identifier before offset pos of
// src does, nearest first: variables, the package's names, packages, what is
// predeclared; after a dot, fields and methods. It declares nothing.
func (p *Package) Complete(f Frame, s *Session, src string, pos int) (list []Completion) {
	p.build.mu.Lock()
	defer p.build.mu.Unlock()
	defer func() {
		if recover() != nil { // of half a source go/types may not make sense
			list = nil
		}
	}()
	if pos < 0 || pos > len(src) || len(src) > mostSource {
		return nil
	}
	src = src[:pos]
	start := len(strings.TrimRightFunc(src, isIdent))
	begins := src[start:]
	u := &unit{p: p, f: f, session: s, fset: token.NewFileSet(), place: p.at(f)}
	c := &completer{u: u, begins: begins, seen: map[string]bool{}}
	if before, ok := strings.CutSuffix(strings.TrimRight(src[:start], " \t"), "."); ok {
		c.members(operand(before))
	} else {
		c.names()
	}
	return c.list
}

func isIdent(r rune) bool {
	return r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || r >= 0x80
}

// operand is the expression that src ends with: names, selectors, calls,
// indices.
func operand(src string) string {
	i := len(src)
	for i > 0 {
		switch c := src[i-1]; {
		case isIdent(rune(c)) || c == '.':
			i--
		case c == ')' || c == ']' || c == '}':
			depth := 0
			j := i
			for j > 0 {
				j--
				switch src[j] {
				case ')', ']', '}':
					depth++
				case '(', '[', '{':
					depth--
				}
				if depth <= 0 {
					break
				}
			}
			if depth != 0 {
				return ""
			}
			i = j
		default:
			return src[i:]
		}
	}
	return src
}

type completer struct {
	u      *unit
	begins string
	seen   map[string]bool
	list   []Completion
}

func (c *completer) add(name, kind string, t types.Type) {
	if !strings.HasPrefix(name, c.begins) || name == "_" || c.seen[name] || len(c.list) >= mostCompletions ||
		strings.HasPrefix(name, "zzDevrun") || name == showName {
		return
	}
	c.seen[name] = true
	text := ""
	if t != nil {
		text = short(c.u.real(t))
	}
	c.list = append(c.list, Completion{name, kind, text})
}

func (c *completer) object(obj types.Object) {
	switch obj := obj.(type) {
	case *types.PkgName:
		c.add(obj.Name(), "package", nil)
	case *types.TypeName:
		c.add(obj.Name(), "type", nil)
	case *types.Const:
		c.add(obj.Name(), "const", obj.Type())
	case *types.Func:
		c.add(obj.Name(), "func", obj.Type())
	case *types.Builtin:
		c.add(obj.Name(), "func", nil)
	case *types.Var:
		c.add(obj.Name(), "var", obj.Type())
	}
}

// names are those that an expression can begin with.
func (c *completer) names() {
	for _, m := range []map[string]types.Object{c.u.session.objects, c.u.place.visible} {
		var names []string
		for name := range m {
			names = append(names, name)
		}
		sort.Strings(names)
		for _, name := range names {
			c.object(m[name])
		}
	}
	top := c.u.p.types.Scope()
	for _, name := range top.Names() {
		c.object(top.Lookup(name))
	}
	if c.begins == "" {
		return
	}
	var names []string
	for name := range c.u.p.build.byName {
		if strings.HasPrefix(name, c.begins) {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	for _, name := range names {
		if c.u.p.build.named(name) != nil {
			c.add(name, "package", nil)
		}
	}
	for _, name := range types.Universe.Names() {
		c.object(types.Universe.Lookup(name))
	}
	for _, word := range []string{"for", "func", "if", "map", "range", "return", "struct", "switch", "var"} {
		c.add(word, "keyword", nil)
	}
}

// members are what can follow the operand and a dot.
func (c *completer) members(operand string) {
	e, err := parser.ParseExpr(operand)
	if err != nil || tooDeep(e).IsValid() {
		return
	}
	u := c.u
	u.lit = &ast.FuncLit{Type: &ast.FuncType{Params: &ast.FieldList{}}, Body: &ast.BlockStmt{List: []ast.Stmt{
		&ast.ExprStmt{X: &ast.SelectorExpr{X: e, Sel: ast.NewIdent("_")}}, // imports finds packages in it
	}}}
	scope := u.scope()
	if id, ok := e.(*ast.Ident); ok {
		if _, obj := scope.LookupParent(id.Name, token.NoPos); obj != nil {
			if pkg, ok := obj.(*types.PkgName); ok {
				from := pkg.Imported().Scope()
				for _, name := range from.Names() {
					if ast.IsExported(name) {
						c.object(from.Lookup(name))
					}
				}
				return
			}
		}
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
	if types.CheckExpr(u.fset, u.p.types, scope.Pos(), e, info) != nil {
		return
	}
	t := u.real(info.TypeOf(e))
	c.fields(t, 0)
	recv := t
	if !types.IsInterface(t) && !isPointer(t) {
		recv = types.NewPointer(t)
	}
	set := types.NewMethodSet(recv)
	for i := range set.Len() {
		if m := set.At(i).Obj(); m.Exported() || m.Pkg() == u.p.types {
			c.add(m.Name(), "method", set.At(i).Type())
		}
	}
}

// fields are a struct's, those of embedded ones after its own.
func (c *completer) fields(t types.Type, depth int) {
	if p, ok := t.Underlying().(*types.Pointer); ok {
		t = p.Elem()
	}
	st, ok := t.Underlying().(*types.Struct)
	if !ok || depth > 5 {
		return
	}
	for i := range st.NumFields() {
		if f := st.Field(i); f.Exported() || f.Pkg() == c.u.p.types {
			c.add(f.Name(), "field", f.Type())
		}
	}
	for i := range st.NumFields() {
		if f := st.Field(i); f.Embedded() {
			c.fields(f.Type(), depth+1)
		}
	}
}
