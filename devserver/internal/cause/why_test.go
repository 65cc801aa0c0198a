package cause

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"devrun/devserver/internal/fault"
	"devrun/devserver/internal/srctree"
)

const (
	derefMessage = "runtime error: invalid memory address or nil pointer dereference"
	divMessage   = "runtime error: integer divide by zero"
	nilMapText   = "assignment to entry in nil map"
)

// TestWhy: what is said about the line with the comment "here", of the function f
// unless the frame is named. Variables are given as on the line that declares them:
// the comment "v NAME" marks it.
func TestWhy(t *testing.T) {
	user := structOf("", "main.User", `{Name: "susan"}`, str("Name", "susan"), ptr("Boss", "*main.User", nil))
	someErr := iface("err", "error", structOf("", "*errors.errorString", "{}"))
	nilErr := fault.Value{Name: "err", Type: "error", Kind: fault.Interface, Nil: true, Text: "nil", Len: -1}
	list := func(name string, n int64) fault.Value {
		return fault.Value{Name: name, Type: "[]string", Kind: fault.Slice, Text: "…", Len: n, Cap: n}
	}
	nilMap := func(name string) fault.Value {
		return fault.Value{Name: name, Type: "map[string]int", Kind: fault.Map, Nil: true, Text: "nil"}
	}
	fn := func(name string, null bool) fault.Value {
		return fault.Value{Name: name, Type: "func()", Kind: fault.Func, Nil: null, Len: -1}
	}
	gone := func(name string) fault.Value { return fault.Value{Name: name, Type: "*main.User", Gone: true} }
	nilUser := func(name string) fault.Value { return ptr(name, "*main.User", nil) }
	aUser := func(name string) fault.Value { return ptr(name, "*main.User", &user) }

	for _, test := range []struct {
		name, body, message, frame string
		vars                       []fault.Value
		want                       string // "" for no sentence
		caret                      string
	}{
		// nil
		{"parameter", `func f(u *User) string { // v u
	return u.Name // here
}`, derefMessage, "", []fault.Value{nilUser("u")}, "u is nil on line 13. It is a parameter of f.", "u"},
		{"receiver", `func (u *User) f() string { // v u
	return u.Name // here
}`, derefMessage, "main.(*User).f", []fault.Value{nilUser("u")}, "u is nil on line 13. It is the receiver of f.", "u"},
		{"call with error", `func f() {
	u, err := find(1) // v u, v err
	u.Name = "x" // here
	_ = err
}`, derefMessage, "", []fault.Value{nilUser("u"), someErr}, "u is nil on line 14. It was set on line 13 by find, which also returned an error: err is not nil.", "u"},
		{"call without error", `func f() {
	u, err := find(1) // v u, v err
	u.Name = "x" // here
	_ = err
}`, derefMessage, "", []fault.Value{nilUser("u"), nilErr}, "u is nil on line 14. It was set on line 13 by find.", "u"},
		{"error set again since", `func f() {
	u, err := find(1) // v u, v err
	_, err = find(2)
	u.Name = "x" // here
	_ = err
}`, derefMessage, "", []fault.Value{nilUser("u"), someErr}, "u is nil on line 15. It was set on line 13 by find.", "u"},
		{"declared", `func f() {
	var u *User // v u
	u.Name = "x" // here
}`, derefMessage, "", []fault.Value{nilUser("u")}, "u is nil on line 14. It was declared on line 13 and not set since.", "u"},
		{"set to nil", `func f() {
	u := new(User) // v u
	u = nil
	u.Name = "x" // here
}`, derefMessage, "", []fault.Value{nilUser("u")}, "u is nil on line 15. It was set to nil on line 14.", "u"},
		{"from a map", `func f(m map[string]*User) {
	u := m["a"] // v u
	u.Name = "x" // here
}`, derefMessage, "", []fault.Value{nilUser("u")}, `u is nil on line 14. It was set on line 13 to m["a"].`, "u"},
		{"field", `func f(u *User) { // v u
	u.Boss.Name = "x" // here
}`, derefMessage, "", []fault.Value{aUser("u")}, "u.Boss is nil on line 13.", "u.Boss"},
		{"twice the same", `func f(u *User) { // v u
	u.Name = u.Name + "x" // here
}`, derefMessage, "", []fault.Value{nilUser("u")}, "u is nil on line 13. It is a parameter of f.", "u"},
		{"other not nil", `func f(u, w *User) { // v u, v w
	u.Name = w.Name // here
}`, derefMessage, "", []fault.Value{aUser("u"), nilUser("w")}, "w is nil on line 13. It is a parameter of f.", "w"},
		{"two nil", `func f(u, w *User) { // v u, v w
	u.Name = w.Name // here
}`, derefMessage, "", []fault.Value{nilUser("u"), nilUser("w")}, "", ""},
		{"one unknown", `func f(u, w *User) { // v u, v w
	u.Name = w.Name // here
}`, derefMessage, "", []fault.Value{nilUser("u"), gone("w")}, "", ""},
		{"only unknown", `func f(u *User) { // v u
	u.Name = "x" // here
}`, derefMessage, "", []fault.Value{gone("u")}, "", ""},
		{"global", `func f(u *User) { // v u
	u.Name = global.Name // here
}`, derefMessage, "", []fault.Value{nilUser("u")}, "", ""},
		{"result of a call", `func f(u *User) { // v u
	u.Name = get().Name // here
}`, derefMessage, "", []fault.Value{nilUser("u")}, "", ""},
		{"method with nil receiver", `func f(u *User) { // v u
	println(u.Hello(), u.Name) // here
}`, derefMessage, "", []fault.Value{nilUser("u")}, "u is nil on line 13. It is a parameter of f.", "u"},
		{"only a method call", `func f(u *User) { // v u
	u.Hello() // here
}`, derefMessage, "", []fault.Value{nilUser("u")}, "", ""},
		{"value method", `func f(u *User) { // v u
	u.Copy() // here
}`, derefMessage, "", []fault.Value{nilUser("u")}, "u is nil on line 13. It is a parameter of f.", "u"},
		{"star", `func f(u *User) { // v u
	println(*u) // here
}`, derefMessage, "", []fault.Value{nilUser("u")}, "u is nil on line 13. It is a parameter of f.", "u"},
		{"interface", `func f(h Handler) { // v h
	h.Serve(1) // here
}`, derefMessage, "", []fault.Value{{Name: "h", Type: "main.Handler", Kind: fault.Interface, Nil: true}}, "h is nil on line 13. It is a parameter of f.", "h"},
		{"nil function", `func f(g func()) { // v g
	g() // here
}`, derefMessage, "", []fault.Value{fn("g", true)}, "g is nil on line 13. It is a parameter of f.", "g"},
		{"function is there", `func f(g func() *User, u *User) { // v g, v u
	g().Name = u.Name // here
}`, derefMessage, "", []fault.Value{fn("g", false), nilUser("u")}, "", ""},
		{"shadowed", `func f(u *User) { // v u
	if u := find1(); u != nil {
		println(u)
	}
	u.Name = "x" // here
}`, derefMessage, "", []fault.Value{nilUser("u")}, "u is nil on line 16. It is a parameter of f.", "u"},
		{"inner one is not read", `func f(u *User) { // v u
	if u := find1(); u == nil {
		u.Name = "x" // here
	}
}`, derefMessage, "", []fault.Value{nilUser("u")}, "", ""},
		{"set in a branch", `func f(b bool) {
	u := find1() // v u
	if b {
		u = find1()
	}
	u.Name = "x" // here
}`, derefMessage, "", []fault.Value{nilUser("u")}, "u is nil on line 17.", "u"},
		{"set in the other branch", `func f(b bool) {
	var u *User // v u
	if b {
		u = find1()
	} else {
		u.Name = "x" // here
	}
}`, derefMessage, "", []fault.Value{nilUser("u")}, "u is nil on line 17.", "u"},
		{"set below in a loop", `func f(b bool) {
	u := find1() // v u
	for b {
		u.Name = "x" // here
		u = find1()
	}
}`, derefMessage, "", []fault.Value{nilUser("u")}, "u is nil on line 15.", "u"},
		{"set in each round", `func f(b bool) {
	for b {
		u := find1() // v u
		u.Name = "x" // here
		u = nil
	}
}`, derefMessage, "", []fault.Value{nilUser("u")}, "u is nil on line 15. It was set on line 14 by find1.", "u"},
		{"set in a closure", `func f() {
	u := find1() // v u
	func() { u = nil }()
	u.Name = "x" // here
}`, derefMessage, "", []fault.Value{nilUser("u")}, "u is nil on line 15.", "u"},
		{"set by address", `func f() {
	u := find1() // v u
	set(&u)
	u.Name = "x" // here
}`, derefMessage, "", []fault.Value{nilUser("u")}, "u is nil on line 15.", "u"},
		{"goto", `func f() {
	u := find1() // v u
again:
	u.Name = "x" // here
	u = nil
	goto again
}`, derefMessage, "", []fault.Value{nilUser("u")}, "u is nil on line 15.", "u"},
		{"in a literal", `func f() func(*User) {
	return func(u *User) { // v u
		u.Name = "x" // here
	}
}`, derefMessage, "main.f.func1", []fault.Value{nilUser("u")}, "u is nil on line 14.", "u"},
		{"literal on the line", `func f(u *User) { // v u
	func() { u.Name = "x" }() // here
}`, derefMessage, "main.f.func1", []fault.Value{nilUser("u")}, "", ""},
		{"over two lines", `func f(u *User) { // v u
	println(u.Name, // here
		u.Boss)
}`, derefMessage, "", []fault.Value{nilUser("u")}, "", ""},
		{"deferred", `func f(u *User) { // v u
	defer println(u.Name) // here
}`, derefMessage, "", []fault.Value{nilUser("u")}, "", ""},
		{"wrong frame", `func f(u *User) { // v u
	u.Name = "x" // here
}`, derefMessage, "main.other", []fault.Value{nilUser("u")}, "", ""},
		{"app's own panic with these words", `func f(u *User) { // v u
	panic(u.Name) // here
}`, "APP " + derefMessage, "", []fault.Value{nilUser("u")}, "", ""},

		// index
		{"index", `func f(names []string, i int) { // v names, v i
	println(names[i]) // here
}`, "runtime error: index out of range [5] with length 3", "", []fault.Value{list("names", 3), num("i", 5)}, "names has length 3 on line 13, so it has no index 5. i is 5.", "i"},
		{"constant index", `func f(names []string) { // v names
	println(names[5]) // here
}`, "runtime error: index out of range [5] with length 3", "", []fault.Value{list("names", 3)}, "names has length 3 on line 13, so it has no index 5.", "names"},
		{"empty", `func f(names []string) { // v names
	println(names[0]) // here
}`, "runtime error: index out of range [0] with length 0", "", []fault.Value{list("names", 0)}, "names is empty on line 13, so it has no index 0.", "names"},
		{"negative", `func f(names []string, i int) { // v names, v i
	println(names[i]) // here
}`, "runtime error: index out of range [-1]", "", []fault.Value{list("names", 3), num("i", -1)}, "i is negative on line 13: -1.", "i"},
		{"two indices", `func f(names, more []string, i int) { // v names, v more, v i
	println(names[i], more[i]) // here
}`, "runtime error: index out of range [5] with length 3", "", []fault.Value{list("names", 3), list("more", 3), num("i", 5)}, "", ""},
		{"a map beside it", `func f(names []string, m map[string]int, i int) { // v names, v m, v i
	println(names[i], m["a"]) // here
}`, "runtime error: index out of range [5] with length 3", "", []fault.Value{list("names", 3), nilMap("m"), num("i", 5)}, "names has length 3 on line 13, so it has no index 5. i is 5.", "i"},
		{"another length by now", `func f(names []string) { // v names
	println(names[5]) // here
}`, "runtime error: index out of range [5] with length 3", "", []fault.Value{list("names", 9)}, "", ""},
		{"another index by now", `func f(names []string, i int) { // v names, v i
	println(names[i]) // here
}`, "runtime error: index out of range [5] with length 3", "", []fault.Value{list("names", 3), num("i", 6)}, "", ""},
		{"slice", `func f(s string, n int) { // v s, v n
	println(s[:n]) // here
}`, "runtime error: slice bounds out of range [:9] with length 5", "", nil, "s[:n] asks for [:9] on line 13, but s has length 5.", "s[:n]"},
		{"two slices", `func f(s string, n int) { // v s, v n
	println(s[:n], s[n:]) // here
}`, "runtime error: slice bounds out of range [:9] with length 5", "", nil, "", ""},

		// the rest
		{"nil map", `func f() {
	var m map[string]int // v m
	m["a"]++ // here
}`, nilMapText, "", []fault.Value{nilMap("m")}, "m is a nil map on line 14: it can be read, but not written. It was declared on line 13 and not set since.", "m"},
		{"nil global map", `func f() {
	table["a"] = 1 // here
}`, nilMapText, "", nil, "table is a nil map on line 13: it can be read, but not written.", "table"},
		{"two maps", `func f(m, n map[string]int) {
	m["a"], n["b"] = 1, 2 // here
}`, nilMapText, "", nil, "", ""},
		{"the map was made since", `func f(m map[string]int) { // v m
	m["a"] = 1 // here
}`, nilMapText, "", []fault.Value{{Name: "m", Kind: fault.Map, Text: "len 0"}}, "", ""},
		{"division", `func f(total, n int) { // v total, v n
	println(total / n) // here
}`, divMessage, "", []fault.Value{num("total", 4), num("n", 0)}, "n is 0 on line 13, and total is divided by it.", "n"},
		{"remainder", `func f(total, n int) { // v total, v n
	total %= n // here
}`, divMessage, "", []fault.Value{num("total", 4), num("n", 0)}, "n is 0 on line 13, and total is divided by it.", "n"},
		{"two divisors", `func f(a, b int) { // v a, v b
	println(1/a, 1/b) // here
}`, divMessage, "", []fault.Value{gone("a"), num("b", 0)}, "", ""},
		{"one of two divisors", `func f(a, b int) { // v a, v b
	println(1/a, 1/b, 7/2) // here
}`, divMessage, "", []fault.Value{num("a", 3), num("b", 0)}, "b is 0 on line 13, and 1 is divided by it.", "b"},
		{"assertion", `func f(v any) { // v v
	println(v.(int)) // here
}`, "interface conversion: interface {} is string, not int", "", nil, "v holds a value of type string on line 13, not int.", "v"},
		{"assertion of nil", `func f(v any) { // v v
	println(v.(int)) // here
}`, "interface conversion: interface {} is nil, not int", "", nil, "v is nil on line 13, so it holds no int.", "v"},
		{"missing method", `func f(v any) { // v v
	println(v.(Handler)) // here
}`, "interface conversion: main.User is not main.Handler: missing method Serve", "", nil, "v holds a value of type main.User on line 13, which does not implement main.Handler: it has no method Serve.", "v"},
		{"checked assertion", `func f(v, w any) { // v v
	n, ok := v.(int); println(n, ok, w.(int)) // here
}`, "interface conversion: interface {} is string, not int", "", nil, "w holds a value of type string on line 13, not int.", "w"},
		{"two assertions", `func f(v, w any) {
	println(v.(int), w.(int)) // here
}`, "interface conversion: interface {} is string, not int", "", nil, "", ""},
		{"closed channel", `func f(ch chan int) {
	ch <- 1 // here
}`, "send on closed channel", "", nil, "ch was closed before the send on line 13.", "ch"},
		{"closed twice", `func f(ch chan int) {
	close(ch) // here
}`, "close of closed channel", "", nil, "ch was closed already when it is closed on line 13.", "ch"},
		{"nil channel", `func f(ch chan int) {
	close(ch) // here
}`, "close of nil channel", "", nil, "ch is nil on line 13, and only a channel that was made can be closed.", "ch"},
		{"in a select", `func f(a, b chan int) {
	select { // here
	case a <- 1:
	case b <- 1:
	}
}`, "send on closed channel", "", nil, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			source := whyHead + test.body + "\n"
			dir := t.TempDir()
			write(t, filepath.Join(dir, "main.go"), source)
			write(t, filepath.Join(dir, "other.go"), "package main\n\nfunc find1() *User { return nil }\n\nvar global = &User{}\n")
			tree := srctree.New(dir, nil)
			frame := fault.Frame{Func: "main.f", File: filepath.Join(dir, "main.go"), Line: lineOf(t, source, "// here")}
			if test.frame != "" {
				frame.Func = test.frame
			}
			typ := "runtime.boundsError"
			if m, ok := strings.CutPrefix(test.message, "APP "); ok {
				test.message, typ = m, "*main.myError"
			}
			for i, v := range test.vars {
				before, _, ok := strings.Cut(source, "v "+v.Name)
				if !ok || !strings.Contains(before[strings.LastIndexByte(before, '\n')+1:], "//") {
					t.Fatalf("%s is not declared in a comment", v.Name)
				}
				test.vars[i].Line = strings.Count(before, "\n") + 1
			}
			f := fault.Failure{At: time.Now(), How: fault.Panicked, Type: typ, Message: test.message, Values: fault.Values{Here: true},
				Calls: []fault.Call{{Frame: fault.Frame{Func: "runtime.mapassign_faststr", File: "/usr/local/go/src/runtime/x.go", Line: 1}}, {Frame: frame, Vars: test.vars}}}
			c := Explain(f, tree).Cause
			if got := c.String(); got != test.want {
				t.Errorf("%q\nwant\n%q", got, test.want)
			}
			if c.Col > 0 {
				text := strings.Split(source, "\n")[frame.Line-1]
				if got := text[c.Col-1 : c.End-1]; got != test.caret {
					t.Errorf("carets below %q, want %q", got, test.caret)
				}
			} else if test.caret != "" {
				t.Errorf("no carets, want them below %q", test.caret)
			}

			// The same in a library that the line called is not this line's doing.
			f.Calls[0].Func = "strings.Repeat"
			if got := Explain(f, tree).Cause.Why; got != nil {
				t.Errorf("%v for a panic in a library", got)
			}
		})
	}
}

const whyHead = `package main

type User struct { Name string; Boss *User }

func (u *User) Hello() string { return "" }
func (u User) Copy() string { return "" }
func get() *User { return nil }
func find(id int) (*User, error) { return nil, nil }
func set(u **User) {}
type Handler interface { Serve(int) }
var table map[string]int
`
