//go:build unix && go1.21

package hook

import (
	"fmt"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"unsafe"
)

type eface struct{ typ, data unsafe.Pointer }

// pointer is the address as a pointer; where it comes from vouches for it.
func pointer(addr uint64) unsafe.Pointer {
	if addr == 0 || addr >= 1<<47 {
		panic(refusal("no such address: " + strconv.FormatUint(addr, 16)))
	}
	return *(*unsafe.Pointer)(unsafe.Pointer(&addr))
}

// typeAt is the type whose descriptor is at addr.
func typeAt(addr uint64) reflect.Type {
	var x any
	(*eface)(unsafe.Pointer(&x)).typ = pointer(addr)
	return reflect.TypeOf(x)
}

var basic = map[string]reflect.Type{
	"bool": reflect.TypeOf(false), "string": reflect.TypeOf(""),
	"int": reflect.TypeOf(0), "int8": reflect.TypeOf(int8(0)), "int16": reflect.TypeOf(int16(0)),
	"int32": reflect.TypeOf(int32(0)), "int64": reflect.TypeOf(int64(0)),
	"uint": reflect.TypeOf(uint(0)), "uint8": reflect.TypeOf(uint8(0)), "uint16": reflect.TypeOf(uint16(0)),
	"uint32": reflect.TypeOf(uint32(0)), "uint64": reflect.TypeOf(uint64(0)), "uintptr": reflect.TypeOf(uintptr(0)),
	"float32": reflect.TypeOf(float32(0)), "float64": reflect.TypeOf(float64(0)),
	"complex64": reflect.TypeOf(complex64(0)), "complex128": reflect.TypeOf(complex128(0)),
	"unsafe.Pointer": reflect.TypeOf(unsafe.Pointer(nil)),
	"any":            reflect.TypeOf((*any)(nil)).Elem(),
	"error":          reflect.TypeOf((*error)(nil)).Elem(),
}

var (
	rawPointer = basic["unsafe.Pointer"]
	anything   = basic["any"]
)

// typ is type number i. A named type without a descriptor is replaced by its
// underlying one, which has the same layout; a struct's fields get other names
// then, so that it is no type of the app's by accident.
func (m *machine) typ(i int) reflect.Type {
	if i <= 0 || i >= len(m.types) {
		panic(refusal("the expression has a type that is not in its table"))
	}
	if t := m.types[i]; t != nil {
		return t
	}
	w := &m.x.Types[i]
	if w.Why != "" {
		panic(refusal(w.Why))
	}
	if m.busy[i] {
		panic(refusal("the type " + w.Name + " has no descriptor in this build"))
	}
	m.busy[i] = true
	defer func() { m.busy[i] = false }()
	var t reflect.Type
	switch {
	case w.Addr != 0:
		t = typeAt(w.Addr)
	case basic[w.Kind] != nil:
		t = basic[w.Kind]
	case w.Kind == "ptr":
		t = reflect.PointerTo(m.typ(w.Elem))
	case w.Kind == "slice":
		t = reflect.SliceOf(m.typ(w.Elem))
	case w.Kind == "array":
		elem := m.typ(w.Elem)
		if parts := partsOf(elem); w.Len > mostParts/parts || elem.Size() > 0 && uint64(w.Len) > evalMade/uint64(elem.Size()) {
			panic(tooLarge(w.Name))
		}
		t = reflect.ArrayOf(int(w.Len), elem)
	case w.Kind == "map":
		t = reflect.MapOf(m.typ(w.Key), m.typ(w.Elem))
	case w.Kind == "chan":
		t = reflect.ChanOf(reflect.ChanDir(w.Dir), m.typ(w.Elem))
	case w.Kind == "func":
		t = reflect.FuncOf(m.all(w.In), m.all(w.Out), w.Variadic)
	case w.Kind == "struct":
		t = m.structOf(i)
	default:
		panic(refusal("the type " + w.Name + " has no descriptor in this build (nothing in the app makes a value of it into an interface)"))
	}
	m.types[i] = t
	if w.Addr == 0 && w.Named || w.Kind == "struct" && strings.HasPrefix(t.String(), "struct { F_") {
		m.names[t] = i
	}
	return t
}

