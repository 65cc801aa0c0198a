package expr

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"go/types"
	"strings"

	"devrun/devserver/internal/wire"
)

// Session is the variables that a console declares; they live as long as the
// failure. It is for one console at a time.
type Session struct {
	objects map[string]types.Object
	numbers map[types.Object]int
	next    int
	version int
	show    *types.Func
}

// Error is why a source was not compiled.
type Error struct {
	Text   string
	Offset int // in bytes, of what was typed
	Line   int // from 1
	Column int // in bytes, from 1
}

func (e *Error) Error() string { return e.Text }

const (
	mostSource = 64 << 10
	before     = "package p; func _() {\n"
	after      = "\n}"
	showName   = "·show" // no identifier that can be typed
)

// unit is what is compiled: statements in a function that stands at the place of
// the frame.
type unit struct {
	p       *Package
	f       Frame
	place   *place
	session *Session
	fset    *token.FileSet
	src     string
	lit     *ast.FuncLit
	last    ast.Expr // the value that is shown, or nil
	info    *types.Info
}

// Compile checks src as if it stood at the frame's place, and gives what the
// hook has to do. Names that src declares are added to the session. An error is
// an *Error, Go's own words, or one sentence about what cannot be done.
func (p *Package) Compile(f Frame, s *Session, src string) (x *wire.Expr, err error) {
	p.build.mu.Lock()
	defer p.build.mu.Unlock()
	u := &unit{p: p, f: f, session: s, src: src}
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *Error:
			x, err = nil, r
		default: // go/types or we met what we do not know: the console must live
			x, err = nil, &Error{Text: fmt.Sprintf("it cannot be compiled here: %v", r)}
		}
	}()
	if err := u.parse(); err != nil {
		return nil, err
	}
	u.place = p.at(f)
	if err := u.check(); err != nil {
		return nil, err
	}
	x = u.lower()
	u.declare()
	return x, nil
}

func (u *unit) parse() *Error {
	if len(u.src) > mostSource {
		return &Error{Text: fmt.Sprintf("more than %d kB of source", mostSource>>10)}
	}
	u.fset = token.NewFileSet()
	file, err := parser.ParseFile(u.fset, "", before+u.src+after, parser.SkipObjectResolution)
	if err != nil {
		var list scanner.ErrorList
		if errors.As(err, &list) {
			return u.failed(list[0].Msg, list[0].Pos.Offset)
		}
		return &Error{Text: err.Error()}
	}
	fn, ok := file.Decls[0].(*ast.FuncDecl)
	if !ok || len(file.Decls) != 1 || u.fset.Position(fn.Body.Rbrace).Offset != len(before)+len(u.src)+1 {
		return u.failed("syntax error: unexpected }", len(before)+strings.IndexByte(u.src+"}", '}'))
	}
	if pos := tooDeep(fn.Body); pos.IsValid() {
		return u.errorAt(pos, "it is nested too deeply")
	}
	u.lit = &ast.FuncLit{Type: &ast.FuncType{Func: fn.Pos(), Params: &ast.FieldList{}}, Body: fn.Body}
	return nil
}

// tooDeep is where n is nested so deeply that checking it would take for ever.
func tooDeep(n ast.Node) (at token.Pos) {
	depth := 0
	ast.Inspect(n, func(n ast.Node) bool {
		if n == nil {
			depth--
			return false
		}
		if depth++; depth > mostNested && !at.IsValid() {
			at = n.Pos()
		}
		return true
	})
	return at
}

// failed makes an error of a message about an offset in the whole text.
func (u *unit) failed(text string, offset int) *Error {
	offset = min(max(offset-len(before), 0), len(u.src))
	if offset == len(u.src) {
		text = strings.NewReplacer("found '}'", "found end of input", "found newline", "found end of input", "found 'EOF'", "found end of input").Replace(text)
	}
	line := 1 + strings.Count(u.src[:offset], "\n")
	return &Error{Text: text, Offset: offset, Line: line, Column: offset - strings.LastIndexByte(u.src[:offset], '\n')}
}

