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

// decl is a variable, function, method or type of the standard library, or of sysUnix, with the
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

// library is the standard library that an app is built with, of which each package is
// read once: all of runtime is felt at each start.
type library struct {
	Target
	packages map[string][]*source
}

// source is a file of a package.
type source struct {
	name string
	text []byte
	file *ast.File // nil until it was needed
}

// declares returns nil if the compiler will find v declared as it must
// be, or what is wrong.
func (l *library) declares(v decl) error {
	dir := filepath.Join(l.GOROOT, "src", filepath.FromSlash(v.pkg))
	if v.pkg == sysUnix {
		dir = l.SysUnix
	}
	files, err := l.read(dir)
	if err != nil {
		return fmt.Errorf("the source of package %s is not there: %w", v.pkg, err)
	}
	name := v.name[strings.LastIndexByte(v.name, '.')+1:]
	ctx := l.context()
	for _, s := range files {
		if !mayDeclare(s.text, name) {
			continue
		}
		if ok, err := ctx.MatchFile(dir, s.name); err != nil || !ok {
			continue // of another system
		}
		if s.file == nil {
			if s.file, err = parser.ParseFile(token.NewFileSet(), s.name, s.text, parser.SkipObjectResolution); err != nil {
				return err
			}
		}
		if kind, typ := find(s.file, v.name); kind == v.kind {
			return v.check(s.file, typ)
		} else if kind != token.ILLEGAL {
			return fmt.Errorf("%s is declared with %s, not with %s", v, kind, v.kind)
		}
	}
	return fmt.Errorf("%s does not declare %s", dir, v)
}

func (l *library) read(dir string) ([]*source, error) {
	if files := l.packages[dir]; files != nil {
		return files, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var files []*source
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		files = append(files, &source{name: e.Name(), text: text})
	}
	if l.packages == nil {
		l.packages = map[string][]*source{}
	}
	l.packages[dir] = files
	return files, nil
}

// mayDeclare reports whether a line of the text begins as a declaration of name does, by
// itself or in a group. It is asked so that few files are parsed.
func mayDeclare(text []byte, name string) bool {
	for at := 0; ; {
		i := bytes.Index(text[at:], []byte(name))
		if i < 0 {
			return false
		}
		line := string(text[bytes.LastIndexByte(text[:at+i], '\n')+1 : at+i])
		if line == "\t" || strings.HasPrefix(line, "func ") || strings.HasPrefix(line, "var ") || strings.HasPrefix(line, "type ") {
			return true
		}
		at += i + len(name)
	}
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
