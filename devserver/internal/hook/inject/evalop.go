//go:build unix && go1.21

package hook

import (
	"fmt"
	"reflect"
	"strconv"

	"devrun/devserver/internal/wire"
)

// constant makes the value that devrun wrote in Text.
func (m *machine) constant(n *wire.Node) reflect.Value {
	v := reflect.New(m.typ(n.Type)).Elem()
	text := string(n.Text)
	var err error
	switch {
	case v.Kind() == reflect.Bool:
		v.SetBool(text == "true")
	case v.Kind() == reflect.String:
		v.SetString(text)
	case v.CanInt():
		var i int64
		i, err = strconv.ParseInt(text, 10, 64)
		v.SetInt(i)
	case v.CanUint():
		var u uint64
		u, err = strconv.ParseUint(text, 10, 64)
		v.SetUint(u)
	case v.CanFloat():
		var f float64
		f, err = strconv.ParseFloat(text, v.Type().Bits())
		v.SetFloat(f)
	case v.CanComplex():
		var c complex128
		c, err = strconv.ParseComplex(text, v.Type().Bits())
		v.SetComplex(c)
	default:
		err = strconv.ErrSyntax
	}
	if err != nil {
		panic(refusal("the constant " + text + " does not fit " + v.Type().String()))
	}
	return v
}

func unary(op string, x reflect.Value, t reflect.Type) reflect.Value {
	v := reflect.New(t).Elem()
	switch {
	case op == "!":
		v.SetBool(!x.Bool())
	case op == "+":
		v.Set(x)
	case op == "-" && x.CanInt():
		v.SetInt(-x.Int())
	case op == "-" && x.CanUint():
		v.SetUint(-x.Uint())
	case op == "-" && x.CanFloat():
		v.SetFloat(-x.Float())
	case op == "-" && x.CanComplex():
		v.SetComplex(-x.Complex())
	case op == "^" && x.CanInt():
		v.SetInt(^x.Int())
	case op == "^" && x.CanUint():
		v.SetUint(^x.Uint())
	default:
		panic(refusal("no operator " + op + " for " + x.Type().String()))
	}
	return v
}

// binary is x op y; t is the type of the result.
func (m *machine) binary(op string, x, y reflect.Value, t reflect.Type) reflect.Value {
	v := reflect.New(t).Elem()
	switch op {
	case "==", "!=":
		v.SetBool(m.equal(x, y) == (op == "=="))
		return v
	case "<", "<=", ">", ">=":
		c, ordered := compare(x, y)
		v.SetBool(ordered && (c < 0 && op[0] == '<' || c > 0 && op[0] == '>' || c == 0 && len(op) == 2))
		return v
	case "<<", ">>":
		shift(v, op, x, y)
		return v
	}
	ok := false
	switch {
	case x.Kind() == reflect.String && op == "+":
		if x.Len()+y.Len() > evalMade {
			panic(refusal(tooMuch))
		}
		v.SetString(x.String() + y.String())
		return v
	case x.CanInt():
		var r int64
		r, ok = ints(op, x.Int(), y.Int())
		v.SetInt(r)
	case x.CanUint():
		var r uint64
		r, ok = ints(op, x.Uint(), y.Uint())
		v.SetUint(r)
	case x.Kind() == reflect.Float32:
		var r float32
		r, ok = floats(op, float32(x.Float()), float32(y.Float()))
		v.SetFloat(float64(r))
	case x.CanFloat():
		var r float64
		r, ok = floats(op, x.Float(), y.Float())
		v.SetFloat(r)
	case x.Kind() == reflect.Complex64:
		var r complex64
		r, ok = floats(op, complex64(x.Complex()), complex64(y.Complex()))
		v.SetComplex(complex128(r))
	case x.CanComplex():
		var r complex128
		r, ok = floats(op, x.Complex(), y.Complex())
		v.SetComplex(r)
	}
	if !ok {
		panic(refusal("no operator " + op + " for " + x.Type().String()))
	}
	return v
}

