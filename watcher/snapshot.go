package watcher

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// snapshot is the last known state of all that the scope covers. One goroutine
// owns it.
type snapshot struct {
	watches *watches
	pending *pending
	hasher  hasher

	nodes map[string]*node // by path
	roots []*node          // what the scope names, trees first
	trees []string         // resolved roots of the trees
	ids   map[fileID]int   // nodes in trees, by directory
	links []link           // symlinks to directories met in this pass, followed at its end
	gen   uint             // number of the last full pass

	racy    []ref           // to be hashed again once their times can be trusted
	backlog []ref           // to be hashed some time
	failed  bool            // something could not be read for a passing reason: look again
	devices map[uint64]bool // examined by device
	foreign error           // why notifications are not enough for this scope
}

// node is one directory.
type node struct {
	path string
	filter
	was *filter // while the scope changes: what counted before

	root    bool   // the scope names it
	repo    *repo  // set for the root of a tree
	base    *rules // rules from above
	id      fileID // zero while the directory is not there
	counted fileID // what it stands for in snapshot.ids
	files   map[string]*file
	subs    map[string]*node

	gen   uint          // of the last full pass that reached it
	round uint          // of renewing holds
	holds map[hold]uint // by the round that renewed it
}

type ref struct {
	node *node
	name string
}

type link struct {
	node *node
	name string
	pass pass
}

// pass says how to look.
type pass struct {
	deep  bool // at known directories below too
	sift  bool // ask of every name again whether it counts
	quiet bool // what is found new is new to the scope, not to the disk
}

func newSnapshot(ws *watches, p *pending) *snapshot {
	s := &snapshot{watches: ws, pending: p}
	s.nodes, s.ids, s.devices = make(map[string]*node), make(map[fileID]int), make(map[uint64]bool)
	return s
}

// apply replaces the scope. Files known before are compared with what was known;
// others are taken as they are.
func (s *snapshot) apply(sc Scope) {
	for _, n := range s.nodes {
		was := n.filter
		n.was = &was
		n.tree, n.whole, n.dir, n.exts, n.names = false, false, false, nil, nil
		n.root, n.repo = false, nil
	}
	s.roots = nil
	name := func(path string) *node {
		n := s.node(path)
		if !n.root {
			n.root = true
			s.roots = append(s.roots, n)
		}
		return n
	}
	for _, path := range sc.Trees {
		n := name(path)
		n.tree, n.repo = true, &repo{}
	}
	for _, path := range sc.Whole {
		n := name(path)
		n.tree, n.whole, n.repo = true, true, &repo{}
	}
	for _, path := range sc.Dirs {
		n := name(path)
		n.dir, n.exts = true, sc.Exts
	}
	for _, path := range sc.Files {
		n := name(filepath.Dir(path))
		if n.names == nil {
			n.names = make(map[string]bool)
		}
		n.names[filepath.Base(path)] = true
	}
	s.all(pass{deep: true, sift: true, quiet: true})
	for _, n := range s.nodes {
		n.was = nil
		if n.gen != s.gen {
			s.drop(n)
		}
	}
}

// add puts single files into the scope and returns those that are new to it. What is new
// on the disk besides is reported.
func (s *snapshot) add(files []string) (added []string) {
	nodes := make(map[*node]bool)
	for _, path := range files {
		n, name := s.node(filepath.Dir(path)), filepath.Base(path)
		if n.file(name) {
			continue
		}
		if !nodes[n] {
			nodes[n] = true
			was := n.filter
			n.was, n.names = &was, maps.Clone(n.names)
		}
		if n.names == nil {
			n.names = make(map[string]bool)
		}
		n.names[name] = true
		added = append(added, path)
		if !n.root {
			n.root = true
			s.roots = append(s.roots, n)
		}
	}
	for n := range nodes {
		s.scan(n, pass{sift: true, quiet: true})
	}
	s.finish()
	for n := range nodes {
		n.was = nil
	}
	return added
}

func (s *snapshot) node(path string) *node {
	n := s.nodes[path]
	if n == nil {
		n = &node{path: path, files: make(map[string]*file), subs: make(map[string]*node)}
		s.nodes[path] = n
	}
	return n
}

// all compares everything.
func (s *snapshot) all(p pass) {
	s.gen++
	s.failed = false
	s.trees = s.trees[:0]
	for _, n := range s.roots {
		if n.repo != nil {
			real := resolve(n.path)
			s.trees = append(s.trees, real)
			if !n.whole {
				*n.repo = findRepo(real)
			}
		}
	}
	// Trees first, with the symlinks in them, so that a directory which is also
	// named by itself is looked at once, as part of its tree.
	for _, trees := range []bool{true, false} {
		for _, n := range s.roots {
			if (n.repo != nil) == trees && n.gen != s.gen {
				s.scan(n, p)
			}
		}
		s.finish()
	}
}

