package fastbuild

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"devrun/devserver/suite"
)

// One linker waits, from one question to the go command to the next, and links what
// is built next.
func TestPrelinking(t *testing.T) {
	a := newApp(t, map[string]string{"main.go": mainGo, "leaf/leaf.go": leafGo})
	first := a.build()
	if _, err := a.builder.EnablePrelinking(t.Context(), a.next(), first.Made); err == nil {
		t.Error("links are compared before it is known how they are made")
	}
	a.learn()
	for _, want := range []bool{true, false} {
		if compared, err := a.builder.EnablePrelinking(t.Context(), a.next(), first.Made); compared != want || err != nil {
			t.Errorf("compared %v, %v, want %v", compared, err, want)
		}
	}
	waits := a.builder.prelinking.prelinked
	edit := func(version string) {
		t.Helper()
		a.write("leaf/leaf.go", strings.Replace(leafGo, "f1", version, 1))
		if res := a.direct(version + "g"); !res.Ahead {
			t.Error("the linker had not begun")
		}
		if a.builder.prelinking.prelinked != nil {
			t.Error("a linker that has linked waits")
		}
	}
	// The go command names other temporary files each time.
	a.write("leaf/more.go", "package leaf\n")
	a.full("a file was added", "f1g")
	a.learn()
	a.builder.Prelink(a.next())
	if a.builder.prelinking.prelinked != waits {
		t.Error("a linker that waited has been replaced")
	}
	edit("f2")
	a.builder.Prelink(a.next())
	edit("f3")
	edit("f4") // it begins with the build

	// What is known is known to another run.
	dir := filepath.Join(t.TempDir(), "kept")
	r := a.next()
	a.learn()
	made := a.build()
	if err := a.builder.WriteCache(t.Context(), dir, r, nil); err == nil {
		t.Error("a binary is kept that is not there")
	}
	r = a.next()
	r.Output = made.Binary
	if err := a.builder.WriteCache(t.Context(), dir, r, made.Made); err != nil {
		t.Fatal(err)
	}
	cache := a.builder.prelinking.cache
	a.builder.Close()
	a.builder = New(filepath.Join(t.TempDir(), "fast"), cache)
	defer a.builder.Close()
	if err := a.builder.ReadCache(dir, r); err != nil {
		t.Fatal(err)
	}
	a.builder.Prelink(a.next())
	suite.Until(t, "the linker that is known to be right begins", func() error {
		a.builder.prelinking.mu.Lock()
		defer a.builder.prelinking.mu.Unlock()
		if a.builder.prelinking.prelinked == nil {
			return errors.New("none does")
		}
		return nil
	})
	a.build() // the kept one
	edit("f5")

	// One that fails is not asked again, and the build passes.
	linker := a.builder.prelinking.path
	if err := os.Remove(linker); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(linker, []byte("#!/bin/sh\nread args\nexit 3\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	a.write("leaf/leaf.go", strings.Replace(leafGo, "f1", "f6", 1))
	if res := a.direct("f6g"); res.Ahead {
		t.Error("what has failed has linked")
	}
	if _, err := a.builder.EnablePrelinking(t.Context(), a.next(), nil); err == nil || !strings.Contains(err.Error(), "devrun's linker has failed (exit status 3)") {
		t.Error(err)
	}
}

// A linker that makes something else is not used.
func TestLongPrelinkingDiffers(t *testing.T) {
	suite.Long(t)
	a := newApp(t, map[string]string{"main.go": mainGo, "leaf/leaf.go": leafGo})
	a.build()
	a.learn()
	rec, err := a.builder.known()
	if err != nil {
		t.Fatal(err)
	}
	path, err := a.builder.makeLinker(t.Context(), a.next(), rec)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	for script, want := range map[string]string{
		"#!/bin/sh\nread args\necho oh no\nexit 1\n":                                          "devrun's linker fails: exit status 1: oh no",
		"#!/bin/sh\nIFS='\"' read a b c out rest\necho x > \"$out\"\nprintf '\\0linked\\n'\n": "devrun's linker makes a different binary (go",
	} {
		if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
		a.builder.prelinking.off = ""
		if _, err := a.builder.EnablePrelinking(t.Context(), a.next(), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v", script, err)
		}
		if a.builder.prelinking.prelinked != nil {
			t.Errorf("%q waits", script)
		}
	}
}
