//go:build linux

package expr

import (
	"strings"
	"testing"
)

// In the frame of main.handle, one console from top to bottom. A source ends
// with ";" where only what it changes is of interest.
var lines = []struct{ src, want string }{
	// Variables and fields.
	{"n", "int 42"},
	{"u.First", `string "Ann"`},
	{"u.Address.Zip", "int 8000"},
	{"u.Zip + 1", "int 8001"},
	{"v.last", "error: v.last undefined (cannot refer to unexported field last)"},
	{"u.Nope", "error: u.Nope undefined (type *shop.User has no field or method Nope)"},
	{"id", `string "inner"`},
	{"later", "error: undefined: later"},
	{"arr[1]", `string "y"`},
	{"len(nums) + cap(nums[:2])", "int 8"},
	{"nums[1:3]", "[]int []int{20, 30}"},
	{"nums[0:1:2]", "[]int []int{10}"},
	{"cap(nums[0:1:2])", "int 2"},
	{"name[1:3]", `string "op"`},
	{"name[0]", "byte 103"},
	{"arr[1:]", `[]string []string{"y", "z"}`},
	{`m["one"]`, "int 1"},
	{`m["absent"]`, "int 0"},
	{`x, ok := m["absent"]; ok`, "bool false"},
	{"*u.Boss", "panic: runtime error: invalid memory address or nil pointer dereference"},
	{"nilu.First", "panic: runtime error: invalid memory address or nil pointer dereference"},
	{"nums[7]", "panic: runtime error: index out of range [7] with length 4"},
	{"nums[n-43]", "panic: runtime error: index out of range [-1]"},
	{"nums[3:n]", "panic: runtime error: slice bounds out of range [:42] with capacity 4"},
	{"arr[n]", "panic: runtime error: index out of range [42] with length 3"},
	{"nums[-1]", "error: invalid argument: index -1 (constant of type int) must not be negative"},
	{"pt.X + pt.Y", "int 3"},
	{"pt", "main.point main.point{X: 1, Y: 2}"},
	{"ring.next.next.name", `string "a"`},
	{"store.users == nil", "bool false"},
	{"version + limits2", "error: undefined: limits2"},

	// Calls.
	{"u.FullName()", `string "Ann Lee"`},
	{"v.FullName()", `string "Ann Lee"`},
	{"u.Initials()", `string "AL"`},
	{"v.Initials()", `string "AL"`},
	{"u.Line()", `string "Main St 8000"`},
	{"u.ID.String()", `string "#17"`},
	{"u.ID", `shop.ID 17 | #17`},
	{"namer.FullName()", `string "Ann Lee"`},
	{"err.Error()", `string "not found: k7"`},
	{"wrapped", `error &fmt.wrapError{msg: "load: not found: k7", err: &shop.NotFound{Key: "k7"}} | load: not found: k7`},
	{"errors.Unwrap(wrapped) == err", "bool true"},
	{"st.String()", `string "busy"`},
	{"add(10)", "int 52"},
	{"n", "int 52"},
	{"helper(n)", "int 55"},
	{"sum(1, 2, 3)", "int 6"},
	{"sum(nums...)", "int 100"},
	{"sum()", "int 0"},
	{"pair()", `(int, string) 7, "seven"`},
	{"u.Multi()", `(int, error) 17, &errors.errorString{s: "gone"}`},
	{"fmt.Sprintf(\"%s has %d of %v\", u.First, n, nums)", `string "Ann has 52 of [10 20 30 40]"`},
	{"fmt.Sprint(pair())", `string "7seven"`},
	{"strings.ToUpper(name)", `string "GOPHER"`},
	{"strings.Repeat(name, 2)", `string "gophergopher"`},
	{"strconv.Itoa(n)", `string "52"`},
	{"r.Query().Get(\"n\")", `string "5"`},
	{"r.Query()[\"q\"]", `[]string []string{"go", "lang"}`},
	{"when.Year()", "int 2024"},
	{"when.Add(time.Hour).Format(time.Kitchen)", `string "8:08AM"`},
	{"buf.String()", `string "hello"`},
	{"shop.Join(\"-\", \"a\", \"b\")", `string "a-b"`},
	{"shop.Unused()", `string "nobody calls it"`},
	{"u.Boom()", "panic: boom from Ann"},
	{"u.Nobody().FullName()", "panic: runtime error: invalid memory address or nil pointer dereference"},
	{"fallible(false)", `(*shop.User, error) nil, &shop.NotFound{Key: "k1"}`},
	{"nilu.Rename(\"x\")", "panic: runtime error: invalid memory address or nil pointer dereference"},
	{"helper(name)", `error: cannot use name (variable of type string) as int value in argument to helper`},
	{"helper()", "error: not enough arguments in call to helper\n\thave ()\n\twant (int)"},
	{"quits()", "error: it ended its goroutine (runtime.Goexit)"},
	{"ctx.Err()", "error: context.Context.Err is not in this build (nothing in the app calls it)"},
	{"html.EscapeString(\"<\")", `string "&lt;"`},

	// Generics.
	{"stack.Len()", "int 1"},
	{"stack.Push(6); stack.Len()", "int 2"},
	{"stack.Top()", "error: (*shop.Stack[int]).Top is not in this build (nothing in the app calls it)"},
	{"shop.Sum(1, 2)", "int 3"},
	{"shop.Sum(0.5, 2)", "float64 2.5"},
	{"shop.Sum(state(1), 1)", "error: shop.Sum[main.state] is not in this build (nothing in the app uses it with these types)"},
	{"shop.Map(nums, func(i int) string { return fmt.Sprint(i * 2) })", `[]string []string{"20", "40", "60", "80"}`},
	{"shop.Pairs(map[string]int{\"k\": 9})", `[]shop.Pair[string, int] []shop.Pair[string,int]{shop.Pair[string,int]{Key: "k", Val: 9}}`},
	{"shop.Sum(\"a\")", `error: string does not satisfy shop.Number (string missing in ~int | ~float64)`},

	// Operators, conversions, constants.
	{"n + \"a\"", `error: invalid operation: n + "a" (mismatched types int and untyped string)`},
	{"small + 10", "uint8 4"},
	{"small << 1", "uint8 244"},
	{"1 << n", "int 4503599627370496"},
	{"n << (n - 53)", "panic: runtime error: negative shift amount"},
	{"n / (n - 52)", "panic: runtime error: integer divide by zero"},
	{"f * 2", "float64 5"},
	{"int(f) % 2", "int 0"},
	{"n > 3 && name != \"\"", "bool true"},
	{"!(n > 3) || nilu == nil", "bool true"},
	{"err != nil", "bool true"},
	{"nilmap == nil", "bool true"},
	{"any1 == \"text\"", "bool true"},
	{"^small &^ 1", "uint8 4"},
	{"shop.Limit * 2", "int 32"},
	{"busy", "main.state 1 | busy"},
	{"float64(n) / 8", "float64 6.5"},
	{"string([]byte(name)[:2])", `string "go"`},
	{"[]rune(\"aé\")", "[]rune []int32{97, 233}"},
	{"shop.ID(3)", "shop.ID 3 | #3"},
	{"time.Duration(1500) * time.Millisecond", "time.Duration 1500000000 | 1.5s"},
	{"any1.(string)", `string "text"`},
	{"any1.(int)", "panic: interface conversion: interface {} is string, not int"},
	{"any1.(fmt.Stringer)", "panic: interface conversion: string is not fmt.Stringer: missing method String"},
	{"_, ok := any1.(int); ok", "bool false"},
	{"err.(*shop.NotFound).Key", `string "k7"`},
	{"1 / 0", "error: invalid operation: division by zero"},
	{"uint8(300)", "error: constant 300 overflows uint8"},
	{"complex(1, 2) * 2i", "complex128 (-4+2i)"},
	{"nil", "error: use of untyped nil"},
	{"shop.User", "error: shop.User (type) is not an expression"},

	// Literals and built-in functions.
	{"[]int{1, 2, 5: 9}", "[]int []int{1, 2, 0, 0, 0, 9}"},
	{"map[string][]int{\"a\": {1}}", `map[string][]int map[string][]int{"a": []int{1}}`},
	{"[]*shop.User{{First: \"Q\"}}[0].First", `string "Q"`},
	{"shop.Address{\"s\", 2}.Line()", `string "s 2"`},
	{"(&cache{hits: 3}).hits", "int 3"},
	{"cache{3, nil}", "main.cache main.cache{hits: 3, users: nil}"},
	{"[...]string{\"p\", \"q\"}[n-51]", `string "q"`},
	{"append(nums, 50)", "[]int []int{10, 20, 30, 40, 50}"},
	{"append([]byte(\"a\"), name...)", "[]byte []uint8{97, 103, 111, 112, 104, 101, 114}"},
	{"len(make([]int, 3, 9)) + cap(make([]int, 3, 9))", "int 12"},
	{"make([]byte, 1<<40)", "error: the console makes no more than 64 MB at a time"},
	{"min(3, n, 2)", "int 2"},
	{"new(int) == nil", "bool false"},
	{"<-ch", "int 1"},
	{"struct{ A, b int }{1, 2}", "struct{A int; b int} {A: 1, b: 2}"},

	// Functions as values.
	{"g := func(a, b int) int { return a*b + n }; g(2, 3)", "int 58"},
	{"up := strings.ToUpper; up(\"q\")", `string "Q"`},
	{"full := u.FullName; full()", `string "Ann Lee"`},
	{"(*shop.User).FullName(u)", `string "Ann Lee"`},
	{"st.String", "func() string 0x"},
	{"var fact func(int) int; fact = func(i int) int { if i < 2 { return 1 }; return i * fact(i-1) }; fact(6)", "int 720"},
	{"var deep func(int) int; deep = func(i int) int { return deep(i+1) }; deep(0)", "error: more than 500 nested calls of function literals"},
	{"slices.SortFunc(nums, func(a, b int) int { return b - a }); nums", "[]int []int{40, 30, 20, 10}"},
	{"sort.Slice(nums, func(i, j int) bool { return nums[i] < nums[j] }); nums", "[]int []int{10, 20, 30, 40}"},
	{"parts := 0; u.Each(func(s string) { parts += len(s) }); parts", "int 2"},
	{"func() (x, y int) { x = 1; y = 2; return }()", "(int, int) 1, 2"},

	// Statements.
	{"t := 0; for i := 0; i < 5; i++ { if i == 3 { continue }; t += i }; t", "int 7"},
	{"t = 0\nfor _, v := range nums { t += v }\nt", "int 100"},
	{"ks := 0; for k, v := range m { ks += len(k) * v }; ks", "int 9"},
	{"cs := \"\"; for i, r := range \"aé\" { cs += fmt.Sprint(i, r, \";\") }; cs", `string "0 97;1 233;"`},
	{"c := 0; for range 4 { c++ }; c", "int 4"},
	{"w := \"\"; switch { case n > 100: w = \"big\"; case n > 10: w = \"mid\"; fallthrough; default: w += \"!\" }; w", `string "mid!"`},
	{"k := \"\"; switch e := err.(type) { case nil: k = \"nil\"; case *shop.NotFound: k = e.Key }; k", `string "k7"`},
	{"o := 0; outer: for i := 0; i < 3; i++ { for { o++; continue outer } }; o", "int 3"},
	{"if q := n; q > 1 { u.Zip = q }; u.Zip", "int 52"},
	{"var fs []func() int; for i := 0; i < 3; i++ { fs = append(fs, func() int { return i }) }; fs[0]() + fs[2]()", "int 2"},
	{"a, b := 1, 2; a, b = b, a; a*10 + b", "int 21"},
	{"for i := range maps.Keys(map[int]int{8: 1}) { t = i }; t", "int 8"},
	{"for { }", "error: still running after 0.2 s; it continues in the background"},
	{"sleepy(time.Hour)", "error: still running after 0.2 s; it continues in the background"},
	{"go forever()", "error: go statements are not evaluated here"},
	{"goto x; x: n++", "error: goto is not evaluated here"},

	// Assignment.
	{"n = 7; n", "int 7"},
	{"n++; n *= 2; n", "int 16"},
	{"name += \"!\"; name", `string "gopher!"`},
	{"u.Rename(\"Zoe\"); u.FullName()", `string "Zoe Lee"`},
	{"v.Rename(\"Val\"); v.First", `string "Val"`},
	{"m[\"three\"] = 3; m[\"three\"]++; m[\"three\"]", "int 4"},
	{"delete(m, \"three\"); len(m)", "int 2"},
	{"nilmap[\"a\"] = 1", "panic: assignment to entry in nil map"},
	{"nilmap = map[string]int{\"a\": 1}; nilmap[\"a\"]", "int 1"},
	{"limits = append(limits, 4); helper(0)", "int 4"},
	{"store.users[\"z\"] = u; store.users[\"z\"].First", `string "Zoe"`},
	{"shop.Count = 9; shop.Count", "int 9"},
	{"nums[0], nums[1] = nums[1], nums[0]; nums", "[]int []int{20, 10, 30, 40}"},
	{"err = errors.New(\"new\"); err.Error()", `string "new"`},
	{"n = \"x\"", `error: cannot use "x" (untyped string constant) as int value in assignment`},

	// The console's own.
	{"mine := shop.NewUser(5, \"Me\", \"Too\"); mine.FullName()", `string "Me Too"`},
	{"mine.ID++; mine.ID", "shop.ID 6 | #6"},
	{"mine := 3; mine", "int 3"},
	{"const big = 1 << 70", ""},
	{"big >> 68", "int 4"},
	{"type pair2 struct{ A, B int }", ""},
	{"pp := pair2{1, 2}; pp.A + pp.B", "int 3"},
	{"late := nums[99]", "panic: runtime error: index out of range [99] with length 4"},
	{"late", "error: late has no value: the statement that declares it did not get that far"},
	{"", ""},
	{"1 +", "error: expected operand, found end of input"},
	{"} func x() {", "error: expected ';', found 'func'"},
	{"}; func x() {", "error: syntax error: unexpected }"},
	{"x := 1; x :=", "error: expected operand, found end of input"},
	{"// nothing", ""},
	{"(((", "error: expected operand, found end of input"},
}

