//go:build unix && go1.21

package hook

import (
	"fmt"
	"reflect"

	"devrun/devserver/internal/wire"
)

var tooMuch = fmt.Sprintf("the console makes no more than %d MB at a time", evalMade>>20)

// affordable refuses what might take the app's memory.
func affordable(n int, t reflect.Type) {
	if n < 0 || t.Size() > 0 && uintptr(n) > evalMade/t.Size() {
		panic(refusal(tooMuch))
	}
}

// builtin calls a predeclared function; the result is not valid where there is
// none.
func (m *machine) builtin(l *evalFrame, n *wire.Node) (v reflect.Value) {
	switch n.Name {
	case "make":
		return m.make(l, n)
	case "new":
		return m.to(reflect.New(m.typ(n.Type).Elem()), m.typ(n.Type))
	}
	args := make([]reflect.Value, len(n.Args))
	for i, a := range n.Args {
		args[i] = m.eval(l, a)
	}
	number := func(i int) reflect.Value { return reflect.ValueOf(i).Convert(m.typ(n.Type)) }
	switch n.Name {
	case "len", "cap":
		x := args[0]
		if x.Kind() == reflect.Pointer {
			return number(x.Type().Elem().Len())
		}
		if n.Name == "len" {
			return number(x.Len())
		}
		return number(x.Cap())
	case "append":
		return m.append(n, args)
	case "copy":
		return number(reflect.Copy(args[0], args[1]))
	case "delete":
		args[0].SetMapIndex(m.to(args[1], args[0].Type().Key()), reflect.Value{})
	case "clear":
		args[0].Clear()
	case "close":
		args[0].Close()
	case "panic":
		v := m.to(args[0], anything)
		panic(v.Interface())
	case "min", "max":
		return least(n.Name, args, m.typ(n.Type))
	case "complex":
		v := reflect.New(m.typ(n.Type)).Elem()
		v.SetComplex(complex(args[0].Float(), args[1].Float()))
		return v
	case "real", "imag":
		v := reflect.New(m.typ(n.Type)).Elem()
		if c := args[0].Complex(); n.Name == "real" {
			v.SetFloat(real(c))
		} else {
			v.SetFloat(imag(c))
		}
		return v
	default:
		panic(refusal(n.Name + " is not evaluated here"))
	}
	return reflect.Value{}
}

func (m *machine) make(l *evalFrame, n *wire.Node) reflect.Value {
	t := m.typ(n.Type)
	var sizes [2]int
	for i, a := range n.Args {
		size, _, ok := integer(m.eval(l, a))
		if !ok || i == 1 && size < sizes[0] {
			panic(runtimeError("runtime error: make" + t.Kind().String() + ": " + [2]string{"len", "cap"}[i] + " out of range"))
		}
		sizes[i] = size
	}
	most := sizes[0]
	if sizes[1] > most {
		most = sizes[1]
	}
	switch t.Kind() {
	case reflect.Slice:
		affordable(most, t.Elem())
		return reflect.MakeSlice(t, sizes[0], most)
	case reflect.Map:
		affordable(most, t.Key())
		affordable(most, t.Elem())
		return reflect.MakeMapWithSize(t, most)
	default:
		affordable(most, t.Elem())
		return reflect.MakeChan(t, most)
	}
}

// append: with Flag the last argument is a slice or string of what is added.
func (m *machine) append(n *wire.Node, args []reflect.Value) reflect.Value {
	t := m.typ(n.Type)
	s := m.to(copied(args[0]), t)
	affordable(s.Len(), t.Elem())
	if n.Flag {
		if args[1].Kind() == reflect.String {
			return reflect.AppendSlice(s, reflect.ValueOf([]byte(args[1].String())).Convert(t))
		}
		affordable(args[1].Len(), t.Elem())
		return reflect.AppendSlice(s, m.to(args[1], t))
	}
	for _, a := range args[1:] {
		s = reflect.Append(s, m.to(a, t.Elem()))
	}
	return s
}

func least(name string, args []reflect.Value, t reflect.Type) reflect.Value {
	best := reflect.New(t).Elem()
	best.Set(args[0])
	for _, a := range args[1:] {
		c, ordered := compare(a, best)
		switch {
		case !ordered && !best.Equal(best): // NaN already
		case !ordered, c < 0 && name == "min", c > 0 && name == "max":
			best.Set(a)
		}
	}
	return best
}
