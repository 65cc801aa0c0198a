package inspect

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"devrun/devserver/internal/fault"
	"devrun/devserver/suite"
)

// Whatever the memory holds, what is next to it is shown.
func TestLongDamaged(t *testing.T) {
	suite.Long(t)
	got := vars(t, theApp(t).calls(t, "damaged", Limits{}), "main.damaged")
	for _, name := range []string{"long", "slice", "wild", "iface", "back", "pointer", "m", "f", "c", "m2"} {
		if v := got[name]; v.Unreadable == "" || v.Text != "" || v.Children != nil || strings.Contains(v.Unreadable, "/proc") {
			t.Errorf("%s: %s", name, outline(v))
		}
	}
	if v := got["sane"]; v.Text != `"sane"` {
		t.Errorf("beside them %s", outline(v))
	}
}

func TestLarge(t *testing.T) {
	begun := time.Now()
	calls := theApp(t).calls(t, "large", Limits{})
	t.Logf("%v", time.Since(begun))
	got := vars(t, calls, "main.large")
	for name, size := range map[string]int64{"ints": 100_000_000, "structs": 1000, "array": 100_000, "sets": 1_000_000} {
		v := got[name]
		if v.Len != size || int64(len(v.Children))+v.More != size || len(v.Children) < 10 || len(v.Children) > DefaultLimits.Elements || !strings.Contains(v.Text, "…") {
			t.Errorf("%s: %d listed, %d more, %s", name, len(v.Children), v.More, v.Text)
		}
	}
	if v := got["after"]; v.Text != `"still here"` {
		t.Errorf("after them %s", outline(v))
	}
	depth := 0
	for v := got["deep"]; len(v.Children) > 1; v = v.Children[1] {
		depth++
	}
	if depth != DefaultLimits.Depth {
		t.Errorf("a list is %d deep", depth)
	}
	n := 0
	for _, v := range calls[0].Vars {
		n += count(v)
	}
	if n > DefaultLimits.Call+len(calls[0].Vars) {
		t.Errorf("%d values in a call", n)
	}
}

func count(v fault.Value) int {
	n := 1
	for _, c := range v.Children {
		n += count(c)
	}
	return n
}

func TestPageIsBounded(t *testing.T) {
	a := theApp(t)
	id := a.ids["large"]
	calls, err := a.p.Calls(t.Context(), id, Limits{Page: 20})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, c := range calls {
		for _, v := range c.Vars {
			n += count(v)
		}
	}
	if n < 10 || n > 30 {
		t.Errorf("%d values of 20", n)
	}
	last := calls[len(calls)-1]
	if last.Vars != nil || last.Why == "" {
		t.Errorf("%+v at the end", last)
	}
	all := 0
	for name := range a.ids {
		if name != "spin" {
			b, err := json.Marshal(a.calls(t, name, Limits{}))
			if err != nil {
				t.Fatal(err)
			}
			all = max(all, len(b))
		}
	}
	if all > 300_000 {
		t.Errorf("a page has %d bytes", all)
	}
	t.Logf("at most %d bytes", all)
}

func TestStack(t *testing.T) {
	for name, want := range map[string]string{
		"nested":   "main.nested.func1.1 main.nested.func1 main.nested",
		"deferred": "main.deferred.func1 main.deferred",
		"repanic":  "main.repanic.func1 main.repanic",
		"library":  "main.library.func1.1 strings.Map main.library.func1 sync.(*Once).doSlow sync.(*Once).Do main.library",
		"ranges":   "main.ranges-range1 main.each main.ranges",
		"runtime":  "main.init.func",
	} {
		var got []string
		calls := theApp(t).calls(t, name, Limits{})
		for _, c := range calls {
			got = append(got, c.Func)
		}
		if s := strings.Join(got, " "); !strings.HasPrefix(s, want) || !strings.HasSuffix(s, "main.fail main.main.gowrap1") {
			t.Errorf("%s: %s", name, s)
		}
	}
	calls := theApp(t).calls(t, "library", Limits{})
	for i, optimised := range []bool{false, true, false, true, true, false} {
		if calls[i].Optimised != optimised {
			t.Errorf("%s optimised: %v", calls[i].Func, calls[i].Optimised)
		}
	}
	if v := calls[3].Vars; len(v) == 0 || !v[0].Gone || v[0].Text != "" {
		t.Errorf("in optimised code %+v", v)
	}
	check(t, theApp(t).calls(t, "ranges", Limits{}), "main.ranges-range1", shown{"i": "int = 2", "s": `string = "n2"`, "body": "int = 20"})
}

