//go:build linux

package expr

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"devrun/devserver/internal/wire"
)

// What the console makes of an expression is what the compiler makes of it.
func TestAgainstCompiler(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	g := &generator{r}
	var list []string
	for len(list) < 400 {
		list = append(list, g.statement())
	}
	var prog strings.Builder
	prog.WriteString("package main\n\nimport \"fmt\"\n\nfunc show(f func() any) {\n\tdefer func() {\n\t\tif p := recover(); p != nil {\n\t\t\tfmt.Printf(\"panic: %v\\n\", p)\n\t\t}\n\t}()\n\tfmt.Printf(\"%T %#v\\n\", f(), f())\n}\n\nfunc main() {\n")
	for _, s := range list {
		i := strings.LastIndexByte(s, ';')
		fmt.Fprintf(&prog, "\tshow(func() any { %s; return %s })\n", s[:i], s[i+1:])
	}
	prog.WriteString("}\n")
	dir := t.TempDir()
	name := filepath.Join(dir, "main.go")
	if err := os.WriteFile(name, []byte(prog.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "run", "-gcflags=-e", name)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %.2000s", err, out)
	}
	want := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(want) != len(list) {
		t.Fatalf("%d lines of %d expressions", len(want), len(list))
	}
	a := launch(t)
	f := a.frame("main.handle")
	for i, s := range list {
		// Formatted in the app, by the same function.
		j := strings.LastIndexByte(s, ';')
		src := s[:j] + "; fmt.Sprintf(\"%T %#v\", " + s[j+1:] + ", " + s[j+1:] + ")"
		var session Session
		v := a.eval(f, &session, src)
		got := v.Text
		if v.Panic != "" {
			got = "panic: " + v.Panic
		} else if v.Error != "" {
			got = "error: " + v.Error
		} else if err := json.Unmarshal([]byte(v.Text), &got); err != nil {
			got = v.Text
		}
		if got != want[i] {
			t.Errorf("%s\n\tgives    %s\n\tcompiled %s", s, got, want[i])
		}
	}
}

// generator makes statements that declare variables and end with an expression.
type generator struct{ *rand.Rand }

func (g *generator) pick(list ...string) string { return list[g.Intn(len(list))] }

func (g *generator) statement() string {
	typ := g.pick("int", "int8", "uint16", "uint8", "int64", "uint", "float64", "float32")
	whole := !strings.HasPrefix(typ, "float")
	head := fmt.Sprintf("var a, b, c %s = %d, %d, %d; xs := []%s{a, b, c, 4, 5}; _, _, _, _ = a, b, c, xs",
		typ, g.Intn(100), 1+g.Intn(100), g.Intn(9), typ)
	switch g.Intn(6) {
	case 0:
		return head + "; " + fmt.Sprintf("xs[%s:%s]", g.index(), g.index())
	case 1:
		return head + "; " + fmt.Sprintf("xs[%s:%s:%s]", g.index(), g.index(), g.index())
	case 2:
		return head + "; " + g.expr(typ, whole, 3) + " " + g.pick("<", "<=", ">", ">=", "==", "!=") + " " + g.expr(typ, whole, 2)
	case 3:
		return head + fmt.Sprintf("; s := \"héllo, world\"; s[%s:%s]", g.index(), g.index())
	case 4:
		return head + "; " + g.pick("int", "uint8", "int16", "float64", "uint32") + "(" + g.expr(typ, true && whole, 2) + ")"
	}
	return head + "; " + g.expr(typ, whole, 4)
}

// index is no constant, so that the compiler cannot refuse it.
func (g *generator) index() string { return fmt.Sprintf("len(xs)-%d", g.Intn(7)) }

func (g *generator) expr(typ string, whole bool, depth int) string {
	if depth == 0 {
		return g.pick("a", "b", "c", "xs[1]", "xs[len(xs)-1]", fmt.Sprint(g.Intn(100)), typ+"("+fmt.Sprint(1+g.Intn(50))+")")
	}
	x := g.expr(typ, whole, depth-1)
	switch g.Intn(8) {
	case 0:
		return "(-" + g.pick("a", "b", "c") + ")"
	case 1:
		if whole {
			return "(" + g.pick("a", "b", "xs[2]") + g.pick("<<", ">>") + g.pick("3", "uint8(b)", "c") + ")"
		}
	case 2:
		if whole {
			return "(" + x + g.pick("&", "|", "^", "&^") + g.pick("a", "b", "c") + ")"
		}
	case 3:
		if whole {
			return "(" + g.pick("a", "b") + g.pick("/", "%") + g.pick("b", "c", "xs[3]") + ")"
		}
		return "(" + g.pick("a", "b") + "/" + g.pick("b", "xs[3]") + ")"
	case 4:
		return g.pick("min", "max") + "(a, " + x + ")"
	}
	return "(" + g.pick("a", "b", "c") + g.pick("+", "-", "*") + "(" + x + "))"
}

