package page

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"slices"
	"sort"
)

// tok is one token of Go with its class for the stylesheet, "" for plain text.
type tok struct {
	from, to int
	class    string
	ident    bool
}

// predeclared are the identifiers that read like literals.
var predeclared = []string{"nil", "true", "false", "iota"}

// scan cuts Go source into tokens. It goes through the whole file, so that a line
// inside a raw string or a comment is known as such, and takes broken source too.
func scan(src []byte) []tok {
	var out []tok
	set := token.NewFileSet()
	file := set.AddFile("", -1, len(src))
	var s scanner.Scanner
	s.Init(file, src, nil, scanner.ScanComments)
	for {
		pos, kind, lit := s.Scan()
		if kind == token.EOF {
			return out
		}
		from := int(pos) - file.Base()
		t := tok{from: from, to: from + len(lit)}
		switch {
		case kind == token.SEMICOLON && lit != ";":
			continue // made up by the scanner
		case kind == token.COMMENT:
			t.class, t.to = "c", commentEnd(src, from)
		case kind == token.STRING && src[from] == '`':
			t.class, t.to = "s", past(src, from+1, "`")
		case kind == token.STRING, kind == token.CHAR:
			t.class = "s"
		case kind == token.INT, kind == token.FLOAT, kind == token.IMAG:
			t.class = "d"
		case kind == token.IDENT:
			t.ident = true
			if slices.Contains(predeclared, lit) {
				t.class = "k"
			}
		case kind.IsKeyword():
			t.class, t.to = "k", from+len(kind.String())
		case kind.IsOperator():
			t.to = from + len(kind.String())
		}
		t.to = min(t.to, len(src))
		out = append(out, t)
	}
}

// The scanner drops carriage returns from comments and raw strings, so the length
// of their literals is not that of their source.

func commentEnd(src []byte, from int) int {
	if bytes.HasPrefix(src[from:], []byte("/*")) {
		return past(src, from+2, "*/")
	}
	if n := bytes.IndexByte(src[from:], '\n'); n >= 0 {
		return from + n
	}
	return len(src)
}

func past(src []byte, from int, end string) int {
	if n := bytes.Index(src[from:], []byte(end)); n >= 0 {
		return from + n + len(end)
	}
	return len(src)
}

// tokensIn returns the tokens that overlap the bytes from to to.
func (f *source) tokensIn(from, to int) []tok {
	i := sort.Search(len(f.tokens), func(i int) bool { return f.tokens[i].to > from })
	j := i
	for j < len(f.tokens) && f.tokens[j].from < to {
		j++
	}
	return f.tokens[i:j]
}

func (f *source) token(at int) *tok {
	if t := f.tokensIn(at, at+1); len(t) == 1 && at < len(f.data) {
		return &t[0]
	}
	return nil
}

// tree is the syntax of a file, of a broken one as much as the parser could read.
type tree struct {
	*ast.File
	file *token.File
}

func (f *source) parse() *tree {
	if f.tree == nil {
		set := token.NewFileSet()
		parsed, _ := parser.ParseFile(set, "", f.data, parser.ParseComments|parser.SkipObjectResolution) // a part of the tree will do
		f.tree = &tree{parsed, set.File(parsed.FileStart)}
	}
	return f.tree
}

func (t *tree) line(p token.Pos) int { return t.file.PositionFor(p, false).Line }

// expression returns where the smallest expression ends that begins with the token
// t, for tokens that say little alone: "(", "&", "[", "func". It returns 0 for
// others.
func (f *source) expression(t *tok) (to int) {
	if t.ident || t.class == "s" || t.class == "d" || t.class == "c" {
		return 0
	}
	tree := f.parse()
	ast.Inspect(tree.File, func(n ast.Node) bool {
		if e, ok := n.(ast.Expr); ok && tree.file.Offset(e.Pos()) == t.from {
			if end := tree.file.Offset(e.End()); to == 0 || end < to {
				to = end
			}
		}
		return true
	})
	return to
}

// maxFunc is how many lines of a function are shown whole.
const maxFunc = 24

// function returns the lines to show of the function around a line: all of it with
// its comment when it is short, else some lines on each side.
func (f *source) function(at, around int) (from, to int) {
	from, to = at-around, at+around
	if f.gone != "" || f.tokens == nil {
		return from, to
	}
	tree := f.parse()
	for _, d := range tree.Decls {
		d, ok := d.(*ast.FuncDecl)
		if !ok || at < tree.line(d.Pos()) || at > tree.line(d.End()) {
			continue
		}
		first, last := tree.line(d.Pos()), tree.line(d.End())
		if d.Doc != nil && last-tree.line(d.Doc.Pos()) < maxFunc {
			first = tree.line(d.Doc.Pos())
		}
		if last-first < maxFunc {
			return first, last
		}
		return max(from, first), min(to, last)
	}
	return from, to
}

// signature is the line where the function declaration around a line begins, 0 for
// none.
func (f *source) signature(at int) int {
	if f.gone != "" || f.tokens == nil {
		return 0
	}
	tree := f.parse()
	for _, d := range tree.Decls {
		if d, ok := d.(*ast.FuncDecl); ok && tree.line(d.Pos()) <= at && at <= tree.line(d.End()) {
			return tree.line(d.Pos())
		}
	}
	return 0
}

// similar returns the identifier of the file that name was most likely meant to
// be, or "": one slip away, two in a long name.
func (f *source) similar(name string) string {
	slips := 1
	if len(name) >= 8 {
		slips = 2
	}
	if f.idents == nil {
		f.idents = map[string]int{}
		for _, t := range f.tokens {
			if t.ident && t.to-t.from >= 3 {
				f.idents[string(f.data[t.from:t.to])]++
			}
		}
	}
	best, bestCount := "", 0
	for other, n := range f.idents {
		if other == name || abs(len(other)-len(name)) > slips || n < bestCount || n == bestCount && other > best {
			continue
		}
		if distance(name, other) <= slips {
			best, bestCount = other, n
		}
	}
	return best
}

func abs(n int) int { return max(n, -n) }

// distance is how many letters must be added, removed, replaced or swapped with
// their neighbour to make b of a.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
		for j := range rows[i] {
			switch {
			case i == 0:
				rows[i][j] = j
			case j == 0:
			default:
				cost := 1
				if a[i-1] == b[j-1] {
					cost = 0
				}
				rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
				if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
					rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
				}
			}
		}
	}
	return rows[len(a)][len(b)]
}
