//go:build unix && go1.21

package hook

import (
	"fmt"
	"reflect"
	"unsafe"

	"devrun/devserver/internal/wire"
)

// values is what a call gives, or the one value of anything else.
func (m *machine) values(l *evalFrame, n *wire.Node) []reflect.Value {
	switch n.Op {
	case "call", "callpc", "callitab":
		return m.call(l, n)
	case "builtin":
		if v := m.builtin(l, n); v.IsValid() {
			return []reflect.Value{v}
		}
		return nil
	case "commaok":
		return m.commaOK(l, n)
	}
	return []reflect.Value{m.eval(l, n)}
}

// eval is the value of n. What n can be assigned to has the variable's address.
func (m *machine) eval(l *evalFrame, n *wire.Node) reflect.Value {
	if n == nil {
		panic(refusal("an operand is missing"))
	}
	switch n.Op {
	case "call", "callpc", "callitab", "builtin", "commaok":
		vs := m.values(l, n)
		if len(vs) == 0 {
			panic(refusal("no value where one is needed"))
		}
		return vs[0]
	case "const":
		return m.constant(n)
	case "zero":
		if n.Type == 0 {
			return reflect.ValueOf(untypedNil{})
		}
		return reflect.Zero(m.typ(n.Type))
	case "ptr": // to read-only data
		return reflect.ValueOf(pointer(n.Addr))
	case "local":
		if v := l.vars[n.N]; v.IsValid() {
			return v
		}
		return m.c.get(-1, n.Name)
	case "var":
		return m.to(m.c.get(n.N, n.Name), m.typ(n.Type))
	case "mem":
		return m.memory(n)
	case "func":
		return m.function(n.Addr, m.typ(n.Type), n.Name)
	case "lit":
		return m.literal(l, n)
	case "bound":
		return m.bound(l, n)
	case "field":
		return m.field(m.eval(l, n.Args[0]), n.N, n.Type)
	case "deref":
		return m.deref(m.eval(l, n.Args[0]), n.Type)
	case "addr":
		v := m.eval(l, n.Args[0])
		if !v.CanAddr() {
			v = copied(v)
		}
		return m.to(v.Addr(), m.typ(n.Type))
	case "copy": // a variable of its own
		return copied(m.to(m.eval(l, n.Args[0]), m.typ(n.Type)))
	case "index":
		return m.index(l, n)
	case "mapindex":
		mv := m.eval(l, n.Args[0])
		return entry(mv, m.to(m.eval(l, n.Args[1]), mv.Type().Key()))
	case "slice":
		return m.slice(l, n)
	case "assert":
		v, why := m.assert(m.eval(l, n.Args[0]), m.typ(n.Type))
		if why != "" {
			panic(runtimeError("interface conversion: " + why + n.Name))
		}
		return v
	case "is": // what a clause of a type switch asks
		x := m.eval(l, n.Args[0])
		if n.Name == "nil" {
			return reflect.ValueOf(x.IsNil())
		}
		_, why := m.assert(x, m.typ(n.Type))
		return reflect.ValueOf(why == "")
	case "recv":
		v, _ := m.eval(l, n.Args[0]).Recv()
		return v
	case "conv":
		return m.convert(m.eval(l, n.Args[0]), m.typ(n.Type))
	case "unary":
		return unary(n.Name, m.eval(l, n.Args[0]), m.typ(n.Type))
	case "binary":
		x := copied(m.eval(l, n.Args[0]))
		return m.binary(n.Name, x, m.eval(l, n.Args[1]), m.typ(n.Type))
	case "&&":
		return m.truth(n, m.eval(l, n.Args[0]).Bool() && m.eval(l, n.Args[1]).Bool())
	case "||":
		return m.truth(n, m.eval(l, n.Args[0]).Bool() || m.eval(l, n.Args[1]).Bool())
	case "struct", "list", "map":
		return m.composite(l, n)
	}
	panic(refusal("unknown expression " + n.Op))
}

