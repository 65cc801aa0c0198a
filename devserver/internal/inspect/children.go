package inspect

import (
	"strconv"

	"github.com/go-delve/delve/pkg/dwarf/godwarf"

	"devrun/devserver/internal/fault"
)

// children lists what n is made of.
func (w *walk) children(n *node) {
	switch t := n.real.(type) {
	case *godwarf.StructType:
		w.fields(n, t, n.addr, n.mem)
	case *godwarf.PtrType:
		if s, ok := godwarf.ResolveTypedef(t.Type).(*godwarf.StructType); ok && !n.deref {
			w.fields(n, s, n.word, w.mem)
			return
		}
		w.add(n, "", t.Type, n.word, w.mem)
	case *godwarf.InterfaceType:
		if n.word == n.addr+8 {
			w.add(n, "", n.dyn, n.word, n.mem)
		} else {
			w.add(n, "", n.dyn, n.word, w.mem)
		}
	case *godwarf.ArrayType:
		w.elements(n, t.Type, n.addr, n.mem, 0, t.Count)
	case *godwarf.SliceType:
		w.elements(n, t.ElemType, n.word, w.mem, 0, n.v.Len)
	case *godwarf.ChanType:
		w.queue(n, t)
	case *godwarf.MapType:
		w.entries(n, t)
	}
}

func (w *walk) add(n *node, name string, t godwarf.Type, addr uint64, mem reader) *node {
	k := w.node(n, fault.Value{Name: name}, t, addr, mem)
	n.kids = append(n.kids, k)
	return k
}

func (w *walk) fields(n *node, s *godwarf.StructType, addr uint64, mem reader) {
	for i, f := range s.Field {
		if i >= w.l.Fields || w.left <= 0 {
			return
		}
		w.add(n, f.Name, f.Type, addr+uint64(f.ByteOffset), mem)
	}
}

// elements lists those from number first on, of count in all.
func (w *walk) elements(n *node, t godwarf.Type, addr uint64, mem reader, first, count int64) {
	limit := int64(w.l.elements(n.depth))
	for i := first; i < count && i-first < limit && w.left > 0; i++ {
		w.add(n, strconv.FormatInt(i, 10), t, addr+uint64(i*w.b.sizeOf(t)), mem)
	}
}

// queue lists what a channel holds, in the order in which it will be received.
func (w *walk) queue(n *node, t *godwarf.ChanType) {
	buf, err1 := number(w.mem, n.word+uint64(chanField(t, "buf").ByteOffset), 8)
	recv, err2 := number(w.mem, n.word+uint64(chanField(t, "recvx").ByteOffset), 8)
	if err1 != nil || err2 != nil || n.v.Cap == 0 || recv >= uint64(n.v.Cap) {
		return
	}
	limit := int64(w.l.elements(n.depth))
	for i := int64(0); i < n.v.Len && i < limit && w.left > 0; i++ {
		at := (int64(recv) + i) % n.v.Cap
		w.add(n, strconv.FormatInt(i, 10), t.ElemType, buf+uint64(at*w.b.sizeOf(t.ElemType)), w.mem)
	}
}
