//go:build linux

package expr

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// keepAll puts the files into the app under test.
func keepAll(dir string, put func(string, []byte) error) error {
	for _, pkg := range []string{".", "shop"} {
		if err := put(filepath.Join(pkg, LinkRootsFile), LinkRoots(parsed(filepath.Join(dir, pkg)))); err != nil {
			return err
		}
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return err
	}
	std, err := StdLinkRoots("hook", strings.TrimSpace(string(root)), runtime.GOOS, runtime.GOARCH)
	if err != nil {
		return err
	}
	return put("hook/"+LinkRootsFile, std)
}

func parsed(dir string) (files []*ast.File) {
	names, _ := filepath.Glob(filepath.Join(dir, "*.go"))
	for _, n := range names {
		if f, err := parser.ParseFile(token.NewFileSet(), n, nil, 0); err == nil {
			files = append(files, f)
		}
	}
	return files
}

const awkward = `package main

import (
	"cmp"
	"io"
)

type Plain struct{ a int }
type list[T any] struct{ v T }
type Number interface{ ~int | ~float64 }
type Ordered interface{ cmp.Ordered }
type viaNumber Number
type Reader interface{ io.Reader; Close() error }
type Both interface{ Reader; error }
type Func func(int) int
type Alias = Plain
type AliasOf = list[int]
type foreign io.Reader
type keyable interface{ comparable }
type recursive struct{ next *recursive }

func (Plain) value()             {}
func (p *Plain) pointer(int) int { return 0 }
func (_ *Plain) _()              {}
func (a Alias) viaAlias()        {}
func (l list[T]) generic()       {}
func (f Func) Call()             {}
func generic[T any](T)           {}
func _()                         {}
func init()                      {}
func init()                      {}
func variadic(a ...interface{})  {}
func main()                      { var nil_ Plain; nil_.value() }
`

func TestLinkRootsAwkward(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("go.mod", "module example.com/awkward\n\ngo 1.25\n")
	write("main.go", awkward)
	text := string(LinkRoots(parsed(dir)))
	for _, want := range []string{"(*Plain)(nil)", "(*Plain).pointer", "Plain.value", "Alias.viaAlias", "Func.Call", "\tvariadic", "\tmain,", "(*Reader)(nil)", "(*Both)(nil)", "(*recursive)(nil)"} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not kept:\n%s", want, text)
		}
	}
	write(LinkRootsFile, text)
	cmd := exec.Command("go", "build", "-o", os.DevNull, ".")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s\n%s", err, out, text)
	}
	for _, s := range []string{"type bool int", "var nil = 1", "func nil() {}"} {
		f, err := parser.ParseFile(token.NewFileSet(), "", "package p\nfunc F() {}\n"+s, 0)
		if err != nil {
			t.Fatal(err)
		}
		if k := LinkRoots([]*ast.File{f}); k != nil {
			t.Errorf("with %s: %s", s, k)
		}
	}
}

func TestLinkRootsSize(t *testing.T) {
	kept, err := builtOnce()
	if err != nil {
		t.Fatal(err)
	}
	bare, err := makeApp(t.TempDir(), false)
	if err != nil {
		t.Fatal(err)
	}
	size := func(name string) int64 {
		i, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		return i.Size()
	}
	without, with := size(bare.binary), size(kept.binary)
	t.Logf("%d kB without, %d kB with", without>>10, with>>10)
	if with <= without || with > without+4<<20 {
		t.Errorf("%d bytes without, %d with", without, with)
	}
	if _, ok := bare.tab.code["example.com/app.v2/shop.Unused"]; ok {
		t.Error("a function that nothing calls is linked in anyway")
	}
	if _, ok := kept.tab.code["example.com/app.v2/shop.Unused"]; !ok {
		t.Error("a function that is kept is not linked in")
	}
}