func TestNothingIsLeft(t *testing.T) {
	a := launch(t)
	f := a.frame("main.handle")
	count := func() (n struct{ Goroutines, Heap int }) {
		fmt.Fprintln(a.in, "gc")
		a.read(&n)
		return
	}
	descriptors := func() (names []string) {
		dir := fmt.Sprintf("/proc/%d/fd/", a.cmd.Process.Pid)
		list, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			if to, err := os.Readlink(dir + e.Name()); err == nil && !strings.HasPrefix(to, "anon_inode:") && !strings.HasPrefix(to, "/sys/") {
				names = append(names, to) // without what the runtime opens for itself when it feels like it
			}
		}
		return names
	}
	x, err := a.pkg("main").Compile(f, new(Session), `fmt.Sprintf("%v %s", u, u.FullName()); u.Boom()`)
	if err != nil {
		t.Fatal(err)
	}
	a.run(x)
	before, fds := count(), descriptors()
	for range 1000 {
		if v := a.run(x); v.Panic == "" {
			t.Fatalf("%+v", v)
		}
	}
	after := count()
	if after.Goroutines != before.Goroutines {
		t.Errorf("%d goroutines, %d before", after.Goroutines, before.Goroutines)
	}
	if grown := after.Heap - before.Heap; grown > 64<<10 { // 64 bytes an evaluation
		t.Errorf("the heap has grown by %d bytes", grown)
	}
	t.Logf("heap %d bytes before, %d after", before.Heap, after.Heap)
	if now := descriptors(); len(now) != len(fds) {
		t.Errorf("descriptors %v, %v before", now, fds)
	}
}

// What is assigned to a variable of the parked goroutine stays alive, though
// its stack is dead.
func TestAssignedStays(t *testing.T) {
	a := launch(t)
	f := a.frame("main.handle")
	var s Session
	a.eval(f, &s, `name = strings.Repeat("kept", 100); nums = append([]int(nil), 7, 8, 9); err = fmt.Errorf("e%d", 5)`)
	for range 5 {
		a.eval(f, &s, `for i := 0; i < 2000; i++ { _ = strings.Repeat("lost", 100); _ = make([]int, 3) }`)
		fmt.Fprintln(a.in, "gc")
		var n struct{ Goroutines int }
		a.read(&n)
	}
	if got := outcome(a.eval(f, &s, `name == strings.Repeat("kept", 100) && nums[1] == 8 && err.Error() == "e5"`)); got != "bool true" {
		t.Error(got)
	}
}

// A result is never larger than what devrun accepts in one message.
func TestBounds(t *testing.T) {
	a := launch(t)
	f := a.frame("main.handle")
	for _, src := range []string{
		`make([]string, 100000)`,
		`strings.Repeat("\x00", 3<<20)`,
		`func() []string { var l []string; for range 2000 { l = append(l, strings.Repeat("\x01\xff", 3000)) }; return l }()`,
		`func() map[string][]string { m := map[string][]string{}; for i := range 200 { k := strings.Repeat(fmt.Sprint("\x02", i), 400); m[k] = []string{k, k, k, k} }; return m }()`,
		`var n any; for range 1000 { n = []any{n, n, n, n} }; n`,
		`errors.New(strings.Repeat("\x03", 1<<20))`,
		`panic(strings.Repeat("\x03", 1<<20))`,
		`[1000][1000]int{}`,
	} {
		v := a.eval(f, new(Session), src)
		b, err := json.Marshal(v)
		if err != nil || len(b) > wire.MaxMessage*3/4 {
			t.Errorf("%s gives %d bytes, %v", src, len(b), err)
		}
		if v.Error != "" {
			t.Errorf("%s gives %s", src, v.Error)
		}
	}
}

