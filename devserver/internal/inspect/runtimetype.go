package inspect

import (
	"errors"
	"fmt"

	"github.com/go-delve/delve/pkg/dwarf/godwarf"
)

// runtimeType is what the runtime's description of a type describes, and whether
// an interface holds a value of it rather than its address.
func (w *walk) runtimeType(rtype uint64, depth int) (godwarf.Type, bool, error) {
	b := w.b
	if rtype < b.module.types || rtype >= b.module.etypes {
		return nil, false, fmt.Errorf("there is no type at %#x", rtype)
	}
	const inKind, inFlag = 1 << 5, 1 << 5 // up to Go 1.25, and from 1.26
	kind, err1 := number(w.mem, rtype+uint64(b.abi.kind), 1)
	flag, err2 := number(w.mem, rtype+uint64(b.abi.tflag), 1)
	if err := errors.Join(err1, err2); err != nil {
		return nil, false, err
	}
	direct := kind&inKind != 0 || flag&inFlag != 0
	off, ok := typeOffset(b.image(), rtype-b.module.types)
	if !ok {
		t, err := w.undescribed(rtype, kind&(1<<5-1), flag, depth)
		return t, direct, err
	}
	t, err := b.image().Type(off)
	return t, direct, err
}

// undescribed is a type that the debug information leaves out: up to Go 1.25
// arrays and structs that have no name and are used for values in interfaces
// only.
func (w *walk) undescribed(rtype, kind, flag uint64, depth int) (godwarf.Type, error) {
	const array, pointer, structure = 17, 22, 25 // of package reflect
	missing := fmt.Errorf("the debug information does not know the type at %#x", rtype)
	if depth > 5 {
		return nil, missing
	}
	base, err := w.abi("Type", rtype)
	if err != nil {
		return nil, err
	}
	size, err1 := base.number("Size_")
	name, err2 := w.typeString(base, flag)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	common := godwarf.CommonType{Name: name, ByteSize: int64(size)}
	switch kind {
	case array:
		p, err := w.abi("ArrayType", rtype)
		if err != nil {
			return nil, err
		}
		elem, err1 := w.described(p, "Elem", depth)
		n, err2 := p.number("Len")
		return &godwarf.ArrayType{CommonType: common, Type: elem, Count: int64(n)}, errors.Join(err1, err2)
	case pointer:
		p, err := w.abi("PtrType", rtype)
		if err != nil {
			return nil, err
		}
		elem, err := w.described(p, "Elem", depth)
		return &godwarf.PtrType{CommonType: common, Type: elem}, err
	case structure:
		p, err := w.abi("StructType", rtype)
		if err != nil {
			return nil, err
		}
		fields, err := p.field("Fields")
		if err != nil {
			return nil, err
		}
		list, ok := godwarf.ResolveTypedef(fields.typ).(*godwarf.SliceType)
		h, err := words(w.mem, fields.addr, 2)
		if !ok || err != nil || h[1] > 1000 {
			return nil, missing
		}
		s := &godwarf.StructType{CommonType: common, Kind: "struct"}
		for i := range h[1] {
			f := place{w, list.ElemType, h[0] + i*uint64(list.ElemType.Size())}
			t, err1 := w.described(f, "Typ", depth)
			at, err2 := f.number("Offset")
			nameAt, err3 := f.number("Name")
			if err := errors.Join(err1, err2, err3); err != nil {
				return nil, err
			}
			name, err := w.runtimeName(nameAt)
			if err != nil {
				return nil, err
			}
			s.Field = append(s.Field, &godwarf.StructField{Name: name, Type: t, ByteOffset: int64(at), ByteSize: w.b.sizeOf(t)})
		}
		return s, nil
	}
	return nil, missing
}

// described is the type that a field of a description points to.
func (w *walk) described(p place, name string, depth int) (godwarf.Type, error) {
	at, err := p.number(name)
	if err != nil {
		return nil, err
	}
	t, _, err := w.runtimeType(at, depth+1)
	return t, err
}

// abi is a description as one of the types of internal/abi.
func (w *walk) abi(name string, addr uint64) (place, error) {
	t, err := w.b.bi.FindType("internal/abi." + name)
	if err != nil {
		return place{}, fmt.Errorf("type internal/abi.%s: %w", name, err)
	}
	return place{w, t, addr}, nil
}

// typeString is what reflection calls a type.
func (w *walk) typeString(p place, flag uint64) (string, error) {
	const extraStar = 1 << 1
	off, err := p.number("Str")
	if err != nil {
		return "", err
	}
	s, err := w.runtimeName(w.b.module.types + uint64(uint32(off)))
	if flag&extraStar != 0 && s != "" {
		s = s[1:]
	}
	return s, err
}

// runtimeName reads a name of the runtime's: a byte of flags, the length as a
// varint, the text.
func (w *walk) runtimeName(addr uint64) (string, error) {
	var h [3]byte
	if _, err := w.mem.ReadMemory(h[:], addr); err != nil {
		return "", err
	}
	n, begin := int(h[1]), addr+2
	if n >= 0x80 {
		n, begin = n&0x7f|int(h[2])<<7, addr+3
		if h[2] >= 0x80 {
			return "", errors.New("a name of the runtime's is too long")
		}
	}
	b := make([]byte, n)
	if n > 0 {
		if _, err := w.mem.ReadMemory(b, begin); err != nil {
			return "", err
		}
	}
	return string(b), nil
}
