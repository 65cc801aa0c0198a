package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"devrun/devserver/suite"
)

// What go build -v says of packages is counted, all else passed on.
func TestProgressLines(t *testing.T) {
	var out capture
	out.limit = 1 << 10
	var told []string
	p := newProgress(Request{
		Imports: map[string]bool{"fmt": true, "example.com/app": true, "net/http": true}, HookPattern: "example.com/app/zz",
		Progress: func(done, of int) { told = append(told, fmt.Sprint(done, "/", of)) },
	})
	p.to = &out
	for _, s := range []string{"fm", "t\n# example.com/app\n./main.go:3:1: fmt\n", "net/http\nfmt \nexample.com/app/zz/s\n", "the end"} {
		if n, err := p.Write([]byte(s)); n != len(s) || err != nil {
			t.Fatal(n, err)
		}
		p.of = 3
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "# example.com/app\n./main.go:3:1: fmt\nfmt \nthe end"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := strings.Join(told, " "); got != "1/3 2/3 3/3" || len(p.begun) != 3 {
		t.Errorf("told %s, %d in all", got, len(p.begun))
	}
}

// A failed build that is counted names no package as an error, whether or not it was
// known to be one of the app's.
func TestProgressOfAFailure(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{
		"go.mod":     "module example.com/app\n\ngo 1.25\n",
		"main.go":    "package main\n\nimport _ \"example.com/app/sub\"\n\nfunc main() { undefined() }\n",
		"sub/sub.go": "package sub\n\nconst Now = \"" + t.Name() + time.Now().String() + "\"\n",
	})
	for _, known := range []map[string]bool{nil, {"example.com/app": true}, {"example.com/app": true, "example.com/app/sub": true}} {
		_, err := Run(context.Background(), Request{
			Dir: dir, Package: ".", Output: filepath.Join(t.TempDir(), "app"), Imports: known, Progress: func(int, int) {},
		})
		failure, ok := errors.AsType[*Failure](err)
		if !ok {
			t.Fatal(err)
		}
		if want := "# example.com/app\n./main.go:5:15: undefined: undefined\n"; failure.Output != want || len(failure.Diagnostics) != 1 {
			t.Errorf("with %v: %q, %v", known, failure.Output, failure.Diagnostics)
		}
	}
}

// Nor does another command of the go command's that is counted and fails.
func TestCountedError(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{
		"go.mod":     "module example.com/app\n\ngo 1.25\n",
		"main.go":    "package main\n\nimport _ \"example.com/app/sub\"\n\nfunc main() { undefined() }\n",
		"sub/sub.go": "package sub\n\nconst Now = \"" + t.Name() + time.Now().String() + "\"\n",
	})
	r := Request{Dir: dir, Imports: map[string]bool{"example.com/app": true, "example.com/app/sub": true}, Progress: func(int, int) {}}
	c, line, ended := Counted(context.Background(), r, r.Command("go"), []string{"list", "-export", "-deps", "."}, []string{"."})
	defer ended()
	_, stderr, err := c.Output(context.Background(), line...)
	if err == nil || !strings.HasSuffix(err.Error(), ": # example.com/app") || strings.Contains(string(stderr), "/sub") {
		t.Errorf("%q, %v", stderr, err)
	}
}

// A build with an empty cache tells how far it is, and ends near what it said: some
// packages need no compiler.
func TestLongProgress(t *testing.T) {
	suite.Long(t)
	dir := t.TempDir()
	for name, text := range map[string]string{"go.mod": "module example.com/app\n\ngo 1.25\n", "main.go": "package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println() }\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	r := Request{Dir: dir, Package: ".", Output: filepath.Join(t.TempDir(), "app"), Env: append(os.Environ(), "GOCACHE="+t.TempDir())}
	r.Imports = map[string]bool{}
	list, _, err := r.Command("go").Output(context.Background(), "list", "-deps", ".")
	if err != nil {
		t.Fatal(err)
	}
	for pkg := range strings.FieldsSeq(string(list)) {
		r.Imports[pkg] = true
	}
	last, of := 0, 0
	r.Progress = func(d, o int) {
		if d < last || d > o || o < 20 {
			t.Errorf("%d of %d after %d of %d", d, o, last, of)
		}
		last, of = d, o
	}
	if _, err := Run(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	if last == 0 || of-last > 10 {
		t.Errorf("at the end %d of %d", last, of)
	}
	t.Logf("%d of %d", last, of)
}