func (u *unit) errorAt(pos token.Pos, format string, args ...any) *Error {
	return u.failed(fmt.Sprintf(format, args...), u.fset.Position(pos).Offset)
}

// scope is where the statements stand.
func (u *unit) scope() *types.Scope {
	p, s := u.p, u.session
	key := scopeKey{u.place.pos, s, s.version}
	scope := p.scopes[key]
	if scope == nil {
		scope = types.NewScope(p.types.Scope(), p.next, p.next+1, "console")
		p.next += 2
		for _, obj := range s.objects {
			scope.Insert(obj)
		}
		for _, obj := range u.place.visible {
			if s.objects[obj.Name()] == nil {
				scope.Insert(obj)
			}
		}
		scope.Insert(s.shower())
		p.scopes[key] = scope
	}
	u.imports(scope)
	return scope
}

// shower is the function that the values of expressions are passed to, so that
// go/types has a use for them.
func (s *Session) shower() *types.Func {
	if s.show == nil {
		list := types.NewSlice(types.Universe.Lookup("any").Type())
		sig := types.NewSignatureType(nil, nil, nil, types.NewTuple(types.NewParam(0, nil, "", list)), nil, true)
		s.show = types.NewFunc(0, nil, showName, sig)
	}
	return s.show
}

// imports makes packages known by name that the file does not import but that
// are in the build.
func (u *unit) imports(scope *types.Scope) {
	ast.Inspect(u.lit, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		id, ok := sel.X.(*ast.Ident)
		if !ok {
			return true
		}
		if _, obj := scope.LookupParent(id.Name, token.NoPos); obj != nil {
			return true
		}
		if pkg := u.p.build.named(id.Name); pkg != nil {
			scope.Insert(types.NewPkgName(token.NoPos, u.p.types, id.Name, pkg))
		}
		return true
	})
}

// named is the package of the build that has the name: of several the standard
// library's, then the one with the shortest path.
func (b *Build) named(name string) *types.Package {
	best := ""
	for _, path := range b.byName[name] {
		l := b.list[path]
		if l.Export == "" || strings.Contains("/"+path+"/", "/internal/") || strings.Contains(path, "vendor/") || strings.Contains(path, " ") || name == "main" {
			continue
		}
		if best == "" || l.Standard && !b.list[best].Standard || l.Standard == b.list[best].Standard && len(path) < len(best) {
			best = path
		}
	}
	if best == "" {
		return nil
	}
	pkg, err := b.importer.Import(best)
	if err != nil {
		return nil
	}
	return pkg
}

// check has go/types check the statements. An expression whose value nobody
// takes is passed to a function, unless it is a call without a value.
func (u *unit) check() *Error {
	scope := u.scope()
	list := u.lit.Body.List
	wrapped := map[int]*ast.ExprStmt{}
	uses := u.declared()
	for i, s := range list {
		if e, ok := s.(*ast.ExprStmt); ok {
			wrapped[i] = e
		}
	}
	for {
		body := make([]ast.Stmt, 0, len(list)+len(uses))
		for i, s := range list {
			if e := wrapped[i]; e != nil {
				s = &ast.ExprStmt{X: &ast.CallExpr{Fun: &ast.Ident{Name: showName, NamePos: e.Pos()}, Lparen: e.Pos(), Args: []ast.Expr{e.X}, Rparen: e.End()}}
			}
			body = append(body, s)
		}
		for _, name := range uses { // what is declared is for later lines
			body = append(body, &ast.AssignStmt{
				Lhs: []ast.Expr{&ast.Ident{Name: "_", NamePos: u.lit.Body.Rbrace}}, Tok: token.ASSIGN, TokPos: u.lit.Body.Rbrace,
				Rhs: []ast.Expr{&ast.Ident{Name: name, NamePos: u.lit.Body.Rbrace}},
			})
		}
		u.info = &types.Info{
			Types: map[ast.Expr]types.TypeAndValue{}, Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{},
			Selections: map[*ast.SelectorExpr]*types.Selection{}, Instances: map[*ast.Ident]types.Instance{}, Implicits: map[ast.Node]types.Object{},
		}
		lit := &ast.FuncLit{Type: u.lit.Type, Body: &ast.BlockStmt{Lbrace: u.lit.Body.Lbrace, List: body, Rbrace: u.lit.Body.Rbrace}}
		err := types.CheckExpr(u.fset, u.p.types, scope.Pos(), lit, u.info)
		if err == nil {
			break
		}
		var te types.Error
		if !errors.As(err, &te) {
			return &Error{Text: err.Error()}
		}
		if i := at(list, te.Pos); i >= 0 && wrapped[i] != nil && strings.HasSuffix(te.Msg, "(no value) used as value") {
			if c, ok := ast.Unparen(wrapped[i].X).(*ast.CallExpr); ok && u.info.Types[c].IsVoid() || ok && te.Pos == wrapped[i].X.Pos() {
				delete(wrapped, i)
				continue
			}
		}
		return u.errorAt(te.Pos, "%s", u.words(te.Msg))
	}
	if n := len(list); n > 0 && wrapped[n-1] != nil {
		u.last = wrapped[n-1].X
		if u.info.Types[u.last].IsNil() {
			return u.errorAt(u.last.Pos(), "use of untyped nil")
		}
	}
	return nil
}

