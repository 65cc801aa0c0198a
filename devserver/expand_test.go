package devserver

import (
	"fmt"
	"testing"

	"devrun/devserver/internal/fault"
)

// TestLivePath: a map's entry is named by its key, whatever its place on the page,
// as far as the page has it.
func TestLivePath(t *testing.T) {
	list := []fault.Value{
		{Name: "n", Kind: fault.Number},
		{Name: "m", Kind: fault.Map, Children: []fault.Value{{Name: `"b"`, Kind: fault.Slice, Children: []fault.Value{{Name: "0"}}}, {Name: `"a"`}}},
	}
	for _, test := range []struct{ path, want []string }{
		{[]string{"0"}, []string{"0"}},
		{[]string{"1", "0"}, []string{"1", `="b"`}},
		{[]string{"1", "0", "0"}, []string{"1", `="b"`, "0"}},
		{[]string{"1", "0", "700", "1"}, []string{"1", `="b"`, "700", "1"}},
		{[]string{"1", `="z"`, "1"}, []string{"1", `="z"`, "1"}},
		{nil, nil},
	} {
		before := fmt.Sprint(test.path)
		if got := livePath(list, test.path); fmt.Sprint(got) != fmt.Sprint(test.want) || fmt.Sprint(test.path) != before {
			t.Errorf("%v leads along %v, want %v", test.path, got, test.want)
		}
	}
}

// TestMoreWithoutSecrets: what is read on demand is masked like the page, by the
// names on the way down and by what is a secret elsewhere; what is asked for by
// itself is shown.
func TestMoreWithoutSecrets(t *testing.T) {
	text := func(name, s string) fault.Value {
		return fault.Value{Name: name, Type: "string", Kind: fault.String, Text: fmt.Sprintf("%q", s), Len: int64(len(s))}
	}
	f := fault.Failure{
		Request: fault.Request{Form: []fault.Field{{Name: "token", Values: []string{"tok-tok-tok-17"}}}},
		Calls:   []fault.Call{{}, {Vars: []fault.Value{text("name", "susan")}}},
	}
	list := fault.Value{Name: "0", Kind: fault.Slice, Type: "[]main.User", Len: 1, Children: []fault.Value{
		{Name: "0", Kind: fault.Struct, Type: "main.User", Children: []fault.Value{text("Password", "hunter2hunter2"), text("Name", "ann"), text("Said", "tok-tok-tok-17")}},
	}}
	users := fault.Value{Name: "users", Kind: fault.Map, Type: "map[int][]main.User", Len: 1}
	got := withoutSecrets(f, 1, []fault.Value{users, list}).Children[0].Children
	if !got[0].Redacted || got[0].Text != "" || got[1].Text != `"ann"` || !got[2].Redacted {
		t.Errorf("%+v", got)
	}
	if len(f.Calls[1].Vars) != 1 {
		t.Errorf("the failure has %d variables now", len(f.Calls[1].Vars))
	}
	// Below a session strings are secret, whatever their names.
	session := fault.Value{Name: "session", Kind: fault.Struct, Type: "main.Session"}
	if got := withoutSecrets(f, 1, []fault.Value{session, {Name: "values", Kind: fault.Map, Type: "map[string]string", Len: 1, Children: []fault.Value{text("a", "c2Vzc2lvbjE3")}}}); got.Children[0].Text != "" {
		t.Errorf("%+v", got)
	}
	// It was asked for by its name.
	password := text("Password", "hunter2hunter2")
	if got := withoutSecrets(f, 1, []fault.Value{password}); got.Text != password.Text {
		t.Errorf("%+v", got)
	}
}
