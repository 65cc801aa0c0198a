package inspect

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/go-delve/delve/pkg/dwarf/godwarf"
	"github.com/go-delve/delve/pkg/proc"

	"devrun/devserver/internal/fault"
)

// Bounds of one part.
const (
	partText     = 64 << 10 // bytes of a string
	partElements = 500
	partValues   = 3000
	partDepth    = 3
	partEntries  = 10_000 // of a map, to be put in order
)

// ErrNoPart is the error for a path that leads nowhere, or not any more.
var ErrNoPart = errors.New("the value is not there any more")

// Part reads a value in the n'th of [Process.Calls] and its children from one
// on, further than [Process.Calls] goes. Each step of the path is the number of a
// child, in decimals, or "=" and the key of a map's entry as its Name has it; the
// first is the number of a variable. The entries of a map are in the order of their
// keys.
//
// The values on the way come first, without their other children.
func (p *Process) Part(ctx context.Context, goroutine uint64, n int, path []string, from int) (chain []fault.Value, err error) {
	err = p.one(ctx, goroutine, n, func(g *proc.G, f frame) (err error) {
		defer recovered(&err)
		vars, err := p.variables(g, f.stack)
		if err != nil {
			return err
		}
		i := -1
		if len(path) > 0 {
			i, err = strconv.Atoi(path[0])
		}
		if err != nil || i < 0 || i >= len(vars) || vars[i].value.Gone || vars[i].value.Unreadable != "" {
			return ErrNoPart
		}
		w := &walk{b: p.b, mem: &p.p.mem, l: DefaultLimits, left: 1}
		n := w.node(nil, vars[i].value, vars[i].typ, vars[i].addr, vars[i].mem)
		chain = nil
		for _, step := range path[1:] {
			chain = append(chain, n.v)
			if n, err = w.step(n, step); err != nil {
				return err
			}
		}
		chain = append(chain, w.part(n, from))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return chain, nil
}

// step is one child of n.
func (w *walk) step(n *node, step string) (*node, error) {
	if n.v.Unreadable != "" || n.size == 0 {
		return nil, ErrNoPart
	}
	key, byKey := strings.CutPrefix(step, "=")
	i, err := strconv.Atoi(step)
	_, isMap := n.real.(*godwarf.MapType)
	if byKey != isMap || !byKey && (err != nil || i < 0 || int64(i) >= n.size) {
		return nil, ErrNoPart
	}
	w.l.Elements, w.l.Fields, w.left = 3*partEntries, partEntries, partEntries
	n.kids = nil
	switch t := n.real.(type) {
	case *godwarf.SliceType:
		w.elements(n, t.ElemType, n.word, w.mem, int64(i), int64(i)+1)
		i = 0
	case *godwarf.ArrayType:
		w.elements(n, t.Type, n.addr, n.mem, int64(i), int64(i)+1)
		i = 0
	default:
		w.children(n)
	}
	if byKey {
		i = slices.IndexFunc(n.kids, func(k *node) bool { return k.v.Name == key })
	}
	if i < 0 || i >= len(n.kids) {
		return nil, ErrNoPart
	}
	k := n.kids[i]
	// The page shows net/http's response writer where the hook's is.
	if _, held := n.real.(*godwarf.InterfaceType); held && strings.HasPrefix(k.v.Type, "*hook.writer") {
		for _, inner := range []string{"real", ""} {
			w.children(k)
			if i = slices.IndexFunc(k.kids, func(k *node) bool { return k.v.Name == inner }); i < 0 {
				return nil, ErrNoPart
			}
			k = k.kids[i]
		}
	}
	return k, nil
}

// part is n and its children from one on.
func (w *walk) part(n *node, from int) fault.Value {
	w.l = DefaultLimits
	w.l.Elements, w.l.Fields, w.l.Depth, w.l.String = partElements, partElements, partDepth, partText
	w.left = partValues
	n = w.node(nil, n.v, n.typ, n.addr, n.mem)
	w.l.String = DefaultLimits.String // of what is in it
	if n.size > 0 {
		switch t := n.real.(type) {
		case *godwarf.SliceType:
			w.elements(n, t.ElemType, n.word, w.mem, int64(from), n.size)
		case *godwarf.ArrayType:
			w.elements(n, t.Type, n.addr, n.mem, int64(from), n.size)
		case *godwarf.MapType:
			w.l.Elements, w.left = partEntries, partEntries
			w.children(n)
			w.l.Elements, w.left = partElements, partValues
			from = min(from, len(n.kids))
			n.kids = n.kids[from:min(from+partElements, len(n.kids))]
		default:
			from = 0
			w.children(n)
		}
	}
	for level := n.kids; len(level) > 0; {
		var next []*node
		for _, k := range level {
			next = append(next, w.expand(k)...)
		}
		level = next
	}
	n.v.More = max(0, n.size-int64(from)-int64(len(n.kids)))
	return w.value(n)
}
