package main

import (
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// The list of promises is what the tests say of themselves, and each case of a table
// is run by a test.
func TestPromises(t *testing.T) {
	text, err := promises("../..")
	if err != nil {
		t.Fatal(err)
	}
	documented(t, "promises.md", "", "", text)
}

// subjects are the packages whose tests make promises, in the order of a reader who
// comes from outside. The tests of the packages below devserver/internal and
// sample/internal are left out: what they keep is the business of a few files, and
// too much of it to read.
var subjects = []string{"cmd/devrun", "cmd/devrun/internal/*", "sample", "watcher", "devserver"}

const promisesHead = `# What devrun promises

Each line is a promise, the test that keeps it, and the suite that has the test: short is ` + "`go test ./...`" + `, long is ` + "`.ci/long`" + `, zoo is ` + "`.ci/zoo`" + `.
The test's package is the last part of the section's title, unless the promise is kept in another section.
"notify" is where the system tells devrun of a save, "poll" is where devrun has to look. In the section of attacks a line is what somebody tries, in vain.

The test TestPromises writes this file from the other tests: from their tables, and from the first sentence above a test or a case.
When they have changed: ` + "`go test ./cmd/devrun -run 'TestPromises$' -update`" + `.
`

// promises is the text of promises.md, for the tests below root.
func promises(root string) (string, error) {
	var packages []*testPackage
	for _, pattern := range subjects {
		dirs, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return "", err
		}
		for _, dir := range dirs {
			p, err := readTests(root, dir)
			if err != nil {
				return "", err
			}
			packages = append(packages, p)
		}
	}
	text := promisesHead
	for _, p := range packages {
		lines, err := p.lines(packages)
		if err != nil {
			return "", err
		}
		if len(lines) > 0 {
			text += fmt.Sprintf("\n## %s\n\n%s\n\n%s\n", p.path, p.about, strings.Join(lines, "\n"))
		}
	}
	return text, nil
}

// testPackage is what is known of a package's tests.
type testPackage struct {
	path, name, about string
	tables            []*testTable
	tests             []*ast.FuncDecl          // in the order of the source
	functions         map[string]*ast.FuncDecl // all there are
}

// testTable is a variable whose elements are cases.
type testTable struct {
	name  string
	cases []testCase
}

type testCase struct {
	name string // of the subtest
	said string // the same for people
	run  ast.Expr
	by   []testRun // none: those of the table
}

// testRun is a test that runs a table, and the modes in which it does.
type testRun struct {
	test  *ast.FuncDecl
	modes []string
}

func readTests(root, dir string) (*testPackage, error) {
	path, err := filepath.Rel(root, dir)
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	p := &testPackage{path: filepath.ToSlash(path), name: filepath.Base(dir), functions: map[string]*ast.FuncDecl{}}
	var attacks []*ast.CompositeLit
	for _, file := range files {
		mode := parser.ParseComments | parser.SkipObjectResolution
		if !strings.HasSuffix(file, "_test.go") {
			mode |= parser.PackageClauseOnly
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, mode)
		if err != nil {
			return nil, err
		}
		if p.about == "" {
			p.about = synopsis(f.Doc)
		}
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv != nil {
					continue
				}
				p.functions[d.Name.Name] = d
				if name := d.Name.Name; name != "TestMain" && (strings.HasPrefix(name, "Test") || strings.HasPrefix(name, "Fuzz")) {
					p.tests = append(p.tests, d)
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					v, ok := s.(*ast.ValueSpec)
					if !ok || len(v.Names) != 1 || len(v.Values) != 1 {
						continue
					}
					list, ok := v.Values[0].(*ast.CompositeLit)
					if !ok {
						continue
					}
					if isOf(list.Type, "e2e", "Cases") || isOf(list.Type, "e2e", "Behaviours") {
						p.tables = append(p.tables, &testTable{name: v.Names[0].Name, cases: casesOf(list)})
					}
					if array, ok := list.Type.(*ast.ArrayType); ok && isOf(array.Elt, "", "attack") {
						attacks = append(attacks, list)
					}
				}
			}
		}
	}
	for _, list := range attacks {
		table, err := p.attacks(list)
		if err != nil {
			return nil, err
		}
		p.tables = append(p.tables, table)
	}
	return p, nil
}

// casesOf are the elements {"name", function} of a table.
func casesOf(list *ast.CompositeLit) (cases []testCase) {
	for _, e := range list.Elts {
		if row, ok := e.(*ast.CompositeLit); ok && len(row.Elts) == 2 {
			cases = append(cases, testCase{name: text(row.Elts[0]), said: text(row.Elts[0]), run: row.Elts[1]})
		}
	}
	return cases
}

// attacks is the table of attacks, each of which says itself in which suite it is.
func (p *testPackage) attacks(list *ast.CompositeLit) (*testTable, error) {
	by := map[bool][]testRun{}
	for _, f := range p.tests {
		for call := range calls(f) {
			if isOf(call.Fun, "", "try") && len(call.Args) == 2 {
				long := isOf(call.Args[1], "", "true")
				by[long] = append(by[long], testRun{test: f})
			}
		}
	}
	table := &testTable{name: "attacks"}
	for _, e := range list.Elts {
		row, ok := e.(*ast.CompositeLit)
		if !ok {
			return nil, fmt.Errorf("%s: an attack is no literal", p.path)
		}
		fields := map[string]ast.Expr{}
		for _, e := range row.Elts {
			if kv, ok := e.(*ast.KeyValueExpr); ok {
				fields[fmt.Sprint(kv.Key)] = kv.Value
			}
		}
		n, err := strconv.Atoi(text(fields["n"]))
		if err != nil {
			return nil, fmt.Errorf("%s: an attack without a number: %w", p.path, err)
		}
		table.cases = append(table.cases, testCase{
			name: fmt.Sprintf("%02d %s", n, text(fields["what"])),
			said: text(fields["what"]),
			run:  fields["run"],
			by:   by[isOf(fields["long"], "", "true")],
		})
	}
	return table, nil
}

