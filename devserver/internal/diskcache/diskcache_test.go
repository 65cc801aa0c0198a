package diskcache

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

func TestWriteAndCopy(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made")
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
	for _, text := range []string{"first", "second"} { // over what is there
		if err := Write(one, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := Copy(one, two); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(two); string(got) != text || err != nil {
			t.Errorf("the copy is %q, %v", got, err)
		}
	}
	if fi, err := os.Stat(two); err != nil || fi.Mode().Perm()&0o100 == 0 {
		t.Errorf("the copy cannot be run: %v, %v", fi, err)
	}
	if err := Copy(filepath.Join(dir, "none"), two); err == nil {
		t.Error("nothing was copied without an error")
	}
	if err := Copy(dir, two); err == nil { // opens, and cannot be read
		t.Error("a directory was copied without an error")
	}
	if got := names(t, dir); got != "one two" {
		t.Errorf("%s are there", got)
	}
}

func TestOldest(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	for i, name := range []string{"d", "c", "b", "a", "other"} {
		path := filepath.Join(dir, name)
		if err := Write(filepath.Join(path, "file"), nil); err != nil {
			t.Fatal(err)
		}
		at := now.Add(-time.Duration(i/2) * time.Hour) // d and c are the newest
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		stay int
		want string
	}{{9, ""}, {3, "b"}, {1, "d a b"}, {0, "c d a b"}} {
		paths, err := Oldest(dir, step.stay, func(fi fs.FileInfo) bool { return fi.Name() != "other" })
		if err != nil {
			t.Fatal(err)
		}
		got := strings.ReplaceAll(strings.Join(paths, " "), dir+string(filepath.Separator), "")
		if got != step.want {
			t.Errorf("%d are to stay: %q, want %q", step.stay, got, step.want)
		}
	}
	if _, err := Oldest(filepath.Join(dir, "none"), 1, nil); err == nil {
		t.Error("a directory that is not there was read")
	}
}
