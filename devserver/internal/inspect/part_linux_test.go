package inspect

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"devrun/devserver/internal/fault"
)

// whereIs is the frame of a function among all of a goroutine's, and the number of
// a variable in it.
func (a *app) whereIs(t *testing.T, name, function, variable string) (frame int, path string) {
	t.Helper()
	all, err := a.p.Calls(t.Context(), a.ids[name], Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range all {
		for j, v := range c.Vars {
			if c.Func == function && v.Name == variable {
				return i, strconv.Itoa(j)
			}
		}
	}
	t.Fatalf("%s has no %s", function, variable)
	return 0, ""
}

// TestPart: what Calls leaves out is read on demand, from any child on.
func TestPart(t *testing.T) {
	a := theApp(t)
	part := func(name, function, variable string, from int, steps ...string) ([]fault.Value, error) {
		t.Helper()
		frame, first := a.whereIs(t, name, function, variable)
		return a.p.Part(t.Context(), a.ids[name], frame, append([]string{first}, steps...), from)
	}
	last := func(name, function, variable string, from int, steps ...string) fault.Value {
		t.Helper()
		chain, err := part(name, function, variable, from, steps...)
		if err != nil {
			t.Fatalf("%s %q: %v", variable, steps, err)
		}
		if len(chain) != len(steps)+1 || chain[0].Name != variable {
			t.Errorf("%s %q comes as %d values", variable, steps, len(chain))
		}
		return chain[len(chain)-1]
	}

	// A string of a thousand bytes, by itself and in a struct.
	whole := strconv.Quote(strings.Repeat("é", 500))
	for variable, steps := range map[string][]string{"long": nil, "deep": {"0"}} {
		if v := last("strings", "main.stringsOfKinds", variable, 0, steps...); v.Text != whole || v.Cut != 0 {
			t.Errorf("%s: %d bytes, %d cut", variable, len(v.Text), v.Cut)
		}
	}

	// The elements of an array from one on.
	v := last("large", "main.large", "array", 70)
	if len(v.Children) != partElements || v.Children[0].Name != "70" || v.More != 100000-70-partElements {
		t.Errorf("%d children from %s on, %d more", len(v.Children), v.Children[0].Name, v.More)
	}
	if v := last("large", "main.large", "array", 99_990); len(v.Children) != 10 || v.More != 0 {
		t.Errorf("%d children at the end, %d more", len(v.Children), v.More)
	}
	if v := last("large", "main.large", "structs", 0, "999", "3"); v.Name != "secret" {
		t.Errorf("the fourth field is %s", v.Name)
	}

	// All entries of a map, in their order.
	got := 0
	for from := 0; ; {
		v := last("maps", "main.mapsOfSizes", "m1000", from)
		for _, c := range v.Children {
			if want := strconv.Itoa(got); c.Name != want {
				t.Fatalf("entry %d is %s", got, c.Name)
			}
			got++
		}
		if from += len(v.Children); v.More == 0 {
			break
		}
		if v.More != int64(1000-from) {
			t.Fatalf("%d more behind %d", v.More, from)
		}
	}
	if got != 1000 {
		t.Errorf("%d entries of 1000", got)
	}
	if v := last("maps", "main.mapsOfSizes", "m1000", 0, "=777"); v.Name != "777" {
		t.Errorf("the entry 777 is %+v", v)
	}

	for _, steps := range [][]string{{"5"}, {"=1000"}, {"=777", "0"}, {"x"}, {"-1"}} {
		if v, err := part("maps", "main.mapsOfSizes", "m1000", 0, steps...); !errors.Is(err, ErrNoPart) {
			t.Errorf("%q leads to %v, %v", steps, v, err)
		}
	}
	for _, path := range [][]string{nil, {"99"}, {"-1"}, {"=a"}} {
		if v, err := a.p.Part(t.Context(), a.ids["maps"], 0, path, 0); !errors.Is(err, ErrNoPart) {
			t.Errorf("%q leads to %v, %v", path, v, err)
		}
	}
	if v, err := a.p.Part(t.Context(), a.ids["maps"], 999, []string{"0"}, 0); err == nil {
		t.Errorf("a frame that is not there has %v", v)
	}
}
