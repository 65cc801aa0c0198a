package inspect

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-delve/delve/pkg/dwarf/godwarf"

	"devrun/devserver/internal/fault"
)

// maxGroups is how many groups of a map's slots are looked at: one made for a
// hundred million entries may hold ten.
const maxGroups = 4096

var errForm = errors.New("this version of Go lays it out in a way that is not known")

// mapHeader is what a map's value points to.
func mapHeader(t *godwarf.MapType) godwarf.Type {
	if p, ok := godwarf.ResolveTypedef(t.Type).(*godwarf.PtrType); ok {
		return p.Type
	}
	return nil
}

func (w *walk) loadMap(n *node, t *godwarf.MapType) error {
	p, err := number(n.mem, n.addr, 8)
	if err != nil {
		return err
	}
	n.word, n.v.Nil = p, p == 0
	if p == 0 {
		return nil
	}
	count := field(mapHeader(t), "used") // tables since Go 1.24, buckets before
	if count == nil {
		count = field(mapHeader(t), "count")
	}
	if count == nil {
		return errForm
	}
	size, err := number(w.mem, p+uint64(count.ByteOffset), 8)
	if err != nil {
		return nothingAt(p)
	}
	if size > maxAddr {
		return fmt.Errorf("%d entries cannot be at %#x: %w", size, p, errDamaged)
	}
	n.v.Len, n.size = int64(size), int64(size)
	n.target = identity{addr: p, typ: n.v.Type}
	return nil
}

// entry is where a key and its element are.
type entry struct{ key, elem uint64 }

// entries lists a map's, by key: those found first in memory, when there are
// more than are listed.
func (w *walk) entries(n *node, t *godwarf.MapType) {
	limit := min(w.l.elements(n.depth), w.left, int(n.v.Len))
	var found []entry
	var err error
	if field(mapHeader(t), "dirPtr") != nil {
		found, err = w.tables(n.word, t, limit)
	} else {
		found, err = w.buckets(n.word, t, limit)
	}
	for _, e := range found {
		key := w.single(t.KeyType, e.key)
		k := w.add(n, w.line(key, w.l.Line/2), t.ElemType, e.elem, w.mem)
		k.key = key
	}
	if err != nil && len(found) == 0 {
		n.v.Unreadable, n.size = err.Error(), 0
	}
	slices.SortStableFunc(n.kids, func(a, b *node) int {
		if a.key.v.Kind == fault.Number {
			x, err1 := strconv.ParseFloat(a.key.v.Text, 64)
			y, err2 := strconv.ParseFloat(b.key.v.Text, 64)
			if err1 == nil && err2 == nil && x != y {
				if x < y {
					return -1
				}
				return 1
			}
		}
		return strings.Compare(a.v.Name, b.v.Name)
	})
}

// single reads a value that is only shown in a line.
func (w *walk) single(t godwarf.Type, addr uint64) *node {
	sub := walk{b: w.b, mem: w.mem, l: w.l}
	sub.l.Depth, sub.l.Elements, sub.l.Fields = 3, 8, 8
	return sub.variable(fault.Value{}, t, addr, w.mem, 24)
}

// place is an address that is known to hold a value of a type.
type place struct {
	w    *walk
	typ  godwarf.Type
	addr uint64
}

func (p place) field(name string) (place, error) {
	f := field(p.typ, name)
	if f == nil {
		return place{}, errForm
	}
	return place{p.w, f.Type, p.addr + uint64(f.ByteOffset)}, nil
}

func (p place) number(name string) (uint64, error) {
	f, err := p.field(name)
	if err != nil {
		return 0, err
	}
	return number(p.w.mem, f.addr, f.typ.Size())
}

// pointed is what the field points to.
func (p place) pointed(name string) (place, error) {
	f, err := p.field(name)
	if err != nil {
		return place{}, err
	}
	return f.deref()
}

func (p place) deref() (place, error) {
	t, ok := godwarf.ResolveTypedef(p.typ).(*godwarf.PtrType)
	if !ok {
		return place{}, errForm
	}
	addr, err := number(p.w.mem, p.addr, 8)
	if err == nil && addr == 0 {
		err = errors.New("a part of the map is missing")
	}
	return place{p.w, t.Type, addr}, err
}

// slot is where the value of an element of a map is: large ones are elsewhere.
func (p place) slot(want godwarf.Type) (uint64, error) {
	_, have := godwarf.ResolveTypedef(p.typ).(*godwarf.PtrType)
	if _, ok := godwarf.ResolveTypedef(want).(*godwarf.PtrType); have && !ok {
		return number(p.w.mem, p.addr, 8)
	}
	return p.addr, nil
}