// words takes out of a message what the user did not write.
func (u *unit) words(msg string) string {
	msg = strings.ReplaceAll(msg, u.p.types.Path()+".", "")
	return strings.ReplaceAll(msg, " in argument to "+showName, "")
}

// at is the statement that pos lies in.
func at(list []ast.Stmt, pos token.Pos) int {
	for i, s := range list {
		if s.Pos() <= pos && pos <= s.End() {
			return i
		}
	}
	return -1
}

// declared are the variables that the statements themselves declare, not the
// blocks in them.
func (u *unit) declared() (names []string) {
	seen := map[string]bool{"_": true}
	add := func(e ast.Expr) {
		if id, ok := e.(*ast.Ident); ok && !seen[id.Name] {
			seen[id.Name] = true
			names = append(names, id.Name)
		}
	}
	for _, s := range u.lit.Body.List {
		switch s := s.(type) {
		case *ast.AssignStmt:
			if s.Tok == token.DEFINE {
				for _, e := range s.Lhs {
					add(e)
				}
			}
		case *ast.DeclStmt:
			for _, spec := range s.Decl.(*ast.GenDecl).Specs {
				if v, ok := spec.(*ast.ValueSpec); ok && s.Decl.(*ast.GenDecl).Tok == token.VAR {
					for _, id := range v.Names {
						add(id)
					}
				}
			}
		}
	}
	return names
}

// declare keeps what the statements declare for the session.
func (u *unit) declare() {
	s := u.session
	keep := func(id *ast.Ident) {
		obj := u.info.Defs[id]
		if obj == nil || id.Name == "_" {
			return
		}
		if s.objects == nil {
			s.objects = map[string]types.Object{}
		}
		// A new object, because go/types knows the other to be in a scope that ends.
		switch o := obj.(type) {
		case *types.Var:
			v := types.NewVar(token.NoPos, u.p.types, o.Name(), o.Type())
			s.numbers[v] = s.numbers[o]
			obj = v
		case *types.Const:
			obj = types.NewConst(token.NoPos, u.p.types, o.Name(), o.Type(), o.Val())
		}
		s.objects[id.Name] = obj
		s.version++
	}
	for _, st := range u.lit.Body.List {
		switch st := st.(type) {
		case *ast.AssignStmt:
			if st.Tok == token.DEFINE {
				for _, e := range st.Lhs {
					if id, ok := e.(*ast.Ident); ok {
						keep(id)
					}
				}
			}
		case *ast.DeclStmt:
			for _, spec := range st.Decl.(*ast.GenDecl).Specs {
				switch spec := spec.(type) {
				case *ast.ValueSpec:
					for _, id := range spec.Names {
						keep(id)
					}
				case *ast.TypeSpec:
					keep(spec.Name)
				}
			}
		}
	}
}
