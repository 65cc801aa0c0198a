package devserver

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"devrun/devserver/internal/diskcache"
)

// place is where the app's binary lies while it runs: at the same path in every
// generation, and in every run of devrun. Apps keep data beside their binary, as they
// would beside one of go build -o; of what is there devrun removes only the binary.
type place struct {
	path string
	lock *os.File // on the directory; nil if it is of this run alone
}

// openPlace takes the place of the app in base, a directory of the user's cache. While
// another devrun has it, as for the same app at another port, it is one beside it.
// Without a base it is a temporary directory, which stays if the app leaves something
// there.
func openPlace(base, name string, cfg Config) (place, error) {
	if base != "" {
		tidyPlaces(base)
		for n := 1; n <= maxPlaces; n++ {
			dir := filepath.Join(base, name+"-"+cfg.id(6))
			if n > 1 {
				dir += fmt.Sprintf(".%d", n)
			}
			if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) || ownPath(dir) != nil {
				break
			}
			if lock, ok := hold(dir); ok {
				return place{filepath.Join(dir, name), lock}, nil
			}
		}
	}
	dir, err := os.MkdirTemp("", "devrun-app-")
	if err != nil {
		return place{}, noRoom(err)
	}
	return place{path: filepath.Join(dir, name)}, nil
}

// maxPlaces is how many runs of one app at a time have places that stay.
const maxPlaces = 16

// tidyPlaces removes the binaries of runs that were killed.
func tidyPlaces(base string) {
	entries, _ := os.ReadDir(base) // what cannot be read cannot be tidied
	for _, e := range entries {
		dir := filepath.Join(base, e.Name())
		name := e.Name()[:max(0, strings.LastIndexByte(e.Name(), '-'))]
		if !ownDir(dir) || name == "" {
			continue
		}
		if lock, ok := hold(dir); ok {
			place{filepath.Join(dir, name), lock}.close()
		}
	}
}

// put makes the binary the one at the place. Who runs the one before keeps it, and the
// file that is named stays where it is.
func (p place) put(binary string) error {
	fresh, err := os.Stat(binary)
	if err != nil {
		return fmt.Errorf("put the app in its place: %w", err)
	}
	if there, err := os.Stat(p.path); err == nil && os.SameFile(fresh, there) {
		return nil
	}
	tmp := p.path + ".devrun"
	defer os.Remove(tmp) // fails when it was renamed
	os.Remove(tmp)
	err = os.Link(binary, tmp)
	if err != nil { // on another file system
		err = diskcache.Copy(binary, tmp)
	}
	if err == nil {
		err = os.Rename(tmp, p.path)
	}
	if err != nil {
		return hinted{fmt.Errorf("put the app in its place: %w", err), "make room, or set XDG_CACHE_HOME to another directory"}
	}
	return nil
}

// close gives the place up, with all that the app keeps there.
func (p place) close() {
	if p.path == "" {
		return
	}
	os.Remove(p.path)               // not there if nothing was built
	os.Remove(filepath.Dir(p.path)) // fails if the app has left something
	if p.lock != nil {
		p.lock.Close()
	}
}

// noRoom is the error for a temporary directory that cannot be made.
func noRoom(err error) error {
	return hinted{fmt.Errorf("cannot create a directory for binaries: %w", err), "set TMPDIR to a writable directory"}
}
