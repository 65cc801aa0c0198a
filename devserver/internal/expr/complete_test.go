//go:build linux

package expr

import (
	"slices"
	"testing"
)

func TestComplete(t *testing.T) {
	a := launch(t)
	f, p := a.frame("main.handle"), a.pkg("main")
	var s Session
	if _, err := p.Compile(f, &s, "namesake := 1"); err != nil {
		t.Fatal(err)
	}
	for _, l := range []struct {
		src        string
		want, lack []Completion
	}{
		{"na", []Completion{{"name", "var", "string"}, {"namer", "var", "shop.Namer"}, {"namesake", "var", "int"}}, []Completion{{"nums", "var", "[]int"}}},
		{"x := u.F", []Completion{{"First", "field", "string"}, {"FullName", "method", "func() string"}}, []Completion{{"fullName", "method", "func() string"}}},
		{"u.Boss.", []Completion{{"Zip", "field", "int"}, {"Line", "method", "func() string"}}, nil},
		{"store.", []Completion{{"hits", "field", "int"}}, nil},
		{"fmt.Sprin", []Completion{{"Sprintf", "func", "func(format string, a ...any) string"}}, nil},
		{"strconv.Ato", []Completion{{"Atoi", "func", "func(s string) (int, error)"}}, nil},
		{"r.Query().G", []Completion{{"Get", "method", "func(key string) string"}}, nil},
		{"hel", []Completion{{"helper", "func", "func(n int) int"}}, nil},
		{"strc", []Completion{{"strconv", "package", ""}}, nil},
		{"app", []Completion{{"append", "func", ""}}, nil},
		{"nums[0].", nil, nil},
		{")).", nil, nil},
		{"lat", nil, []Completion{{"later", "var", "int"}}},
	} {
		got := p.Complete(f, &s, l.src, len(l.src))
		for _, w := range l.want {
			if !slices.Contains(got, w) {
				t.Errorf("%s: no %v in %v", l.src, w, got)
			}
		}
		for _, w := range l.lack {
			if slices.Contains(got, w) {
				t.Errorf("%s: %v", l.src, w)
			}
		}
	}
}
