package watcher

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// scan compares one directory with what is known of it, and new ones below.
func (s *snapshot) scan(n *node, p pass) {
	n.gen = s.gen
	began := time.Now()
	s.watches.begin(n)
	entries, id, err := s.list(n)
	switch {
	case err == nil:
	case gone(err):
		s.vanish(n)
		s.watches.end(n)
		return
	case errors.Is(err, fs.ErrPermission): // nobody can build from it either
		entries = nil
	default:
		s.failed = true
		return
	}
	s.setID(n, id)
	s.device(n.path, id)
	if n.tree && s.reload(n, entries) {
		p.deep, p.sift = true, true
	}
	found := make(map[string]kind, len(entries))
	for _, e := range entries {
		found[e.Name()] = s.entry(n, e, p, began)
	}
	for name, f := range n.files {
		if found[name] != aFile {
			delete(n.files, name)
			s.pending.add(filepath.Join(n.path, name), f, nil)
		}
	}
	for name, sub := range n.subs {
		if is, there := found[name]; is != aDir {
			delete(n.subs, name)
			s.unreach(sub, !there)
		}
	}
	s.watches.end(n)
}

// list watches the directory, then reads it.
func (s *snapshot) list(n *node) ([]fs.DirEntry, fileID, error) {
	id, err := s.open(n)
	if err != nil {
		return nil, fileID{}, err
	}
	if !n.named() {
		entries, err := os.ReadDir(n.path)
		return entries, id, err
	}
	var entries []fs.DirEntry
	for name := range n.names {
		info, err := os.Lstat(filepath.Join(n.path, name))
		if err == nil {
			entries = append(entries, fs.FileInfoToDirEntry(info))
		} else if !gone(err) {
			return nil, id, err
		}
	}
	return entries, id, nil
}

// maxSwaps bounds how often a directory is opened anew because another came in its
// place. More often is a file system that gives it another number each time.
const maxSwaps = 16

// open sets the watches that tell when n changes, or when it comes into being, and
// returns which directory it is.
func (s *snapshot) open(n *node) (fileID, error) {
	for swaps := 0; ; swaps++ {
		var held fileID
		if n.named() {
			for name := range n.names {
				held = s.watches.hold(n, n.path, name)
			}
		} else {
			held = s.watches.hold(n, n.path, "")
		}
		if n.root {
			s.holdLinks(n, n.path)
		}
		if n.repo != nil {
			for _, src := range n.repo.sources {
				s.watches.hold(n, filepath.Dir(src.path), filepath.Base(src.path))
			}
		}
		info, err := os.Stat(n.path)
		if err == nil && !info.IsDir() {
			err = &fs.PathError{Op: "watch", Path: n.path, Err: syscall.ENOTDIR}
		}
		if err == nil {
			id := dirID(n.path, info)
			// One that came into being, or into this place, behind the watch would be read
			// and not watched: whoever tells of it finds it known.
			if s.watches.on() && held != id && swaps < maxSwaps {
				continue
			}
			return id, nil
		}
		if !n.root || !gone(err) {
			return fileID{}, err
		}
		// Wait at the nearest directory above; if a nearer one has come into
		// being before the watch did, nobody told.
		dir, next := nearest(n.path)
		s.watches.hold(n, dir, next)
		if now, _ := nearest(n.path); now == dir {
			return fileID{}, err
		}
	}
}

// nearest returns the lowest directory above path that is there, and the name in
// it that leads on to path; path itself and "" if that is a directory.
func nearest(path string) (dir, next string) {
	for dir = path; ; {
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			return dir, next
		}
		up := filepath.Dir(dir)
		if up == dir {
			return dir, next
		}
		dir, next = up, filepath.Base(dir)
	}
}

// maxLinks is the kernel's own limit for a chain of symlinks.
const maxLinks = 40

// holdLinks wakes n when path, or what it leads to through symlinks as its last
// element, is changed or replaced. Nothing happens for a path that is no symlink.
func (s *snapshot) holdLinks(n *node, path string) {
	for range maxLinks {
		target, err := os.Readlink(path)
		if err != nil {
			return // the end of the chain
		}
		s.watches.hold(n, filepath.Dir(path), filepath.Base(path))
		path = absolute(filepath.Dir(path), target)
		s.watches.hold(n, filepath.Dir(path), filepath.Base(path))
	}
}

