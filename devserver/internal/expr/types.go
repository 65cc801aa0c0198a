package expr

import (
	"go/types"

	"devrun/devserver/internal/wire"
)

// table numbers the types of a tree.
type table struct {
	u     *unit
	list  []wire.Type
	known map[string][]numbered
}

type numbered struct {
	t types.Type
	i int
}

func newTable(u *unit) *table {
	return &table{u: u, list: []wire.Type{{}}, known: map[string][]numbered{}}
}

// short writes a type as Go does in a message: with the package's name.
func short(t types.Type) string {
	return types.TypeString(t, func(p *types.Package) string { return p.Name() })
}

// of is the number of a type.
func (tb *table) of(t types.Type) int {
	t = types.Unalias(tb.u.real(types.Default(t)))
	name := linkName(t)
	for _, k := range tb.known[name] {
		if types.Identical(k.t, t) {
			return k.i
		}
	}
	i := len(tb.list)
	tb.known[name] = append(tb.known[name], numbered{t, i})
	tb.list = append(tb.list, wire.Type{Name: short(t)})
	w := wire.Type{Name: short(t)}
	named, isNamed := t.(*types.Named)
	switch {
	case isNamed && named.Obj().Pkg() == nil && named.Obj().Name() == "error":
		w.Kind = "error"
		tb.list[i] = w
		return i
	case isNamed:
		w.Named = true
		w.Addr = tb.u.typeAddr(named)
	default:
		switch t.(type) {
		case *types.Struct, *types.Interface:
			w.Addr, _ = tb.u.f.TypeAddr(name)
		}
	}
	if w.Addr == 0 {
		tb.parts(&w, t.Underlying())
	}
	tb.list[i] = w
	return i
}

// parts describes a type by what it is made of.
func (tb *table) parts(w *wire.Type, t types.Type) {
	switch t := t.(type) {
	case *types.Basic:
		w.Kind = linkName(t)
	case *types.Pointer:
		w.Kind, w.Elem = "ptr", tb.of(t.Elem())
	case *types.Slice:
		w.Kind, w.Elem = "slice", tb.of(t.Elem())
	case *types.Array:
		w.Kind, w.Elem, w.Len = "array", tb.of(t.Elem()), t.Len()
	case *types.Map:
		w.Kind, w.Key, w.Elem = "map", tb.of(t.Key()), tb.of(t.Elem())
	case *types.Chan:
		w.Kind, w.Elem = "chan", tb.of(t.Elem())
		w.Dir = map[types.ChanDir]int{types.SendRecv: 3, types.RecvOnly: 1, types.SendOnly: 2}[t.Dir()]
	case *types.Signature:
		w.Kind, w.Variadic = "func", t.Variadic()
		w.In, w.Out = tb.tuple(t.Params()), tb.tuple(t.Results())
	case *types.Struct:
		w.Kind = "struct"
		for i := range t.NumFields() {
			f := t.Field(i)
			wf := wire.TypeField{Name: f.Name(), Type: tb.of(f.Type()), Tag: t.Tag(i), Embedded: f.Embedded()}
			if !f.Exported() {
				wf.PkgPath = linkPath(f.Pkg())
			}
			w.Fields = append(w.Fields, wf)
		}
	case *types.Interface:
		if t.NumMethods() == 0 {
			w.Kind = "any"
		} else {
			w.Why = "the type " + w.Name + " has no descriptor in this build (nothing in the app refers to it at run time)"
		}
	default:
		w.Why = "values of type " + w.Name + " cannot be made here"
	}
}

func (tb *table) tuple(t *types.Tuple) (list []int) {
	for i := range t.Len() {
		list = append(list, tb.of(t.At(i).Type()))
	}
	return list
}

// function is a func type for code: its receiver, if any, and the dictionary of
// generic code come before the parameters.
func (tb *table) function(first []int, sig *types.Signature) int {
	w := wire.Type{Kind: "func", Name: "func" + linkSignature(sig), Variadic: sig.Variadic()}
	w.In = append(append(w.In, first...), tb.tuple(sig.Params())...)
	w.Out = tb.tuple(sig.Results())
	tb.list = append(tb.list, w)
	return len(tb.list) - 1
}

func (tb *table) pointer() int { return tb.of(types.Typ[types.UnsafePointer]) }

// typeAddr finds a named type's descriptor. One that is declared in a function
// is known by the name that DWARF gives to a variable of it: its plain name may
// be another type's.
func (u *unit) typeAddr(t *types.Named) uint64 {
	name := linkName(t)
	if local(t.Obj()) {
		name = ""
		for obj, v := range u.place.vars {
			if types.Identical(obj.Type(), t) && v.Type != "" {
				name = v.Type
			} else if p, ok := obj.Type().(*types.Pointer); ok && types.Identical(p.Elem(), t) && len(v.Type) > 1 {
				name = v.Type[1:]
			}
		}
		if name == "" || name == linkName(t) {
			return 0
		}
	}
	for i := range t.TypeArgs().Len() {
		if n, ok := t.TypeArgs().At(i).(*types.Named); ok && local(n.Obj()) {
			return 0
		}
	}
	addr, _ := u.f.TypeAddr(name)
	return addr
}

// local reports whether a type is declared in a function.
func local(obj *types.TypeName) bool {
	return obj.Pkg() != nil && obj.Parent() != obj.Pkg().Scope()
}
