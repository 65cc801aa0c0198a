package devserver

import (
	"io/fs"
	"os"
	"time"
)

// stamp tells one state of a file from another, without reading it.
type stamp struct {
	size    int64
	changed time.Time
	mode    fs.FileMode
}

// stamps are taken before and after a build: a file that was changed while the
// compiler ran, and put back, is no change to whoever looks at the content
// only, and yet the binary may be of neither.
func stamps(files []string) map[string]stamp {
	m := make(map[string]stamp, len(files))
	for _, f := range files {
		if fi, err := os.Stat(f); err == nil {
			m[f] = stamp{fi.Size(), fi.ModTime(), fi.Mode()}
		}
	}
	return m
}

// newest is when the last of the files was written, zero when none is there.
func newest(files []string) (at time.Time) {
	for _, f := range files {
		if fi, err := os.Stat(f); err == nil && fi.ModTime().After(at) {
			at = fi.ModTime()
		}
	}
	return at
}
