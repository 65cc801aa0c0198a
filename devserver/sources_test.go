package devserver

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"devrun/devserver/internal/gograph"
	"devrun/watcher"
)

// What a save has changed of a Go file is seen against the file as the go command has
// read it: against nothing, if that may have been before the file was saved.
func TestLook(t *testing.T) {
	dir := t.TempDir()
	asked := time.Now().Add(-time.Minute)
	write := func(name, text string, at time.Time) string {
		t.Helper()
		file := filepath.Join(dir, name)
		err := os.WriteFile(file, []byte(text), 0o600)
		if err == nil {
			err = os.Chtimes(file, at, at)
		}
		if err != nil {
			t.Fatal(err)
		}
		return file
	}
	before, after := asked.Add(-time.Hour), asked.Add(time.Second)
	old := write("old.go", "package a\n\nimport \"fmt\"\n\nfunc F() { fmt.Println() }\n", before)
	late := write("late.go", "package a\n", after)
	g := &gograph.Graph{GOOS: "linux", GOARCH: "amd64", Packages: []gograph.Package{{Dir: dir, Files: []string{old, late}}}}
	s := sourcesOf(g, asked, Environ{}, Config{Tags: "some"})
	look := func(file string, op watcher.Op) change { return s.read(watcher.Batch{{Path: file, Op: op}})[0] }
	for _, c := range []struct {
		name, file, text string
		reshaped, fits   bool
	}{
		{"another body", old, "package a\n\nimport \"fmt\"\n\nfunc F() { fmt.Print() }\n", false, false},
		{"another import", old, "package a\n\nimport \"os\"\n", true, false},
		{"half of a file", old, "package a\n\nimport", true, false},
		{"as it was", old, "package a\n\nimport \"fmt\"\n", false, false},
		{"another constraint", old, "//go:build some\n\npackage a\n\nimport \"fmt\"\n", true, false},
		{"saved while the go command read", late, "package a\n", true, false},
		{"new", filepath.Join(dir, "new.go"), "package a\n", false, true},
		{"new, for the tag", filepath.Join(dir, "tag.go"), "//go:build some\n\npackage a\n", false, true},
		{"new, for another system", filepath.Join(dir, "new_windows.go"), "package a\n", false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			write(filepath.Base(c.file), c.text, after)
			if got, want := look(c.file, watcher.Modified), (change{watcher.Change{Path: c.file, Op: watcher.Modified}, c.reshaped, c.fits}); got != want {
				t.Errorf("%+v, want %+v", got, want)
			}
		})
	}
	if again := fmt.Sprint(look(late, watcher.Modified)); again != fmt.Sprint(look(late, watcher.Modified)) {
		t.Error("to read changes what is seen")
	}
}

// A file in a directory that was not watched may have been saved after a build has read
// it, and nobody was told.
func TestLate(t *testing.T) {
	dir := t.TempDir()
	since := time.Now().Add(-time.Minute)
	var files []string
	for name, at := range map[string]time.Time{"before.go": since.Add(-time.Second), "after.go": since.Add(time.Second)} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	with := sourcesOf(&gograph.Graph{Packages: []gograph.Package{{Dir: dir, Files: files}}}, since, Environ{}, Config{})
	without := sourcesOf(&gograph.Graph{}, since, Environ{}, Config{})
	if late := with.late(without, since); len(late) != 1 || late[0].Path != filepath.Join(dir, "after.go") {
		t.Errorf("%v", late)
	}
	if late := with.late(with, since); len(late) != 0 {
		t.Errorf("in a directory that was watched: %v", late)
	}
}

// What go:embed may find is watched, whether it is there yet and whatever .gitignore says.
func TestScopeOfEmbeds(t *testing.T) {
	pkg := t.TempDir()
	for _, dir := range []string{"dist", "static/css"} {
		if err := os.MkdirAll(filepath.Join(pkg, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(pkg, "LICENSE"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ pattern, whole, file string }{
		{"dist", "dist", ""},
		{"all:dist", "dist", ""},
		{"dist/*", "dist", ""},
		{"static/*/*.css", "static", ""},
		{"static/css/[ab].css", "static/css", ""},
		{"web/build", "web/build", ""}, // is not there
		{"index.html", "", "index.html"},
		{"LICENSE", "", "LICENSE"},
		{"*.html", "", ""},
	} {
		g := &gograph.Graph{Packages: []gograph.Package{{Dir: pkg, EmbedPatterns: []string{c.pattern}}}}
		w := sourcesOf(g, time.Now(), Environ{}, Config{}).scope(t.TempDir(), nil)
		in := func(name string) (paths []string) {
			if name != "" {
				paths = append(paths, filepath.Join(pkg, name))
			}
			return paths
		}
		if !slices.Equal(w.Whole, in(c.whole)) || !slices.Equal(w.Files, in(c.file)) {
			t.Errorf("%s: whole %q and files %q, want %q and %q", c.pattern, w.Whole, w.Files, in(c.whole), in(c.file))
		}
	}
}

// In a package all that the go command compiles is watched, .S and .F as well as .s
// and .f.
func TestScope(t *testing.T) {
	exts := sourcesOf(&gograph.Graph{}, time.Now(), Environ{}, Config{}).scope(t.TempDir(), nil).Exts
	for _, ext := range []string{".go", ".s", ".S", ".f", ".F", ".c", ".syso"} {
		if !slices.Contains(exts, ext) {
			t.Errorf("%s is not watched in a package", ext)
		}
	}
}
