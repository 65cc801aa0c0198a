package devserver

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// The parts of this package know of each other in one direction, as packages do, and the
// loop stays small: what a part does not know of it can be tried without.
func TestParts(t *testing.T) {
	fset := token.NewFileSet()
	var files []*ast.File
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if name := e.Name(); !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || strings.HasSuffix(name, "_windows.go") {
			continue
		}
		text, err := os.ReadFile(e.Name())
		if err != nil {
			t.Fatal(err)
		}
		if lines := strings.Count(string(text), "\n"); lines > 350 {
			t.Errorf("%s has %d lines: what is in it are several things", e.Name(), lines)
		}
		f, err := parser.ParseFile(fset, e.Name(), text, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	// Only what is declared here is of interest, so that the imports may be unknown.
	info := &types.Info{Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{}}
	conf := types.Config{Importer: unknown{}, Error: func(error) {}}
	pkg, _ := conf.Check("devserver", fset, files, info)

	uses := partsOf(pkg, files, info)
	if l, ok := pkg.Scope().Lookup("loop").Type().Underlying().(*types.Struct); !ok || l.NumFields() > 15 {
		t.Errorf("the loop has %d fields: some of them are one part", l.NumFields())
	}
	levels, rest := levels(uses)
	for _, names := range rest {
		t.Errorf("%s know of each other", strings.Join(names, " and "))
	}
	t.Log("\n" + drawn(levels, uses))
}

type unknown struct{}

func (unknown) Import(path string) (*types.Package, error) { return nil, fmt.Errorf("%s", path) }

// partsOf are the types of a package that are parts, structs and interfaces with methods, and
// which others each knows of: by its fields, its methods and the functions that those call.
func partsOf(pkg *types.Package, files []*ast.File, info *types.Info) map[string]map[string]bool {
	bodies := map[types.Object][]ast.Node{} // of types with their methods, and of functions
	for _, f := range files {
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				of := info.Defs[d.Name]
				if d.Recv != nil {
					recv := of.Type().(*types.Signature).Recv().Type()
					if p, ok := recv.(*types.Pointer); ok {
						recv = p.Elem()
					}
					of = recv.(*types.Named).Origin().Obj()
				}
				bodies[of] = append(bodies[of], d)
			case *ast.GenDecl:
				for _, s := range d.Specs {
					if s, ok := s.(*ast.TypeSpec); ok {
						bodies[info.Defs[s.Name]] = append(bodies[info.Defs[s.Name]], s)
					}
				}
			}
		}
	}
	isPart := func(o types.Object) bool {
		n, ok := o.(*types.TypeName)
		return ok && n.Parent() == pkg.Scope() && n.Type().(*types.Named).NumMethods() > 0
	}
	uses := map[string]map[string]bool{}
	for part := range bodies {
		if !isPart(part) {
			continue
		}
		known := map[types.Object]bool{part: true}
		for todo := []types.Object{part}; len(todo) > 0; todo = todo[1:] {
			for _, body := range bodies[todo[0]] {
				ast.Inspect(body, func(n ast.Node) bool {
					id, ok := n.(*ast.Ident)
					if !ok {
						return true
					}
					o := info.Uses[id]
					if o == nil || known[o] || o.Pkg() != pkg || o.Parent() != pkg.Scope() {
						return true
					}
					known[o] = true
					if !isPart(o) { // a function, or data
						todo = append(todo, o)
					}
					return true
				})
			}
		}
		delete(known, part)
		uses[part.Name()] = map[string]bool{}
		for o := range known {
			if isPart(o) {
				uses[part.Name()][o.Name()] = true
			}
		}
	}
	return uses
}

// levels orders what knows of nothing first; rest is what can't be ordered.
func levels(uses map[string]map[string]bool) (levels, rest [][]string) {
	placed := map[string]bool{}
	for len(placed) < len(uses) {
		var level []string
		for name, known := range uses {
			if !placed[name] && !slices.ContainsFunc(slices.Collect(maps.Keys(known)), func(k string) bool { return !placed[k] }) {
				level = append(level, name)
			}
		}
		if len(level) == 0 {
			var left []string
			for name := range uses {
				if !placed[name] {
					left = append(left, name)
				}
			}
			slices.Sort(left)
			return levels, [][]string{left}
		}
		slices.Sort(level)
		for _, name := range level {
			placed[name] = true
		}
		levels = append(levels, level)
	}
	return levels, nil
}

// drawn is a line for each part, the highest first, with those below it that it knows of.
func drawn(levels [][]string, uses map[string]map[string]bool) string {
	var s strings.Builder
	for i, level := range slices.Backward(levels) {
		for _, name := range level {
			known := slices.SortedFunc(maps.Keys(uses[name]), func(a, b string) int { return cmp.Compare(a, b) })
			fmt.Fprintf(&s, "%d %-12s %s\n", i, name, strings.Join(known, " "))
		}
	}
	return s.String()
}
