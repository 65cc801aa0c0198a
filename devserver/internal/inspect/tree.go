package inspect

import (
	"github.com/go-delve/delve/pkg/dwarf/godwarf"

	"devrun/devserver/internal/fault"
)

// node is a value while it is read: first what it is, then, as far as the
// bounds allow, what it is made of.
type node struct {
	v    fault.Value
	typ  godwarf.Type // as declared
	real godwarf.Type // what it stands for
	addr uint64
	mem  reader

	parent *node
	depth  int
	target identity // what a pointer, slice, map or channel refers to
	deref  bool     // the only child is what v points to or holds
	key    *node    // of an entry of a map
	size   int64    // children there are

	kids []*node
	word uint64 // of a pointer, map, channel, function: itself; of the others: their data
	dyn  godwarf.Type
}

// identity tells values apart: an address has a value for each type that begins
// there.
type identity struct {
	addr uint64
	typ  string
	len  int64
}

// walk reads trees of values within one budget.
type walk struct {
	b    *Binary
	mem  *memory
	l    Limits
	left int
}

// variable reads a variable and what it leads to, at most budget values. Level
// by level, so that what is near is there before what is far.
func (w *walk) variable(v fault.Value, typ godwarf.Type, addr uint64, mem reader, budget int) *node {
	w.left = budget
	root := w.node(nil, v, typ, addr, mem)
	for level := []*node{root}; len(level) > 0; {
		var next []*node
		for _, n := range level {
			next = append(next, w.expand(n)...)
		}
		level = next
	}
	return root
}

// node reads what v is, without what it is made of.
func (w *walk) node(parent *node, v fault.Value, typ godwarf.Type, addr uint64, mem reader) *node {
	w.left--
	n := &node{v: v, typ: typ, addr: addr, mem: mem, parent: parent}
	w.b.mend(typ)
	n.real = godwarf.ResolveTypedef(typ)
	n.v.Type, n.v.Len, n.v.Cap = w.b.typeName(typ), -1, -1
	if addr < maxAddr {
		n.v.Addr = addr
	}
	if parent != nil {
		n.depth = parent.depth
		if parent.v.Kind != fault.Interface { // it and what it holds are one value to a reader
			n.depth++
		}
	}
	w.load(n)
	if n.v.Unreadable == "" {
		if up := n.cycle(); up != nil {
			n.v.Cycle, n.size = up.path(), 0
		}
	} else {
		n.size = 0
	}
	return n
}

// expand lists children, as many as the bounds allow.
func (w *walk) expand(n *node) []*node {
	if n.size == 0 {
		return nil
	}
	if n.depth < w.l.Depth && w.left > 0 {
		w.children(n)
	}
	n.v.More = max(0, n.size-int64(len(n.kids)))
	return n.kids
}

// cycle is the value further up that n leads back to.
func (n *node) cycle() *node {
	id := n.target
	if id.addr == 0 {
		return nil
	}
	for up := n.parent; up != nil; up = up.parent {
		if up.target == id || up.addr == id.addr && up.v.Type == id.typ {
			return up
		}
	}
	return nil
}

// path is an expression for n.
func (n *node) path() string {
	switch p := n.parent; {
	case p == nil:
		return n.v.Name
	case n.real != nil && p.deref && p.v.Kind == fault.Interface:
		return p.path() + ".(" + n.v.Type + ")"
	case p.deref:
		return "*" + p.path()
	case p.v.Kind == fault.Struct, p.v.Kind == fault.Pointer:
		return p.operand() + "." + n.v.Name
	default:
		return p.operand() + "[" + n.v.Name + "]"
	}
}

func (n *node) operand() string {
	if n.parent != nil && n.parent.deref && n.parent.v.Kind != fault.Interface {
		return "(" + n.path() + ")"
	}
	return n.path()
}

// value is n with its children, and the line that sums them up.
func (w *walk) value(n *node) fault.Value {
	text := w.text(n) // of the children's own
	for _, k := range n.kids {
		n.v.Children = append(n.v.Children, w.value(k))
	}
	n.v.Text = text
	return n.v
}
