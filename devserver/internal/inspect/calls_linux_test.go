package inspect

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"devrun/devserver/internal/fault"
)

// shown is what is expected of some of a call's variables, by name: a line for
// each value, indented as deep as it is.
type shown map[string]string

func check(t *testing.T, calls []fault.Call, fn string, want shown) {
	t.Helper()
	got := vars(t, calls, fn)
	for name, text := range want {
		v, ok := got[name]
		if !ok {
			t.Errorf("%s: no variable %s", fn, name)
			continue
		}
		if have := strings.TrimRight(outline(v), "\n"); have != name[:len(strings.TrimRight(name, "*"))]+" "+text {
			t.Errorf("%s:\n%s\ninstead of\n%s %s", fn, have, name, text)
		}
	}
}

func TestKinds(t *testing.T) {
	calls := theApp(t).calls(t, "plain", Limits{})
	check(t, calls, "main.plain", shown{
		"n":      `int = 7 param`,
		"s":      `string = "seven" param`,
		"f":      `float64 = 1.5 param`,
		"result": `uint8 = 5 param`,
		"i8":     `int8 = -8`,
		"f32":    `float32 = 0.1`,
		"c":      `complex128 = (1-2i)`,
		"r":      `int32 = 120`,
		"ptr":    `uintptr = 0xff`,
		"arr":    "[3]int = [1, 2, 3]\n  0 int = 1\n  1 int = 2\n  2 int = 3",
		"sl":     "[]string = len 3 cap 4 [\"a\", \"b\", \"c\"]\n  0 string = \"a\"\n  1 string = \"b\"\n  2 string = \"c\"",
		"item":   "*shop.Item = &{Name: \"pear\", Price: 3, stock: 7}\n  Name string = \"pear\"\n  Price int = 3\n  stock uint8 = 7",
		"odd":    "strange.Thing = {N: 1}\n  N int = 1",
		"anon":   "struct { X int \"json:\\\"x.y/z\\\"\"; Y string } = {X: 1, Y: \"y\"}\n  X int = 1\n  Y string = \"y\"",
		"inf":    `float64 = -Inf`,
		"pi":     "*int = &7\n   int = 7",
		"raw":    `[]uint8 = len 9 cap 9 "raw text\n"`,
		"bin":    "[]uint8 = len 3 cap 3 [0, 1, 255]\n  0 uint8 = 0\n  1 uint8 = 1\n  2 uint8 = 255",
		"d":      `time.Duration = 1.5s`,
		"empty":  `struct {} = {}`,
		"up":     `unsafe.Pointer = nil`,
	})
	if v, ok := vars(t, calls, "main.plain")["later"]; ok {
		t.Errorf("%v is declared further down", v)
	}
	var names []string
	for _, v := range calls[0].Vars {
		names = append(names, v.Name)
	}
	if got := strings.Join(names[:6], " "); got != "n s f result i8 u16" {
		t.Errorf("in the order %s", got)
	}
	if c := calls[0]; c.Optimised || c.PC == 0 || filepath.Base(c.File) != "scenarios.go" || c.Vars[4].Line == 0 || c.Vars[4].Addr == 0 {
		t.Errorf("%+v", c.Frame)
	}
}

// Delve takes what has no room in a struct for an array without a length.
func TestArraysWithoutRoom(t *testing.T) {
	calls := theApp(t).calls(t, "roomless", Limits{})
	check(t, calls, "main.roomless", shown{
		"m": "main.marked = {Marks: [{}, {}], Rest: [7, 8, 9], Tail: [[], []]}\n" +
			"  _ [0][3]int = []\n" +
			"  Marks [2]struct {} = [{}, {}]\n    0 struct {} = {}\n    1 struct {} = {}\n" +
			"  Rest [3]int = [7, 8, 9]\n    0 int = 7\n    1 int = 8\n    2 int = 9\n" +
			"  Tail main.doubles = [[], []]\n    0 [0]int = []\n    1 [0]int = []",
		"rows": "[][3]int = len 2 cap 2 [[1, 2, 3], [4, 5, 6]]\n" +
			"  0 [3]int = [1, 2, 3]\n    0 int = 1\n    1 int = 2\n    2 int = 3\n" +
			"  1 [3]int = [4, 5, 6]\n    0 int = 4\n    1 int = 5\n    2 int = 6",
		"unit": "map[struct {}]struct {} = len 1 {{}: {}}\n  {} struct {} = {}",
	})
}

