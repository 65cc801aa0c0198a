package expr

import (
	"go/token"
	"go/types"
	"strconv"
	"strings"
)

// parseType is the type that DWARF writes as name; of structs and interfaces
// without a name only the empty ones.
func (p *Package) parseType(name string) (types.Type, bool) {
	r := typeReader{p: p, s: name}
	t := r.read(0)
	return t, t != nil && r.s == ""
}

type typeReader struct {
	p *Package
	s string
}

func (r *typeReader) eat(s string) bool {
	ok := strings.HasPrefix(r.s, s)
	if ok {
		r.s = r.s[len(s):]
	}
	return ok
}

// read reads one type; nil for what it does not know.
func (r *typeReader) read(depth int) types.Type {
	if depth > 50 {
		return nil
	}
	elem := func() types.Type { return r.read(depth + 1) }
	wrap := func(make func(types.Type) types.Type) types.Type {
		if t := elem(); t != nil {
			return make(t)
		}
		return nil
	}
	channel := func(d types.ChanDir) types.Type {
		return wrap(func(t types.Type) types.Type { return types.NewChan(d, t) })
	}
	switch {
	case r.eat("("):
		t := elem()
		if t == nil || !r.eat(")") {
			return nil
		}
		return t
	case r.eat("*"):
		return wrap(func(t types.Type) types.Type { return types.NewPointer(t) })
	case r.eat("[]"):
		return wrap(func(t types.Type) types.Type { return types.NewSlice(t) })
	case r.eat("<-chan "):
		return channel(types.RecvOnly)
	case r.eat("chan<- "):
		return channel(types.SendOnly)
	case r.eat("chan "):
		return channel(types.SendRecv)
	case r.eat("interface {}"):
		return types.Universe.Lookup("any").Type()
	case r.eat("struct {}"):
		return types.NewStruct(nil, nil)
	case r.eat("map["):
		key := elem()
		if key == nil || !r.eat("]") {
			return nil
		}
		return wrap(func(t types.Type) types.Type { return types.NewMap(key, t) })
	case r.eat("["):
		end := strings.IndexByte(r.s, ']')
		if end < 0 {
			return nil
		}
		n, err := strconv.ParseInt(r.s[:end], 10, 64)
		if err != nil {
			return nil
		}
		r.s = r.s[end+1:]
		return wrap(func(t types.Type) types.Type { return types.NewArray(t, n) })
	case r.eat("func("):
		return r.signature(depth)
	}
	return r.named(depth)
}

func (r *typeReader) signature(depth int) types.Type {
	list := func() ([]*types.Var, bool, bool) {
		var vars []*types.Var
		variadic := false
		for !r.eat(")") {
			if len(vars) > 0 && !r.eat(", ") && !r.eat(",") {
				return nil, false, false
			}
			variadic = r.eat("...")
			t := r.read(depth + 1)
			if t == nil {
				return nil, false, false
			}
			if variadic {
				t = types.NewSlice(t)
			}
			vars = append(vars, types.NewParam(token.NoPos, nil, "", t))
		}
		return vars, variadic, true
	}
	in, variadic, ok := list()
	if !ok {
		return nil
	}
	var out []*types.Var
	switch {
	case r.eat(" ("):
		if out, _, ok = list(); !ok {
			return nil
		}
	case strings.HasPrefix(r.s, " "):
		r.s = r.s[1:]
		t := r.read(depth + 1)
		if t == nil {
			return nil
		}
		out = append(out, types.NewParam(token.NoPos, nil, "", t))
	}
	return types.NewSignatureType(nil, nil, nil, types.NewTuple(in...), types.NewTuple(out...), variadic)
}

// named reads "example.com/app/shop.Pair[int,string]" or "int".
func (r *typeReader) named(depth int) types.Type {
	end := strings.IndexAny(r.s, "[],; (){}")
	if end < 0 {
		end = len(r.s)
	}
	name := r.s[:end]
	r.s = r.s[end:]
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 {
		if obj, ok := types.Universe.Lookup(name).(*types.TypeName); ok {
			return obj.Type()
		}
		return nil
	}
	if name == "unsafe.Pointer" {
		return types.Typ[types.UnsafePointer]
	}
	pkg := r.p.packageOf(name[:dot])
	if pkg == nil {
		return nil
	}
	obj, ok := pkg.Scope().Lookup(name[dot+1:]).(*types.TypeName)
	if !ok {
		return nil
	}
	t, ok := obj.Type().(*types.Named)
	if !ok || !r.eat("[") {
		return obj.Type()
	}
	var args []types.Type
	for !r.eat("]") {
		if len(args) > 0 && !r.eat(",") {
			return nil
		}
		a := r.read(depth + 1)
		if a == nil {
			return nil
		}
		args = append(args, a)
	}
	inst, err := types.Instantiate(nil, t.Origin(), args, true)
	if err != nil {
		return nil
	}
	return inst
}

func (p *Package) packageOf(path string) *types.Package {
	path = strings.ReplaceAll(path, "%2e", ".")
	if path == linkPath(p.types) {
		return p.types
	}
	pkg, err := p.build.importer.Import(path)
	if err != nil {
		return nil
	}
	return pkg
}
