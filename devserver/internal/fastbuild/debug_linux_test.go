package fastbuild

import (
	"debug/elf"
	"strings"
	"testing"
)

// The link with debug information has the same code and data at the same addresses,
// whoever made the binary and the link.
func TestDebug(t *testing.T) {
	a := newApp(t, map[string]string{"main.go": mainGo, "leaf/leaf.go": leafGo})
	check := func(of Result, by string) {
		t.Helper()
		r := a.next()
		if err := a.builder.Debug(t.Context(), r, of.Made); err != nil {
			t.Fatal(err)
		}
		f, err := elf.Open(r.Output)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		d, err := f.DWARF()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Reader().Next(); err != nil {
			t.Error(err)
		}
		// The go command writes its flags into the binary.
		if where := difference(t, of.Binary, r.Output); (where == place{}) != (by == "us") {
			t.Errorf("linked by %s: %v", by, where)
		}
	}
	first := a.build()
	if _, err := a.builder.asMade(t.Context(), a.next()); err == nil {
		t.Error("what was not asked is known")
	}
	check(first, "the go command")
	a.learn()
	if _, err := a.builder.asMade(t.Context(), a.next()); err != nil {
		t.Error(err)
	}
	check(first, "us")
	a.write("leaf/leaf.go", strings.Replace(leafGo, "f1", "f2", 1))
	if _, err := a.builder.asMade(t.Context(), a.next()); err == nil {
		t.Error("what go build has not made is taken for it")
	}
	second := a.direct("f2g")
	a.write("leaf/leaf.go", strings.Replace(leafGo, "f1", "f3", 1)) // has no part in it
	check(second, "us")
}
