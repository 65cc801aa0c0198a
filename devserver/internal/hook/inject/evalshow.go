//go:build unix && go1.21

package hook

import (
	"fmt"
	"math"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"devrun/devserver/internal/wire"
)

// The bounds of a value that is shown.
const (
	evalText     = 4096 // bytes of a string or of what String gives
	evalInline   = 200  // bytes of a value in one line
	evalChildren = 50
	evalDeep     = 4
	evalValues   = 1500
	evalRoom     = 200 << 10 // bytes of all texts: the message has an end
)

// show makes what devrun gets of the last expression.
func (m *machine) show() *wire.EvalValue {
	s := &shower{m: m, left: evalValues, room: evalRoom, seen: map[uintptr]int{}}
	switch len(m.shown) {
	case 0:
		return none()
	case 1:
		v := s.value(m.shown[0], 0)
		m.statically(&v, 0)
		s.speak(m.shown[0], &v)
		return &v
	}
	all := none()
	all.Kind = "tuple"
	var types, texts []string
	for i, x := range m.shown {
		v := s.value(x, 1)
		m.statically(&v, i)
		v.Name = strconv.Itoa(i)
		s.speak(x, &v)
		types, texts = append(types, v.Type), append(texts, v.Text)
		all.Children = append(all.Children, v)
	}
	all.Type, all.Text = "("+strings.Join(types, ", ")+")", strings.Join(texts, ", ")
	return all
}

// statically gives a value the type that it has in the source.
func (m *machine) statically(v *wire.EvalValue, i int) {
	if i < len(m.as) && m.as[i] > 0 && m.as[i] < len(m.x.Types) {
		v.Type = m.x.Types[m.as[i]].Name
	}
}

// speak calls String or Error, within the same limits as everything else.
func (s *shower) speak(x reflect.Value, v *wire.EvalValue) {
	if x.Kind() == reflect.Interface {
		if x = x.Elem(); !x.IsValid() {
			return
		}
	}
	if k := x.Kind(); (k == reflect.Pointer || k == reflect.Map || k == reflect.Func || k == reflect.Chan) && x.IsNil() {
		return
	}
	defer func() {
		switch p := recover().(type) {
		case nil, refusal:
		default:
			v.String = "panics: " + failed(p).Panic
		}
	}()
	t := x.Type()
	err, str := basic["error"], asked[1]
	if !t.Implements(err) && !t.Implements(str) {
		if t = reflect.PointerTo(t); !t.Implements(err) && !t.Implements(str) {
			return
		}
		x = copied(x).Addr()
	}
	text := ""
	if t.Implements(err) {
		v.Method = "Error"
		text = s.m.toInterface(x, err).Interface().(error).Error()
	} else {
		v.Method = "String"
		text = s.m.toInterface(x, str).Interface().(fmt.Stringer).String()
	}
	v.String = text
	if len(text) > evalText {
		v.String = clip(text, evalText) + "…"
	}
}

// shower makes trees of values within bounds.
type shower struct {
	m    *machine
	left int
	room int
	seen map[uintptr]int // pointers on the way down, with the depth
}

