package watcher

import (
	"os"
	"path/filepath"
	"time"
)

// refresh compares one file with what is known of it.
func (s *snapshot) refresh(r ref, cur *file, p pass) {
	n, path := r.node, filepath.Join(r.node.path, r.name)
	old := n.files[r.name]
	if old != nil && old.untouched(cur) && !old.racy {
		return
	}
	// Content is read where it decides: now if the times may not tell of the next
	// save, or if this may be what was there before.
	if cur.racy || s.pending.base(path) != nil ||
		old != nil && (old.racy || old.hashed && old.size == cur.size) {
		s.hasher.fill(path, cur)
	}
	n.files[r.name] = cur
	switch {
	case cur.racy:
		s.racy = append(s.racy, r)
	case !cur.hashed && cur.size <= maxHash:
		s.backlog = append(s.backlog, r)
	}
	switch {
	case old == nil:
		if !p.quiet || n.was != nil && n.was.file(r.name) {
			s.pending.add(path, nil, cur)
		}
	case !cur.same(old):
		s.pending.add(path, old, cur)
	}
}

// recheck compares one known file outside of a scan. What is wrong with it beyond
// its content is left to the scan of its directory.
func (s *snapshot) recheck(r ref) *file {
	began := time.Now()
	f := r.node.files[r.name]
	info, err := os.Stat(filepath.Join(r.node.path, r.name))
	if f == nil || err != nil || !info.Mode().IsRegular() {
		return nil
	}
	s.refresh(r, newFile(info, began), pass{})
	return r.node.files[r.name]
}

// verify looks again at files whose times can be trusted by now, and then reads
// hashes for part of the backlog, for no longer than the given time.
func (s *snapshot) verify(now time.Time, limit time.Duration) {
	racy := s.racy
	s.racy = nil
	for _, r := range racy {
		switch f := r.node.files[r.name]; {
		case f == nil || !f.racy || s.nodes[r.node.path] != r.node:
		case now.Before(f.settled()):
			s.racy = append(s.racy, r)
		default:
			s.recheck(r)
		}
	}
	for len(s.backlog) > 0 && time.Since(now) < limit {
		r := s.backlog[0]
		s.backlog = s.backlog[1:]
		if f := s.recheck(r); f != nil && !f.hashed && !f.racy {
			s.baseline(r, f)
		}
	}
}

// baseline fills in the hash of a file that was reported without one. It counts
// only if the file was not touched while it was read.
func (s *snapshot) baseline(r ref, f *file) {
	path := filepath.Join(r.node.path, r.name)
	read := *f
	s.hasher.fill(path, &read)
	if info, err := os.Stat(path); err == nil && newFile(info, time.Now()).untouched(f) {
		f.sum, f.hashed = read.sum, read.hashed
	}
}

// settled returns when the first of the racy files can be verified.
func (s *snapshot) settled() (at time.Time, ok bool) {
	for _, r := range s.racy {
		f := r.node.files[r.name]
		if f == nil {
			continue
		}
		if t := f.settled(); !ok || t.Before(at) {
			at, ok = t, true
		}
	}
	return at, ok
}
