package watcher

import (
	"errors"
	"hash/maphash"
	"io"
	"io/fs"
	"os"
	"time"
)

const (
	// maxHash is the size up to which content decides: above it reading would
	// delay the next change by more than it could save.
	maxHash = 8 << 20

	// tick is how long a file may still change without its times telling: twice
	// the slowest kernel clock (100 Hz) that stamps files.
	tick = 20 * time.Millisecond

	// coarseTick is the same for file systems that store whole seconds, or, as
	// FAT does, every second one.
	coarseTick = 2100 * time.Millisecond
)

// file is what the snapshot knows of one file. It is never changed after it was
// emitted, except that hash fills in sum.
type file struct {
	size  int64
	mtime int64 // ns
	ctime int64 // ns; 0 where there is none
	ino   uint64

	sum    uint64
	hashed bool
	racy   bool // it was looked at so soon after its last change that times cannot be trusted
}

// newFile describes a file by info, which was read after the time began.
func newFile(info fs.FileInfo, began time.Time) *file {
	f := &file{size: info.Size(), mtime: info.ModTime().UnixNano()}
	f.ino, f.ctime = inodeOf(info)
	// A time far ahead is a clock that is wrong, not a change that is fresh.
	age := began.Sub(f.changed())
	f.racy = age < f.tick() && age > -time.Minute
	return f
}

func (f *file) changed() time.Time {
	if f.ctime != 0 {
		return time.Unix(0, f.ctime)
	}
	return time.Unix(0, f.mtime)
}

func (f *file) tick() time.Duration {
	if f.changed().Nanosecond() == 0 {
		return coarseTick
	}
	return tick
}

// settled is the time from which the file's times can be trusted.
func (f *file) settled() time.Time { return f.changed().Add(f.tick() + time.Millisecond) }

// untouched reports whether nothing at all was done to the file.
func (f *file) untouched(g *file) bool {
	return f.size == g.size && f.mtime == g.mtime && f.ctime == g.ctime && f.ino == g.ino
}

// same reports whether both are the same content, as far as is known: by hash,
// else by size, time and inode. The time of the inode's own last change is left
// out there, for a chmod moves it.
func (f *file) same(g *file) bool {
	if f.size != g.size {
		return false
	}
	if f.hashed && g.hashed {
		return f.sum == g.sum
	}
	return f.mtime == g.mtime && f.ino == g.ino
}

// hasher reads files in blocks and sums them. Sums of two hashers differ.
type hasher struct {
	hash maphash.Hash
	buf  [64 << 10]byte
}

// fill sets f's sum from the file at path, if it can be read and is not too
// large. A file that vanished meanwhile is for the next scan to report.
func (h *hasher) fill(path string, f *file) {
	if f.size > maxHash {
		return
	}
	in, err := os.Open(path)
	if err != nil {
		return
	}
	defer in.Close()
	h.hash.Reset()
	var total int64
	for total <= maxHash {
		n, err := in.Read(h.buf[:])
		h.hash.Write(h.buf[:n])
		total += int64(n)
		if errors.Is(err, io.EOF) {
			f.sum, f.hashed = h.hash.Sum64(), true
			return
		}
		if err != nil {
			return
		}
	}
}