func (m *machine) all(list []int) []reflect.Type {
	ts := make([]reflect.Type, len(list))
	for i, n := range list {
		ts[i] = m.typ(n)
	}
	return ts
}

// structOf makes a struct type. A pointer of a field that leads back to the
// struct is an unsafe.Pointer in it: code that reads the field knows its type.
func (m *machine) structOf(i int) (t reflect.Type) {
	w := &m.x.Types[i]
	fields := make([]reflect.StructField, len(w.Fields))
	embeds := w.Named
	for j, f := range w.Fields {
		fields[j] = reflect.StructField{Name: f.Name, PkgPath: f.PkgPath, Tag: reflect.StructTag(f.Tag), Type: m.fieldType(f.Type)}
		embeds = embeds || f.Embedded || f.Name == "_"
	}
	if embeds {
		for j := range fields {
			fields[j].Name, fields[j].PkgPath, fields[j].Tag = "F_"+strconv.Itoa(j), "", ""
		}
	}
	made, parts := uintptr(0), int64(0)
	for _, f := range fields {
		if made, parts = made+f.Type.Size(), parts+partsOf(f.Type); made > evalMade || parts > mostParts {
			panic(tooLarge(w.Name))
		}
	}
	return reflect.StructOf(fields)
}

// mostParts bounds the values that a type made here consists of: also those without
// size are visited one by one where two of the type are compared.
const mostParts = 1 << 20

func tooLarge(name string) refusal { return refusal("the type " + name + " is too large") }

// partsOf is of how many values one of type t consists, at least 1; what is above
// mostParts is not counted to the end.
func partsOf(t reflect.Type) int64 {
	n := int64(1)
	switch t.Kind() {
	case reflect.Array:
		if n = partsOf(t.Elem()); int64(t.Len()) > mostParts/n {
			return mostParts + 1
		}
		n *= int64(t.Len())
	case reflect.Struct:
		for i := 0; i < t.NumField() && n <= mostParts; i++ {
			n += partsOf(t.Field(i).Type)
		}
	}
	if n == 0 {
		n = 1
	}
	return n
}

func (m *machine) fieldType(i int) reflect.Type {
	if i > 0 && i < len(m.x.Types) && m.types[i] == nil {
		switch w := m.x.Types[i]; w.Kind {
		case "ptr", "map", "chan", "func":
			if w.Addr == 0 && m.leadsBack(i, map[int]bool{}) {
				return rawPointer
			}
		}
	}
	return m.typ(i)
}

// leadsBack reports whether type i contains one that is being made.
func (m *machine) leadsBack(i int, seen map[int]bool) bool {
	if i <= 0 || i >= len(m.types) || seen[i] || m.types[i] != nil {
		return false
	}
	if m.busy[i] {
		return true
	}
	seen[i] = true
	w := &m.x.Types[i]
	if w.Addr != 0 {
		return false
	}
	for _, f := range w.Fields {
		if m.leadsBack(f.Type, seen) {
			return true
		}
	}
	for _, list := range [][]int{{w.Elem, w.Key}, w.In, w.Out} {
		for _, j := range list {
			if m.leadsBack(j, seen) {
				return true
			}
		}
	}
	return false
}

// untypedNil is nil where only what becomes of it says its type.
type untypedNil struct{}

func isNil(v reflect.Value) bool { return v.Type() == reflect.TypeOf(untypedNil{}) }

// placed is v where it has an address.
func placed(v reflect.Value) reflect.Value {
	if v.CanAddr() {
		return v
	}
	return copied(v)
}

func copied(v reflect.Value) reflect.Value {
	p := reflect.New(v.Type()).Elem()
	p.Set(v)
	return p
}

// to is v as a value of type t, as an assignment makes it one: devrun has
// checked that it may.
func (m *machine) to(v reflect.Value, t reflect.Type) reflect.Value {
	if !v.IsValid() {
		panic(refusal("a value is missing"))
	}
	if v.Type() == t {
		return v
	}
	if isNil(v) {
		return reflect.Zero(t)
	}
	if t.Kind() == reflect.Interface {
		return m.toInterface(v, t)
	}
	if v.Kind() == reflect.Chan && t.Kind() == reflect.Chan && v.Type().ConvertibleTo(t) {
		return v.Convert(t)
	}
	if v.Type().Size() != t.Size() || v.Kind() != t.Kind() && !(pointerLike(v.Kind()) && pointerLike(t.Kind())) {
		panic(refusal(fmt.Sprintf("%s cannot be taken for %s", v.Type(), t)))
	}
	return reflect.NewAt(t, placed(v).Addr().UnsafePointer()).Elem()
}

