package cause

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"devrun/devserver/internal/fault"
	"devrun/devserver/internal/srctree"
)

// maker is one place in the app's source that makes an error of fmt or errors.
type maker struct {
	at    string // "store.go:52"
	typ   string // of the error
	text  *pattern
	words bool // the text has enough of its own to be recognised
}

// pattern is what an error's text looks like: pieces of it, with anything between
// them, or with the text of the cause.
type pattern struct{ pieces []string }

// What stands in a pattern for what is not known before the app runs.
const (
	anything = "\x00"
	theCause = "\x01"
)

// makers are all places of the app's, nil when that is not sure: a file has changed since
// the build or cannot be read, there are too many, or fmt.Errorf or errors.New goes
// around as a value.
func (a *analysis) makers() (all []maker) {
	seen, total := map[string]bool{}, 0
	for _, dir := range a.tree.Dirs() {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			name := filepath.Base(path)
			switch {
			case err != nil:
				return err
			case d.IsDir() && path != dir && (name == "vendor" || name == "testdata" || name[0] == '.' || name[0] == '_'):
				return fs.SkipDir
			case d.IsDir() || filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go"):
				return nil
			}
			real, err := filepath.EvalSymlinks(path)
			if err != nil || seen[real] {
				return err
			}
			seen[real] = true
			data, gone := srctree.Read(path, a.built)
			if total += len(data); gone != "" || len(seen) > maxPackageFiles || total > maxPackageSize {
				return errUnsure
			}
			if !bytes.Contains(data, []byte(`"fmt"`)) && !bytes.Contains(data, []byte(`"errors"`)) {
				return nil
			}
			of, err := makersIn(path, data)
			for i := range of {
				of[i].at = a.tree.Frame(fault.Frame{File: path}).Rel + of[i].at
			}
			all = append(all, of...)
			return err
		})
		if err != nil {
			return nil
		}
	}
	return all
}

var errUnsure = errors.New("what the app makes is not sure")

// makersIn are those of one file; at is only ":52".
func makersIn(path string, data []byte) (all []maker, err error) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, data, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	names := map[string]string{} // of the packages, as the file has them
	for _, i := range file.Imports {
		path, _ := strconv.Unquote(i.Path.Value)
		if path != "fmt" && path != "errors" {
			continue
		}
		name := path
		if i.Name != nil {
			name = i.Name.Name
		}
		if name == "." {
			return nil, errUnsure
		}
		names[name] = path
	}
	called := map[ast.Expr]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			fn := ast.Unparen(n.Fun)
			kind := constructor(fn, names)
			if kind == "" || len(n.Args) == 0 {
				return true
			}
			called[fn] = true
			all = append(all, newMaker(kind, n.Args[0], set.Position(n.Args[0].Pos()).Line)...)
		case *ast.SelectorExpr:
			if constructor(n, names) != "" && !called[n] {
				err = errUnsure
			}
		}
		return true
	})
	return all, err
}

// constructor is "Errorf" or "New" for an expression that names fmt's or errors'.
func constructor(e ast.Expr, names map[string]string) string {
	s, ok := e.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	pkg, ok := s.X.(*ast.Ident)
	switch {
	case !ok:
	case names[pkg.Name] == "fmt" && s.Sel.Name == "Errorf", names[pkg.Name] == "errors" && s.Sel.Name == "New":
		return s.Sel.Name
	}
	return ""
}

// newMaker is what a call makes, once for each type that its error may have.
func newMaker(kind string, text ast.Expr, line int) []maker {
	pieces, known := piecesOf(text, kind == "Errorf")
	m := maker{at: fmt.Sprintf(":%d", line), typ: "*errors.errorString", text: &pattern{pieces}}
	letters, wraps := 0, 0
	for _, p := range pieces {
		switch p {
		case anything:
		case theCause:
			wraps++
		default:
			letters += len(p)
		}
	}
	m.words = letters >= 4
	if kind == "New" {
		return []maker{m}
	}
	types := []string{"*errors.errorString", "*fmt.wrapError", "*fmt.wrapErrors"}
	if known {
		types = types[min(wraps, 2):][:1]
	}
	var all []maker
	for _, m.typ = range types {
		all = append(all, m)
	}
	return all
}

// piecesOf is the text of an expression as far as it is known; known is false when
// there may be verbs in what is not.
func piecesOf(e ast.Expr, format bool) (pieces []string, known bool) {
	switch e := ast.Unparen(e).(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		if err != nil || strings.ContainsAny(s, anything+theCause) {
			break
		}
		if !format {
			return []string{s}, true
		}
		return verbs(s), true
	case *ast.BinaryExpr:
		if e.Op == token.ADD {
			a, known1 := piecesOf(e.X, format)
			b, known2 := piecesOf(e.Y, format)
			return append(a, b...), known1 && known2
		}
	}
	return []string{anything}, false
}

var verb = regexp.MustCompile(`%[-+# 0]*(?:\[\d+\])?[\d*]*(?:\.(?:\[\d+\])?[\d*]*)?(?:\[\d+\])?(.?)`)

func verbs(format string) (pieces []string) {
	for {
		at := verb.FindStringSubmatchIndex(format)
		if at == nil {
			return append(pieces, format)
		}
		pieces = append(pieces, format[:at[0]])
		switch format[at[2]:at[3]] {
		case "%":
			pieces = append(pieces, "%")
		case "w":
			pieces = append(pieces, theCause)
		default:
			pieces = append(pieces, anything)
		}
		format = format[at[1]:]
	}
}

// can says whether the text of e can have been made like this.
func (p *pattern) can(e fault.Error) bool {
	var re strings.Builder
	re.WriteString(`(?s)\A`)
	cause := 0
	for _, piece := range p.pieces {
		switch {
		case piece == theCause && cause < len(e.Causes):
			re.WriteString(regexp.QuoteMeta(e.Causes[cause].Text))
			cause++
		case piece == anything, piece == theCause:
			re.WriteString(`.*`)
		default:
			re.WriteString(regexp.QuoteMeta(piece))
		}
	}
	r, err := regexp.Compile(re.String() + `\z`)
	return err != nil || r.MatchString(e.Text) // too large to say: it can
}

// maxMade is how long a text may be whose maker is looked for.
const maxMade = 4 << 10

// madeAt is where the text of an error is found in the app's source, when exactly
// one place there can have made it, and "" else. Who takes over the words of another
// package's error in a literal of the same kind is found all the same: the text is
// there.
func madeAt(all []maker, e fault.Error) string {
	if len(e.Text) > maxMade {
		return ""
	}
	found := maker{}
	for _, m := range all {
		if m.typ != e.Type || !m.text.can(e) {
			continue
		}
		if found.text != nil {
			return ""
		}
		found = m
	}
	if !found.words {
		return ""
	}
	return found.at
}

// located is a copy of a chain that notes where its texts are found.
func located(e fault.Error, all []maker) fault.Error {
	if at := madeAt(all, e); at != "" {
		e.Note = strings.TrimPrefix(e.Note+", text found in "+at, ", ")
	}
	e.Causes = slices.Clone(e.Causes)
	for i, c := range e.Causes {
		e.Causes[i] = located(c, all)
	}
	return e
}
