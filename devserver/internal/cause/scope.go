package cause

import (
	"bytes"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"devrun/devserver/internal/srctree"
)

// scope is what the names of one file mean. Imports are not looked into: what
// comes from elsewhere has no type here, and nothing is concluded from it.
type scope struct {
	set  *token.FileSet
	file *ast.File
	info *types.Info
}

// Beyond these a package is not looked at, so that a page is there at once.
const (
	maxScopes       = 4 // files whose functions are looked into
	maxPackageFiles = 300
	maxPackageSize  = 3 << 20
)

// scope returns the meaning of a Go file as it was compiled, or nil where it is
// not known.
func (a *analysis) scope(path string) *scope {
	if sc, ok := a.scopes[path]; ok {
		return sc
	}
	if len(a.scopes) >= maxScopes {
		return nil
	}
	sc := a.check(path)
	a.scopes[path] = sc
	return sc
}

func (a *analysis) check(path string) (sc *scope) {
	data, gone := srctree.Read(path, a.built)
	if gone != "" || filepath.Ext(path) != ".go" {
		return nil
	}
	// Broken source may be too much for the type checker.
	defer func() {
		if recover() != nil {
			sc = nil
		}
	}()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, data, parser.SkipObjectResolution)
	if err != nil {
		return nil // it was not compiled like this
	}
	info := &types.Info{
		Types: map[ast.Expr]types.TypeAndValue{}, Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{},
		Selections: map[*ast.SelectorExpr]*types.Selection{}, Implicits: map[ast.Node]types.Object{},
	}
	config := types.Config{
		Error:                    func(error) {}, // what is not understood stays unknown
		DisableUnusedImportCheck: true,
		FakeImportC:              true,
	}
	files := append([]*ast.File{file}, a.siblings(set, path, file.Name.Name)...)
	_, _ = config.Check(file.Name.Name, set, files, info) // without an importer it always has something to say
	return &scope{set, file, info}
}

// siblings are the declarations of the other files of a package.
func (a *analysis) siblings(set *token.FileSet, path, pkg string) []*ast.File {
	dir := filepath.Dir(path)
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) > 10*maxPackageFiles {
		return nil
	}
	var files []*ast.File
	total := 0
	for _, e := range entries {
		name := e.Name()
		if filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") || name == filepath.Base(path) || len(files) == maxPackageFiles {
			continue
		}
		data, gone := srctree.Read(filepath.Join(dir, name), a.built)
		if total += len(data); gone != "" || total > maxPackageSize {
			continue
		}
		if ok, err := build.Default.MatchFile(dir, name); err != nil || !ok {
			continue
		}
		file, err := parser.ParseFile(set, name, bytes.Clone(data), parser.SkipObjectResolution)
		if err != nil || file.Name.Name != pkg {
			continue
		}
		for _, d := range file.Decls {
			if d, ok := d.(*ast.FuncDecl); ok {
				d.Body = nil
			}
		}
		files = append(files, file)
	}
	return files
}

func (sc *scope) line(p token.Pos) int { return sc.set.PositionFor(p, false).Line }

// col is a byte of its line, from 1.
func (sc *scope) col(p token.Pos) int { return sc.set.PositionFor(p, false).Column }

// object is what an identifier stands for, nil when that is not known.
func (sc *scope) object(id *ast.Ident) types.Object {
	if o := sc.info.Uses[id]; o != nil {
		return o
	}
	return sc.info.Defs[id]
}

// local returns the variable of a function that an expression names, or nil.
func (sc *scope) local(e ast.Expr) *types.Var {
	id, ok := ast.Unparen(e).(*ast.Ident)
	if !ok {
		return nil
	}
	v, ok := sc.object(id).(*types.Var)
	if !ok || v.IsField() || v.Pkg() == nil || v.Parent() == v.Pkg().Scope() {
		return nil
	}
	return v
}

// function is a function declaration or literal.
type function struct {
	node ast.Node
	name string // "" for a literal
	typ  *ast.FuncType
	recv *ast.FieldList
	body *ast.BlockStmt
}

// function returns the innermost function that has the line in its body, and ok
// only when the name of the frame agrees with it and no other function touches
// the line.
func (sc *scope) function(line int, frame string) (fn function, ok bool) {
	n := 0 // literals that begin or end on the line, besides fn
	ast.Inspect(sc.file, func(node ast.Node) bool {
		var f function
		switch d := node.(type) {
		case nil:
			return false
		case *ast.FuncDecl:
			f = function{node: d, name: d.Name.Name, typ: d.Type, recv: d.Recv, body: d.Body}
		case *ast.FuncLit:
			f = function{node: d, typ: d.Type, body: d.Body}
		default:
			return true
		}
		if f.body == nil || line < sc.line(f.node.Pos()) || line > sc.line(f.node.End()) {
			return false
		}
		if fn.node != nil && sc.line(f.node.Pos()) == line {
			n++ // the line is where a literal begins: still the outer function's
			if sc.line(f.node.End()) > line {
				return true
			}
		}
		if fn.node == nil || sc.line(f.node.Pos()) < line {
			fn = f
		}
		return true
	})
	if fn.node == nil {
		return fn, false
	}
	if closureName.MatchString(frame) {
		return fn, fn.name == "" && n == 0
	}
	frame, _, _ = strings.Cut(frame, "[")
	return fn, fn.name != "" && strings.HasSuffix(frame, "."+fn.name)
}

// closureName is how the compiler names function literals and what it makes of
// go, defer and range statements.
var closureName = regexp.MustCompile(`\.(?:func|gowrap|deferwrap)\d+[\w.]*$|-range\d+`)
