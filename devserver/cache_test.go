//go:build unix

package devserver

import (
	"os"
	"path/filepath"
	"testing"
)

// What somebody else can change is not taken from the cache.
func TestWhoseTheCacheIs(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(t *testing.T, base, dir string) error
		path   bool // whether the directory itself is this user's alone
		tree   bool // and what is in it
	}{
		{"as devrun makes it", func(*testing.T, string, string) error { return nil }, true, true},
		{"others may read a file", func(_ *testing.T, _, dir string) error { return os.Chmod(filepath.Join(dir, "a/file"), 0o644) }, true, true},
		{"the group may write a file", func(_ *testing.T, _, dir string) error { return os.Chmod(filepath.Join(dir, "a/file"), 0o660) }, true, false},
		{"others may write a directory", func(_ *testing.T, _, dir string) error { return os.Chmod(filepath.Join(dir, "a"), 0o777) }, true, false},
		{"a link", func(_ *testing.T, _, dir string) error {
			return os.Symlink("/etc/passwd", filepath.Join(dir, "a/link"))
		}, true, false},
		{"a linker that is being built", func(_ *testing.T, _, dir string) error {
			return os.MkdirAll(filepath.Join(dir, "build-1/x"), 0o777)
		}, true, true},
		{"others may look", func(_ *testing.T, _, dir string) error { return os.Chmod(dir, 0o755) }, false, true},
		{"others may write", func(_ *testing.T, _, dir string) error { return os.Chmod(dir, 0o777) }, false, false},
		{"others may write above", func(_ *testing.T, base, _ string) error { return os.Chmod(base, 0o777) }, false, true},
		{"all may write above what is theirs", func(_ *testing.T, base, _ string) error { return os.Chmod(base, 0o777|os.ModeSticky) }, true, true},
		{"the group may write above", func(_ *testing.T, base, _ string) error { return os.Chmod(base, 0o775) }, true, true},
		{"another user's file", func(t *testing.T, _, dir string) error { return chown(t, filepath.Join(dir, "a/file")) }, true, false},
		{"another user's directory", func(t *testing.T, _, dir string) error { return chown(t, dir) }, false, false},
		{"another user's above", func(t *testing.T, base, _ string) error { return chown(t, base) }, false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			base := filepath.Join(t.TempDir(), "base")
			dir := filepath.Join(base, "dir")
			if err := os.MkdirAll(filepath.Join(dir, "a"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "a/file"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := test.change(t, base, dir); err != nil {
				t.Fatal(err)
			}
			if err := ownPath(dir); (err == nil) != test.path {
				t.Errorf("the directory: %v", err)
			}
			if err := ownTree(dir); (err == nil) != test.tree {
				t.Errorf("what is in it: %v", err)
			}
		})
	}
}

func chown(t *testing.T, path string) error {
	if os.Getuid() != 0 {
		t.Skip("NOT TESTED: only root can make files of another user")
	}
	return os.Lchown(path, 1234, 1234)
}

// A binary is replaced under the name that the app was started with; who runs the one
// before keeps it, and the same one is put there twice.
func TestPlace(t *testing.T) {
	base, builds := t.TempDir(), t.TempDir()
	if err := os.Chmod(base, 0o700); err != nil {
		t.Fatal(err)
	}
	p, err := openPlace(base, "app", Config{Dir: "/src/app"})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"one", "two", "two", "one"} {
		build := filepath.Join(builds, text)
		if err := os.WriteFile(build, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := p.put(build); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(p.path); err != nil || string(got) != text {
			t.Errorf("at the place is %q instead of %q: %v", got, text, err)
		}
		entries, err := os.ReadDir(filepath.Dir(p.path))
		if err != nil || len(entries) != 1 {
			t.Errorf("beside it: %v %v", entries, err)
		}
		if got, err := os.ReadFile(build); err != nil || string(got) != text {
			t.Errorf("the build has become %q: %v", got, err)
		}
	}
	other, err := openPlace(base, "app", Config{Dir: "/src/other"})
	if err != nil {
		t.Fatal(err)
	}
	beside, err := openPlace(base, "app", Config{Dir: "/src/app"})
	if err != nil {
		t.Fatal(err)
	}
	if other.path == p.path || beside.path == p.path || beside.path == other.path {
		t.Errorf("the places are %s, %s and %s", p.path, other.path, beside.path)
	}
	for _, p := range []place{p, other, beside} {
		p.close()
	}
	if entries, err := os.ReadDir(base); err != nil || len(entries) != 0 {
		t.Errorf("left: %v %v", entries, err)
	}
	if again, err := openPlace(base, "app", Config{Dir: "/src/app"}); err != nil || again.path != p.path {
		t.Errorf("the next run has its place at %s, not %s: %v", again.path, p.path, err)
	}
	if none, err := openPlace("", "app", Config{}); err != nil || filepath.Base(none.path) != "app" {
		t.Errorf("without a cache: %s %v", none.path, err)
	} else {
		none.close()
	}
}