func (m *machine) truth(n *wire.Node, b bool) reflect.Value {
	v := reflect.New(m.typ(n.Type)).Elem()
	v.SetBool(b)
	return v
}

// memory is a variable of the app: of the parked goroutine with Flag, else a
// global one.
func (m *machine) memory(n *wire.Node) reflect.Value {
	t, p := m.typ(n.Type), pointer(n.Addr)
	if n.Flag && m.c.held != nil {
		m.mu.Lock()
		_, known := m.used[uintptr(n.Addr)]
		m.mu.Unlock()
		if !known && !m.c.held(uintptr(n.Addr), t) {
			panic(refusal(n.Name + " cannot be used: what it refers to may have been collected"))
		}
		m.mu.Lock()
		if m.used == nil {
			m.used = map[uintptr]reflect.Type{}
		}
		m.used[uintptr(n.Addr)] = t
		m.mu.Unlock()
	}
	return reflect.NewAt(t, p).Elem()
}

func (m *machine) field(v reflect.Value, i, typ int) reflect.Value {
	v = placed(v)
	f := v.Type().Field(i)
	return reflect.NewAt(m.typ(typ), unsafe.Add(v.Addr().UnsafePointer(), f.Offset)).Elem()
}

func (m *machine) deref(v reflect.Value, typ int) reflect.Value {
	if v.IsNil() {
		panic(nilDereference)
	}
	return reflect.NewAt(m.typ(typ), v.UnsafePointer()).Elem()
}

func entry(mv, key reflect.Value) reflect.Value {
	if v := mv.MapIndex(key); v.IsValid() {
		return v
	}
	return reflect.Zero(mv.Type().Elem())
}

// integer is v's value as an index; ok if it is none below zero.
func integer(v reflect.Value) (n int, text string, ok bool) {
	if v.CanInt() {
		i := v.Int()
		return int(i), fmt.Sprint(i), i >= 0 && int64(int(i)) == i
	}
	u := v.Uint()
	return int(u), fmt.Sprint(u), u < 1<<62
}

func (m *machine) index(l *evalFrame, n *wire.Node) reflect.Value {
	x := m.eval(l, n.Args[0])
	i, text, ok := integer(m.eval(l, n.Args[1]))
	if !ok {
		if text[0] == '-' {
			panic(runtimeError("runtime error: index out of range [" + text + "]"))
		}
		panic(runtimeError(fmt.Sprintf("runtime error: index out of range [%s] with length %d", text, x.Len())))
	}
	if i >= x.Len() {
		panic(runtimeError(fmt.Sprintf("runtime error: index out of range [%d] with length %d", i, x.Len())))
	}
	e := x.Index(i)
	if t := m.typ(n.Type); e.Type() != t {
		return m.to(e, t)
	}
	return e
}

// slice: what is sliced, then low, high and max or nil.
func (m *machine) slice(l *evalFrame, n *wire.Node) reflect.Value {
	x := m.eval(l, n.Args[0])
	if x.Kind() == reflect.Array {
		x = placed(x)
	}
	size, of := 0, "length"
	if x.Kind() == reflect.String {
		size = x.Len()
	} else {
		size = x.Cap()
		if x.Kind() == reflect.Slice {
			of = "capacity"
		}
	}
	at := [3]int{0, x.Len(), size}
	var text [3]string
	var bad [3]bool
	for i := range at {
		text[i] = fmt.Sprint(at[i])
		if a := n.Args[i+1]; a != nil {
			var ok bool
			at[i], text[i], ok = integer(m.eval(l, a))
			bad[i] = !ok
		}
	}
	three := n.Args[3] != nil
	out := func(format string, args ...any) {
		panic(runtimeError("runtime error: slice bounds out of range " + fmt.Sprintf(format, args...)))
	}
	negative := func(i int) bool { return bad[i] && text[i][0] == '-' }
	if three {
		switch {
		case negative(2):
			out("[::%s]", text[2])
		case bad[2] || at[2] > size:
			out("[::%s] with %s %d", text[2], of, size)
		case negative(1):
			out("[:%s:]", text[1])
		case bad[1] || at[1] > at[2]:
			out("[:%s:%s]", text[1], text[2])
		case negative(0):
			out("[%s::]", text[0])
		case bad[0] || at[0] > at[1]:
			out("[%s:%s:]", text[0], text[1])
		}
		return m.to(x.Slice3(at[0], at[1], at[2]), m.typ(n.Type))
	}
	switch {
	case negative(1):
		out("[:%s]", text[1])
	case bad[1] || at[1] > size:
		out("[:%s] with %s %d", text[1], of, size)
	case negative(0):
		out("[%s:]", text[0])
	case bad[0] || at[0] > at[1]:
		out("[%s:%s]", text[0], text[1])
	}
	return m.to(x.Slice(at[0], at[1]), m.typ(n.Type))
}

