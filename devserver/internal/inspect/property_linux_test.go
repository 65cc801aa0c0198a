package inspect

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"devrun/devserver/internal/fault"
	"devrun/devserver/suite"
)

// What is shown of variables of any kind is what reflection in the app says of them.
// The seeds are those that have failed.
func TestProperty(t *testing.T) {
	for seed, fault := range map[uint64]string{
		1795993850737197351: "arrays of arrays without elements",
	} {
		t.Run(fault, func(t *testing.T) { checkGenerated(t, seed, "") })
	}
}

func TestLongProperty(t *testing.T) { suite.Long(t); checkGenerated(t, suite.Seed(t), "") }

func TestLongPropertyUnderOlderGo(t *testing.T) {
	suite.Long(t)
	checkGenerated(t, 25, "go1.25.1")
}

func checkGenerated(t *testing.T, seed uint64, toolchain string) {
	begun := time.Now()
	dir := t.TempDir()
	g := &generator{r: rand.New(rand.NewPCG(seed, 1))}
	source := g.program()
	common, err := os.ReadFile("testdata/truth/truth.go")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"go.mod": "module example.com/inspected\n\ngo 1.25\n", "truth.go": string(common), "frames.go": source,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	runs, debug, err := links(dir, "generated"+toolchain, toolchain)
	if err != nil {
		t.Fatal(err)
	}
	t.Log("built", time.Since(begun))
	a, err := launch(runs, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.attach(debug); err != nil {
		t.Fatal(err)
	}
	defer a.b.Close()
	t.Log("attached", time.Since(begun))
	calls := a.calls(t, "generated", Limits{Depth: 6, Elements: 9, String: 40, Call: 1e6, Page: 1e7})
	t.Log("called", time.Since(begun))
	seen := map[string]map[string]fault.Value{}
	compared, values := 0, 0
	for _, line := range a.extra {
		text, ok := strings.CutPrefix(line, "truth ")
		if !ok {
			continue
		}
		var l struct {
			Func  string
			Value fault.Value
		}
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatal(err)
		}
		if seen[l.Func] == nil {
			seen[l.Func] = vars(t, calls, l.Func)
		}
		got, ok := seen[l.Func][l.Value.Name]
		if !ok {
			t.Errorf("%s: no variable %s %s", l.Func, l.Value.Name, l.Value.Type)
			continue
		}
		compared++
		values += differ(t, l.Func+": "+l.Value.Name, got, l.Value)
		if t.Failed() && compared > 20 {
			break
		}
	}
	if compared < 250 || compared != g.variables {
		t.Errorf("%d variables compared of %d", compared, g.variables)
	}
	t.Logf("%d variables, %d values", compared, values)
}

// differ compares all but the lines that sum up several values, and counts.
func differ(t *testing.T, path string, got, want fault.Value) int {
	t.Helper()
	if len(want.Children) > 0 || want.More > 0 || want.Text == "" {
		if got.Text == "" {
			t.Errorf("%s: no text", path)
		}
		got.Text, want.Text = "", ""
	}
	// In the name of what is instantiated, reflection has the package as well.
	want.Type = strings.ReplaceAll(want.Type, "; main.b ", "; b ")
	a, b := got, want
	a.Children, b.Children, a.Param, a.Line, a.Addr = nil, nil, false, 0, 0
	if !reflect.DeepEqual(a, b) {
		t.Errorf("%s:\n%s\nis shown of\n%s", path, outline(got), outline(want))
		return 1
	}
	if len(got.Children) != len(want.Children) {
		t.Errorf("%s: %d children instead of %d", path, len(got.Children), len(want.Children))
		return 1
	}
	n := 1
	for i := range got.Children {
		n += differ(t, path+" / "+want.Children[i].Name, got.Children[i], want.Children[i])
	}
	return n
}

// generator writes programs.
type generator struct {
	r         *rand.Rand
	types     []kind // of the program's own structs
	variables int
}

// kind is a type and how one writes some value of it.
type kind struct {
	name string
	expr func() string
	key  bool // may be one of a map
}

func (g *generator) pick(list ...string) string { return list[g.r.IntN(len(list))] }

func (g *generator) chance(n int) bool { return g.r.IntN(100) < n }

func (g *generator) number(bits int, signed bool) string {
	x := g.r.Uint64() >> (64 - bits)
	if g.chance(40) {
		x %= 100
	}
	if signed {
		return strconv.FormatInt(int64(x<<(64-bits))>>(64-bits), 10)
	}
	return strconv.FormatUint(x, 10)
}

func (g *generator) text(short bool) string {
	var s strings.Builder
	n := g.r.IntN(8)
	if !short && g.chance(20) {
		n = 20 + g.r.IntN(200)
	}
	for range n {
		s.WriteString(g.pick("a", "b", " ", "\"", "\\", "\n", "\x00", "é", "世", "🎈", "\xff", "\xe4\xb8", "\u202e", "x"))
	}
	return strconv.Quote(s.String())
}

