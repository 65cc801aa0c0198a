package inspect

import (
	"debug/dwarf"

	"github.com/go-delve/delve/pkg/dwarf/godwarf"
)

// mend gives arrays of type t, and those in them, their length.
//
// Delve takes a field without a size for an array of C's without a length, and sets
// the length of its type to 0, and that of its elements' type: by a field [0][3]int
// every [3]int of the program gets lost, by one of [3]struct{} its own elements.
func (b *Binary) mend(t godwarf.Type) {
	for {
		a, ok := godwarf.ResolveTypedef(t).(*godwarf.ArrayType)
		if !ok {
			return
		}
		if a.Count == 0 && a.Offset != 0 { // else it was made here, of what the runtime says
			a.Count = b.countAt(a.Offset)
		}
		t = a.Type
	}
}

// countAt is the length that the debug information has for an array type, 0 if it
// has none, as of C's.
func (b *Binary) countAt(off dwarf.Offset) int64 {
	r := b.image().DwarfReader()
	r.Seek(off)
	if array, err := r.Next(); err != nil || array == nil || !array.Children {
		return 0
	}
	bounds, err := r.Next()
	if err != nil || bounds == nil {
		return 0
	}
	n, _ := bounds.Val(dwarf.AttrCount).(int64)
	return n
}

// sizeOf is how many bytes a value of type t takes.
func (b *Binary) sizeOf(t godwarf.Type) int64 {
	b.mend(t)
	return t.Size()
}
