//go:build unix

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A .env file that is a directory, a pipe or a device is refused, and one that is
// missing is none.
func TestDotenvHasToBeARegularFile(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	if err := syscall.Mkfifo(path("fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path("dir"), 0o700); err != nil {
		t.Fatal(err)
	}
	put(t, dir, "file", "A=1\n")
	for name, target := range map[string]string{"device": "/dev/zero", "loop": "loop", "link": "file", "dangling": "nothing"} {
		if err := os.Symlink(target, path(name)); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		"fifo":     "fifo: is not a regular file",
		"dir":      "dir: is a directory, it should be a file",
		"device":   "device: is not a regular file",
		"loop":     "loop: too many levels of symbolic links",
		"link":     "<nil>",
		"dangling": "<nil>",
		"missing":  "<nil>",
	} {
		if _, err := readDotenv(path(name)); fmt.Sprint(err) != want {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
}
