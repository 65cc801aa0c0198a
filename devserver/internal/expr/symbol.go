package expr

import (
	"fmt"
	"go/types"
	"strings"
)

// prefix is a package's path as symbols have it: dots after the last slash, and
// what is not plain, are escaped.
func prefix(path string) string {
	slash := strings.LastIndexByte(path, '/')
	var b strings.Builder
	for i := range len(path) {
		c := path[i]
		if c <= ' ' || i > slash && c == '.' || c == '%' || c == '"' || c >= 0x7f {
			fmt.Fprintf(&b, "%%%02x", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// linkPath is how symbols and type names call a package.
func linkPath(pkg *types.Package) string {
	if pkg == nil {
		return ""
	}
	if pkg.Name() == "main" {
		return "main"
	}
	return pkg.Path()
}

// linkName is a type as symbols and DWARF write it, with whole paths.
func linkName(t types.Type) string {
	switch t := types.Unalias(t).(type) {
	case *types.Basic:
		switch t.Kind() {
		case types.UntypedNil:
			return "nil"
		case types.UnsafePointer:
			return "unsafe.Pointer"
		case types.Byte:
			return "uint8"
		case types.Rune:
			return "int32"
		}
		return t.Name()
	case *types.Named:
		obj := t.Obj()
		name := obj.Name()
		if obj.Pkg() != nil {
			name = linkPath(obj.Pkg()) + "." + name
		}
		if args := t.TypeArgs(); args.Len() > 0 {
			name += "[" + linkList(args) + "]"
		}
		return name
	case *types.Pointer:
		return "*" + linkName(t.Elem())
	case *types.Slice:
		return "[]" + linkName(t.Elem())
	case *types.Array:
		return fmt.Sprintf("[%d]%s", t.Len(), linkName(t.Elem()))
	case *types.Map:
		return "map[" + linkName(t.Key()) + "]" + linkName(t.Elem())
	case *types.Chan:
		elem := linkName(t.Elem())
		switch t.Dir() {
		case types.SendOnly:
			return "chan<- " + elem
		case types.RecvOnly:
			return "<-chan " + elem
		}
		if c, ok := t.Elem().(*types.Chan); ok && c.Dir() == types.RecvOnly {
			elem = "(" + elem + ")"
		}
		return "chan " + elem
	case *types.Signature:
		return "func" + linkSignature(t)
	case *types.Struct:
		if t.NumFields() == 0 {
			return "struct {}"
		}
		var fields []string
		for i := range t.NumFields() {
			f := t.Field(i)
			s := ""
			if !f.Embedded() {
				s = f.Name() + " "
				if !f.Exported() {
					s = linkPath(f.Pkg()) + "." + s
				}
			}
			s += linkName(f.Type())
			if tag := t.Tag(i); tag != "" {
				s += fmt.Sprintf(" %q", tag)
			}
			fields = append(fields, s)
		}
		return "struct { " + strings.Join(fields, "; ") + " }"
	case *types.Interface:
		if t.NumMethods() == 0 {
			return "interface {}"
		}
		var list []string
		for _, m := range methodsOf(t) {
			name := m.Name()
			if !m.Exported() {
				name = linkPath(m.Pkg()) + "." + name
			}
			list = append(list, name+linkSignature(m.Type().(*types.Signature)))
		}
		return "interface { " + strings.Join(list, "; ") + " }"
	}
	return t.String()
}

func linkSignature(sig *types.Signature) string {
	var in, out []string
	for i := range sig.Params().Len() {
		t := sig.Params().At(i).Type()
		if s, ok := t.(*types.Slice); ok && sig.Variadic() && i == sig.Params().Len()-1 {
			in = append(in, "..."+linkName(s.Elem()))
			continue
		}
		in = append(in, linkName(t))
	}
	for i := range sig.Results().Len() {
		out = append(out, linkName(sig.Results().At(i).Type()))
	}
	s := "(" + strings.Join(in, ", ") + ")"
	switch len(out) {
	case 0:
		return s
	case 1:
		return s + " " + out[0]
	}
	return s + " (" + strings.Join(out, ", ") + ")"
}

func linkList(args *types.TypeList) string {
	var list []string
	for i := range args.Len() {
		list = append(list, linkName(args.At(i)))
	}
	return strings.Join(list, ",")
}

// shapes are the type arguments as the compiler groups them: code is shared by
// types with one underlying type, and by all pointers unless the constraint
// looks into them.
func shapes(args *types.TypeList, params *types.TypeParamList) string {
	var list []string
	for i := range args.Len() {
		under := args.At(i).Underlying()
		name := linkName(under)
		if _, ok := under.(*types.Pointer); ok && basicConstraint(params, i) {
			name = "*uint8"
		}
		list = append(list, "go.shape."+name)
	}
	return strings.Join(list, ",")
}

// basicConstraint reports whether a type parameter is constrained by methods
// only.
func basicConstraint(params *types.TypeParamList, i int) bool {
	if params == nil || i >= params.Len() {
		return true
	}
	c, ok := params.At(i).Constraint().Underlying().(*types.Interface)
	return ok && c.IsMethodSet() || ok && c.IsComparable() && !hasUnion(c)
}

func hasUnion(c *types.Interface) bool {
	for i := range c.NumEmbeddeds() {
		switch e := c.EmbeddedType(i).(type) {
		case *types.Union:
			return true
		default:
			if in, ok := e.Underlying().(*types.Interface); !ok || hasUnion(in) {
				return true
			}
		}
	}
	return false
}

// methodsOf are an interface's methods in the order of its method tables.
func methodsOf(in *types.Interface) []*types.Func {
	var list []*types.Func
	for i := range in.NumMethods() {
		list = append(list, in.Method(i))
	}
	less := func(a, b *types.Func) bool {
		switch {
		case a.Exported() != b.Exported():
			return a.Exported()
		case a.Name() != b.Name():
			return a.Name() < b.Name()
		}
		return !a.Exported() && a.Pkg().Path() < b.Pkg().Path()
	}
	for i := range list {
		for j := i; j > 0 && less(list[j], list[j-1]); j-- {
			list[j], list[j-1] = list[j-1], list[j]
		}
	}
	return list
}
