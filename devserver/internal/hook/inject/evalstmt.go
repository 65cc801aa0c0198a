//go:build unix && go1.21

package hook

import (
	"reflect"

	"devrun/devserver/internal/wire"
)

// evalFrame is a call's variables, by slot. A closure takes a copy of the list: the
// variables in it are the same.
type evalFrame struct {
	vars  []reflect.Value
	out   []reflect.Value // what return gave
	types []reflect.Type  // of the results
	label string          // of a break or continue on its way
}

// next is where control goes after a statement.
type next int

const (
	onward next = iota
	breaks
	continues
	returns
	fallsThrough
)

func (m *machine) exec(l *evalFrame, n *wire.Node) next {
	if n == nil {
		return onward
	}
	switch n.Op {
	case "block":
		for _, s := range n.Args {
			if to := m.exec(l, s); to != onward {
				return to
			}
		}
	case "show":
		m.shown, m.as = m.values(l, n.Args[0]), n.Slots
		for i, v := range m.shown {
			m.shown[i] = copied(v)
		}
	case "expr":
		m.values(l, n.Args[0])
	case "assign":
		m.assign(l, n)
	case "update": // x op= y
		p := m.place(l, n.Args[0])
		p.set(m, m.binary(n.Name, copied(p.get(m)), m.eval(l, n.Args[1]), m.typ(n.Type)))
	case "if":
		if m.eval(l, n.Args[0]).Bool() {
			return m.exec(l, n.Args[1])
		}
		return m.exec(l, n.Args[2])
	case "for":
		return m.loop(l, n)
	case "range":
		return m.rangeOver(l, n)
	case "switch":
		return m.choose(l, n)
	case "return":
		if len(n.Args) == 1 && len(l.types) > 1 {
			l.out = m.values(l, n.Args[0])
		} else {
			l.out = make([]reflect.Value, len(n.Args))
			for i, a := range n.Args {
				l.out[i] = m.to(copied(m.eval(l, a)), l.types[i])
			}
		}
		return returns
	case "break", "continue":
		l.label = n.Name
		if n.Op == "break" {
			return breaks
		}
		return continues
	case "fallthrough":
		return fallsThrough
	case "send":
		ch := m.eval(l, n.Args[0])
		ch.Send(m.to(m.eval(l, n.Args[1]), ch.Type().Elem()))
	default:
		panic(refusal("unknown statement " + n.Op))
	}
	return onward
}

// assign: N places, then what goes into them, N expressions or one with N values.
func (m *machine) assign(l *evalFrame, n *wire.Node) {
	places := make([]target, n.N)
	for i, a := range n.Args[:n.N] {
		places[i] = m.place(l, a)
	}
	var vs []reflect.Value
	if right := n.Args[n.N:]; len(right) == n.N {
		for i, a := range right {
			v := m.eval(l, a)
			if places[i].typ != nil {
				v = m.to(v, places[i].typ)
			}
			vs = append(vs, copied(v))
		}
	} else {
		vs = m.values(l, right[0])
	}
	if len(vs) != n.N {
		panic(refusal("as many values as variables are needed"))
	}
	for i, p := range places {
		p.set(m, vs[i])
	}
}

// target is what can be assigned to.
type target struct {
	typ    reflect.Type // nil: anything, it is thrown away
	v      reflect.Value
	m, key reflect.Value       // a map's entry
	assign func(reflect.Value) // a variable that comes to be
	dead   bool                // the collector does not look at it
}

func (p target) get(m *machine) reflect.Value {
	if p.m.IsValid() {
		return entry(p.m, p.key)
	}
	return p.v
}

func (p target) set(m *machine, v reflect.Value) {
	if p.typ == nil {
		return
	}
	v = m.to(v, p.typ)
	switch {
	case p.assign != nil:
		p.assign(copied(v))
	case p.m.IsValid():
		if p.m.IsNil() {
			panic(runtimeError("assignment to entry in nil map"))
		}
		p.m.SetMapIndex(p.key, v)
	default:
		if p.dead {
			m.c.hold(v)
		}
		p.v.Set(v)
	}
}

func (m *machine) place(l *evalFrame, n *wire.Node) target {
	switch n.Op {
	case "blank":
		return target{}
	case "new": // a variable of the statements
		return target{typ: m.typ(n.Type), assign: func(v reflect.Value) { l.vars[n.N] = v }}
	case "newvar": // a variable of the console
		return target{typ: m.typ(n.Type), assign: func(v reflect.Value) { m.c.set(n.N, v) }}
	case "mapindex":
		mv := m.eval(l, n.Args[0])
		return target{typ: mv.Type().Elem(), m: mv, key: copied(m.to(m.eval(l, n.Args[1]), mv.Type().Key()))}
	}
	v := m.eval(l, n)
	if !v.CanSet() {
		panic(refusal("cannot assign to it"))
	}
	return target{typ: v.Type(), v: v, dead: rooted(n)}
}

