package fastbuild

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"devrun/devserver/internal/build"
	"devrun/devserver/suite"
)

// again is the same app in another run of devrun.
func (a *app) again() {
	a.t.Helper()
	a.builder = New(filepath.Join(a.t.TempDir(), "fast"), "")
}

// The next run gives the binary of the last one if nothing has changed, and goes on
// without the go command.
func TestCache(t *testing.T) {
	a := newApp(t, map[string]string{"main.go": mainGo, "leaf/leaf.go": leafGo})
	dir := filepath.Join(t.TempDir(), "kept", "app")
	log := filepath.Join(a.watched(t), "log")
	r := a.next()
	if _, err := a.builder.Build(t.Context(), r, nil); err != nil {
		t.Fatal(err)
	}
	a.learn()
	keep := func(r build.Request, m *Made) {
		t.Helper()
		if err := a.builder.WriteCache(t.Context(), dir, r, m); err != nil {
			t.Fatal(err)
		}
	}
	restored := func(says string) {
		t.Helper()
		a.again()
		before, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		if err := a.builder.ReadCache(dir, a.request); err != nil {
			t.Fatal(err)
		}
		if res := a.direct(says); !res.Cached {
			t.Error("it was linked")
		}
		if after, err := os.ReadFile(log); err != nil || string(after) != string(before) {
			t.Errorf("the go command was run (%v):\n%s", err, after[len(before):])
		}
	}
	keep(r, nil)
	restored("f1g")
	a.write("leaf/leaf.go", strings.Replace(leafGo, "f1", "f2", 1))
	res := a.direct("f2g")
	if res.Cached {
		t.Error("the kept binary is given twice")
	}
	a.again()
	if err := a.builder.ReadCache(dir, a.request); err == nil || err.Error() != "files have changed" {
		t.Errorf("error %v", err)
	}
	a.full(notLearned, "f2g")

	// What was built directly is kept when go build has built it, too.
	a.learn()
	a.write("leaf/leaf.go", strings.Replace(leafGo, "f1", "f3", 1))
	r = a.next()
	res, err := a.builder.Build(t.Context(), r, nil)
	if err != nil || res.Full != "" {
		t.Fatalf("%v, go build because %q", err, res.Full)
	}
	if err := a.builder.Verify(t.Context(), a.next(), res.Made); err != nil {
		t.Fatal(err)
	}
	keep(r, res.Made)
	restored("f3g")
	if files, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(files) != 2 {
		t.Errorf("there are %q (%v)", files, err)
	}
}

// A binary is kept only with what it was made of, and given only as it was kept.
func TestLongCacheRefuses(t *testing.T) {
	suite.Long(t)
	a := newApp(t, map[string]string{"main.go": mainGo, "leaf/leaf.go": leafGo})
	dir := t.TempDir()
	r := a.next()
	if _, err := a.builder.Build(t.Context(), r, nil); err != nil {
		t.Fatal(err)
	}
	a.write("leaf/leaf.go", strings.Replace(leafGo, "f1", "f2", 1))
	a.learn()
	if err := a.builder.WriteCache(t.Context(), dir, r, nil); !errors.Is(err, errMoved) {
		t.Errorf("a binary of other files: %v", err)
	}
	old := a.direct("f2g")
	a.write("leaf/leaf.go", strings.Replace(leafGo, "f1", "f3", 1))
	if err := a.builder.WriteCache(t.Context(), dir, r, old.Made); !errors.Is(err, errMoved) {
		t.Errorf("a binary of other files: %v", err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 0 {
		t.Errorf("there are %q (%v)", files, err)
	}
	a.write("leaf/leaf.go", strings.Replace(leafGo, "f1", "f2", 1))
	if err := a.builder.WriteCache(t.Context(), dir, r, old.Made); err != nil {
		t.Fatal(err)
	}
	refused := func(why string) {
		t.Helper()
		a.again()
		if err := a.builder.ReadCache(dir, a.request); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("error %v, want one with %q", err, why)
		}
		a.full(notLearned, "f2g")
	}
	a.request.Tags = "other"
	refused("flags or the environment")
	a.request.Tags = ""
	a.write("go.mod", appMod+"\n")
	refused("files have changed")
	a.write("go.mod", appMod)
	a.write("leaf/more_windows.go", "package leaf\n")
	refused("files have changed")
	a.remove("leaf/more_windows.go")
	binary, err := filepath.Glob(filepath.Join(dir, cacheBinary+"*"))
	if err != nil || len(binary) != 1 {
		t.Fatal(binary, err)
	}
	if err := os.WriteFile(binary[0], []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	refused("not what it was")
	if err := os.WriteFile(filepath.Join(dir, cacheFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	refused("read app.json")
}
