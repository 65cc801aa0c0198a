// Package diskcache writes files that another process or another run may read, and
// finds the oldest of them.
package diskcache

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Write writes a file that nobody sees half written, in a directory that it makes if
// need be.
func Write(file string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), "new-") // of a name that no other process uses
	if err != nil {
		return err
	}
	return fill(tmp, bytes.NewReader(text), file)
}

// Copy makes a copy of a program that nobody sees half written. One process at a time
// may make that copy: what it leaves when it is killed, the next one uses up.
func Copy(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	tmp, err := os.OpenFile(to+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o700)
	if err != nil {
		return err
	}
	return fill(tmp, in, to)
}

// fill writes and closes a new file, and gives it its name.
func fill(tmp *os.File, content io.Reader, name string) error {
	defer os.Remove(tmp.Name()) // fails when it was renamed
	_, err := io.Copy(tmp, content)
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), name)
}

// Oldest is all in dir that counts, but for the newest, as many as are to stay.
func Oldest(dir string, stay int, counts func(fs.FileInfo) bool) (paths []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var all []fs.FileInfo
	for _, e := range entries {
		if fi, err := e.Info(); err == nil && counts(fi) { // else another devrun tidies
			all = append(all, fi)
		}
	}
	slices.SortFunc(all, func(a, b fs.FileInfo) int {
		return cmp.Or(b.ModTime().Compare(a.ModTime()), cmp.Compare(a.Name(), b.Name()))
	})
	for _, fi := range all[min(stay, len(all)):] {
		paths = append(paths, filepath.Join(dir, fi.Name()))
	}
	return paths, nil
}