func TestNil(t *testing.T) {
	got := vars(t, theApp(t).calls(t, "nils", Limits{}), "main.nils")
	for name, v := range got {
		if name == "z" {
			if v.Nil || v.Text != "len 0 cap 0 []" || v.Len != 0 {
				t.Errorf("an empty slice is %s", outline(v))
			}
		} else if name == "n" {
			if v.Nil || v.Text != "(*main.account)(nil)" || len(v.Children) != 1 || !v.Children[0].Nil {
				t.Errorf("an interface that holds nil is %s", outline(v))
			}
		} else if !v.Nil || v.Text != "nil" || v.Children != nil || v.More != 0 {
			t.Errorf("nil is %s", outline(v))
		}
	}
	if len(got) != 11 {
		t.Errorf("%d variables", len(got))
	}
}

func TestMaps(t *testing.T) {
	calls := theApp(t).calls(t, "maps", Limits{Call: 2000})
	got := vars(t, calls, "main.mapsOfSizes")
	for name, size := range map[string]int{"m0": 0, "m1": 1, "m8": 8, "m21": 21, "m1000": 1000, "gaps": 10} {
		v := got[name]
		listed := min(size, DefaultLimits.Elements)
		if v.Len != int64(size) || len(v.Children) != listed || v.More != int64(size-listed) {
			t.Errorf("%s: %d of %d listed, and %d more", name, len(v.Children), v.Len, v.More)
		}
		last := -1
		for _, c := range v.Children {
			k, err := strconv.Atoi(c.Name)
			if err != nil || k <= last || c.Text != `"v`+c.Name+`"` {
				t.Errorf("%s: after %d stands %s", name, last, outline(c))
			}
			last = k
		}
	}
	check(t, calls, "main.mapsOfSizes", shown{
		"m1":   "map[int]string = len 1 {0: \"v0\"}\n  0 string = \"v0\"",
		"keys": "map[main.key]float64 = len 2 {{A: 1, B: \"x\"}: 1.5, {A: 2, B: \"y\"}: 2.5}\n  {A: 1, B: \"x\"} float64 = 1.5\n  {A: 2, B: \"y\"} float64 = 2.5",
		"sets": "map[string]struct {} = len 2 {\"a\": {}, \"b\": {}}\n  \"a\" struct {} = {}\n  \"b\" struct {} = {}",
		"of":   "map[string]map[string][]int = len 1 {\"a\": len 1 {\"b\": len 1 cap 1 [1]}}\n  \"a\" map[string][]int = len 1 {\"b\": len 1 cap 1 [1]}\n    \"b\" []int = len 1 cap 1 [1]\n      0 int = 1",
	})
	if w := got["wide"]; len(w.Children) != 1 || w.Children[0].Children[0].Children[0].Text != "2" {
		t.Errorf("keys and elements that are elsewhere: %s", outline(w))
	}
	if s := got["sparse"]; s.Len != 1 || int64(len(s.Children))+s.More != 1 {
		t.Errorf("a map that is mostly empty: %s", outline(s))
	}
	names := []string{}
	for _, c := range got["anys"].Children {
		names = append(names, c.Name)
	}
	if want := []string{`"two"`, "1", `main.key{A: 3, B: "z"}`}; !slices.Equal(names, want) {
		t.Errorf("keys %q", names)
	}
}

func TestCycles(t *testing.T) {
	calls := theApp(t).calls(t, "cycles", Limits{})
	got := vars(t, calls, "main.cycles")
	for name, want := range map[string][]string{
		"a":    {"a.Next.Next cycle a", "a.All[0] cycle a", "a.Any.(*main.knot) cycle a"},
		"b":    {"b.Next.Next cycle b"},
		"self": {"self[0].([]interface {}) cycle self"},
		"m":    {`m["m"].(map[string]interface {}) cycle m`},
		"t":    {"t[0] cycle t"},
		"i":    {"i.(*interface {}) cycle i"},
		"p":    {"*p cycle p"},
		"list": nil,
	} {
		var cycles []string
		n := 0
		var walk func(v fault.Value, path string)
		walk = func(v fault.Value, path string) {
			n++
			if v.Cycle != "" {
				cycles = append(cycles, path+" cycle "+v.Cycle)
			}
			for _, c := range v.Children {
				switch {
				case v.Kind == fault.Interface:
					walk(c, path+".("+c.Type+")")
				case c.Name == "":
					walk(c, "*"+path)
				case v.Kind == fault.Pointer || v.Kind == fault.Struct:
					walk(c, path+"."+c.Name)
				default:
					walk(c, path+"["+c.Name+"]")
				}
			}
		}
		walk(got[name], name)
		for _, w := range want {
			if !slices.Contains(cycles, w) {
				t.Errorf("%s: no %q in %q", name, w, cycles)
			}
		}
		if n > 200 {
			t.Errorf("%s: %d values", name, n)
		}
		if name == "list" && cycles != nil {
			t.Errorf("a list without a cycle has %q", cycles)
		}
	}
}

