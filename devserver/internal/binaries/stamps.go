package binaries

import (
	"io/fs"
	"maps"
	"os"
	"time"
)

// Stamps tell one state of files from another, without reading them; a file that is not
// there has none.
type Stamps map[string]stamp

type stamp struct {
	size    int64
	changed time.Time
	mode    fs.FileMode
}

// Stat takes them. They are taken before and after a build: a file that was changed
// while the compiler ran, and put back, is no change to whoever looks at the content
// only, and yet the binary may be of neither.
func Stat(files []string) Stamps {
	s := make(Stamps, len(files))
	for _, f := range files {
		if fi, err := os.Stat(f); err == nil {
			s[f] = stamp{fi.Size(), fi.ModTime(), fi.Mode()}
		}
	}
	return s
}

// Equal reports whether nothing was touched between the two.
func (s Stamps) Equal(other Stamps) bool { return maps.Equal(s, other) }
