package devserver

import (
	"path/filepath"
	"slices"
	"testing"

	"devrun/watcher"
)

func testFacts() facts {
	return facts{
		packages: set("/m", "/m/store", "/lib"),
		sources:  set("/m/main.go", "/m/store/store.go", "/m/store/fast.s", "/lib/lib.go"),
		embedded: set("/m/pages/a.html", "/m/app.css", "/m/both/a.html", "/m/both/a.css", "/m/both/a.txt"),
		opened:   set("/m/both/a.html", "/m/both/a.css", "/m/both/a.txt", "/m/app.db"),
		embedsIn: map[string][]string{"/m": {"pages", "*.css", "data/*.json"}},
		modules:  []string{"/m", "/lib"},
		modFiles: set("/m/go.mod", "/m/go.work"),
		envFiles: set("/m/.env"),
		matches:  func(p string) bool { return filepath.Base(p) != "other_windows.go" },
		reshaped: func(p string) bool { return p == "/m/main.go" },
	}
}

func TestDecide(t *testing.T) {
	broken := func(f *facts) { f.broken = true }
	for _, c := range []struct {
		name    string
		path    string
		op      watcher.Op
		with    func(*facts)
		want    action
		reshape bool
	}{
		{"source", "/m/store/store.go", watcher.Modified, nil, rebuild, false},
		{"source with other imports", "/m/main.go", watcher.Modified, nil, rebuild, true},
		{"source of a replaced module", "/lib/lib.go", watcher.Modified, nil, rebuild, false},
		{"new source", "/m/store/new.go", watcher.Created, nil, rebuild, true},
		{"source gone", "/m/store/store.go", watcher.Removed, nil, rebuild, true},
		{"test", "/m/store/store_test.go", watcher.Modified, nil, ignore, false},
		{"test gone", "/m/store/store_test.go", watcher.Removed, nil, ignore, false},
		{"source for another system", "/m/other_windows.go", watcher.Modified, nil, ignore, false},
		{"source for another system gone", "/m/other_windows.go", watcher.Removed, nil, ignore, false},
		{"package that is not imported", "/m/tools/gen.go", watcher.Modified, nil, ignore, false},
		{"the same while the build is broken", "/m/tools/gen.go", watcher.Created, broken, rebuild, true},
		{"outside of the modules while broken", "/else/x.go", watcher.Created, broken, ignore, false},
		{"assembly", "/m/store/fast.s", watcher.Modified, nil, rebuild, false},
		{"new C file in a package", "/m/store/x.c", watcher.Created, nil, rebuild, true},
		{"C file outside of packages", "/m/docs/x.c", watcher.Created, nil, ignore, false},
		{"go.mod", "/m/go.mod", watcher.Modified, nil, rebuild, true},
		{"go.work appears", "/m/go.work", watcher.Created, nil, rebuild, true},
		{".env", "/m/.env", watcher.Modified, nil, restart, false},
		{".env gone", "/m/.env", watcher.Removed, nil, restart, false},
		{"embedded template", "/m/pages/a.html", watcher.Modified, nil, rebuild, false},
		{"embedded stylesheet", "/m/app.css", watcher.Modified, nil, rebuild, false},
		{"embedded template that is read from disk", "/m/both/a.html", watcher.Modified, nil, restart, false},
		{"embedded stylesheet that is read from disk", "/m/both/a.css", watcher.Modified, nil, swapStyle, false},
		{"embedded text that is read from disk", "/m/both/a.txt", watcher.Modified, nil, restart, false},
		{"new file in an embedded directory", "/m/pages/sub/b.html", watcher.Created, nil, rebuild, true},
		{"hidden file in an embedded directory", "/m/pages/.b.html", watcher.Created, nil, restart, false},
		{"new file for an embed pattern", "/m/data/x.json", watcher.Created, nil, rebuild, true},
		{"file below an embed pattern's reach", "/m/data/y/x.json", watcher.Created, nil, ignore, false},
		{"template on disk", "/m/templates/a.html", watcher.Modified, nil, restart, false},
		{"stylesheet on disk", "/m/static/a.CSS", watcher.Modified, nil, swapStyle, false},
		{"script on disk", "/m/static/a.js", watcher.Modified, nil, reloadPage, false},
		{"image on disk", "/m/static/a.png", watcher.Created, nil, reloadPage, false},
		{"the app's database", "/m/app.db", watcher.Modified, nil, ignore, false},
		{"prose", "/m/README.md", watcher.Modified, nil, ignore, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := testFacts()
			if c.with != nil {
				c.with(&f)
			}
			d := decide(watcher.Batch{{Path: c.path, Op: c.op}}, f)
			if d.action != c.want || d.reshape != c.reshape {
				t.Errorf("decide(%s) = %v, reshape %v; want %v, %v", c.path, d.action, d.reshape, c.want, c.reshape)
			}
			if named := slices.Contains(d.files, c.path); named != (c.want != ignore) {
				t.Errorf("files = %v", d.files)
			}
		})
	}
}

// The largest action of a batch wins, and only files that ask for something
// are named.
func TestDecideBatch(t *testing.T) {
	d := decide(watcher.Batch{
		{Path: "/m/README.md", Op: watcher.Modified},
		{Path: "/m/static/a.css", Op: watcher.Modified},
		{Path: "/m/store/store.go", Op: watcher.Modified},
	}, testFacts())
	if d.action != rebuild || !slices.Equal(d.files, []string{"/m/static/a.css", "/m/store/store.go"}) {
		t.Errorf("decide = %v %v", d.action, d.files)
	}
	if d := decide(watcher.Batch{{Path: "/m/notes.txt"}}, testFacts()); d.action != ignore || d.files != nil {
		t.Errorf("decide = %v %v", d.action, d.files)
	}
}