// vanish is for a directory that is not there.
func (s *snapshot) vanish(n *node) {
	if up := s.nodes[filepath.Dir(n.path)]; up != nil && up.subs[filepath.Base(n.path)] == n {
		delete(up.subs, filepath.Base(n.path))
	}
	s.empty(n, true)
	n.tree = n.repo != nil
	if !n.root {
		s.drop(n)
	}
}

// reload reads the ignore rules in force in n and reports whether they differ
// from what was in force.
func (s *snapshot) reload(n *node, entries []fs.DirEntry) bool {
	if n.whole {
		return false
	}
	if n.repo != nil {
		n.base, n.rel = n.repo.load(n.base), n.repo.rel
	}
	now := n.base
	for _, e := range entries {
		if e.Name() != ".gitignore" || !e.Type().IsRegular() {
			continue
		}
		text, err := os.ReadFile(filepath.Join(n.path, ".gitignore"))
		if err != nil {
			break // vanished or unreadable: no rules
		}
		own := n.rules != n.base && n.rules != nil && n.rules.parent == n.base && n.rules.base == n.rel
		if now = n.rules; !own || now.text != string(text) {
			now = newRules(n.base, n.rel, string(text))
		}
	}
	changed := now != n.rules
	n.rules = now
	return changed
}

// kind is what one name in a directory counts as.
type kind uint8

const (
	nothing kind = iota
	aFile
	aDir
)

// entry compares one name that is in n.
func (s *snapshot) entry(n *node, e fs.DirEntry, p pass, began time.Time) kind {
	name, path := e.Name(), filepath.Join(n.path, e.Name())
	symlink := e.Type()&fs.ModeSymlink != 0
	mayFile, mayDir := symlink || e.Type().IsRegular(), symlink || e.IsDir()
	_, known := n.files[name]
	file := mayFile && (known && !p.sift || n.filter.file(name))
	dir := mayDir && n.sub(name)
	if known && mayFile && !file {
		delete(n.files, name) // still there, only ignored
	}
	if !file && !dir {
		return nothing
	}
	info, err := e.Info()
	if symlink {
		s.holdLinks(n, path)
		info, err = os.Stat(path)
	}
	switch {
	case err != nil && (gone(err) || errors.Is(err, fs.ErrPermission)):
	case err != nil:
		s.failed = true
		if known {
			return aFile
		}
		return aDir
	case dir && info.IsDir() && symlink:
		s.links = append(s.links, link{n, name, p})
		return aDir
	case dir && info.IsDir():
		s.enter(n, name, dirID(path, info), p)
		return aDir
	case file && info.Mode().IsRegular():
		s.refresh(ref{n, name}, newFile(info, began), p)
		return aFile
	}
	return nothing
}

// enter makes a directory part of the tree that n is in, and looks into it if it
// is new there, or is another one than before.
func (s *snapshot) enter(n *node, name string, id fileID, p pass) {
	path := filepath.Join(n.path, name)
	sub := s.nodes[path]
	if sub == nil {
		sub = s.node(path)
		if p.quiet && n.was != nil && n.was.sub(name) {
			p.quiet = false
		}
	}
	n.subs[name] = sub
	other := !sub.tree || sub.id != id
	sub.tree = true
	if n.whole && !sub.whole {
		sub.whole, other = true, true
	}
	if sub.repo == nil {
		other = other || sub.base != n.rules
		sub.base, sub.rel = n.rules, join(n.rel, name)
	}
	s.device(path, id)
	if other || p.deep && sub.gen != s.gen {
		s.scan(sub, p)
	}
}

// device notes a directory on a file system where notifications do not work.
func (s *snapshot) device(path string, id fileID) {
	if s.watches.fs == nil || s.devices[id.dev] {
		return
	}
	s.devices[id.dev] = true
	// A mount that cannot be examined is taken for one that works.
	if name, poll, err := mountPolls(path); err == nil && poll && s.foreign == nil {
		s.foreign = silent(path, name)
	}
}