// A type that takes more memory than the app may have, or more time to walk, is
// refused, however it is put together and wherever it stands.
func TestTooLargeTypes(t *testing.T) {
	a := launch(t)
	f := a.frame("main.handle")
	for _, typ := range []string{
		`[1<<20][1<<20]int`,
		`[1<<20][1<<20]struct{}`,
		`[1<<10][1<<10][1<<10]byte`,
		`[1<<21]struct{}`,
		`[1<<20]struct{ a, b int }`,
		`[1<<19]shop.User`,
		`[1<<16]struct{ a [1<<16]struct{} }`,
		`struct{ a, b, c [1<<19]int }`,
		`struct{ p *int; a [1<<30]int }`,
		`[1<<40]int`,
		`[1<<62][1<<62]int`,
	} {
		for _, src := range []string{
			typ + "{}", "new(" + typ + ")", "var x " + typ + "; x", "[]" + typ + "{{}}", "make([]" + typ + ", 1)", "make(chan " + typ + ", 1)",
			"map[int]" + typ + "{1: {}}", "func(x " + typ + ") int { return 1 }(" + typ + "{})", "any(" + typ + "{}) == nil", "map[int]*" + typ + "{}",
		} {
			if v := a.eval(f, new(Session), src); !strings.HasSuffix(v.Error, " is too large") {
				t.Errorf("%s gives %s", src, outcome(v))
			}
		}
	}
	for src, want := range map[string]string{
		`len([1<<20]int{})`: "int 1048576", `len([1<<10][1<<10]int{}[1])`: "int 1024", `len([0][1<<20]int{})`: "int 0", `len([1<<20]struct{}{})`: "int 1048576",
	} {
		if got := outcome(a.eval(f, new(Session), src)); got != want {
			t.Errorf("%s gives %s", src, got)
		}
	}
}

func TestHostileSource(t *testing.T) {
	a := launch(t)
	f := a.frame("main.handle")
	for _, src := range []string{
		strings.Repeat("(", 60000), strings.Repeat("-", 60000) + "1", strings.Repeat("x.", 30000) + "y", strings.Repeat("!", 5000) + "true",
		strings.Repeat("[]", 30000) + "int{}", strings.Repeat("func() { ", 5000), "\x00", "\xff\xfe", "/*", "`", "'", strings.Repeat("a", 70000),
		`import "os"`, "package p", "·show(1)", "label:", "break", "return 1", "type T [2]T", "type T struct { t T }; T{}", "var x [1<<40]int; x[0]",
		`"a" + ` + strings.Repeat(`"b" + `, 9000) + `"c"`, "switch {", "select {}", "defer f()", "unsafe.Pointer(nil)", "recover()", "println(1)",
		"*(*int)(unsafe.Pointer(uintptr(1)))", "const c = 1 << 100000; c", "for x := range x {}", "_", "_ = _", "func", "...", "u.", "u.FullName(", "x := x",
	} {
		if x, err := a.pkg("main").Compile(f, new(Session), src); err == nil {
			a.run(x)
		} else if err.Error() == "" || strings.Contains(err.Error(), showName) || strings.Contains(err.Error(), "runtime error") {
			t.Errorf("%.40q: %v", src, err)
		}
	}
	for _, x := range []*wire.Expr{
		{Code: &wire.Node{Op: "show"}},
		{Code: &wire.Node{Op: "show", Args: []*wire.Node{{Op: "mem", Type: 1, Addr: 1 << 50}}}, Types: []wire.Type{{}, {Kind: "int"}}},
		{Code: &wire.Node{Op: "show", Args: []*wire.Node{{Op: "mem", Type: 1, Addr: 8192}}}, Types: []wire.Type{{}, {Kind: "int"}}},
		{Code: &wire.Node{Op: "show", Args: []*wire.Node{{Op: "callpc", Type: 1, Addr: 4096}}}, Types: []wire.Type{{}, {Kind: "func"}}},
		{Code: &wire.Node{Op: "show", Args: []*wire.Node{{Op: "local", N: 5}}}},
		{Code: &wire.Node{Op: "nonsense"}},
		{},
	} {
		if v := a.run(x); v.Error == "" && v.Panic == "" && x.Code != nil {
			t.Errorf("%+v gives %+v", x.Code, v)
		}
	}
	if got := outcome(a.eval(f, new(Session), "n")); got != "int 42" {
		t.Error(got)
	}
}

func BenchmarkCompile(b *testing.B) {
	a := launch(b)
	f, p := a.frame("main.handle"), a.pkg("main")
	var s Session
	for b.Loop() {
		if _, err := p.Compile(f, &s, `fmt.Sprintf("%s %d", u.FullName(), len(nums))`); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEvaluate(b *testing.B) {
	a := launch(b)
	f, p := a.frame("main.handle"), a.pkg("main")
	x, err := p.Compile(f, new(Session), `fmt.Sprintf("%s %d", u.FullName(), len(nums))`)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		a.run(x)
	}
}

func BenchmarkList(b *testing.B) {
	made, err := builtOnce()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		l, err := List(b.Context(), Config{Dir: made.dir, Main: "."})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := l.Package("main"); err != nil {
			b.Fatal(err)
		}
	}
}