// lines are the package's promises: the cases of its tables, and the tests without a
// table that have a comment.
func (p *testPackage) lines(all []*testPackage) (lines []string, err error) {
	ofTable := map[*ast.FuncDecl]bool{}
	for _, table := range p.tables {
		for _, c := range table.cases {
			said := c.said
			if id, ok := c.run.(*ast.Ident); ok && p.functions[id.Name] != nil {
				more := sentence(p.functions[id.Name])
				switch {
				case strings.HasPrefix(more, capital(said)):
					said = more // says it all
				case more != "":
					said += ". " + more
				}
			}
			keeper, name, by := p, c.name, p.runs(table, c)
			for _, r := range by {
				ofTable[r.test] = true
			}
			if call, ok := c.run.(*ast.CallExpr); ok && isOf(call.Fun, "", "asIn") && len(by) > 0 {
				name = text(call.Args[1])
				if keeper, by = named(all, text(call.Args[0]), name); keeper == nil {
					return nil, fmt.Errorf("%s takes %q to be kept elsewhere, where it is not", p.path, c.name)
				}
			}
			if len(by) == 0 {
				return nil, fmt.Errorf("no test runs %q of %s", c.name, p.path)
			}
			lines = append(lines, line(said, keeper, name, by))
		}
	}
	for _, f := range p.tests {
		if said := sentence(f); said != "" && !ofTable[f] {
			lines = append(lines, line(said, p, "", []testRun{{test: f}}))
		}
	}
	return lines, nil
}

// named finds a case of another package, and what runs it.
func named(all []*testPackage, pkg, name string) (*testPackage, []testRun) {
	for _, p := range all {
		for _, table := range p.tables {
			for _, c := range table.cases {
				if p.name == pkg && c.name == name {
					return p, p.runs(table, c)
				}
			}
		}
	}
	return nil, nil
}

// runs are the tests that run a case: with a statement like table.Run(t, mode), or
// slices.Concat(table, another).Run(t, mode).
func (p *testPackage) runs(table *testTable, c testCase) []testRun {
	if c.by != nil {
		return c.by
	}
	var runs []testRun
	for _, f := range p.tests {
		var modes []string
		found := false
		for call := range calls(f) {
			run, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || run.Sel.Name != "Run" {
				continue
			}
			tables := []ast.Expr{run.X}
			if concat, ok := run.X.(*ast.CallExpr); ok && isOf(concat.Fun, "slices", "Concat") {
				tables = concat.Args
			}
			if !slices.ContainsFunc(tables, func(e ast.Expr) bool { return isOf(e, "", table.name) }) {
				continue
			}
			found = true
			for _, mode := range call.Args[1:] {
				modes = append(modes, text(mode))
			}
		}
		if found {
			runs = append(runs, testRun{f, modes})
		}
	}
	return runs
}

// line is what is written of a promise.
func line(said string, p *testPackage, name string, by []testRun) string {
	var tests, suites []string
	for _, r := range by {
		test := p.name + "." + r.test.Name.Name
		switch {
		case len(r.modes) > 1:
			test += "/(" + strings.Join(r.modes, "|") + ")"
		case len(r.modes) == 1:
			test += "/" + r.modes[0]
		}
		if name != "" {
			test += "/" + strings.ReplaceAll(name, " ", "_") // as package testing has it
		}
		suite := "short"
		for call := range calls(r.test) {
			switch {
			case isOf(call.Fun, "suite", "Long"):
				suite = "long"
			case isOf(call.Fun, "suite", "Zoo"):
				suite = "zoo"
			}
		}
		tests = append(tests, "`"+test+"`")
		if !slices.Contains(suites, suite) {
			suites = append(suites, suite)
		}
	}
	return fmt.Sprintf("- %s – %s – %s", capital(strings.TrimSuffix(said, ".")), strings.Join(tests, ", "), strings.Join(suites, ", "))
}

// sentence is the first sentence above a function, without the function's name.
func sentence(f *ast.FuncDecl) string {
	said := synopsis(f.Doc)
	for _, sep := range []string{": ", " is ", " are ", " "} {
		if rest, ok := strings.CutPrefix(said, f.Name.Name+sep); ok {
			return capital(rest)
		}
	}
	return said
}

func synopsis(comment *ast.CommentGroup) string {
	return new(doc.Package).Synopsis(comment.Text())
}

// capital begins a sentence. devrun is written small everywhere.
func capital(s string) string {
	if strings.HasPrefix(s, "devrun") {
		return s
	}
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[n:]
}

// calls are the calls in a function.
func calls(f *ast.FuncDecl) func(yield func(*ast.CallExpr) bool) {
	return func(yield func(*ast.CallExpr) bool) {
		more := true
		ast.Inspect(f, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok && more {
				more = yield(call)
			}
			return more
		})
	}
}

// isOf says whether an expression is this name, of this package.
func isOf(e ast.Expr, pkg, name string) bool {
	switch e := e.(type) {
	case *ast.Ident:
		return pkg == "" && e.Name == name
	case *ast.SelectorExpr:
		x, ok := e.X.(*ast.Ident)
		return ok && x.Name == pkg && e.Sel.Name == name
	}
	return false
}

// text is what a literal stands for.
func text(e ast.Expr) string {
	lit, ok := e.(*ast.BasicLit)
	if !ok {
		return ""
	}
	if s, err := strconv.Unquote(lit.Value); err == nil {
		return s
	}
	return lit.Value
}