// locked reports whether git has begun its work in a tree after since.
func (s *snapshot) locked(since time.Time) bool {
	for _, n := range s.roots {
		if n.repo == nil || n.repo.lock == "" {
			continue
		}
		if fi, err := os.Lstat(n.repo.lock); err == nil && fi.ModTime().After(since) {
			return true
		}
	}
	return false
}

// some compares single directories and what is new below them.
func (s *snapshot) some(nodes map[*node]bool) {
	sorted := make([]*node, 0, len(nodes))
	for n := range nodes {
		sorted = append(sorted, n)
	}
	// A directory above comes first: it knows whether those below still exist.
	slices.SortFunc(sorted, func(a, b *node) int { return strings.Compare(a.path, b.path) })
	for _, n := range sorted {
		if s.nodes[n.path] == n {
			s.scan(n, pass{})
		}
	}
	s.finish()
}

// finish follows the symlinks that were met and looks again at directories whose
// watch went to another. Both lead to more of the same only while the tree is
// being changed, so the rounds are few; more than that is for the next look.
func (s *snapshot) finish() {
	for range 16 {
		links, stale := s.links, s.watches.stale
		if len(links)+len(stale) == 0 {
			return
		}
		s.links, s.watches.stale = nil, nil
		for _, n := range stale {
			if s.nodes[n.path] == n {
				s.scan(n, pass{})
			}
		}
		for _, l := range links {
			if s.nodes[l.node.path] == l.node {
				s.follow(l)
			}
		}
	}
	s.failed = true
}

// follow enters a symlink to a directory unless that directory is in a tree
// already, or holds one: so every directory is reached by one symlink at most
// and cycles end.
func (s *snapshot) follow(l link) {
	path := filepath.Join(l.node.path, l.name)
	info, err := os.Stat(path)
	if err != nil {
		return // its removal wakes l.node
	}
	id := dirID(path, info)
	known := l.node.subs[l.name]
	if known != nil && known.id == id || s.ids[id] == 0 && !s.holdsTree(path) {
		s.enter(l.node, l.name, id, l.pass)
	} else if known != nil {
		delete(l.node.subs, l.name)
		s.unreach(known, false)
	}
}

func (s *snapshot) holdsTree(path string) bool {
	real := resolve(path)
	return refuse(real) != nil || slices.ContainsFunc(s.trees, func(tree string) bool { return within(real, tree) })
}

// setID records which directory n is now.
func (s *snapshot) setID(n *node, id fileID) {
	n.id = id
	if !n.tree {
		id = fileID{}
	}
	if n.counted == id {
		return
	}
	if s.ids[n.counted]--; s.ids[n.counted] <= 0 {
		delete(s.ids, n.counted)
	}
	if n.counted = id; id != (fileID{}) {
		s.ids[id]++
	}
}

// unreach is for a directory that no tree leads to any more: it is gone, or only
// ignored. If the scope names it too, it stays for that.
func (s *snapshot) unreach(n *node, gone bool) {
	n.tree = n.repo != nil
	if n.root {
		s.scan(n, pass{deep: true, sift: true})
		return
	}
	s.empty(n, gone)
	s.drop(n)
}

// empty reports all in n as removed. Files that are still on the disk leave
// without a word.
func (s *snapshot) empty(n *node, gone bool) {
	for name, f := range n.files {
		path := filepath.Join(n.path, name)
		if gone || !exists(path) {
			s.pending.add(path, f, nil)
		}
		delete(n.files, name)
	}
	for name, sub := range n.subs {
		delete(n.subs, name)
		s.unreach(sub, gone)
	}
	s.setID(n, fileID{})
}

func (s *snapshot) drop(n *node) {
	s.setID(n, fileID{})
	s.watches.leave(n)
	delete(s.nodes, n.path)
}

// doubtful returns the directories of files that are gone or empty, perhaps only
// for a moment.
func (s *snapshot) doubtful() map[*node]bool {
	nodes := make(map[*node]bool)
	for path := range s.pending.changes {
		dir, _ := nearest(filepath.Dir(path))
		if n := s.nodes[dir]; n != nil {
			nodes[n] = true
		}
	}
	return nodes
}

// gone reports whether an error means that there is nothing to be watched, as
// opposed to a file system that does not answer just now.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP) ||
		errors.Is(err, syscall.ENAMETOOLONG)
}