func (s *shower) value(x reflect.Value, depth int) wire.EvalValue {
	s.left--
	v := wire.EvalValue{Type: s.m.name(x.Type()), Len: -1, Cap: -1}
	v.Text = s.line(x, evalInline)
	s.room -= 100 + len(v.Text) + len(v.Type)
	children := func(n int, child func(i int) wire.EvalValue) {
		for i := 0; i < n; i++ {
			if depth >= evalDeep || i >= evalChildren || s.left <= 0 || s.room <= 0 {
				v.More = int64(n - i)
				return
			}
			s.m.alive()
			v.Children = append(v.Children, child(i))
		}
	}
	switch x.Kind() {
	case reflect.Bool:
		v.Kind = "bool"
	case reflect.String:
		most := evalText
		if depth > 0 {
			most = evalInline
		}
		v.Kind, v.Len = "string", int64(x.Len())
		v.Text = quoted(x.String(), most)
		v.Cut = int64(max(x.Len()-most, 0))
	case reflect.Pointer:
		v.Kind, v.Nil = "pointer", x.IsNil()
		if !v.Nil && s.seen[x.Pointer()] > 0 {
			v.Cycle = true
		} else if !v.Nil {
			s.seen[x.Pointer()] = depth + 1
			children(1, func(int) wire.EvalValue { return s.value(x.Elem(), depth+1) })
			delete(s.seen, x.Pointer())
		}
	case reflect.Interface:
		v.Kind, v.Nil = "interface", x.IsNil()
		if !v.Nil {
			children(1, func(int) wire.EvalValue { return s.value(placed(x.Elem()), depth+1) })
		}
	case reflect.Struct:
		v.Kind = "struct"
		x = placed(x)
		named := s.m.named(x.Type())
		children(len(named), func(i int) wire.EvalValue {
			f := s.value(fieldOf(x, named[i]), depth+1)
			f.Name = s.m.fieldName(x.Type(), named[i])
			return f
		})
	case reflect.Array, reflect.Slice:
		v.Kind, v.Len = x.Kind().String(), int64(x.Len())
		if x.Kind() == reflect.Slice {
			v.Cap, v.Nil = int64(x.Cap()), x.IsNil()
		} else {
			x = placed(x)
		}
		children(x.Len(), func(i int) wire.EvalValue {
			e := s.value(x.Index(i), depth+1)
			e.Name = strconv.Itoa(i)
			return e
		})
	case reflect.Map:
		v.Kind, v.Len, v.Nil = "map", int64(x.Len()), x.IsNil()
		keys := s.keys(x)
		children(len(keys), func(i int) wire.EvalValue {
			e := s.value(placed(entry(x, keys[i])), depth+1)
			e.Name = s.line(keys[i], evalInline)
			s.room -= len(e.Name)
			return e
		})
		v.More = v.Len - int64(len(v.Children))
	case reflect.Chan:
		v.Kind, v.Len, v.Cap, v.Nil = "chan", int64(x.Len()), int64(x.Cap()), x.IsNil()
	case reflect.Func:
		v.Kind, v.Nil = "func", x.IsNil()
	case reflect.UnsafePointer, reflect.Complex64, reflect.Complex128:
		v.Kind = "other"
	default:
		v.Kind = "number"
	}
	return v
}

// fieldOf is field i, exported or not.
func fieldOf(x reflect.Value, i int) reflect.Value {
	f := x.Field(i)
	return reflect.NewAt(f.Type(), f.Addr().UnsafePointer()).Elem()
}

// named are the fields of a struct, without those called _.
func (m *machine) named(t reflect.Type) []int {
	var list []int
	for i := 0; i < t.NumField(); i++ {
		if m.fieldName(t, i) != "_" {
			list = append(list, i)
		}
	}
	return list
}

func (m *machine) fieldName(t reflect.Type, i int) string {
	if j, ok := m.names[t]; ok && i < len(m.x.Types[j].Fields) {
		return m.x.Types[j].Fields[i].Name
	}
	return t.Field(i).Name
}

// keys are some of a map's, in order where there is one.
func (s *shower) keys(x reflect.Value) []reflect.Value {
	var keys []reflect.Value
	for it := x.MapRange(); it.Next() && len(keys) < 10*evalChildren; {
		keys = append(keys, placed(it.Key()))
	}
	sort.SliceStable(keys, func(i, j int) bool {
		a, b := keys[i], keys[j]
		switch {
		case a.CanInt() || a.CanUint() || a.CanFloat() || a.Kind() == reflect.String:
			c, _ := compare(a, b)
			return c < 0
		}
		return false
	})
	if len(keys) > evalChildren {
		keys = keys[:evalChildren]
	}
	return keys
}

// line is a value as Go would write it, of about most bytes.
func (s *shower) line(x reflect.Value, most int) string {
	w := &line{s: s, most: most}
	w.value(x, 0)
	return w.b.String()
}

