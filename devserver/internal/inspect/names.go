package inspect

import (
	"net/url"
	"strings"

	"github.com/go-delve/delve/pkg/dwarf/godwarf"
)

// linkName is a type as the linker calls it, with import paths.
func linkName(t godwarf.Type) string {
	if n := t.Common().Name; n != "" {
		return n
	}
	if p, ok := t.(*godwarf.PtrType); ok {
		if _, ok := p.Type.(*godwarf.VoidType); ok {
			return "unsafe.Pointer"
		}
		return "*" + linkName(p.Type)
	}
	return t.String()
}

// typeName is a type as Go writes it, with names of packages.
func (b *Binary) typeName(t godwarf.Type) string {
	link := linkName(t)
	s, ok := b.types[link]
	if !ok {
		s = b.goName(link)
		b.types[link] = s
	}
	return s
}

// goName writes every "a/b/c.T" in a name of the linker's as "c.T".
func (b *Binary) goName(link string) string {
	link = strings.ReplaceAll(link, "go.shape.", "") // what is known of a type parameter
	var s strings.Builder
	for link != "" {
		n := strings.IndexAny(link, " []*(){},;<>\"`")
		switch {
		case n < 0:
			n = len(link)
		case n == 0 && link[0] == '"': // a field's tag
			n = quoted(link)
			s.WriteString(link[:n])
			link = link[n:]
			continue
		case n == 0:
			s.WriteByte(link[0])
			link = link[1:]
			continue
		}
		token, rest := link[:n], link[n:]
		if isField(s.String(), rest) { // the linker qualifies those that are not exported
			token = token[strings.LastIndexByte(token, '.')+1:]
		}
		s.WriteString(b.shortName(token))
		link = rest
	}
	return s.String()
}

// isField says whether what stands between is the name of a struct's field: one
// that is embedded has a type only.
func isField(before, after string) bool {
	if !strings.HasSuffix(before, "struct { ") && !strings.HasSuffix(before, "; ") {
		return false
	}
	return len(after) > 1 && after[0] == ' ' && after[1] != '}' && after[1] != '"'
}

// quoted is the length of the string literal that s begins with.
func quoted(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(s)
}

func (b *Binary) shortName(s string) string {
	dots := ""
	if rest, ok := strings.CutPrefix(s, "..."); ok {
		dots, s = "...", rest
	}
	s, _, _ = strings.Cut(s, "·") // tells types of one name apart, in several functions
	slash := strings.LastIndexByte(s, '/') + 1
	dot := strings.IndexByte(s[slash:], '.')
	if dot < 0 {
		return dots + s
	}
	path := unescape(s[:slash+dot])
	name, ok := b.packages[path]
	if !ok { // nothing but types is left of it
		name = lastName(path)
	}
	return dots + name + s[slash+dot:]
}

// lastName is what a package at path is called if it keeps to the custom.
func lastName(path string) string {
	dir, last := path[:strings.LastIndexByte(path, '/')+1], path[strings.LastIndexByte(path, '/')+1:]
	if isVersion(last) && dir != "" {
		dir = dir[:len(dir)-1]
		last = dir[strings.LastIndexByte(dir, '/')+1:]
	}
	if i := strings.LastIndexByte(last, '.'); i > 0 && isVersion(last[i+1:]) {
		last = last[:i]
	}
	return last
}

func isVersion(s string) bool {
	return len(s) > 1 && s[0] == 'v' && strings.Trim(s[1:], "0123456789") == ""
}

// unescape undoes what the linker does to dots in the last part of a path.
func unescape(path string) string {
	if u, err := url.PathUnescape(path); err == nil {
		return u
	}
	return path
}

// funcName is a function as the runtime's tracebacks write it: what it was
// instantiated with, which is a shape, is left out.
func funcName(link string) string {
	i := strings.IndexByte(link, '[')
	j := strings.LastIndexByte(link, ']')
	if i < 0 || j < i {
		return link
	}
	return link[:i] + "[...]" + link[j+1:]
}

func field(t godwarf.Type, name string) *godwarf.StructField {
	s, ok := godwarf.ResolveTypedef(t).(*godwarf.StructType)
	if !ok {
		return nil
	}
	for _, f := range s.Field {
		if f.Name == name {
			return f
		}
	}
	return nil
}