func TestStrings(t *testing.T) {
	check(t, theApp(t).calls(t, "strings", Limits{}), "main.stringsOfKinds", shown{
		"empty": `string = ""`,
		"uni":   `string = "grüße 世界 🎈"`,
		"nul":   `string = "a\x00b"`,
		"bad":   `string = "\xff\xfe"`,
		"quote": `string = "\"\\\n\t"`,
		"long":  `string = "` + strings.Repeat("é", 100) + `"… cut 800`,
		"giga":  `string = "giga` + strings.Repeat(`\x00`, 196) + `"… cut ` + strconv.Itoa(1<<30-200),
		"deep":  `struct { S string } = {S: "` + strings.Repeat("é", 22) + "\"…}\n  S string = \"" + strings.Repeat("é", 100) + "\"… cut 800",
	})
}

func TestInterfaces(t *testing.T) {
	check(t, theApp(t).calls(t, "ifaces", Limits{}), "main.ifaces", shown{
		"number":  "interface {} = 5\n   int = 5",
		"named":   "fmt.Stringer = main.myInt(6)\n   main.myInt = 6",
		"pointer": "interface {} = &shop.Item{Name: \"fig\", Price: 1, stock: 7}\n   *shop.Item = &{Name: \"fig\", Price: 1, stock: 7}\n    Name string = \"fig\"\n    Price int = 1\n    stock uint8 = 7",
		"value":   "interface {} = shop.Item{Name: \"kiwi\", Price: 0, stock: 0}\n   shop.Item = {Name: \"kiwi\", Price: 0, stock: 0}\n    Name string = \"kiwi\"\n    Price int = 0\n    stock uint8 = 0",
		"wrapped": "error = &fmt.wrapError{msg: \"outer: shop error\", err: &shop.Error{Code: 7}}\n   *fmt.wrapError = &{msg: \"outer: shop error\", err: &shop.Error{Code: 7}}\n    msg string = \"outer: shop error\"\n    err error = &shop.Error{Code: 7}\n       *shop.Error = &{Code: 7}\n        Code int = 7",
		"slice":   "interface {} = []int len 2 cap 2 [1, 2]\n   []int = len 2 cap 2 [1, 2]\n    0 int = 1\n    1 int = 2",
		"fn":      "interface {} = func(string) string strings.ToUpper\n   func(string) string = strings.ToUpper",
		"single":  "interface {} = struct { P *int }{P: nil}\n   struct { P *int } = {P: nil}\n    P *int = nil",
		"rare": "[]interface {} = len 3 cap 3 [[3]bool [true, false, false], struct { q [2]main.myInt }{q: [1, 2]}, …]\n" +
			"  0 interface {} = [3]bool [true, false, false]\n     [3]bool = [true, false, false]\n      0 bool = true\n      1 bool = false\n      2 bool = false\n" +
			"  1 interface {} = struct { q [2]main.myInt }{q: [1, 2]}\n     struct { q [2]main.myInt } = {q: [1, 2]}\n      q [2]main.myInt = [1, 2]\n        0 main.myInt = 1\n        1 main.myInt = 2\n" +
			"  2 interface {} = (*[1]struct { R shop.Item })(&[{R: {…}}])\n     *[1]struct { R shop.Item } = &[{R: {…}}]\n" +
			"       [1]struct { R shop.Item } = [{R: {…}}]\n        0 struct { R shop.Item } = {R: {…}}\n          R shop.Item = {…} +3",
		"nilptr": "error = (*shop.Error)(nil)\n   *shop.Error = nil",
	})
}

