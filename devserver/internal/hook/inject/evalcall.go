//go:build unix && go1.21

package hook

import (
	"fmt"
	"reflect"
	"unsafe"

	"devrun/devserver/internal/wire"
)

// function is a func value of type t for the code at pc.
func (m *machine) function(pc uint64, t reflect.Type, name string) reflect.Value {
	reachable(uintptr(pc), name)
	code := new(uintptr)
	*code = uintptr(pc)
	return reflect.NewAt(t, unsafe.Pointer(&code)).Elem()
}

// call calls a func value ("call"), the code at Addr ("callpc"; receiver and
// dictionary are arguments) or method N of an interface ("callitab"). Flag: the
// argument is a call that gives all of them; Slots: the last one is the rest
// of a variadic list.
func (m *machine) call(l *evalFrame, n *wire.Node) []reflect.Value {
	m.alive()
	var fn reflect.Value
	var first []reflect.Value
	args := n.Args
	switch n.Op {
	case "call":
		if fn = m.eval(l, args[0]); fn.IsNil() {
			panic(nilDereference)
		}
		args = args[1:]
	case "callpc":
		fn = m.function(n.Addr, m.typ(n.Type), n.Name)
	case "callitab":
		fn, first = m.interfaceMethod(m.eval(l, args[0]), n)
		args = args[1:]
	}
	in := first
	for i, a := range args {
		if n.Flag && i == len(args)-1 { // f(g())
			in = append(in, m.values(l, a)...)
		} else {
			in = append(in, copied(m.eval(l, a)))
		}
	}
	defer m.settle()
	return m.apply(fn, in, len(n.Slots) > 0)
}

func (m *machine) interfaceMethod(v reflect.Value, n *wire.Node) (fn reflect.Value, first []reflect.Value) {
	w := *(*[2]unsafe.Pointer)(placed(v).Addr().UnsafePointer())
	if w[0] == nil {
		panic(nilDereference)
	}
	pc := method(w[0], n.N)
	return m.function(uint64(pc), m.typ(n.Type), n.Name), []reflect.Value{reflect.ValueOf(w[1])}
}

// apply calls fn with in, which it makes fit.
func (m *machine) apply(fn reflect.Value, in []reflect.Value, spread bool) []reflect.Value {
	t := fn.Type()
	fixed := t.NumIn()
	if t.IsVariadic() && !spread { // collect what is left
		fixed--
		if len(in) < fixed {
			panic(refusal("too few arguments"))
		}
		rest := reflect.Zero(t.In(fixed))
		for _, a := range in[fixed:] {
			rest = reflect.Append(rest, m.to(a, t.In(fixed).Elem()))
		}
		in = append(in[:fixed:fixed], rest)
		fixed++
	}
	if len(in) != fixed {
		panic(refusal(fmt.Sprintf("%d arguments where %d are needed", len(in), fixed)))
	}
	for i, a := range in {
		in[i] = m.to(a, t.In(i))
	}
	if t.IsVariadic() {
		return fn.CallSlice(in)
	}
	return fn.Call(in)
}

// literal is a function literal: Slots are the slots of its parameters, then of
// its named results; Args[0] is the body.
func (m *machine) literal(l *evalFrame, n *wire.Node) reflect.Value {
	t := m.typ(n.Type)
	captured := append([]reflect.Value(nil), l.vars...)
	out := make([]reflect.Type, t.NumOut())
	for i := range out {
		out[i] = t.Out(i)
	}
	return reflect.MakeFunc(t, func(in []reflect.Value) []reflect.Value {
		m.alive()
		if m.depth.Add(1) > evalNested {
			panic(refusal(fmt.Sprintf("more than %d nested calls of function literals", evalNested)))
		}
		defer m.depth.Add(-1)
		f := &evalFrame{vars: append([]reflect.Value(nil), captured...), types: out}
		for i, v := range in {
			if s := n.Slots[i]; s >= 0 {
				f.vars[s] = copied(v)
			}
		}
		results := n.Slots[len(in):]
		for i, s := range results {
			if s >= 0 {
				f.vars[s] = reflect.New(out[i]).Elem()
			}
		}
		m.exec(f, n.Args[0])
		for i := range out {
			switch {
			case len(f.out) == len(out):
				f.out[i] = m.to(f.out[i], out[i])
			case i < len(results) && results[i] >= 0:
				f.out = append(f.out[:i:i], f.vars[results[i]])
			default:
				f.out = append(f.out[:i:i], reflect.Zero(out[i]))
			}
		}
		return f.out
	})
}

// bound is a method value: a call whose receiver, and whatever else of it is
// there, is evaluated now. Args[0] is the call without the parameters.
func (m *machine) bound(l *evalFrame, n *wire.Node) reflect.Value {
	t, c := m.typ(n.Type), n.Args[0]
	var fn reflect.Value
	var first []reflect.Value
	args := c.Args
	if c.Op == "callitab" {
		fn, first = m.interfaceMethod(m.eval(l, args[0]), c)
		args = args[1:]
	} else {
		fn = m.function(c.Addr, m.typ(c.Type), c.Name)
	}
	for _, a := range args {
		first = append(first, copied(m.eval(l, a)))
	}
	return reflect.MakeFunc(t, func(in []reflect.Value) []reflect.Value {
		out := m.apply(fn, append(first[:len(first):len(first)], in...), true)
		for i := range out {
			out[i] = m.to(out[i], t.Out(i))
		}
		return out
	})
}
