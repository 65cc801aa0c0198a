package fastbuild

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
)

// key is of everything that an archive is made of.
type key [sha256.Size]byte

// archive is a compiled package.
type archive struct {
	path        string
	fingerprint [8]byte // of its export data: what a compiler reads of it
}

// store has the archives that were made here.
type store struct {
	dir  string
	made map[key]*stored
	turn int // counts builds
}

type stored struct {
	archive
	used int // the turn in which it was last wanted
}

// maxTurns is for how many builds an archive that is not wanted is kept: undo,
// and going back and forth between two versions, then costs a link only.
const maxTurns = 16

func newStore(dir string) *store { return &store{dir: dir, made: map[key]*stored{}} }

func (s *store) get(k key) (archive, bool) {
	a := s.made[k]
	if a == nil {
		return archive{}, false
	}
	if _, err := os.Stat(a.path); err != nil { // somebody tidies up
		delete(s.made, k)
		return archive{}, false
	}
	a.used = s.turn
	return a.archive, true
}

func (s *store) put(k key, a archive) { s.made[k] = &stored{a, s.turn} }

// prune removes what was not wanted for long, at the end of a build.
func (s *store) prune() {
	for k, a := range s.made {
		if s.turn-a.used > maxTurns {
			delete(s.made, k)
			_ = os.Remove(a.path) // a file more does no harm
		}
	}
	s.turn++
}

// place is where the archive of a key belongs.
func (s *store) place(k key) string { return filepath.Join(s.dir, fmt.Sprintf("%x.a", k)) }

// readArchive reads the fingerprint of the archive at path: the last 8 bytes of
// the export data, which is the first member.
func readArchive(path string) (archive, error) {
	const (
		magic   = "!<arch>\n"
		header  = 60 // of a member: name 16, ..., size at 48, 10 wide
		end     = "\n$$\n"
		mustFor = "read the export data of %s: %w"
	)
	a := archive{path: path}
	f, err := os.Open(path)
	if err != nil {
		return a, err
	}
	defer f.Close()
	head := make([]byte, len(magic)+header)
	if _, err := io.ReadFull(f, head); err != nil {
		return a, fmt.Errorf(mustFor, path, err)
	}
	member := head[len(magic):]
	size, err := strconv.ParseInt(string(bytes.TrimSpace(member[48:58])), 10, 64)
	if err != nil || string(head[:len(magic)]) != magic || string(bytes.TrimSpace(member[:16])) != "__.PKGDEF" {
		return a, fmt.Errorf(mustFor, path, errors.New("it is not an archive of a Go package"))
	}
	tail := make([]byte, len(a.fingerprint)+len(end))
	if _, err := f.ReadAt(tail, int64(len(head))+size-int64(len(tail))); err != nil {
		return a, fmt.Errorf(mustFor, path, err)
	}
	if string(tail[len(a.fingerprint):]) != end {
		return a, fmt.Errorf(mustFor, path, errors.New("it ends in another way"))
	}
	copy(a.fingerprint[:], tail)
	return a, nil
}
