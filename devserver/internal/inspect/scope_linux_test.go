package inspect

import (
	"strings"
	"testing"
)

func TestScope(t *testing.T) {
	a := theApp(t)
	calls, err := a.p.Calls(t.Context(), a.ids["plain"], Limits{})
	if err != nil {
		t.Fatal(err)
	}
	at := 0
	for i, c := range calls {
		if c.Func == "main.plain" {
			at = i
		}
	}
	s, err := a.p.Scope(t.Context(), a.ids["plain"], at)
	if err != nil {
		t.Fatal(err)
	}
	if s.Func != "main.plain" || s.PC != calls[at].PC || s.File != calls[at].File || s.Line != calls[at].Line {
		t.Errorf("%+v", s)
	}
	found := map[string]Variable{}
	for i, v := range s.Vars {
		found[v.Name] = v
		if c := calls[at].Vars[i]; v.Name != c.Name || v.Type != c.Type || v.Addr != c.Addr || v.Line != c.Line || v.Gone != "" {
			t.Errorf("%+v is not %+v", v, c)
		}
	}
	if n := found["n"]; !n.Param || n.Link != "int" || n.RuntimeType == 0 {
		t.Errorf("%+v", n)
	}
	if v := found["item"]; v.Link != "*example.com/inspected/shop.Item" || v.Type != "*shop.Item" {
		t.Errorf("%+v", v)
	}
	var word [8]byte
	if _, err := a.mem.ReadAt(word[:], int64(found["n"].Addr)); err != nil || word[0] != 7 {
		t.Errorf("at the address of n: %v, %v", word, err)
	}
	for _, frame := range []int{-1, len(calls)} {
		if _, err := a.p.Scope(t.Context(), a.ids["plain"], frame); err == nil {
			t.Errorf("there is no frame %d", frame)
		}
	}
}

func TestLookups(t *testing.T) {
	b := theApp(t).b
	for _, name := range []string{"main.plain", "main.(*account).close", "main.apply[go.shape.string,go.shape.*uint8]", "example.com/inspected/odd%2ev3.New", "strings.ToUpper"} {
		if pc, ok := b.FuncPC(name); !ok || b.bi.PCToFunc(pc).Entry != pc {
			t.Errorf("%s: %#x, %v", name, pc, ok)
		}
	}
	if addr, typ, ok := b.Global("main.shared"); !ok || addr == 0 || typ != "map[int]string" {
		t.Errorf("main.shared: %#x %s %v", addr, typ, ok)
	}
	for _, name := range []string{"int", "*example.com/inspected/shop.Item", "main.key", "map[int]string", "error", "[]interface {}"} {
		addr, ok := b.TypeAddr(name)
		if !ok {
			t.Errorf("type %s is not found", name)
			continue
		}
		w := &walk{b: b, mem: &memory{r: theApp(t).mem}}
		typ, _, err := w.runtimeType(addr, 0)
		if err != nil || linkName(typ) != name {
			t.Errorf("at the address of %s is %v, %v", name, typ, err)
		}
	}
	for name := range b.symbols {
		if addr, ok := b.Symbol(name); !ok || addr == 0 {
			t.Errorf("%s: %#x", name, addr)
		}
	}
	if _, ok := b.Symbol("main..dict.apply[string,*example.com/inspected/shop.Item]"); !ok {
		t.Error("the dictionary of main.apply is not found")
	}
	for _, name := range []string{"", "main.none", "\x00", strings.Repeat("[", 10000)} {
		_, f := b.FuncPC(name)
		_, s := b.Symbol(name)
		_, ty := b.TypeAddr(name)
		_, _, g := b.Global(name)
		if f || s || ty || g {
			t.Errorf("%.20q is found: %v %v %v %v", name, f, s, ty, g)
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	bin, err := binaries()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		x, err := Load(b.Context(), bin[1])
		if err != nil {
			b.Fatal(err)
		}
		x.Close()
	}
}

func BenchmarkAttach(b *testing.B) {
	a := theApp(b)
	for b.Loop() {
		if _, err := a.b.Attach(a.cmd.Process.Pid, a.mem); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCalls(b *testing.B) {
	a := theApp(b)
	for _, name := range []string{"plain", "ifaces", "large"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				a.calls(b, name, Limits{})
			}
		})
	}
}