func TestFromFailure(t *testing.T) {
	frames := func(names ...string) (calls []fault.Call) {
		for i, n := range names {
			calls = append(calls, fault.Call{Frame: fault.Frame{Func: n}, PC: uint64(i)})
		}
		return calls
	}
	const hook = "example.com/app/zz_devrun_hook.(*req)."
	for _, c := range []struct{ got, want []fault.Call }{
		{frames("runtime.gopark", "runtime.chanrecv", "runtime.chanrecv1", hook+"park", hook+"serve.func1", "runtime.gopanic", "runtime.panicmem", "runtime.sigpanic", "main.f", "net/http.HandlerFunc.ServeHTTP", hook+"serve", "runtime.goexit"),
			frames("main.f", "net/http.HandlerFunc.ServeHTTP")},
		{frames("runtime.gopark", hook+"WriteHeader", "mw.Recover.func1", "runtime.gopanic", "runtime.goPanicIndex", "main.f"),
			frames("main.f")},
		{frames("runtime.gopark", hook+"park", hook+"serve.func1", "runtime.gopanic", "main.g.func1", "runtime.gopanic", "main.g"),
			frames("main.g.func1", "main.g")},
		{frames("runtime.gopark", "runtime.chanrecv1", hook+"hold", hook+"Write", "net/http.Error", "main.f", hook+"serve"),
			frames("net/http.Error", "main.f")},
		{frames("runtime.gopark", hook+"park"), nil},
		{frames("runtime.gopark", "runtime.semacquire1", "internal/sync.(*Mutex).lockSlow", "sync.(*Mutex).Lock", hook+"queue", hook+"stay", hook+"Write", "net/http.Error", "main.f", hook+"serve"),
			frames("net/http.Error", "main.f")},
		{frames("runtime.gopark", "time.Sleep", hook+"stay", hook+"Write", "main.f", hook+"serve"), frames("main.f")},
		{frames("runtime.gopark", "time.Sleep", "main.f"), frames("time.Sleep", "main.f")},
		{nil, nil},
	} {
		var got, want []string
		for _, x := range fromFailure(c.got) {
			got = append(got, c.got[x].Func)
		}
		for _, x := range c.want {
			want = append(want, x.Func)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q instead of %q", got, want)
		}
	}
}

// A map that changes all the time is shown as it is for a moment, or is said to
// be damaged.
func TestMutated(t *testing.T) {
	entry := regexp.MustCompile(`^"\d+"$`)
	for range 50 {
		v := vars(t, theApp(t).calls(t, "mutated", Limits{}), "main.mutated")
		if v["here"].Text != `"here"` {
			t.Fatalf("beside it %s", outline(v["here"]))
		}
		for _, c := range v["theMap"].Children {
			if c.Unreadable == "" && !entry.MatchString(c.Text) && c.Text != `""` {
				t.Fatalf("an entry %s", outline(c))
			}
		}
	}
}

func TestNames(t *testing.T) {
	b := &Binary{packages: map[string]string{"example.com/a/b": "other"}, types: map[string]string{}}
	for link, want := range map[string]string{
		"int":                               "int",
		"main.T":                            "main.T",
		"*example.com/a/b.T":                "*other.T",
		"map[string]*example.com/a/c.T":     "map[string]*c.T",
		"gopkg.in/yaml%2ev3.Node":           "yaml.Node",
		"example.com/chi/v5.Mux":            "chi.Mux",
		"example.com/go-x/y-z.T":            "y-z.T",
		"<-chan example.com/a/b.T":          "<-chan other.T",
		"chan<- []example.com/a/b.T":        "chan<- []other.T",
		"func(...example.com/a/b.T) main.R": "func(...other.T) main.R",
		"example.com/a/b.P[example.com/a/b.T,map[int]main.X]": "other.P[other.T,map[int]main.X]",
		"main.local·2":         "main.local",
		"main.F[go.shape.int]": "main.F[int]",
		`struct { A int "a/b.c:\"x y.z\""; main.b main.T; example.com/a/b.T }`: `struct { A int "a/b.c:\"x y.z\""; b main.T; other.T }`,
		"interface { example.com/a/b.m(int) string; N() }":                     "interface { other.m(int) string; N() }",
		`struct { A int "unfinished`:                                           `struct { A int "unfinished`,
		"":                                                                     "",
	} {
		if got := b.goName(link); got != want {
			t.Errorf("%s is %s instead of %s", link, got, want)
		}
	}
	for link, want := range map[string]string{
		"main.F": "main.F", "main.F[go.shape.int].func1": "main.F[...].func1", "a/b.(*T[a/b.X[int]]).M": "a/b.(*T[...]).M", "x]y[": "x]y[",
	} {
		if got := funcName(link); got != want {
			t.Errorf("%s is %s instead of %s", link, got, want)
		}
	}
	for _, c := range [][3]string{{`"hello world"`, "30", `"hello world"`}, {`"hello world, more"`, "12", `"hello w"…`}, {`"\x00\x00\x00\x00\x00"`, "12", `"\x00"…`}, {`"éééééééééé"`, "13", `"éééé"…`}, {`"abc"…`, "2", `"abc"…`}} {
		room, _ := strconv.Atoi(c[1])
		if got := fit(c[0], room); got != c[2] {
			t.Errorf("%s in %d is %s instead of %s", c[0], room, got, c[2])
		}
		if _, err := strconv.Unquote(trimCut(fit(c[0], room))); err != nil {
			t.Errorf("%s in %d: %v", c[0], room, err)
		}
	}
	if fmt.Sprint(DefaultLimits) != fmt.Sprint(Limits{}.filled()) {
		t.Error("the zero Limits are not the default ones")
	}
}
