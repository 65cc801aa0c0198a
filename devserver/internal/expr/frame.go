package expr

import (
	"go/ast"
	"go/token"
	"go/types"
	"path/filepath"
	"strings"
)

// Frame is a frame of the parked goroutine, and where to find what code there
// can name.
type Frame struct {
	Func string // as the symbol table has it: "example.com/app/shop.(*User).fullName"
	File string
	Line int
	PC   uint64
	Vars []Var

	FuncPC   func(symbol string) (uint64, bool)         // the entry of a function
	TypeAddr func(name string) (uint64, bool)           // a type's descriptor, by its name in DWARF: "*example.com/app/shop.User"
	Global   func(symbol string) (addr uint64, ok bool) // a variable, or read-only data of the compiler
}

// Var is a variable that has a place at the frame's PC.
type Var struct {
	Name     string
	Line     int    // where it is declared
	Type     string // as DWARF writes it
	Addr     uint64
	Unusable string // why it has no address, or ""
}

// scopeKey is what decides what a name means: statements with the same key share
// a scope, because scopes of go/types are never freed.
type scopeKey struct {
	pos     token.Pos
	session *Session
	version int
}

// place is a position in the source, with what is visible there.
type place struct {
	pos     token.Pos
	visible map[string]types.Object
	vars    map[types.Object]*Var
	args    map[*types.TypeParam]types.Type // what stands for type parameters
}

// file is the source file that name, as DWARF has it, means.
func (p *Package) file(name string) *ast.File {
	var best *ast.File
	for _, f := range p.files {
		at := p.fset.Position(f.Package).Filename
		if at == name {
			return f
		}
		if filepath.Base(at) == filepath.Base(name) { // -trimpath
			best = f
		}
	}
	return best
}

// at finds the place of a frame; of one whose source is not known only the
// package's own names are visible.
func (p *Package) at(f Frame) *place {
	pl := &place{vars: map[types.Object]*Var{}}
	file := p.file(f.File)
	if file == nil {
		return pl
	}
	line := func(pos token.Pos) int { return p.fset.Position(pos).Line }
	body := function(file, nesting(f.Func), f.Line, line)
	if body == nil {
		return pl
	}
	for _, pos := range positions(body, f.Line, line) {
		names := p.visible(pos)
		vars, all := match(names, f, line)
		if pl.visible != nil && !all {
			break // the frame has not got that far
		}
		pl.pos, pl.visible, pl.vars = pos, names, vars
	}
	pl.args = p.typeArgs(pl)
	return pl
}

// function is the body of the function around a line that lies as deep in
// others as said.
func function(file *ast.File, depth, at int, line func(token.Pos) int) (found *ast.BlockStmt) {
	level := -1
	var walk func(n ast.Node, inside int)
	walk = func(n ast.Node, inside int) {
		ast.Inspect(n, func(c ast.Node) bool {
			var body *ast.BlockStmt
			var here int
			switch c := c.(type) {
			case *ast.FuncDecl:
				body, here = c.Body, 0
			case *ast.FuncLit:
				body, here = c.Body, inside+1
			default:
				return true
			}
			if body == nil || at < line(c.Pos()) || line(c.End()) < at {
				return false
			}
			if here <= depth && here >= level {
				found, level = body, here
			}
			walk(body, here)
			return false
		})
	}
	walk(file, -1)
	return found
}

// nesting is how deep a function literal lies: "main.run.func1.2" is a literal
// in a literal. The digits of a package's path do not count.
func nesting(fn string) int {
	fn = fn[strings.LastIndexByte(fn, '/')+1:]
	if i := strings.IndexByte(fn, '['); i >= 0 { // type arguments have dots
		if j := strings.LastIndexByte(fn, ']'); j > i {
			fn = fn[:i] + fn[j+1:]
		}
	}
	n := 0
	for _, s := range strings.Split(fn, ".")[1:] {
		s = strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(s, "gowrap"), "deferwrap"), "func")
		if i := strings.IndexByte(s, '-'); i >= 0 {
			s = s[:i]
		}
		if s != "" && strings.Trim(s, "0123456789") == "" {
			n++
		}
	}
	return n
}

// positions are the points of a function at which code on the line may be:
// before the first statement, then between its parts. Literals inside are other
// functions.
func positions(body *ast.BlockStmt, at int, line func(token.Pos) int) []token.Pos {
	first, around := token.NoPos, token.NoPos
	var more []token.Pos
	ast.Inspect(body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.BlockStmt, *ast.LabeledStmt:
		case ast.Stmt:
			switch from, to := line(n.Pos()), line(n.End()); {
			case from == at && !first.IsValid():
				first = n.Pos()
			case from == at:
				more = append(more, n.Pos())
			case from < at && at <= to:
				around = max(around, n.Pos())
			}
		case ast.Expr:
			if line(n.Pos()) == at {
				more = append(more, n.Pos())
			}
		}
		return true
	})
	switch {
	case first.IsValid():
	case around.IsValid():
		first, more = around, nil // the variables of a header are declared on other lines
	default:
		first = body.Rbrace
	}
	list := []token.Pos{first}
	for _, pos := range more {
		if pos > list[len(list)-1] {
			list = append(list, pos)
		}
	}
	return list
}

// visible is what names mean at pos, those of the functions and the file around
// it.
func (p *Package) visible(pos token.Pos) map[string]types.Object {
	top := p.types.Scope()
	var scope *types.Scope
	for i := 0; i < top.NumChildren() && scope == nil; i++ {
		scope = top.Child(i).Innermost(pos)
	}
	names := map[string]types.Object{}
	for s := scope; s != nil && s != top; s = s.Parent() {
		for _, name := range s.Names() {
			if names[name] != nil {
				continue
			}
			if in, obj := scope.LookupParent(name, pos); obj != nil && in != top && in != types.Universe {
				names[name] = obj
			}
		}
	}
	return names
}

// match finds the addresses of variables. all: each one that is declared on the
// frame's own line has one.
func match(names map[string]types.Object, f Frame, line func(token.Pos) int) (found map[types.Object]*Var, all bool) {
	found, all = map[types.Object]*Var{}, true
	for name, obj := range names {
		v, ok := obj.(*types.Var)
		if !ok {
			continue
		}
		at := line(v.Pos())
		for i := range f.Vars {
			if f.Vars[i].Name == name && (f.Vars[i].Line == at || f.Vars[i].Line == 0) {
				found[v] = &f.Vars[i]
			}
		}
		if found[v] == nil && at == f.Line && f.Vars != nil {
			all = false
		}
	}
	return found, all
}
