//go:build linux && go1.24 && (amd64 || arm64)

package hook

import (
	"reflect"
	"sync"
	"unsafe"

	"devrun/devserver/internal/wire"
)

// spanOf tells what is, or was, memory of the app's from what never is: of a stack
// or free it is no memory of the heap.
//
//go:linkname spanOf runtime.spanOf
func spanOf(p uintptr) unsafe.Pointer

var _ = add("eval", func(*channel) bool {
	var mu sync.Mutex
	evaluate = func(p *parked, m wire.Message) *wire.EvalValue {
		if m.Expr == nil {
			return &wire.EvalValue{Len: -1, Cap: -1, Error: "there is no expression in the question"}
		}
		mu.Lock()
		c, ok := p.state.(*console)
		if !ok {
			c = newConsole(p.pins)
			p.state = c
		}
		mu.Unlock()
		return c.run(m.Expr)
	}
	return true
})

func newConsole(pins []unsafe.Pointer) *console {
	c := &console{bases: make(map[uintptr]bool, len(pins))}
	for _, p := range pins {
		c.bases[uintptr(p)] = true
	}
	c.held, c.repin, c.base = c.safe, c.again, base
	return c
}

// base is the beginning of the object of the heap that v points into, 0 if there
// is none.
//
//go:norace
//go:nocheckptr
func base(v uintptr) (b uintptr) {
	procPin()
	if s := spanOfHeap(v); s != nil {
		if gcphase == 0 {
			ensureSwept(s) // as in pinStack
		}
		if spanOfHeap(v) != nil {
			var i uintptr
			if b, s, i = findObject(v, 0, 0); b != 0 && isFree(s, i) {
				b = 0
			}
		}
	}
	procUnpin()
	return b
}

// safe reports whether the variable of type t at addr refers only to what the
// pins, or the console itself, keep alive. A pointer to anything else may be to
// memory that is free, and the collector ends an app in which it finds one.
func (c *console) safe(addr uintptr, t reflect.Type) bool {
	if spanOfHeap(addr) != nil { // it escaped: what it refers to is kept by it
		return c.keeps(base(addr))
	}
	stack := spanOf(addr)
	ok := true
	pointers(pointer(uint64(addr)), t, func(v uintptr) {
		s := spanOf(v)
		ok = ok && (v == 0 || s == nil || s == stack || spanOfHeap(v) != nil && c.keeps(base(v)))
	})
	return ok
}

// again pins what code of the app has stored in a variable of the parked
// goroutine, whose dead stack keeps nothing alive.
//
//go:norace
//go:nocheckptr
func (c *console) again(addr uintptr, t reflect.Type) {
	if spanOfHeap(addr) != nil {
		return
	}
	pointers(pointer(uint64(addr)), t, func(v uintptr) {
		b := base(v)
		if b == 0 {
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if !c.bases[b] && len(c.keep) < evalHeld {
			c.bases[b] = true
			c.keep = append(c.keep, pointer(uint64(b)))
		}
	})
}

func (c *console) keeps(b uintptr) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return b != 0 && c.bases[b]
}

// pointers calls f with each pointer of the value at p.
//
//go:norace
//go:nocheckptr
func pointers(p unsafe.Pointer, t reflect.Type, f func(uintptr)) {
	at := 0 // of the word that points
	switch t.Kind() {
	case reflect.Struct:
		for i := 0; i < t.NumField(); i++ {
			pointers(unsafe.Add(p, t.Field(i).Offset), t.Field(i).Type, f)
		}
		return
	case reflect.Array:
		if points(t.Elem(), 0) {
			for i := 0; i < t.Len(); i++ {
				pointers(unsafe.Add(p, uintptr(i)*t.Elem().Size()), t.Elem(), f)
			}
		}
		return
	case reflect.Pointer, reflect.UnsafePointer, reflect.Map, reflect.Chan, reflect.Func, reflect.Slice, reflect.String:
	case reflect.Interface:
		at = 1
	default:
		return
	}
	f(*(*uintptr)(unsafe.Add(p, uintptr(at)*unsafe.Sizeof(uintptr(0)))))
}
