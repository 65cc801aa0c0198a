package expr

import (
	"go/types"
)

// real is t with the types that the frame's type parameters stand for.
func (u *unit) real(t types.Type) types.Type {
	if u.place == nil || len(u.place.args) == 0 {
		return t
	}
	return substitute(t, u.place.args)
}

func (u *unit) realList(list *types.TypeList) *types.TypeList {
	if u.place == nil || len(u.place.args) == 0 {
		return list
	}
	// A TypeList cannot be made; an instance of a type with as many parameters has one.
	params := make([]*types.TypeParam, list.Len())
	args := make([]types.Type, list.Len())
	for i := range args {
		params[i] = types.NewTypeParam(types.NewTypeName(0, nil, "T", nil), types.Universe.Lookup("any").Type())
		args[i] = u.real(list.At(i))
	}
	named := types.NewNamed(types.NewTypeName(0, nil, "list", nil), types.NewStruct(nil, nil), nil)
	named.SetTypeParams(params)
	inst, err := types.Instantiate(nil, named, args, false)
	if err != nil {
		return list
	}
	return inst.(*types.Named).TypeArgs()
}

func substitute(t types.Type, args map[*types.TypeParam]types.Type) types.Type {
	sub := func(t types.Type) types.Type { return substitute(t, args) }
	tuple := func(t *types.Tuple) *types.Tuple {
		var list []*types.Var
		for i := range t.Len() {
			v := t.At(i)
			list = append(list, types.NewParam(v.Pos(), v.Pkg(), v.Name(), sub(v.Type())))
		}
		return types.NewTuple(list...)
	}
	switch t := types.Unalias(t).(type) {
	case *types.TypeParam:
		if a := args[t]; a != nil {
			return a
		}
	case *types.Pointer:
		return types.NewPointer(sub(t.Elem()))
	case *types.Slice:
		return types.NewSlice(sub(t.Elem()))
	case *types.Array:
		return types.NewArray(sub(t.Elem()), t.Len())
	case *types.Map:
		return types.NewMap(sub(t.Key()), sub(t.Elem()))
	case *types.Chan:
		return types.NewChan(t.Dir(), sub(t.Elem()))
	case *types.Signature:
		return types.NewSignatureType(nil, nil, nil, tuple(t.Params()), tuple(t.Results()), t.Variadic())
	case *types.Struct:
		var fields []*types.Var
		var tags []string
		for i := range t.NumFields() {
			f := t.Field(i)
			fields = append(fields, types.NewField(f.Pos(), f.Pkg(), f.Name(), sub(f.Type()), f.Embedded()))
			tags = append(tags, t.Tag(i))
		}
		return types.NewStruct(fields, tags)
	case *types.Named:
		if t.TypeArgs().Len() == 0 {
			return t
		}
		list := make([]types.Type, t.TypeArgs().Len())
		for i := range list {
			list[i] = sub(t.TypeArgs().At(i))
		}
		if inst, err := types.Instantiate(nil, t.Origin(), list, false); err == nil {
			return inst
		}
	case *types.Tuple:
		return tuple(t)
	}
	return t
}

// typeArgs finds what the type parameters of a generic frame stand for: the
// types that DWARF gives to its variables say it.
func (p *Package) typeArgs(pl *place) map[*types.TypeParam]types.Type {
	args := map[*types.TypeParam]types.Type{}
	for obj, v := range pl.vars {
		if v.Type == "" {
			continue
		}
		if real, ok := p.parseType(v.Type); ok {
			unify(obj.Type(), real, args)
		}
	}
	return args
}

// unify finds type parameters of pattern in real.
func unify(pattern, real types.Type, args map[*types.TypeParam]types.Type) {
	real = types.Unalias(real)
	switch t := types.Unalias(pattern).(type) {
	case *types.TypeParam:
		args[t] = real
	case *types.Pointer:
		if r, ok := real.(*types.Pointer); ok {
			unify(t.Elem(), r.Elem(), args)
		}
	case *types.Slice:
		if r, ok := real.(*types.Slice); ok {
			unify(t.Elem(), r.Elem(), args)
		}
	case *types.Array:
		if r, ok := real.(*types.Array); ok {
			unify(t.Elem(), r.Elem(), args)
		}
	case *types.Chan:
		if r, ok := real.(*types.Chan); ok {
			unify(t.Elem(), r.Elem(), args)
		}
	case *types.Map:
		if r, ok := real.(*types.Map); ok {
			unify(t.Key(), r.Key(), args)
			unify(t.Elem(), r.Elem(), args)
		}
	case *types.Signature:
		if r, ok := real.(*types.Signature); ok && r.Params().Len() == t.Params().Len() && r.Results().Len() == t.Results().Len() {
			for i := range t.Params().Len() {
				unify(t.Params().At(i).Type(), r.Params().At(i).Type(), args)
			}
			for i := range t.Results().Len() {
				unify(t.Results().At(i).Type(), r.Results().At(i).Type(), args)
			}
		}
	case *types.Named:
		if r, ok := real.(*types.Named); ok && r.TypeArgs().Len() == t.TypeArgs().Len() {
			for i := range t.TypeArgs().Len() {
				unify(t.TypeArgs().At(i), r.TypeArgs().At(i), args)
			}
		}
	}
}
