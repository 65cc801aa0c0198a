package devserver

import (
	"io/fs"
	"maps"
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

// stillAfter is for how long sources have to be as they are.
const stillAfter = 300 * time.Millisecond

// still: the sources of a generation were looked at once more.
type still struct {
	gen     int
	sources []string
	was     map[string]stamp
	now     map[string]stamp
}

// whenStill has the sources of gen, which were as was says, built again as soon as
// nobody touches them any more.
func (l *loop) whenStill(gen int, sources []string, was map[string]stamp) {
	time.AfterFunc(stillAfter, func() { l.tell(still{gen, sources, was, stamps(sources)}) })
}

func (l *loop) onStill(e still) {
	switch {
	case l.closing || l.gen != e.gen: // a newer build has seen to it
	case maps.Equal(e.was, e.now):
		l.rebuild()
	default:
		l.whenStill(e.gen, e.sources, e.now)
	}
}