func TestFunctions(t *testing.T) {
	calls := theApp(t).calls(t, "closures", Limits{})
	check(t, calls, "main.closures.func1", shown{
		"n":     `int = 1 param`,
		"inner": `int = 3`,
		"count": `int = 2 captured`,
		"name":  `string = "outer" captured`,
	})
	check(t, calls, "main.closures", shown{
		"count":  `int = 2`,
		"add":    `func(int) int = main.closures.func1`,
		"method": `func(bool) (int, error) = main.(*account).close-fm`,
		"expr":   `func(*main.account, bool) (int, error) = main.(*account).close`,
		"std":    `func(string) string = strings.ToUpper`,
	})
	calls = theApp(t).calls(t, "method", Limits{})
	check(t, calls, "main.(*account).close", shown{
		"now":  `bool = true param`,
		"done": `int = 3 param`,
		"err":  "error = &errors.errorString{s: \"EOF\"} param\n   *errors.errorString = &{s: \"EOF\"}\n    s string = \"EOF\"",
		"a": "*main.account = &{Base: {Kind: \"b\"}, Item: nil, ID: 9, secret: nil, note: {A: 0, B: 0}} param\n" +
			"  Base main.Base = {Kind: \"b\"}\n    Kind string = \"b\"\n  Item *shop.Item = nil\n  ID int = 9\n  secret []uint8 = nil\n  _ int = 0\n" +
			"  note struct { A int8; B int8 } = {A: 0, B: 0}\n    A int8 = 0\n    B int8 = 0",
	})
}

func TestGenerics(t *testing.T) {
	calls := theApp(t).calls(t, "generics", Limits{})
	check(t, calls, "main.apply[...]", shown{
		"zero": "*shop.Item = nil",
		"keys": "[]string = len 1 cap 1 [\"k\"]\n  0 string = \"k\"",
		"f":    "func(string, *shop.Item) = main.generics.func1 param",
		"k":    "string = \"k\"",
	})
	got := vars(t, calls, "example.com/inspected/shop.(*Cart[...]).Each")
	if c := got["c"]; c.Type != "*shop.Cart[shop.Item]" || c.Text != `&{Items: len 1 cap 1 [{Name: "nut", Price: 0, …}], Owner: nil}` {
		t.Errorf("the receiver is %s", outline(c))
	}
	for _, c := range calls {
		for _, v := range c.Vars {
			if strings.Contains(outline(v), "go.shape") {
				t.Errorf("%s: %s", c.Func, outline(v))
			}
		}
	}
}

func TestShadows(t *testing.T) {
	check(t, theApp(t).calls(t, "shadows", Limits{}), "main.shadows", shown{
		"x*":  `int = 1 param shadowed`,
		"y*":  `string = "outer" shadowed`,
		"x**": `string = "inner" shadowed`,
		"y":   `float64 = 2.5`,
		"x":   `int = 2`,
	})
}

func TestChannels(t *testing.T) {
	check(t, theApp(t).calls(t, "chans", Limits{}), "main.chans", shown{
		"full":   "chan int = len 3 cap 3 [1, 2, 3]\n  0 int = 1\n  1 int = 2\n  2 int = 3",
		"closed": "chan string = len 1 cap 2 closed [\"last\"]\n  0 string = \"last\"",
		"sync":   "chan struct {} = len 0 cap 0 []",
		"only":   "<-chan int = len 3 cap 3 [1, 2, 3]\n  0 int = 1\n  1 int = 2\n  2 int = 3",
	})
}

func TestTimes(t *testing.T) {
	got := vars(t, theApp(t).calls(t, "times", Limits{}), "main.times")
	for i, name := range []string{"zero", "utc", "summer", "winter", "fixed", "local", "now"} {
		if want, _ := strconv.Unquote(got["text"].Children[i].Text); got[name].Text != want || want == "" {
			t.Errorf("%s is %q instead of %q", name, got[name].Text, want)
		}
	}
	if h := got["hold"]; !strings.Contains(h.Text, "At: 2024-02-29 12:00:00.000005 +0000 UTC, For: 1h0m0s") {
		t.Errorf("inside of another value: %s", h.Text)
	}
	if p := got["pointer"]; p.Text != "&2024-02-29 12:00:00.000005 +0000 UTC" {
		t.Errorf("behind a pointer: %s", outline(p))
	}
}
