package gograph

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestRefusals(t *testing.T) {
	dir := tree(t, map[string]string{
		"app/go.mod":           mod("example.com/app"),
		"app/lib/l.go":         "package lib\n",
		"app/cmd/x/main.go":    emptyMain,
		"app/empty/a.txt":      "",
		"app/tests/x_test.go":  "package main\n",
		"app/never/m.go":       "//go:build never\n\npackage main\n",
		"app/other/go.mod":     mod("example.com/other"),
		"app/other/main.go":    emptyMain,
		"bare/sample/go.mod":   mod("example.com/sample"),
		"bare/sample/main.go":  emptyMain,
		"bare/loose/main.go":   emptyMain,
		"app/spaced dir/m.txt": "",
	})
	for _, test := range []struct{ dir, pkg, want string }{
		{"gone", ".", "there is no directory $DIR/gone"},
		{"app", "./gone", "there is no directory $DIR/app/gone"},
		{"app", "./lib", "./lib is package lib, not a package main: name the directory that has func main"},
		{"app", "./empty", "no package main in ./empty: no Go files in $DIR/app/empty"},
		{"app", "./tests", "no package main in ./tests: it has no Go files but tests"},
		{"app", "./never", "no package main in ./never: build constraints exclude all Go files in $DIR/app/never"},
		{"app", "./cmd/x/main.go", "./cmd/x/main.go is a file: name its package instead, ./cmd/x"},
		{"app", "cmd/x/main.go", "cmd/x/main.go is a file: name its package instead, ./cmd/x"},
		{"app", "cmd/x", "there is no package cmd/x: for the directory write ./cmd/x"},
		{"app", "./...", "./... is a pattern for several packages: name one package main, such as ./cmd/app"},
		{"app", "std", "std names several packages: name one package main, such as ./cmd/app"},
		{"app", "./other", "./other is a separate module: start in that directory, with -C ./other"},
		{"app", "example.org/nope", "no package main in example.org/nope: no required module provides package example.org/nope; to add it: go get example.org/nope"},
		{"bare", "./sample", "./sample is a separate module: start in that directory, with -C ./sample"},
		{"bare/loose", ".", "no go.mod in $DIR/bare/loose or above it: run `go mod init example.com/app` in the app's directory"},
	} {
		t.Run(test.dir+" "+strings.ReplaceAll(test.pkg, "/", "_"), func(t *testing.T) {
			_, err := Load(t.Context(), Options{Dir: filepath.Join(dir, test.dir), Package: test.pkg})
			if err == nil {
				t.Fatal("no error")
			}
			equal(t, "error", filepath.ToSlash(err.Error()), strings.ReplaceAll(test.want, "$DIR", filepath.ToSlash(dir)))
		})
	}
	t.Run("no go", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		_, err := Load(t.Context(), Options{Dir: filepath.Join(dir, "app"), Package: "./cmd/x"})
		if err == nil || !strings.Contains(err.Error(), "no go command on PATH: install Go from") {
			t.Errorf("error %v", err)
		}
	})
}

// found is the package that is built in dir when none is named.
func found(t *testing.T, dir string) (string, error) {
	t.Helper()
	g, err := Load(t.Context(), Options{Dir: dir})
	if err != nil {
		return "", err
	}
	return g.Package, nil
}

func TestFind(t *testing.T) {
	const library = "package lib\n"
	for name, test := range map[string]struct {
		files     map[string]string
		want, err string
	}{
		"here":             {map[string]string{"main.go": emptyMain, "cmd/x/x.go": emptyMain}, ".", ""},
		"here, unreadable": {map[string]string{"main.go": "packge main\n"}, ".", ""},
		"one command":      {map[string]string{"lib.go": library, "cmd/x/main.go": emptyMain, "cmd/helper/h.go": library, "sample/main.go": emptyMain}, "./cmd/x", ""},
		"cmd itself":       {map[string]string{"cmd/main.go": emptyMain}, "./cmd", ""},
		"one of two by constraint": {map[string]string{"cmd/x/main.go": emptyMain, "cmd/y/y.go": "//go:build never\n\n" + emptyMain},
			"./cmd/x", ""},
		"two commands": {map[string]string{"cmd/x/main.go": emptyMain, "cmd/deep/y/main.go": emptyMain}, "",
			"2 packages main under ./cmd, name one of them:\n  ./cmd/deep/y\n  ./cmd/x"},
		"elsewhere": {map[string]string{"cmd/lib/l.go": library, "sample/main.go": emptyMain, "tools/gen/main.go": emptyMain}, "",
			"no package main here or under ./cmd, name one of those there are:\n  ./sample\n  ./tools/gen"},
		"none": {map[string]string{"lib.go": library}, "", "no package main in $DIR or below it: name the directory that has func main"},
	} {
		t.Run(name, func(t *testing.T) {
			test.files["go.mod"] = mod("example.com/app")
			dir := tree(t, test.files)
			pkg, err := found(t, dir)
			equal(t, "package", pkg, test.want)
			got := ""
			if err != nil {
				got = err.Error()
			}
			equal(t, "error", got, strings.ReplaceAll(test.err, "$DIR", dir))
		})
	}
	t.Run("no module", func(t *testing.T) {
		_, err := found(t, tree(t, map[string]string{"main.go": emptyMain}))
		if err == nil || !strings.HasPrefix(err.Error(), "no go.mod in ") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("broken module", func(t *testing.T) {
		_, err := found(t, tree(t, map[string]string{"main.go": emptyMain, "go.mod": "bogus\n"}))
		if err == nil || !strings.Contains(err.Error(), "go.mod:1: unknown directive: bogus") {
			t.Errorf("error %v", err)
		}
	})
}