// tables finds entries in the form that maps have since Go 1.24: a directory of
// tables of groups of eight slots, or one group by itself.
func (w *walk) tables(addr uint64, t *godwarf.MapType, limit int) (found []entry, err error) {
	m := place{w, mapHeader(t), addr}
	size, err := m.number("dirLen")
	if err != nil {
		return nil, err
	}
	dir, err := m.pointed("dirPtr")
	if err != nil {
		return nil, err
	}
	tablePtr, ok := godwarf.ResolveTypedef(dir.typ).(*godwarf.PtrType)
	if !ok {
		return nil, errForm
	}
	groups := place{w, tablePtr.Type, 0}
	groups, err = groups.field("groups")
	if err != nil {
		return nil, err
	}
	data := field(groups.typ, "data")
	if data == nil {
		return nil, errForm
	}
	group, ok := godwarf.ResolveTypedef(data.Type).(*godwarf.PtrType)
	if !ok {
		return nil, errForm
	}
	if size == 0 {
		return w.group(place{w, group.Type, dir.addr}, t, nil, limit)
	}
	for i, seen := uint64(0), 0; i < size && seen < maxGroups && len(found) < limit; i++ {
		table, err := place{w, tablePtr, dir.addr + 8*i}.deref()
		if err != nil {
			return found, err
		}
		index, err := table.number("index")
		if err != nil {
			return found, err
		}
		seen++
		if index != i { // a table stands in the directory several times
			continue
		}
		groups, err := table.field("groups")
		if err != nil {
			return found, err
		}
		mask, err := groups.number("lengthMask")
		if err != nil {
			return found, err
		}
		first, err := groups.pointed("data")
		if err != nil {
			return found, err
		}
		for g := uint64(0); g <= mask && seen < maxGroups && len(found) < limit; g++ {
			seen++
			at := first
			at.addr += g * uint64(w.b.sizeOf(group.Type))
			if found, err = w.group(at, t, found, limit); err != nil {
				return found, err
			}
		}
	}
	return found, nil
}

// group adds what the slots of a group hold.
func (w *walk) group(g place, t *godwarf.MapType, found []entry, limit int) ([]entry, error) {
	control, err := g.number("ctrl")
	if err != nil {
		return found, err
	}
	slots, err := g.field("slots")
	if err != nil {
		return found, err
	}
	w.b.mend(slots.typ)
	array, ok := godwarf.ResolveTypedef(slots.typ).(*godwarf.ArrayType)
	if !ok {
		return found, errForm
	}
	for i := range min(array.Count, 8) {
		if control>>(8*i)&0x80 != 0 { // empty or deleted
			continue
		}
		if len(found) >= limit {
			break
		}
		slot := place{w, array.Type, slots.addr + uint64(i*w.b.sizeOf(array.Type))}
		key, err1 := slot.field("key")
		elem, err2 := slot.field("elem")
		if err := errors.Join(err1, err2); err != nil {
			return found, err
		}
		if found, err = appendEntry(found, key, elem, t); err != nil {
			return found, err
		}
	}
	return found, nil
}

func appendEntry(found []entry, key, elem place, t *godwarf.MapType) ([]entry, error) {
	k, err1 := key.slot(t.KeyType)
	e, err2 := elem.slot(t.ElemType)
	if err := errors.Join(err1, err2); err != nil {
		return found, err
	}
	return append(found, entry{k, e}), nil
}

// buckets finds entries in the form of GOEXPERIMENT=noswissmap, which Go 1.25
// still has: chains of eight slots each.
func (w *walk) buckets(addr uint64, t *godwarf.MapType, limit int) (found []entry, err error) {
	m := place{w, mapHeader(t), addr}
	log, err := m.number("B")
	if err != nil {
		return nil, err
	}
	seen := 0
	for _, list := range []string{"buckets", "oldbuckets"} {
		first, err := m.pointed(list)
		if errors.Is(err, errForm) {
			return found, err
		} else if err != nil { // there is none
			continue
		}
		n := uint64(1) << min(log, 40)
		if list == "oldbuckets" {
			if flags, err := m.number("flags"); err == nil && flags&8 == 0 { // it grows to twice the size
				n = max(n/2, 1)
			}
		}
		for i := uint64(0); i < n && seen < maxGroups && len(found) < limit; i++ {
			b := first
			b.addr += i * uint64(first.typ.Size())
			for ok := true; ok && seen < maxGroups && len(found) < limit; seen++ {
				if found, err = w.bucket(b, t, found, limit); err != nil {
					return found, err
				}
				next, err := b.pointed("overflow")
				b, ok = next, err == nil
			}
		}
	}
	return found, nil
}

func (w *walk) bucket(b place, t *godwarf.MapType, found []entry, limit int) ([]entry, error) {
	const firstHash = 5 // below are states of a slot, of which two say that it is empty, the others that it was moved
	hashes, err1 := b.field("tophash")
	keys, err2 := b.field("keys")
	elems, err3 := b.field("values")
	if err := errors.Join(err1, err2, err3); err != nil {
		return found, err
	}
	w.b.mend(keys.typ)
	array, ok1 := godwarf.ResolveTypedef(keys.typ).(*godwarf.ArrayType)
	values, ok2 := godwarf.ResolveTypedef(elems.typ).(*godwarf.ArrayType)
	if !ok1 || !ok2 {
		return found, errForm
	}
	for i := range uint64(min(array.Count, 8)) {
		hash, err := number(w.mem, hashes.addr+i, 1)
		if err != nil {
			return found, err
		}
		if hash < firstHash || len(found) >= limit {
			continue
		}
		key := place{w, array.Type, keys.addr + i*uint64(w.b.sizeOf(array.Type))}
		elem := place{w, values.Type, elems.addr + i*uint64(max(w.b.sizeOf(values.Type), 0))}
		if found, err = appendEntry(found, key, elem, t); err != nil {
			return found, err
		}
	}
	return found, nil
}