func TestLines(t *testing.T) {
	a := launch(t)
	f := a.frame("main.handle")
	var s Session
	for _, l := range lines {
		x, err := a.pkg("main").Compile(f, &s, l.src)
		got := ""
		if err != nil {
			got = "error: " + err.Error()
		} else {
			x.Limit = 200e6
			if !strings.Contains(l.want, "0.2 s") {
				x.Limit = 0
			}
			got = outcome(a.run(x))
		}
		if strings.HasSuffix(l.want, "0x") && strings.HasPrefix(got, l.want) {
			continue
		}
		if got != l.want {
			t.Errorf("%s\n\tgives %s\n\twant  %s", l.src, got, l.want)
		}
	}
}

func TestGenericFrame(t *testing.T) {
	a := launch(t)
	f := a.frame("main.total[...]")
	var s Session
	for _, l := range []struct{ src, want string }{
		{"items", "[]int []int{10, 20, 30, 40}"},
		{"sum", "int 100"},
		{"sum + items[0]", "int 110"},
		{"p.Key", "error: p.Key undefined (type P has no field or method Key)"},
		{"any(p).(shop.Pair[string, *shop.User]).Key", `string "gopher"`},
		{"label", `string "gopherinner"`},
		{"T(3) * sum", "int 300"},
		{"var z T; z", "int 0"},
		{"shop.Sum(items...)", "int 100"},
		{"func(x T) T { return x + 1 }(sum)", "int 101"},
		{"sum << 1", "error: invalid operation: shifted operand sum (variable of type T constrained by shop.Number) must be integer"},
	} {
		if got := outcome(a.eval(f, &s, l.src)); got != l.want {
			t.Errorf("%s\n\tgives %s\n\twant  %s", l.src, got, l.want)
		}
	}
}

func TestOtherPackage(t *testing.T) {
	a := launch(t)
	f := a.frame("example.com/app.v2/shop.Visit")
	var s Session
	p := a.pkg("example.com/app.v2/shop")
	for _, l := range []struct{ src, want string }{
		{"u.last", `string "Sit"`},
		{"u.fullName()", `string "vi sit"`},
		{"mine.private()", `string "vi sit"`},
		{"Namer(u).private()", `string "vi sit"`},
		{"u.dead()", `string "dead"`},
		{"User{last: \"x\"}.last", `string "x"`},
		{"Address{\"a\", 1}", `shop.Address {Street: "a", Zip: 1}`},
		{"Unused()", `string "nobody calls it"`},
		{"Limit", "int 16"},
		{"n", "error: undefined: n"},
	} {
		x, err := p.Compile(f, &s, l.src)
		got := ""
		if err != nil {
			got = "error: " + err.Error()
		} else {
			got = outcome(a.run(x))
		}
		if got != l.want {
			t.Errorf("%s\n\tgives %s\n\twant  %s", l.src, got, l.want)
		}
	}
}
