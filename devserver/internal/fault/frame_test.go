package fault

import "testing"

func TestSplit(t *testing.T) {
	for name, want := range map[string][2]string{
		"main.main":                             {"main.", "main"},
		"main.(*App).count.func1":               {"main.(*App).", "count.func1"},
		"net/http.(*conn).serve":                {"net/http.(*conn).", "serve"},
		"gopkg.in/yaml%2ev3.Unmarshal":          {"gopkg.in/yaml.v3.", "Unmarshal"},
		"example.com/a.F[example.com/b.T[...]]": {"example.com/a.", "F[example.com/b.T[...]]"},
		"panic":                                 {"", "panic"},
		"odd%zz.name":                           {"odd%zz.", "name"},
	} {
		if pkg, fn := (Frame{Func: name}).Split(); pkg != want[0] || fn != want[1] {
			t.Errorf("%s: %s and %s", name, pkg, fn)
		}
	}
}
