package hook

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"strings"
)

// layout writes inject/layout.go anew for t: where its runtime keeps the panics
// of a goroutine.
func layout(t Target) (string, error) {
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(t.GOROOT, "src/runtime/runtime2.go"), nil, parser.SkipObjectResolution)
	if err != nil {
		return "", fmt.Errorf("the runtime's types are not known: %w", err)
	}
	var b strings.Builder
	b.WriteString("//go:build go1.21\n\npackage hook\n\nconst (\n\tword = 4 << (^uintptr(0) >> 63)\n\n")
	for _, f := range []struct{ name, of, field, typ string }{
		{"gPanic", "g", "_panic", "*_panic"},
		{"panicArg", "_panic", "arg", "any"},
		{"panicLink", "_panic", "link", "*_panic"},
		{"panicGoexit", "_panic", "goexit", "bool"},
	} {
		words, bytes, err := offset(file, f.of, f.field, f.typ)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "\t%s = %d*word + %d\n", f.name, words, bytes)
	}
	b.WriteString(")\n")
	return b.String(), nil
}

// offset returns where a struct has a field of that type, in words and bytes on
// top. Before it there may be fields whose size is beyond doubt, and no others.
func offset(file *ast.File, name, field, typ string) (words, bytes int, err error) {
	if _, t := find(file, name); t != nil {
		if s, ok := t.(*ast.StructType); ok {
			return fieldOffset(s, name, field, typ)
		}
	}
	return 0, 0, fmt.Errorf("the runtime has no struct %s where it had one", name)
}

func fieldOffset(s *ast.StructType, name, field, typ string) (words, bytes int, err error) {
	for _, f := range s.Fields.List {
		have := types.ExprString(f.Type)
		for _, id := range f.Names {
			if id.Name == field {
				if have != typ {
					return 0, 0, fmt.Errorf("runtime.%s.%s is a %s, not a %s", name, field, have, typ)
				}
				return words, bytes, nil
			}
			size := 1
			switch {
			case have == "bool":
				bytes++
				continue
			case have == "any", have == "stack": // lo and hi
				size = 2
			case have == "uintptr", have == "unsafe.Pointer", strings.HasPrefix(have, "*"):
			default:
				return 0, 0, fmt.Errorf("runtime.%s has a %s before %s", name, have, field)
			}
			if bytes > 0 {
				return 0, 0, fmt.Errorf("runtime.%s is not packed as expected before %s", name, field)
			}
			words += size
		}
	}
	return 0, 0, fmt.Errorf("runtime.%s has no field %s", name, field)
}
