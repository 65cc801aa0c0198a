//go:build linux

package saves

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
)

// Each is one build.
func testAtomicSaves(t *testing.T, mode string) {
	r := e2e.New(t, mode).Start()
	path := filepath.Join(r.Dir, "main.go")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	write := func(p, text string) { t.Helper(); must(os.WriteFile(p, []byte(text), 0o644)) }
	ways := []struct {
		name string
		save func(text string)
	}{
		{"temporary file and rename over", func(text string) {
			write(path+".tmp", text)
			must(os.Rename(path+".tmp", path))
		}},
		{"vim: rename to backup, write anew, remove the backup", func(text string) {
			must(os.Rename(path, path+"~"))
			write(path, text)
			must(os.Remove(path + "~"))
		}},
		{"truncate, pause, write", func(text string) {
			f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
			must(err)
			time.Sleep(15 * time.Millisecond) // the pause is the case
			_, err = f.WriteString(text)
			must(errors.Join(err, f.Close()))
		}},
		{"vim: probe file 4913 first", func(text string) {
			probe := filepath.Join(r.Dir, "4913")
			write(probe, "")
			must(os.Remove(probe))
			write(path, text)
		}},
		{"sed -i", func(text string) {
			write(path+".new", text)
			must(exec.Command("cp", path+".new", filepath.Join(r.Dir, "sedA1b2C3")).Run())
			must(os.Remove(path + ".new"))
			must(os.Rename(filepath.Join(r.Dir, "sedA1b2C3"), path))
		}},
		{"JetBrains: safe write", func(text string) {
			write(path+"___jb_tmp___", text)
			must(os.Rename(path, path+"___jb_old___"))
			must(os.Rename(path+"___jb_tmp___", path))
			must(os.Remove(path + "___jb_old___"))
		}},
	}
	for round := range 3 {
		for i, way := range ways {
			v := fmt.Sprintf("a%d_%d", round, i)
			before := r.Builds()
			way.save(r.Source(v))
			r.Served(v)
			if n := r.Builds() - before; n != 1 {
				t.Errorf("%s, round %d: %d builds", way.name, round, n)
			}
		}
	}
}

// Three in a row are two builds at most, and git's own files are none.
func testCheckout(t *testing.T, mode string) {
	r := e2e.New(t, mode)
	branch := func(version, leaf string, dirs int) {
		r.SetVersion(version)
		var imports, uses strings.Builder
		for d := range dirs {
			pkg := fmt.Sprintf("gen/p%d/sub", d)
			for f := range 8 {
				r.Write(fmt.Sprintf("%s/f%d.go", pkg, f), fmt.Sprintf("package sub\n\nconst C%d = %q\n", f, leaf))
			}
			fmt.Fprintf(&imports, "\tp%d \"example.test/app/%s\"\n", d, pkg)
			fmt.Fprintf(&uses, "var _ = p%d.C0\n", d)
		}
		r.Write("gen.go", "package main\n\nimport (\n"+imports.String()+")\n\n"+uses.String())
	}
	r.Git("init", "-q")
	branch("v1", "one", 2)
	r.Git("add", ".")
	r.Git("commit", "-qm", "a")
	r.Git("checkout", "-qb", "b")
	branch("b1", "two", 40)
	r.Git("add", ".")
	r.Git("commit", "-qm", "b")
	r.Git("checkout", "-q", "a")
	r.Start()
	before := r.Builds()
	r.Git("checkout", "-q", "b")
	r.Git("checkout", "-q", "a")
	r.Git("checkout", "-q", "b")
	r.Served("b1")
	if n := r.Builds() - before; n > 2 {
		t.Errorf("%d builds", n)
	}
	// git's own files are none of the app's.
	before = r.Builds()
	r.Git("commit", "-q", "--allow-empty", "-m", "nothing")
	r.Write(".git/index.lock", "")
	os.Remove(filepath.Join(r.Dir, ".git/index.lock"))
	if n := r.Quiet(before, "b2"); n != 0 {
		t.Errorf("git's files: %d builds", n)
	}
}

// Its packages are built, and its files watched.
func testNewTree(t *testing.T, mode string) {
	r := e2e.New(t, mode).Start()
	prepared := filepath.Join(t.TempDir(), "x")
	if err := os.MkdirAll(filepath.Join(prepared, "y"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(prepared, "y", "y.go"), []byte("package y\n\nfunc Name() string { return \"y1\" }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	main := r.Source("v2")
	main = strings.Replace(main, `"example.test/app/web"`, "\"example.test/app/web\"\n\t\"example.test/app/x/y\"", 1)
	main = strings.Replace(main, "web.Handler(version)", "web.Handler(version + y.Name())", 1)
	r.Write("main.go", main) // imports what is not there yet
	if err := os.Rename(prepared, filepath.Join(r.Dir, "x")); err != nil {
		t.Fatal(err)
	}
	r.Served("v2y1")
	r.Replace("x/y/y.go", "y1", "y2")
	r.Served("v2y2")
	// The same the other way round: the tree first, made file by file.
	r.Write("a/b/c/f.go", "package c\n\nconst Name = \"c1\"\n")
	main = strings.Replace(main, `"example.test/app/web"`, "\"example.test/app/a/b/c\"\n\t\"example.test/app/web\"", 1)
	r.Write("main.go", strings.Replace(main, "y.Name()", "y.Name() + c.Name", 1))
	r.Served("v2y2c1")
	r.Replace("a/b/c/f.go", "c1", "c2")
	r.Served("v2y2c2")
}

// The app is what is on disk, whatever was removed, renamed or replaced by a
// directory.
func testDeleteRename(t *testing.T, mode string) {
	r := e2e.New(t, mode)
	r.Write("more/more.go", "package more\n\nconst Name = \"m1\"\n")
	r.Write("extra.go", "package main\n\nimport \"example.test/app/more\"\n\nfunc extra() string { return more.Name }\n")
	r.Replace("main.go", "web.Handler(version)", "web.Handler(version + extra())")
	r.Launch()
	r.Served("v1m1")
	at := func(name string) string { return filepath.Join(r.Dir, name) }
	rename := func(from, to string) {
		t.Helper()
		if err := os.Rename(at(from), at(to)); err != nil {
			t.Fatal(err)
		}
	}
	// A file that is needed goes and comes back.
	text := r.Read("extra.go")
	os.Remove(at("extra.go"))
	suite.Until(t, "the missing file is an error", func() error {
		resp, body, err := e2e.Ask("GET", r.URL("/"), nil, "Accept", "text/html")
		if err != nil {
			return err
		}
		if resp.StatusCode != 500 || !strings.Contains(body, "extra") {
			return fmt.Errorf("%d", resp.StatusCode)
		}
		return nil
	})
	r.Write("extra.go", text)
	r.Served("v1m1")
	// A file gets another name.
	rename("extra.go", "renamed.go")
	r.Replace("renamed.go", "more.Name }", "more.Name + \"r\" }")
	r.Served("v1m1r")
	// A directory gets another name, and the import follows.
	rename("more", "most")
	r.Replace("renamed.go", "app/more", "app/most")
	r.Replace("most/more.go", "m1", "m2")
	r.Served("v1m2r")
	// A file is replaced by a directory of the same name and back.
	os.Remove(at("renamed.go"))
	if err := os.Mkdir(at("renamed.go"), 0o755); err != nil {
		t.Fatal(err)
	}
	r.Says(`^devrun: build failed`)
	if err := os.Remove(at("renamed.go")); err != nil {
		t.Fatal(err)
	}
	r.Write("renamed.go", strings.Replace(text, "app/more", "app/most", 1))
	r.Served("v1m2")
}
