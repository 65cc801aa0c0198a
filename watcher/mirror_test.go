package watcher

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"devrun/devserver/suite"
)

// mirror is what a receiver of batches knows. One that takes them late reads content
// that the watcher has not seen yet. If the file is then back to what was told, there
// is nothing to tell, as the package says of its limits; so a late one asks for that.
type mirror struct {
	t     testing.TB
	files map[string]string
	late  *Watcher         // nil: batches are taken at once
	told  map[string]*file // of a late one: what a file was when a batch named it
}

func newMirror(t testing.TB, root string) *mirror {
	return &mirror{t: t, files: onDisk(t, root), told: map[string]*file{}}
}

// apply reads the files that a batch names, as a build would, and fails when the
// batch makes no sense after those before it.
func (m *mirror) apply(batch Batch) {
	m.t.Helper()
	if m.late != nil {
		m.hear(batch)
	}
	for i, c := range batch {
		if i > 0 && batch[i-1].Path >= c.Path {
			m.t.Fatalf("not sorted, or twice: %v", batch)
		}
		if _, known := m.files[c.Path]; known == (c.Op == Created) {
			m.t.Fatalf("%s, but it was known: %v", c, known)
		}
		if c.Op == Removed {
			delete(m.files, c.Path)
			continue
		}
		text, err := os.ReadFile(c.Path)
		if err != nil { // gone again; its removal must come
			text = []byte("gone")
		}
		m.files[c.Path] = fmt.Sprintf("%x", sha256.Sum256(text))
	}
}

func (m *mirror) hear(batch Batch) {
	m.t.Helper()
	must(m.t, m.late.do(func() {
		for _, c := range batch {
			f := m.late.pending.base(c.Path)
			if n := m.late.snap.nodes[filepath.Dir(c.Path)]; f == nil && n != nil {
				f = n.files[filepath.Base(c.Path)]
			}
			m.told[c.Path] = f
		}
	}))
}

// readAhead reports whether the file at path is what was told of it last.
func (m *mirror) readAhead(path string) (ahead bool) {
	told := m.told[path]
	if told == nil {
		return false
	}
	must(m.t, m.late.do(func() {
		now := file{size: told.size}
		m.late.snap.hasher.fill(path, &now)
		ahead = told.hashed && now.hashed && now.sum == told.sum
	}))
	return ahead
}

// equals compares the receiver's knowledge with the disk.
func (m *mirror) equals(root string) error { return m.compare(onDisk(m.t, root)) }

func (m *mirror) compare(real map[string]string) error {
	for path, sum := range real {
		if m.files[path] != sum && !m.readAhead(path) {
			return fmt.Errorf("%s: the receiver has %.8q, the disk %.8q", path, m.files[path], sum)
		}
	}
	for path := range m.files {
		if _, ok := real[path]; !ok {
			return fmt.Errorf("%s: is gone, and the receiver does not know", path)
		}
	}
	return nil
}

// follow takes batches until the mirror equals the disk.
func (m *mirror) follow(w *Watcher, root string) {
	m.t.Helper()
	suite.Until(m.t, "what was told is what is there", func() error {
		for {
			select {
			case batch := <-w.Batches():
				m.apply(batch)
				continue
			case <-time.After(5 * time.Millisecond):
				return m.equals(root)
			}
		}
	})
}

// onDisk is what a tree without ignored files holds: path to content hash.
func onDisk(t testing.TB, root string) map[string]string {
	t.Helper()
	files := map[string]string{}
	must(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files[path] = sum(t, path)
		return nil
	}))
	return files
}

func sum(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	return fmt.Sprintf("%x", sha256.Sum256(text))
}

// tracked is onDisk without .git.
func tracked(t testing.TB, root string) map[string]string {
	t.Helper()
	files := onDisk(t, root)
	for path := range files {
		if strings.HasPrefix(path, filepath.Join(root, ".git")+string(filepath.Separator)) {
			delete(files, path)
		}
	}
	return files
}
