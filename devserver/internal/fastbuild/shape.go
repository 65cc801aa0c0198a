package fastbuild

import (
	"bytes"
	"crypto/sha256"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
)

// shape is what the go command reads in a Go file ahead of compiling, and what
// has a meaning outside of the file's own package.
type shape struct {
	text    string   // package clause and directives
	imports []string // sorted
}

// shapes are those of the files that were last looked at, by their content.
type shapes map[[sha256.Size]byte]shape

// shapeOf reads one. A file that does not parse has the shape of its error, so
// that mending it is a change.
func shapeOf(src []byte) shape {
	file, err := parser.ParseFile(token.NewFileSet(), "", src, parser.ImportsOnly)
	if err != nil {
		return shape{text: err.Error()}
	}
	var s shape
	lines := []string{"package " + file.Name.Name}
	for _, i := range file.Imports {
		path, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			path = i.Path.Value
		}
		s.imports = append(s.imports, path)
	}
	slices.Sort(s.imports)
	s.imports = slices.Compact(s.imports)
	for line := range bytes.Lines(src) {
		if isDirective(line) {
			lines = append(lines, string(bytes.TrimSpace(line)))
		}
	}
	s.text = strings.Join(lines, "\n")
	return s
}

// isDirective is generous: a line of a string that looks like a directive costs
// no more than a build with go build when it changes.
func isDirective(line []byte) bool {
	line = bytes.TrimSpace(line)
	if bytes.Contains(line, []byte("/*line ")) {
		return true
	}
	rest, ok := bytes.CutPrefix(line, []byte("//"))
	if !ok {
		return false
	}
	for _, word := range []string{"go:", "line ", "export ", "extern ", "+build"} {
		if bytes.HasPrefix(bytes.TrimLeft(rest, " \t"), []byte(word)) {
			return true
		}
	}
	return false
}
