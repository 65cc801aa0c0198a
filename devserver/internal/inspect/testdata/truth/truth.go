// Package main of a generated app: the other file has its frames, and says of
// each variable what it is, as reflection sees it.
package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"reflect"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
	"unsafe"
)

// The bounds that the test asks for.
const (
	maxDepth    = 6
	maxElements = 9
	maxString   = 40
)

// Value is a part of package fault's.
type Value struct {
	Name, Type, Kind, Text string
	Nil                    bool
	Len, Cap, More, Cut    int64
	Children               []Value
}

type line struct {
	Func  string
	Value Value
}

var block = make(chan struct{})

func main() {
	go func() {
		defer func() {
			var b [64]byte
			id := strings.Fields(string(b[:runtime.Stack(b[:], false)]))[1]
			fmt.Printf("parked generated %s\n", id)
			<-block
		}()
		grow()
		begin()
	}()
	os.Stdin.Read(make([]byte, 1))
}

//go:noinline
func grow() {
	var room [256 << 10]byte
	runtime.KeepAlive(&room)
}

func show[T any](fn, name string, v T) { showp(fn, name, &v) }

func showp[T any](fn, name string, v *T) {
	b, err := json.Marshal(line{fn, truth(name, reflect.ValueOf(v).Elem(), 0)})
	if err != nil {
		panic(err)
	}
	fmt.Printf("truth %s\n", b)
}

// plain makes a value one whose parts can be looked at, whatever their names.
func plain(v reflect.Value) reflect.Value {
	if !v.CanAddr() {
		p := reflect.New(v.Type()).Elem()
		p.Set(v)
		return p
	}
	return reflect.NewAt(v.Type(), unsafe.Pointer(v.UnsafeAddr())).Elem()
}

func truth(name string, v reflect.Value, depth int) Value {
	v = plain(v)
	t := Value{Name: name, Type: v.Type().String(), Len: -1, Cap: -1}
	var size int64
	var child func(i int) Value
	below := depth + 1
	limit := int64(math.MaxInt64)
	elements := func(n int, at func(i int) reflect.Value) {
		size = int64(n)
		limit = maxElements
		if depth > 1 {
			limit = maxElements / 3
		}
		child = func(i int) Value { return truth(strconv.Itoa(i), at(i), below) }
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Chan, reflect.Func, reflect.UnsafePointer, reflect.Interface:
		t.Nil = v.IsNil()
	}
	switch v.Kind() {
	case reflect.Bool:
		t.Kind = "bool"
	case reflect.String:
		t.Kind, t.Len = "string", int64(v.Len())
		t.Text, t.Cut = quote(v.String())
	case reflect.Pointer:
		t.Kind = "pointer"
		if t.Nil {
			break
		}
		e := plain(v.Elem())
		if e.Kind() == reflect.Struct && e.Type() != reflect.TypeFor[time.Time]() {
			size = int64(e.NumField())
			child = func(i int) Value { return truth(e.Type().Field(i).Name, e.Field(i), below) }
		} else {
			size, child = 1, func(int) Value { return truth("", e, below) }
		}
	case reflect.Interface:
		t.Kind = "interface"
		if !t.Nil {
			size, child = 1, func(int) Value { return truth("", v.Elem(), depth) }
		}
	case reflect.Struct:
		t.Kind = "struct"
		if v.Type() != reflect.TypeFor[time.Time]() {
			size = int64(v.NumField())
			child = func(i int) Value { return truth(v.Type().Field(i).Name, v.Field(i), below) }
		}
	case reflect.Array:
		t.Kind, t.Len, t.Cap = "array", int64(v.Len()), int64(v.Len())
		elements(v.Len(), v.Index)
	case reflect.Slice:
		t.Kind = "slice"
		if t.Nil {
			break
		}
		t.Len, t.Cap = int64(v.Len()), int64(v.Cap())
		if v.Type().Elem().Kind() == reflect.Uint8 && v.Len() > 0 {
			if text, cut := quote(string(v.Bytes())); printable(text) {
				t.Text, t.Cut = "len "+strconv.Itoa(v.Len())+" cap "+strconv.Itoa(v.Cap())+" "+text, cut
				break
			}
		}
		elements(v.Len(), v.Index)
	case reflect.Map:
		t.Kind = "map"
		if t.Nil {
			break
		}
		t.Len = int64(v.Len())
		keys := v.MapKeys()
		names := map[int]string{}
		sort.Slice(keys, func(i, j int) bool { return less(keys[i], keys[j]) })
		for i, k := range keys {
			names[i] = key(k)
		}
		size = t.Len
		child = func(i int) Value { return truth(names[i], v.MapIndex(keys[i]), below) }
	case reflect.Chan:
		t.Kind = "chan"
		if t.Nil {
			break
		}
		t.Len, t.Cap = int64(v.Len()), int64(v.Cap())
		var held []reflect.Value
		for range v.Len() {
			x, _ := v.Recv()
			held = append(held, x)
			v.Send(x)
		}
		elements(len(held), func(i int) reflect.Value { return held[i] })
	case reflect.Func:
		t.Kind = "func"
		if !t.Nil {
			t.Text = runtime.FuncForPC(v.Pointer()).Name()
		}
	case reflect.UnsafePointer, reflect.Complex64, reflect.Complex128:
		t.Kind = "other"
	default:
		t.Kind = "number"
	}
	if t.Nil {
		t.Text = "nil"
	} else if text := scalar(v); text != "" {
		t.Text = text
	}
	if child != nil && depth < maxDepth {
		for i := range min(size, limit) {
			t.Children = append(t.Children, child(int(i)))
		}
	}
	t.More = size - int64(len(t.Children))
	return t
}