func (g *generator) float() string {
	return g.pick("0", "1.5", "-2.25", "3e30", "math.Inf(1)", "math.Inf(-1)", "math.NaN()", "1e-30", "123456789.125", "math.Copysign(0, -1)")
}

func (g *generator) basic() kind {
	key := func(name string, expr func() string) kind { return kind{name, expr, true} }
	all := []kind{
		key("bool", func() string { return g.pick("true", "false") }),
		key("string", func() string { return g.text(false) }),
		key("myString", func() string { return "myString(" + g.text(true) + ")" }),
		key("myInt", func() string { return "myInt(" + g.number(16, true) + ")" }),
		key("uintptr", func() string { return g.number(64, false) }),
		key("time.Duration", func() string { return "time.Duration(" + g.number(64, true) + ")" }),
		{"float32", func() string { return "float32(" + g.float() + ")" }, false},
		{"float64", g.float, false},
		{"complex64", func() string { return "complex(float32(" + g.float() + "), float32(" + g.float() + "))" }, false},
		{"complex128", func() string { return "complex(" + g.float() + ", " + g.float() + ")" }, false},
		{"[]byte", func() string { return "[]byte(" + g.text(false) + ")" }, false},
		{"myBytes", func() string { return g.pick("nil", "myBytes{}", "myBytes("+g.text(true)+")") }, false},
		{"unsafe.Pointer", func() string { return g.pick("nil", "unsafe.Pointer(nil)") }, false},
		{"time.Time", func() string {
			return g.pick("time.Time{}", "time.Now()", "time.Now().UTC()",
				"time.Unix("+g.number(31, false)+", "+g.number(29, false)+").UTC()",
				"time.Unix("+g.number(31, true)+", 5).In(time.FixedZone(\"Z\", "+g.number(12, true)+"*60))",
				"time.Date("+g.number(11, false)+", 2, 30, 25, 0, 0, 0, time.UTC)")
		}, false},
		{"func(int) string", func() string {
			return g.pick("nil", "plainFunc", "generic[string]", "closure(1)", "func(n int) string { return \"\" }")
		}, false},
		{"myFunc", func() string { return g.pick("nil", "plainFunc", "closure(2)") }, false},
		{"any", func() string {
			return g.pick("nil", "1", "\"a\"", "myInt(3)", "plainFunc", "struct{}{}", "[2]bool{true}")
		}, false},
		{"fmt.Stringer", func() string {
			return g.pick("nil", "myInt(4)", "time.Second", "ptr(myInt(5))", "time.Unix(0,0).UTC()")
		}, false},
		{"error", func() string {
			return g.pick("nil", "myString(\"e\")", "os.ErrNotExist", "fmt.Errorf(\"x: %w\", os.ErrExist)")
		}, false},
	}
	for bits, name := range map[int]string{8: "int8", 16: "int16", 32: "int32", 64: "int64"} {
		all = append(all, key(name, func() string { return g.number(bits, true) }), key("u"+name, func() string { return g.number(bits, false) }))
	}
	return all[g.r.IntN(len(all))]
}

func (g *generator) list(k kind, n int) string {
	var s []string
	for range n {
		s = append(s, k.expr())
	}
	return strings.Join(s, ", ")
}

// kind is a random type, nested at most depth times.
func (g *generator) kind(depth int) kind {
	if depth == 0 || g.chance(25) {
		return g.basic()
	}
	e := g.kind(depth - 1)
	switch g.r.IntN(10) {
	case 0:
		return kind{"*" + e.name, func() string {
			if g.chance(15) {
				return "nil"
			}
			return "ptr[" + e.name + "](" + e.expr() + ")"
		}, false}
	case 1, 2:
		name := "[]" + e.name
		return kind{name, func() string {
			switch g.r.IntN(5) {
			case 0:
				return g.pick("nil", name+"{}", "make("+name+", 0, 3)")
			case 1:
				return "append(make(" + name + ", 0, 12), " + g.list(e, 1+g.r.IntN(3)) + ")"
			}
			return name + "{" + g.list(e, g.r.IntN(13)) + "}"
		}, false}
	case 3:
		n := g.r.IntN(4)
		name := "[" + strconv.Itoa(n) + "]" + e.name
		return kind{name, func() string { return name + "{" + g.list(e, n) + "}" }, e.key && n < 3 && depth == 1}
	case 4, 5:
		k := g.basic()
		for !k.key {
			k = g.basic()
		}
		if g.chance(20) {
			k = kind{"any", func() string {
				return g.pick("nil", "1", "\"k\"", "true", "myInt(2)", "struct{A int; B string}{1, \"x\"}", "[2]int{1,2}")
			}, true}
		}
		name := "map[" + k.name + "]" + e.name
		return kind{name, func() string {
			if g.chance(10) {
				return g.pick("nil", name+"{}")
			}
			var s []string
			used := map[string]bool{}
			for range g.r.IntN(4) {
				x := k.expr()
				if len(x) < 40 && !used[x] {
					s = append(s, x+": "+e.expr())
				}
				used[x] = true
			}
			return name + "{" + strings.Join(s, ", ") + "}"
		}, false}
	case 6:
		return kind{"chan " + e.name, func() string {
			if g.chance(15) {
				return "nil"
			}
			n := g.r.IntN(4)
			return "filled[" + e.name + "](" + strconv.Itoa(n+1) + ", " + g.list(e, n) + ")"
		}, false}
	case 7:
		return kind{"any", func() string { return "any(" + typed(e) + ")" }, false}
	case 8:
		if g.chance(50) {
			name := "Box[" + e.name + "]"
			return kind{name, func() string {
				return name + "{Value: " + e.expr() + ", List: []" + e.name + "{" + g.list(e, g.r.IntN(3)) + "}, next: " + g.pick("nil", "&"+name+"{}") + "}"
			}, false}
		}
		name := "Two[string, " + e.name + "]"
		return kind{name, func() string { return name + "{\"k\", map[string]" + e.name + "{\"m\": " + e.expr() + "}}" }, false}
	default:
		if len(g.types) > 0 && g.chance(60) {
			return g.types[g.r.IntN(len(g.types))]
		}
		f := g.kind(depth - 1)
		name := "struct { A " + e.name + "; b " + f.name + " `json:\"b,omitempty\"` }"
		return kind{name, func() string { return name + "{" + e.expr() + ", " + f.expr() + "}" }, false}
	}
}