type line struct {
	s    *shower
	b    strings.Builder
	most int
}

func (w *line) value(x reflect.Value, depth int) {
	switch x.Kind() {
	case reflect.Bool:
		w.b.WriteString(strconv.FormatBool(x.Bool()))
	case reflect.String:
		w.b.WriteString(quoted(x.String(), max(w.most-w.b.Len(), 20)))
	case reflect.Pointer:
		switch {
		case x.IsNil():
			w.b.WriteString("nil")
		case depth < 3 && x.Elem().Kind() != reflect.Pointer:
			w.b.WriteByte('&')
			w.value(x.Elem(), depth+1)
		default:
			fmt.Fprintf(&w.b, "0x%x", x.Pointer())
		}
	case reflect.Interface:
		if x.IsNil() {
			w.b.WriteString("nil")
		} else {
			w.value(placed(x.Elem()), depth)
		}
	case reflect.Struct:
		if depth > 0 || w.s.m.name(x.Type())[0] != 's' {
			w.typeName(x.Type())
		}
		x = placed(x)
		named := w.s.m.named(x.Type())
		w.list("{", "}", len(named), depth, func(i int) {
			w.b.WriteString(w.s.m.fieldName(x.Type(), named[i]) + ": ")
			w.value(fieldOf(x, named[i]), depth+1)
		})
	case reflect.Array, reflect.Slice:
		if x.Kind() == reflect.Slice && x.IsNil() {
			w.b.WriteString("nil")
			return
		}
		if x.Kind() == reflect.Array {
			x = placed(x)
		}
		w.typeName(x.Type())
		w.list("{", "}", x.Len(), depth, func(i int) { w.value(x.Index(i), depth+1) })
	case reflect.Map:
		if x.IsNil() {
			w.b.WriteString("nil")
			return
		}
		w.typeName(x.Type())
		keys := w.s.keys(x)
		w.list("{", "}", len(keys), depth, func(i int) {
			w.value(keys[i], depth+1)
			w.b.WriteString(": ")
			w.value(placed(entry(x, keys[i])), depth+1)
		})
	case reflect.Chan, reflect.Func, reflect.UnsafePointer:
		if x.Pointer() == 0 {
			w.b.WriteString("nil")
		} else {
			fmt.Fprintf(&w.b, "0x%x", x.Pointer())
		}
	case reflect.Float32, reflect.Float64:
		w.b.WriteString(float(x.Float(), x.Type().Bits()))
	case reflect.Complex64, reflect.Complex128:
		w.b.WriteString(strconv.FormatComplex(x.Complex(), 'g', -1, x.Type().Bits()))
	default:
		if x.CanInt() {
			w.b.WriteString(strconv.FormatInt(x.Int(), 10))
		} else {
			w.b.WriteString(strconv.FormatUint(x.Uint(), 10))
		}
	}
}

func (w *line) typeName(t reflect.Type) {
	if name := w.s.m.name(t); len(name) < 60 {
		w.b.WriteString(name)
	}
}

func (w *line) list(open, end string, n, depth int, item func(i int)) {
	w.b.WriteString(open)
	for i := 0; i < n; i++ {
		if i > 0 {
			w.b.WriteString(", ")
		}
		if depth >= 4 || w.b.Len() > w.most {
			w.b.WriteString("…")
			break
		}
		item(i)
	}
	w.b.WriteString(end)
}

func float(f float64, bits int) string {
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e21) {
		return strconv.FormatFloat(f, 'e', -1, bits)
	}
	return strconv.FormatFloat(f, 'f', -1, bits)
}

// quoted is a Go string literal of the beginning of text.
func quoted(text string, most int) string {
	if len(text) <= most {
		return strconv.Quote(text)
	}
	return strconv.Quote(clip(text, most)) + "…"
}

// clip is the beginning of text, in whole characters.
func clip(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for i := 0; i < utf8.UTFMax && most > 0 && !utf8.RuneStart(text[most]); i++ {
		most--
	}
	return text[:most]
}
