package devserver

import (
	"path/filepath"
	"slices"
	"testing"

	"devrun/watcher"
)

func testRules() *rules {
	return &rules{
		packages: set("/m", "/m/store", "/lib"),
		sources:  set("/m/main.go", "/m/store/store.go", "/m/store/fast.s", "/lib/lib.go"),
		embedded: set("/m/pages/a.html", "/m/app.css", "/m/both/a.html", "/m/both/a.css", "/m/both/a.txt"),
		embedsIn: map[string][]string{"/m": {"pages", "*.css", "data/*.json"}},
		modules:  []string{"/m", "/lib"},
		modFiles: set("/m/go.mod", "/m/go.work"),
		envFiles: set("/m/.env"),
	}
}

func testMoment() moment {
	return moment{opened: func(path string) when {
		return opened{
			"/m/both/a.html": onRequest, "/m/both/a.css": onRequest, "/m/both/a.txt": onRequest,
			"/m/i18n/en.json": atStart, "/m/app.ini": atStart, "/m/static/kept.css": atStart, "/m/static/kept.js": atStart,
			"/m/lazy.json": onRequest, "/m/each.json": eachTime, "/m/each.html": eachTime, "/m/each.css": eachTime,
		}[path]
	}}
}

// testRead is what [sources.read] says of files that are not there.
func testRead(b ...watcher.Change) (batch []change) {
	for _, c := range b {
		batch = append(batch, change{c, c.Path == "/m/main.go", filepath.Base(c.Path) != "other_windows.go"})
	}
	return batch
}

// Each kind of file asks for what it needs, and what the app is not made of asks for
// nothing.
func TestDecide(t *testing.T) {
	untrusted := func(m *moment) { m.untrusted = true }
	for _, c := range []struct {
		name    string
		path    string
		op      watcher.Op
		with    func(*moment)
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
		{"the same while the build is broken", "/m/tools/gen.go", watcher.Created, untrusted, rebuild, true},
		{"outside of the modules while broken", "/else/x.go", watcher.Created, untrusted, ignore, false},
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
		{"file that the app has read at its start", "/m/i18n/en.json", watcher.Modified, nil, restart, false},
		{"configuration", "/m/app.ini", watcher.Modified, nil, restart, false},
		{"configuration gone", "/m/app.ini", watcher.Removed, nil, restart, false},
		{"stylesheet that the app has read at its start", "/m/static/kept.css", watcher.Modified, nil, restart, false},
		{"script that the app has read at its start", "/m/static/kept.js", watcher.Modified, nil, restart, false},
		{"file that the app has read once", "/m/lazy.json", watcher.Modified, nil, restart, false},
		{"file that the app reads for each request", "/m/each.json", watcher.Modified, nil, reloadPage, false},
		{"template that the app reads for each request", "/m/each.html", watcher.Modified, nil, reloadPage, false},
		{"stylesheet that the app reads for each request", "/m/each.css", watcher.Modified, nil, swapStyle, false},
		{"the app's database", "/m/app.db", watcher.Modified, nil, ignore, false},
		{"prose", "/m/README.md", watcher.Modified, nil, ignore, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := testMoment()
			if c.with != nil {
				c.with(&m)
			}
			d := decide(testRead(watcher.Change{Path: c.path, Op: c.op}), testRules(), m)
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
	d := decide(testRead(
		watcher.Change{Path: "/m/README.md", Op: watcher.Modified},
		watcher.Change{Path: "/m/static/a.css", Op: watcher.Modified},
		watcher.Change{Path: "/m/store/store.go", Op: watcher.Modified},
	), testRules(), testMoment())
	if d.action != rebuild || !slices.Equal(d.files, []string{"/m/static/a.css", "/m/store/store.go"}) {
		t.Errorf("decide = %v %v", d.action, d.files)
	}
	if d := decide(testRead(watcher.Change{Path: "/m/notes.txt"}), testRules(), testMoment()); d.action != ignore || d.files != nil {
		t.Errorf("decide = %v %v", d.action, d.files)
	}
}