// assert is a type assertion; why says what the runtime would.
func (m *machine) assert(v reflect.Value, t reflect.Type) (_ reflect.Value, why string) {
	d := v.Elem()
	target := t.String()
	if t.Kind() == reflect.Interface {
		if !d.IsValid() {
			return reflect.Zero(t), "interface is nil, not " + target
		}
		if !d.Type().Implements(t) {
			return reflect.Zero(t), d.Type().String() + " is not " + target + ": missing method"
		}
		return m.to(d, t), ""
	}
	static := v.Type().String()
	if v.Type() == anything {
		static = "interface {}"
	}
	if !d.IsValid() {
		return reflect.Zero(t), static + " is nil, not " + m.name(t)
	}
	if d.Type() != t {
		return reflect.Zero(t), fmt.Sprintf("%s is %s, not %s", static, d.Type(), m.name(t))
	}
	return copied(d), ""
}

// commaOK is the two values of a map index, an assertion or a receive.
func (m *machine) commaOK(l *evalFrame, n *wire.Node) []reflect.Value {
	a := n.Args[0]
	switch a.Op {
	case "mapindex":
		mv := m.eval(l, a.Args[0])
		v := mv.MapIndex(m.to(m.eval(l, a.Args[1]), mv.Type().Key()))
		ok := v.IsValid()
		if !ok {
			v = reflect.Zero(mv.Type().Elem())
		}
		return []reflect.Value{v, reflect.ValueOf(ok)}
	case "assert":
		v, why := m.assert(m.eval(l, a.Args[0]), m.typ(a.Type))
		return []reflect.Value{v, reflect.ValueOf(why == "")}
	case "recv":
		v, ok := m.eval(l, a.Args[0]).Recv()
		return []reflect.Value{v, reflect.ValueOf(ok)}
	}
	panic(refusal("no second value of " + a.Op))
}

// composite is a literal. Of a struct, Slots are the fields of Args; of a list
// the indices, and N the length of a slice; of a map, Args are keys and values.
func (m *machine) composite(l *evalFrame, n *wire.Node) reflect.Value {
	t := m.typ(n.Type)
	v := reflect.New(t).Elem()
	switch {
	case n.Op == "struct":
		for i, a := range n.Args {
			f := t.Field(n.Slots[i])
			at := reflect.NewAt(f.Type, unsafe.Add(v.Addr().UnsafePointer(), f.Offset)).Elem()
			at.Set(m.to(m.eval(l, a), f.Type))
		}
	case n.Op == "map":
		v.Set(reflect.MakeMap(t))
		for i := 0; i+1 < len(n.Args); i += 2 {
			v.SetMapIndex(m.to(m.eval(l, n.Args[i]), t.Key()), m.to(m.eval(l, n.Args[i+1]), t.Elem()))
		}
	default:
		if t.Kind() == reflect.Slice {
			affordable(n.N, t.Elem())
			v.Set(reflect.MakeSlice(t, n.N, n.N))
		}
		for i, a := range n.Args {
			v.Index(n.Slots[i]).Set(m.to(m.eval(l, a), t.Elem()))
		}
	}
	return v
}
