package fault

import (
	"strings"
	"testing"
)

// TestFieldAt: what the redacted copy masks is found in the failure at the same
// place.
func TestFieldAt(t *testing.T) {
	f := secretive()
	r := Redacted(f)
	for _, test := range []struct {
		part Part
		path []int
		want string
	}{
		{OfQuery, nil, "token=tok-tok-tok-17&q=go&api_key=%2Babcdefgh%2B"},
		{OfHeader, []int{1, 0}, "Bearer aaaaaaaa1"},
		{OfForm, []int{0, 0}, "tok-tok-tok-17"},
		{OfCookie, []int{0, 0}, "c2Vzc2lvbjE3"},
		{OfCookie, []int{1, 0}, "dark"},
		{OfAnswer, []int{0, 0}, "sid=c2Vzc2lvbjE3; Path=/; HttpOnly"},
	} {
		if got, ok := FieldAt(f, test.part, test.path); !ok || got != test.want {
			t.Errorf("%s %v: %q, want %q", test.part, test.path, got, test.want)
		}
		if got, ok := FieldAt(r, test.part, test.path); !ok || !strings.Contains(got, Mask) {
			t.Errorf("%s %v: the redacted copy has %q", test.part, test.path, got)
		}
	}
	if list := Cookies([]Field{{"Cookie", []string{"a=1;b = 2 ; ;c", "d=4=5"}}, {"X", []string{"e=6"}}}); len(list) != 4 || list[3].Values[0] != "4=5" || list[2].Name != "c" {
		t.Errorf("%v", list)
	}
	for _, test := range []struct {
		part Part
		path []int
	}{{OfQuery, []int{0}}, {OfForm, nil}, {OfForm, []int{0}}, {OfForm, []int{9, 0}}, {OfForm, []int{0, 9}}, {OfForm, []int{-1, 0}}, {OfForm, []int{0, -1}}, {OfCookie, []int{2, 0}}, {"body", []int{0, 0}}} {
		if got, ok := FieldAt(f, test.part, test.path); ok {
			t.Errorf("%s %v leads to %q", test.part, test.path, got)
		}
	}
}