func pointerLike(k reflect.Kind) bool {
	switch k {
	case reflect.Pointer, reflect.UnsafePointer, reflect.Map, reflect.Chan, reflect.Func:
		return true
	}
	return false
}

func (m *machine) toInterface(v reflect.Value, t reflect.Type) reflect.Value {
	p := reflect.New(t).Elem()
	if v.Kind() == reflect.Interface {
		if v = v.Elem(); !v.IsValid() {
			return p
		}
	} else {
		m.complete(v.Type(), map[reflect.Type]bool{})
	}
	if !v.Type().Implements(t) {
		panic(refusal(fmt.Sprintf("the type %s has no descriptor with methods in this build, so it cannot become a %s", m.name(v.Type()), t)))
	}
	p.Set(v)
	if n := t.NumMethod(); n > 0 {
		tab := *(*unsafe.Pointer)(p.Addr().UnsafePointer())
		for i := 0; i < n; i++ {
			reachable(method(tab, i), "a method of "+v.Type().String()+" that "+t.String()+" has")
		}
	}
	return p
}

// method is the address of method i of an itab.
func method(tab unsafe.Pointer, i int) uintptr {
	const size = unsafe.Sizeof(uintptr(0))
	first := (2*size + 4 + size - 1) &^ (size - 1) // two pointers and a hash come before
	return *(*uintptr)(unsafe.Add(tab, first+uintptr(i)*size))
}

// What packages ask of any value that they get.
var asked = []reflect.Type{
	basic["error"],
	reflect.TypeOf((*fmt.Stringer)(nil)).Elem(),
	reflect.TypeOf((*fmt.Formatter)(nil)).Elem(),
	reflect.TypeOf((*fmt.GoStringer)(nil)).Elem(),
	reflect.TypeOf((*interface{ MarshalJSON() ([]byte, error) })(nil)).Elem(),
	reflect.TypeOf((*interface{ MarshalText() ([]byte, error) })(nil)).Elem(),
	reflect.TypeOf((*interface{ Write([]byte) (int, error) })(nil)).Elem(),
}

// complete refuses a type whose methods the linker left out because the app
// never makes an interface of it: a call through one would end the app.
func (m *machine) complete(t reflect.Type, seen map[reflect.Type]bool) {
	if seen[t] || len(seen) > 100 {
		return
	}
	seen[t] = true
	if t.Kind() != reflect.Interface {
		for _, in := range asked {
			if !t.Implements(in) {
				continue
			}
			p := reflect.New(in).Elem()
			p.Set(reflect.Zero(t))
			f := runtime.FuncForPC(method(*(*unsafe.Pointer)(p.Addr().UnsafePointer()), 0))
			if f != nil && f.Name() == "runtime.unreachableMethod" {
				panic(refusal(fmt.Sprintf("%s cannot become an interface: its methods are not in this build (nothing in the app makes one of it)", t)))
			}
		}
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Chan:
		m.complete(t.Elem(), seen)
	case reflect.Map:
		m.complete(t.Key(), seen)
		m.complete(t.Elem(), seen)
	case reflect.Struct:
		for i := 0; i < t.NumField(); i++ {
			m.complete(t.Field(i).Type, seen)
		}
	}
}

// name is t as Go writes it.
func (m *machine) name(t reflect.Type) string {
	if i, ok := m.names[t]; ok {
		return m.x.Types[i].Name
	}
	switch {
	case t.Name() != "":
	case t.Kind() == reflect.Pointer:
		return "*" + m.name(t.Elem())
	case t.Kind() == reflect.Slice:
		return "[]" + m.name(t.Elem())
	case t.Kind() == reflect.Map:
		return "map[" + m.name(t.Key()) + "]" + m.name(t.Elem())
	case t == anything:
		return "any"
	}
	return t.String()
}
