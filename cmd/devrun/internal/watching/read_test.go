//go:build linux

package watching

import (
	"strings"
	"testing"

	"devrun/cmd/devrun/internal/e2e"
)

// reader is an app that reads files in many ways, half of which git ignores.
func reader(t *testing.T, mode string) *e2e.Rig {
	r := e2e.NewOf(t, mode, "testdata/reader")
	r.Git("init", "-q")
	r.Write(".gitignore", "*.ini\nkey\ndist\n")
	for _, name := range []string{"i18n/en.json", "local.ini", "../elsewhere.conf", "static/kept.css", "static/kept.js", "static/lazy.css", "static/each.css", "key", "pages/each.html", "pages/once.txt"} {
		r.Write(name, "one")
	}
	return r
}

// testRead: what the app has read is started again for, or loaded again, whatever it is
// called and wherever it is.
func testRead(t *testing.T, mode string) {
	r := reader(t, mode)
	r.Write("dist/a.js", "one")
	r.Start()
	for _, name := range []string{"i18n/en.json", "local.ini", "../elsewhere.conf", "static/kept.css", "static/kept.js", "key"} {
		r.Write(name, "two")
		r.Answers("/start?name="+name, "two")
	}
	r.Answers("/once", "one")
	r.Write("pages/once.txt", "two")
	r.Answers("/once", "two")
	if n := r.Builds(); n != 1 {
		t.Errorf("%d builds", n)
	}

	// What each request reads anew needs no other process.
	r.Answers("/each", "one")
	r.Answers("/each", "one")
	pid, point := r.AppPid(), r.Point()
	r.Write("pages/each.html", "two")
	r.SaysAfter(point, `^devrun: pages/each.html saved, page reloaded$`)
	r.Answers("/each", "two")
	if now := r.AppPid(); now != pid {
		t.Errorf("another process answers: %d, it was %d", now, pid)
	}
	// Of a stylesheet that is read once that shows when it is asked for once more.
	r.Answers("/static/each.css", "one")
	r.Write("static/each.css", "two")
	r.Answers("/static/each.css", "two")
	if now := r.AppPid(); now != pid {
		t.Errorf("another process answers: %d, it was %d", now, pid)
	}
	r.Answers("/static/lazy.css", "one")
	r.Write("static/lazy.css", "two")
	r.Answers("/static/lazy.css", "two")
	// Nobody reads it.
	r.Write("notes.ini", "two")
	r.SetVersion("v2")
	r.Served("v2")
	if strings.Contains(r.Stderr.String(), "notes.ini") {
		t.Error("notes.ini is named")
	}
}

// testIgnoredEmbeds: what go:embed takes in is built in though git ignores it, and the
// directory may come after the build that failed for want of it.
func testIgnoredEmbeds(t *testing.T, mode string) {
	r := reader(t, mode)
	r.Launch()
	r.Says(`pattern all:dist: no matching files found`)
	r.Write("dist/a.js", "one")
	r.Answers("/dist/a.js", "one<nil>")
	r.Write("dist/assets/b.js", "one")
	r.Answers("/dist/assets/b.js", "one<nil>")
	r.Write("dist/a.js", "two")
	r.Answers("/dist/a.js", "two<nil>")
	r.Remove("dist/assets")
	r.Answers("/dist/assets/b.js", "open dist/assets/b.js: file does not exist")
}