// rooted reports whether n is, or may be, a part of a variable of the parked
// goroutine.
func rooted(n *wire.Node) bool {
	for n != nil {
		switch n.Op {
		case "mem", "deref":
			return true
		case "field", "index":
			n = n.Args[0]
		default:
			return false
		}
	}
	return false
}

// loop: init, condition, post, body; Slots are the variables that each
// iteration has of its own.
func (m *machine) loop(l *evalFrame, n *wire.Node) next {
	if to := m.exec(l, n.Args[0]); to != onward {
		return to
	}
	for {
		m.alive()
		if c := n.Args[1]; c != nil && !m.eval(l, c).Bool() {
			return onward
		}
		if to, done := l.after(m.exec(l, n.Args[3]), n.Name); done {
			return to
		}
		for _, s := range n.Slots {
			l.vars[s] = copied(l.vars[s])
		}
		m.exec(l, n.Args[2])
	}
}

// after is where a loop called name goes when its body has ended with to; done:
// out of the loop.
func (l *evalFrame) after(to next, name string) (after next, done bool) {
	switch to {
	case breaks, continues:
		if l.label != "" && l.label != name {
			return to, true
		}
		l.label = ""
		return onward, to == breaks
	case returns:
		return to, true
	}
	return onward, false
}

// rangeOver: key, value, what to range over, body.
func (m *machine) rangeOver(l *evalFrame, n *wire.Node) (to next) {
	x := m.eval(l, n.Args[2])
	// step does one iteration; false ends the loop.
	step := func(k, v func() reflect.Value) bool {
		m.alive()
		for i, get := range []func() reflect.Value{k, v} {
			if n.Args[i] != nil && get != nil {
				m.place(l, n.Args[i]).set(m, get())
			}
		}
		var done bool
		to, done = l.after(m.exec(l, n.Args[3]), n.Name)
		return !done
	}
	is := func(i int) func() reflect.Value { return func() reflect.Value { return reflect.ValueOf(i) } }
	val := func(v reflect.Value) func() reflect.Value { return func() reflect.Value { return v } }
	if x.Kind() == reflect.Pointer { // to an array
		if x.IsNil() {
			for i := 0; i < x.Type().Elem().Len() && step(is(i), nil); i++ {
				if n.Args[1] != nil {
					panic(nilDereference)
				}
			}
			return
		}
		x = x.Elem()
	} else if x.Kind() == reflect.Array {
		x = copied(x)
	}
	switch x.Kind() {
	case reflect.Array, reflect.Slice:
		count := x.Len()
		if x.Kind() == reflect.Slice {
			x = copied(x)
		}
		for i := 0; i < count; i++ {
			i := i
			if !step(is(i), func() reflect.Value { return x.Index(i) }) {
				break
			}
		}
	case reflect.String:
		for i, r := range x.String() {
			if !step(is(i), val(reflect.ValueOf(r))) {
				break
			}
		}
	case reflect.Map:
		for it := x.MapRange(); it.Next(); {
			if !step(it.Key, it.Value) {
				break
			}
		}
	case reflect.Chan:
		for {
			v, ok := x.Recv()
			if !ok || !step(val(v), nil) {
				break
			}
		}
	case reflect.Func:
		m.rangeFunc(x, step)
	default:
		for i := int64(0); less(i, x); i++ {
			v := reflect.New(x.Type()).Elem()
			if v.CanInt() {
				v.SetInt(i)
			} else {
				v.SetUint(uint64(i))
			}
			if !step(val(v), nil) {
				break
			}
		}
	}
	return
}

func less(i int64, x reflect.Value) bool {
	if x.CanInt() {
		return i < x.Int()
	}
	return uint64(i) < x.Uint()
}

// rangeFunc ranges over an iterator.
func (m *machine) rangeFunc(x reflect.Value, step func(k, v func() reflect.Value) bool) {
	yield := x.Type().In(0)
	x.Call([]reflect.Value{reflect.MakeFunc(yield, func(in []reflect.Value) []reflect.Value {
		var get [2]func() reflect.Value
		for i := range in {
			i := i
			get[i] = func() reflect.Value { return in[i] }
		}
		return []reflect.Value{reflect.ValueOf(step(get[0], get[1])).Convert(yield.Out(0))}
	})})
}

// choose does a switch: clauses of a body and conditions, Flag marks the
// default.
func (m *machine) choose(l *evalFrame, n *wire.Node) next {
	at := m.clause(l, n)
	for ; at >= 0 && at < len(n.Args); at++ {
		to := m.exec(l, n.Args[at].Args[0])
		if to == fallsThrough {
			continue
		}
		if to == breaks && (l.label == "" || l.label == n.Name) {
			l.label = ""
			return onward
		}
		return to
	}
	return onward
}

func (m *machine) clause(l *evalFrame, n *wire.Node) int {
	otherwise := -1
	for i, c := range n.Args {
		if c.Flag {
			otherwise = i
		}
		for _, cond := range c.Args[1:] {
			if m.eval(l, cond).Bool() {
				return i
			}
		}
	}
	return otherwise
}
