// Package stamp tells one state of a file from another without reading it.
package stamp

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"time"
)

// Stamp is the state of a file; the zero Stamp is that of one which is not there.
type Stamp struct {
	size    int64
	changed time.Time
	mode    fs.FileMode
}

// Of is the state that fi is of.
func Of(fi fs.FileInfo) Stamp { return Stamp{fi.Size(), fi.ModTime(), fi.Mode()} }

// Now is the state of a file as it is, followed where it is a link.
func Now(path string) Stamp {
	fi, err := os.Stat(path)
	if err != nil {
		return Stamp{}
	}
	return Of(fi)
}

func (s Stamp) String() string { return fmt.Sprint(s.size, s.changed, s.mode) }

// Stamps are those of several files.
type Stamps map[string]Stamp

// All takes the stamps of files. They are taken before and after a build: a file that
// was changed while the compiler ran, and put back, is no change to whoever looks at the
// content only, and yet the binary may be of neither.
func All(files []string) Stamps {
	s := make(Stamps, len(files))
	for _, f := range files {
		s[f] = Now(f)
	}
	return s
}

// Equal reports whether nothing was touched between the two.
func (s Stamps) Equal(other Stamps) bool { return maps.Equal(s, other) }