// typed is an expression that keeps its type by itself.
func typed(k kind) string {
	return "func() " + k.name + " { var x " + k.name + " = " + k.expr() + "; return x }()"
}

func (g *generator) program() string {
	var s strings.Builder
	s.WriteString("package main\n\nimport (\n\"fmt\"\n\"math\"\n\"os\"\n\"time\"\n\"unsafe\"\n)\n\nvar _, _, _, _, _ = fmt.Sprint, math.Inf, os.Exit, time.Now, unsafe.Pointer(nil)\n\n")
	for i := range 8 {
		name := "S" + strconv.Itoa(i)
		fields := []kind{g.kind(2), g.kind(1), g.basic()}
		fmt.Fprintf(&s, "type %s struct {\nF0 %s\nf1 %s\n_ int32\nF2 %s\n", name, fields[0].name, fields[1].name, fields[2].name)
		embedded := ""
		if i > 0 && g.chance(50) {
			embedded = "S" + strconv.Itoa(i-1)
			fmt.Fprintf(&s, "*%s\n", embedded)
		}
		s.WriteString("}\n\n")
		var inner kind
		if embedded != "" {
			inner = g.types[i-1]
		}
		g.types = append(g.types, kind{name, func() string {
			s := name + "{F0: " + fields[0].expr() + ", f1: " + fields[1].expr() + ", F2: " + fields[2].expr()
			if embedded != "" && g.chance(50) {
				s += ", " + embedded + ": ptr(" + inner.expr() + ")"
			}
			return s + "}"
		}, false})
	}
	const frames = 13
	for i := range frames {
		var params, args, names []string
		for j := range 3 {
			k := g.kind(2)
			name := "p" + strconv.Itoa(j)
			params = append(params, name+" "+k.name)
			args = append(args, typed(k))
			names = append(names, name)
		}
		fn := "frame" + strconv.Itoa(i)
		caller := "frame" + strconv.Itoa(i-1)
		if i == 0 {
			caller = "begin"
		}
		fmt.Fprintf(&s, "func %sArgs() { %s(%s) }\n\n", caller, fn, strings.Join(args, ", "))
		fmt.Fprintf(&s, "func %s(%s) (r0 int, r1 error) {\n", fn, strings.Join(params, ", "))
		names = append(names, "r0", "r1")
		s.WriteString("r0 = 5\nr1 = os.ErrClosed\n")
		for j := range 15 {
			k := g.kind(3)
			name := "v" + strconv.Itoa(j)
			names = append(names, name)
			if g.chance(30) {
				s.WriteString("{\n")
				fmt.Fprintf(&s, "unused%d := %d\n_ = unused%d\n}\n", j, j, j)
			}
			fmt.Fprintf(&s, "var %s %s = %s\n", name, k.name, k.expr())
		}
		for _, name := range names {
			g.variables++
			if g.chance(50) {
				fmt.Fprintf(&s, "show(\"main.%s\", %q, %s)\n", fn, name, name)
			} else {
				fmt.Fprintf(&s, "showp(\"main.%s\", %q, &%s)\n", fn, name, name)
			}
		}
		if i == frames-1 {
			s.WriteString("panic(\"generated\")\n}\n\n")
		} else {
			fmt.Fprintf(&s, "%sArgs()\nreturn\n}\n\n", fn)
		}
	}
	s.WriteString("func begin() { beginArgs() }\n")
	return s.String()
}