func scalar(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case time.Time:
		return x.Round(0).String()
	case time.Duration:
		return x.String()
	}
	switch v.Kind() {
	case reflect.Bool:
		return strconv.FormatBool(v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.FormatInt(v.Int(), 10)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return strconv.FormatUint(v.Uint(), 10)
	case reflect.Uintptr:
		return "0x" + strconv.FormatUint(v.Uint(), 16)
	case reflect.Float32:
		return strconv.FormatFloat(v.Float(), 'g', -1, 32)
	case reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	case reflect.Complex64:
		return fmt.Sprint(complex64(v.Complex()))
	case reflect.Complex128:
		return fmt.Sprint(v.Complex())
	}
	return ""
}

func quote(s string) (string, int64) {
	b := s
	if len(s) > maxString {
		b = s[:maxString]
		for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
			if utf8.RuneStart(b[len(b)-n]) {
				if !utf8.FullRuneInString(b[len(b)-n:]) {
					b = b[:len(b)-n]
				}
				break
			}
		}
	}
	text := strconv.Quote(b)
	if len(b) < len(s) {
		text += "…"
	}
	return text, int64(len(s) - len(b))
}

func printable(text string) bool {
	s, _ := strconv.Unquote(strings.TrimSuffix(text, "…"))
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool {
		return !unicode.IsPrint(r) && r != '\n' && r != '\t' && r != '\r'
	}) < 0
}

// key is how a short key is written.
func key(v reflect.Value) string {
	v = plain(v)
	switch v.Kind() {
	case reflect.String:
		return strconv.Quote(v.String())
	case reflect.Interface:
		if v.IsNil() {
			return "nil"
		}
		switch e := v.Elem(); e.Type().String() {
		case "int", "string", "bool", "float64":
			return key(e)
		default:
			switch e.Kind() {
			case reflect.Struct:
				return e.Type().String() + key(e)
			case reflect.Array:
				return e.Type().String() + " " + key(e)
			}
			return e.Type().String() + "(" + key(e) + ")"
		}
	case reflect.Array:
		var parts []string
		for i := range v.Len() {
			parts = append(parts, key(v.Index(i)))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case reflect.Struct:
		var parts []string
		for i := range v.NumField() {
			parts = append(parts, v.Type().Field(i).Name+": "+key(v.Field(i)))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return scalar(v)
}

func less(a, b reflect.Value) bool {
	x, err1 := strconv.ParseFloat(key(a), 64)
	y, err2 := strconv.ParseFloat(key(b), 64)
	if err1 == nil && err2 == nil && x != y {
		return x < y
	}
	return key(a) < key(b)
}

func ptr[T any](v T) *T { return &v }

func filled[T any](size int, v ...T) chan T {
	c := make(chan T, size)
	for range size { // so that the oldest is not at the beginning
		var zero T
		if len(v) > 0 {
			c <- zero
			<-c
		}
		break
	}
	for _, x := range v {
		c <- x
	}
	return c
}

type (
	myInt      int16
	myString   string
	myBytes    []byte
	myFunc     func(int) string
	myMap      map[string]int
	Box[T any] struct {
		Value T
		List  []T
		next  *Box[T]
	}
	Two[K comparable, V any] struct {
		Key K
		Map map[K]V
	}
)

func (m myInt) String() string       { return "S" }
func (b *Box[T]) Get() T             { return b.Value }
func (m myString) Error() string     { return "E" }
func plainFunc(n int) string         { return strconv.Itoa(n) }
func generic[T any](n int) string    { var t T; return fmt.Sprint(t, n) }
func closure(k int) func(int) string { return func(n int) string { return strconv.Itoa(n + k) } }
