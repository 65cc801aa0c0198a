package logfile

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func open(t *testing.T, path string, maxBytes int64, backups int) *File {
	t.Helper()
	f, err := Open(path, maxBytes, backups)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func write(t *testing.T, f *File, records ...string) {
	t.Helper()
	for _, r := range records {
		if n, err := f.Write([]byte(r)); n != len(r) || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
	}
}

// record is a record of n bytes.
func record(n int, letter string) string { return strings.Repeat(letter, n-1) + "\n" }

// contents are the files of a directory by name.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[e.Name()] = string(b)
	}
	return all
}

func same(t *testing.T, got, want map[string]string) {
	t.Helper()
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("there is %s, %d bytes", name, len(got[name]))
		}
	}
	for name, w := range want {
		if g, ok := got[name]; !ok || g != w {
			t.Errorf("%s is %d bytes (%v), want %d: %.40q, want %.40q", name, len(g), ok, len(w), g, w)
		}
	}
}

func TestRollsBeforeTheLimit(t *testing.T) {
	for _, c := range []struct {
		name    string
		before  string
		records []string
		want    map[string]string
	}{
		{"one byte below", "", []string{record(60, "a"), record(39, "b")}, map[string]string{"x.log": record(60, "a") + record(39, "b")}},
		{"the limit", "", []string{record(60, "a"), record(40, "b")}, map[string]string{"x.log": record(40, "b"), "x.log.1": record(60, "a")}},
		{"what was there counts", record(60, "o"), []string{record(40, "b")}, map[string]string{"x.log": record(40, "b"), "x.log.1": record(60, "o")}},
		{"a long record into nothing", "", []string{record(500, "a")}, map[string]string{"x.log": record(500, "a")}},
		{"a long record is alone", "", []string{record(10, "a"), record(500, "b"), record(10, "c")},
			map[string]string{"x.log": record(10, "c"), "x.log.1": record(500, "b"), "x.log.2": record(10, "a")}},
		{"the oldest goes", "", []string{record(99, "a"), record(99, "b"), record(99, "c"), record(99, "d")},
			map[string]string{"x.log": record(99, "d"), "x.log.1": record(99, "c"), "x.log.2": record(99, "b")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "x.log")
			if c.before != "" {
				if err := os.WriteFile(path, []byte(c.before), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			write(t, open(t, path, 100, 2), c.records...)
			same(t, contents(t, dir), c.want)
		})
	}
}

func TestNeverRolls(t *testing.T) {
	for _, c := range []struct {
		maxBytes int64
		backups  int
	}{{0, 3}, {10, 0}} {
		dir := t.TempDir()
		write(t, open(t, filepath.Join(dir, "logs", "x.log"), c.maxBytes, c.backups), record(99, "a"), record(99, "b"))
		same(t, contents(t, filepath.Join(dir, "logs")), map[string]string{"x.log": record(99, "a") + record(99, "b")})
	}
}

func TestDirectoryCannotBeMade(t *testing.T) {
	file := filepath.Join(t.TempDir(), "logs")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(filepath.Join(file, "x.log"), 100, 1); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("%v", err)
	}
}

