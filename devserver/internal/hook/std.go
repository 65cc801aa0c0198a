package hook

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"go/types"
	"go/version"
	"io"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// decl is a variable, function, method or type of the standard library, with the
// type it must have, in the spelling of go/types.ExprString. The name of a method
// has its receiver: "(*T).name".
type decl struct {
	kind           token.Token // VAR, FUNC or TYPE
	pkg, name, typ string
}

func (v decl) String() string { return path.Base(v.pkg) + "." + v.name }

// context decides about build constraints as the go command does for t.
func (t Target) context() build.Context {
	ctx := build.Default
	ctx.GOOS, ctx.GOARCH, ctx.Compiler, ctx.CgoEnabled = t.GOOS, t.GOARCH, "gc", true
	lang, _, _ := strings.Cut(t.GoVersion, " ")
	if lang = version.Lang(lang); lang != "" { // "" for a development version: as new as devrun's
		_, minor, _ := strings.Cut(lang, ".")
		n, _ := strconv.Atoi(minor) // Lang has the form go1.N
		ctx.ReleaseTags = nil
		for i := 1; i <= n; i++ {
			ctx.ReleaseTags = append(ctx.ReleaseTags, "go1."+strconv.Itoa(i))
		}
	}
	return ctx
}

// builds reports whether the hook's file takes part in a build for t.
func (t Target) builds(name string) (bool, error) {
	ctx := t.context()
	ctx.JoinPath = path.Join
	ctx.OpenFile = func(path string) (io.ReadCloser, error) { return inject.Open(path) }
	return ctx.MatchFile("inject", name)
}

// declares returns nil if the compiler for t will find v declared as it must
// be, or what is wrong.
func (t Target) declares(v decl) error {
	dir := filepath.Join(t.GOROOT, "src", filepath.FromSlash(v.pkg))
	ctx := t.context()
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("the source of package %s is not there: %w", v.pkg, err)
	}
	for _, e := range entries {
		name := e.Name()
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		if !bytes.Contains(text, []byte(v.name[strings.LastIndexByte(v.name, '.')+1:])) {
			continue
		}
		if ok, err := ctx.MatchFile(dir, name); err != nil || !ok {
			continue // of another system
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		if kind, typ := find(file, v.name); kind == v.kind {
			return v.check(file, typ)
		} else if kind != token.ILLEGAL {
			return fmt.Errorf("%s is declared with %s, not with %s", v, kind, v.kind)
		}
	}
	return fmt.Errorf("%s does not declare %s", dir, v)
}

// find returns how name is declared at file's top level, ILLEGAL if it is not,
// and its type, nil if none is written.
func find(file *ast.File, name string) (kind token.Token, typ ast.Expr) {
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			full := d.Name.Name
			if d.Recv != nil {
				full = "(" + types.ExprString(d.Recv.List[0].Type) + ")." + full
			}
			if full == name {
				return token.FUNC, d.Type
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					if s.Name.Name == name {
						return token.TYPE, s.Type
					}
				case *ast.ValueSpec:
					for _, id := range s.Names {
						if id.Name == name {
							return d.Tok, s.Type
						}
					}
				}
			}
		}
	}
	return token.ILLEGAL, nil
}

func (v decl) check(file *ast.File, typ ast.Expr) error {
	if typ == nil {
		return fmt.Errorf("%s is declared without a type", v)
	}
	if have := types.ExprString(typ); have != v.typ {
		return fmt.Errorf("%s is a %s, not a %s", v, have, v.typ)
	}
	var err error
	ast.Inspect(typ, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok && !imports(file, sel.X.(*ast.Ident).Name) {
			err = errors.New(v.String() + " has types of an unexpected package")
		}
		return err == nil
	})
	return err
}

// imports reports whether file knows the package of that path by that name.
func imports(file *ast.File, name string) bool {
	for _, i := range file.Imports {
		if i.Path.Value == strconv.Quote(name) && i.Name == nil {
			return true
		}
	}
	return false
}
