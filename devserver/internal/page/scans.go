package page

import (
	"bytes"
	"sync"
)

// scans keeps the files of the last pages in tokens: a failure that comes again, or
// is looked at again, is mostly in the same ones, and net/http's are long. The
// zero scans is empty, and a nil one keeps nothing.
type scans struct {
	mu    sync.Mutex
	files map[string]scanned
}

type scanned struct {
	data   []byte
	starts []int
	tokens []tok
}

// mostScans bounds the memory, at some MB.
const mostScans = 64

// of is a file in tokens; none of it may be changed.
func (s *scans) of(path string, data []byte, cut func([]byte) scanned) scanned {
	if s == nil {
		return cut(data)
	}
	s.mu.Lock()
	f, ok := s.files[path]
	s.mu.Unlock()
	if ok && bytes.Equal(f.data, data) {
		return f
	}
	f = cut(data)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.files == nil || len(s.files) >= mostScans {
		s.files = map[string]scanned{}
	}
	s.files[path] = f
	return f
}