// What the file does not take is read on stderr; when it can be written again,
// it is.
func TestWhatTheFileDoesNotTake(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.log")
	f := open(t, path, 100, 2)
	var stderr bytes.Buffer
	f.fallback = &stderr
	write(t, f, record(60, "a"))
	obstacle := path + ".2"
	if err := os.MkdirAll(filepath.Join(obstacle, "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, f, record(60, "b"))
	if stderr.Len() != 0 {
		t.Fatalf("the first backup is no trouble: %s", &stderr)
	}
	write(t, f, record(60, "c"), record(60, "d"))
	said, rest, _ := strings.Cut(stderr.String(), "\n")
	if !strings.HasPrefix(said, "log file: rename ") || rest != record(60, "c")+record(60, "d") {
		t.Errorf("%q, then %q", said, rest)
	}
	if err := os.RemoveAll(obstacle); err != nil {
		t.Fatal(err)
	}
	stderr.Reset()
	write(t, f, record(60, "e"))
	same(t, contents(t, dir), map[string]string{"x.log": record(60, "e"), "x.log.1": record(60, "b"), "x.log.2": record(60, "a")})
	if stderr.Len() != 0 {
		t.Errorf("still on stderr: %q", &stderr)
	}
}

func TestRemovedFileIsMadeAgain(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.log")
	f := open(t, path, 100, 2)
	write(t, f, record(10, "a"))
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	write(t, f, record(10, "b"))
	same(t, contents(t, dir), map[string]string{"x.log": record(10, "b")})

	var stderr bytes.Buffer
	f.fallback = &stderr
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	write(t, f, record(10, "c"))
	if !strings.HasSuffix(stderr.String(), record(10, "c")) {
		t.Errorf("%q", &stderr)
	}
}

func TestClosed(t *testing.T) {
	f := open(t, filepath.Join(t.TempDir(), "x.log"), 100, 1)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("x\n")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("%v", err)
	}
	if err := f.Close(); err != nil {
		t.Errorf("a second time: %v", err)
	}
}

func TestConcurrentWriters(t *testing.T) {
	const writers, each = 16, 1250
	dir := t.TempDir()
	f := open(t, filepath.Join(dir, "x.log"), 10240, 10)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for n := range each {
				if _, err := fmt.Fprintf(f, "%d %d %s\n", w, n, strings.Repeat("x", n%80)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	suffixes(t, dir, 10240, writers, each)
}

// suffixes fails unless the files, read from the oldest on, hold whole records
// only, of each writer the last ones without a gap, and each file is below the
// limit.
func suffixes(t *testing.T, dir string, limit, writers, each int) {
	t.Helper()
	all := contents(t, dir)
	var log strings.Builder
	for i := 10; i >= 0; i-- {
		name := "x.log"
		if i > 0 {
			name += fmt.Sprintf(".%d", i)
		}
		if text, ok := all[name]; ok {
			if len(text) >= limit || text == "" {
				t.Errorf("%s has %d bytes", name, len(text))
			}
			log.WriteString(text)
			delete(all, name)
		}
	}
	for name := range all {
		t.Errorf("there is %s", name)
	}
	next := map[int]int{}
	lines := 0
	for line := range strings.Lines(log.String()) {
		var w, n int
		var rest string
		if c, err := fmt.Sscanf(line, "%d %d %s\n", &w, &n, &rest); c < 2 || err != nil && n%80 != 0 || rest != strings.Repeat("x", n%80) || !strings.HasSuffix(line, "\n") {
			t.Fatalf("torn: %q (%d, %v)", line, c, err)
		}
		if want, ok := next[w]; ok && n != want {
			t.Fatalf("writer %d: %d after %d", w, n, want-1)
		}
		next[w], lines = n+1, lines+1
	}
	for w, n := range next {
		if n != each {
			t.Errorf("writer %d ends at %d, not %d", w, n, each)
		}
	}
	if lines == 0 {
		t.Error("nothing was written")
	}
}

func FuzzFile(f *testing.F) {
	f.Add([]byte{10, 90, 200, 1, 99}, uint8(100), uint8(2))
	f.Add([]byte{0, 0, 1}, uint8(1), uint8(1))
	f.Fuzz(func(t *testing.T, sizes []byte, limit, backups uint8) {
		backups %= 12
		if len(sizes) > 60 {
			return
		}
		dir := t.TempDir()
		file := open(t, filepath.Join(dir, "x.log"), int64(limit), int(backups))
		// The rule once more, on strings.
		logs := make([]string, backups+1)
		there := 0
		for i, n := range sizes {
			r := record(int(n)+1, string(rune('a'+i%26)))
			write(t, file, r)
			if limit > 0 && backups > 0 && logs[0] != "" && len(logs[0])+len(r) >= int(limit) {
				copy(logs[1:], logs)
				logs[0] = ""
				there = min(there+1, int(backups))
			}
			logs[0] += r
		}
		want := map[string]string{}
		for i, text := range logs[:there+1] {
			want[filepath.Base(file.name(i))] = text
		}
		same(t, contents(t, dir), want)
	})
}