func ints[T int64 | uint64](op string, x, y T) (T, bool) {
	switch op {
	case "+":
		return x + y, true
	case "-":
		return x - y, true
	case "*":
		return x * y, true
	case "/":
		return x / y, true
	case "%":
		return x % y, true
	case "&":
		return x & y, true
	case "|":
		return x | y, true
	case "^":
		return x ^ y, true
	case "&^":
		return x &^ y, true
	}
	return 0, false
}

func floats[T float32 | float64 | complex64 | complex128](op string, x, y T) (T, bool) {
	switch op {
	case "+":
		return x + y, true
	case "-":
		return x - y, true
	case "*":
		return x * y, true
	case "/":
		return x / y, true
	}
	return 0, false
}

func shift(v reflect.Value, op string, x, y reflect.Value) {
	by := uint64(0)
	if y.CanInt() {
		if y.Int() < 0 {
			panic(runtimeError("runtime error: negative shift amount"))
		}
		by = uint64(y.Int())
	} else {
		by = y.Uint()
	}
	switch {
	case x.CanInt() && op == "<<":
		v.SetInt(x.Int() << by)
	case x.CanInt():
		v.SetInt(x.Int() >> by)
	case op == "<<":
		v.SetUint(x.Uint() << by)
	default:
		v.SetUint(x.Uint() >> by)
	}
}

// compare orders x and y; NaN is not ordered.
func compare(x, y reflect.Value) (c int, ordered bool) {
	switch {
	case x.CanInt():
		return order(x.Int(), y.Int())
	case x.CanUint():
		return order(x.Uint(), y.Uint())
	case x.CanFloat():
		return order(x.Float(), y.Float())
	default:
		return order(x.String(), y.String())
	}
}

func order[T int64 | uint64 | float64 | string](x, y T) (int, bool) {
	switch {
	case x < y:
		return -1, true
	case x > y:
		return 1, true
	}
	return 0, x == y
}

func (m *machine) equal(x, y reflect.Value) bool {
	switch {
	case isNil(x):
		return y.IsNil()
	case isNil(y):
		return x.IsNil()
	}
	if (x.Kind() == reflect.Interface) != (y.Kind() == reflect.Interface) { // one becomes the other's
		if x.Kind() == reflect.Interface {
			y = m.to(y, x.Type())
		} else {
			x = m.to(x, y.Type())
		}
	}
	switch x.Kind() {
	case reflect.Slice, reflect.Map, reflect.Func: // with nil only
		return x.IsNil() && y.IsNil()
	case reflect.Pointer, reflect.UnsafePointer, reflect.Chan:
		return x.Pointer() == y.Pointer()
	case reflect.Interface:
	default:
		y = m.to(y, x.Type())
	}
	return x.Interface() == y.Interface()
}

// convert is the conversion T(x).
func (m *machine) convert(x reflect.Value, t reflect.Type) reflect.Value {
	from := x.Kind()
	switch {
	case x.Type() == t:
		return copied(x)
	case t.Kind() == reflect.Interface:
		return m.toInterface(x, t)
	case from == reflect.Interface:
		panic(refusal("an interface cannot be converted to " + t.String()))
	case from == t.Kind() && from != reflect.Array && from != reflect.Slice && from != reflect.Chan,
		from == reflect.UnsafePointer && pointerLike(t.Kind()), t.Kind() == reflect.UnsafePointer && pointerLike(from):
		return m.to(copied(x), t)
	case from == reflect.UnsafePointer && t.Kind() == reflect.Uintptr:
		return reflect.ValueOf(x.Pointer()).Convert(t)
	case t.Kind() == reflect.UnsafePointer:
		panic(refusal("a number cannot become a pointer here"))
	case from == reflect.Slice && (t.Kind() == reflect.Array || t.Kind() == reflect.Pointer):
		n := t
		if t.Kind() == reflect.Pointer {
			n = t.Elem()
		}
		if x.Len() < n.Len() {
			panic(runtimeError(fmt.Sprintf("runtime error: cannot convert slice with length %d to array or pointer to array with length %d", x.Len(), n.Len())))
		}
		return x.Convert(t)
	case x.Type().ConvertibleTo(t):
		return x.Convert(t)
	}
	return m.to(copied(x), t)
}
