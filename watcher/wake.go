package watcher

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/fsnotify/fsnotify"
)

// fileID identifies a directory; the zero value is no directory.
type fileID struct{ dev, ino uint64 }

// watches keeps one notification watch per directory and knows which nodes are
// to be looked at when it speaks. With fs nil it does nothing: polling.
type watches struct {
	fs     *fsnotify.Watcher
	byName map[string]*watch
	byID   map[fileID]*watch
	stale  []*node // their watch turned out to be another directory's
	err    error   // the first that notifications cannot go on after
}

// watch is shared by all paths that lead to the same directory, because the
// kernel has one watch for it, under the name that came first.
type watch struct {
	name  string
	id    fileID
	users map[user]struct{}
}

// user is a node that wants to know of events on name in the watched directory,
// or of any when name is "".
type user struct {
	node *node
	name string
}

// hold is the same seen from the node.
type hold struct {
	watch *watch
	name  string
}

func newWatches(fs *fsnotify.Watcher) *watches {
	return &watches{fs: fs, byName: make(map[string]*watch), byID: make(map[fileID]*watch)}
}

// begin starts a new set of holds for n; end drops those that were not renewed.
func (ws *watches) begin(n *node) { n.round++ }

func (ws *watches) end(n *node) {
	for h, round := range n.holds {
		if round != n.round {
			ws.release(n, h)
		}
	}
}

// leave drops all holds of n.
func (ws *watches) leave(n *node) {
	for h := range n.holds {
		ws.release(n, h)
	}
}

// hold wakes n on events for name in dir. It must come before dir is read, so
// that nothing falls between. A dir that is not there is left to the caller, as is one
// that was exchanged meanwhile: hold returns which one it was, zero for none.
func (ws *watches) hold(n *node, dir, name string) fileID {
	if !ws.on() {
		return fileID{}
	}
	info, err := os.Stat(dir)
	if err != nil || !info.IsDir() {
		return fileID{}
	}
	id := dirID(dir, info)
	wt, err := ws.ensure(dir, id)
	if err != nil {
		if gone(err) {
			return fileID{}
		}
		return id
	}
	if n.holds == nil {
		n.holds = make(map[hold]uint)
	}
	n.holds[hold{wt, name}] = n.round
	wt.users[user{n, name}] = struct{}{}
	return id
}

// on reports whether there are notifications.
func (ws *watches) on() bool { return ws.fs != nil && ws.err == nil }

func (ws *watches) ensure(dir string, id fileID) (*watch, error) {
	if wt := ws.byName[dir]; wt != nil {
		if wt.id == id {
			return wt, nil
		}
		ws.lose(wt)
	}
	if wt := ws.byID[id]; wt != nil {
		if info, err := os.Stat(wt.name); err == nil && dirID(wt.name, info) == id {
			return wt, nil
		}
		// The directory moved here. Its watch must go before it is added anew:
		// the notification of the move would else remove the new one.
		ws.lose(wt)
	}
	if err := ws.fs.Add(dir); err != nil {
		if !gone(err) && !errors.Is(err, os.ErrPermission) {
			ws.err = limit(err)
		}
		return nil, err
	}
	wt := &watch{name: dir, id: id, users: make(map[user]struct{})}
	ws.byName[dir], ws.byID[id] = wt, wt
	return wt, nil
}

func (ws *watches) release(n *node, h hold) {
	delete(n.holds, h)
	delete(h.watch.users, user{n, h.name})
	if len(h.watch.users) == 0 {
		ws.drop(h.watch)
	}
}

// lose drops a watch whose directory is no longer where it was.
func (ws *watches) lose(wt *watch) {
	for u := range wt.users {
		delete(u.node.holds, hold{wt, u.name})
		ws.stale = append(ws.stale, u.node)
	}
	ws.drop(wt)
}

func (ws *watches) drop(wt *watch) {
	if ws.byName[wt.name] != wt {
		return
	}
	delete(ws.byName, wt.name)
	if ws.byID[wt.id] == wt {
		delete(ws.byID, wt.id)
	}
	// An error means that the kernel dropped it first, with the directory.
	if ws.fs != nil {
		_ = ws.fs.Remove(wt.name)
	}
}

// awake returns the nodes that an event concerns.
func (ws *watches) awake(name string, op fsnotify.Op) []*node {
	var nodes []*node
	if wt := ws.byName[name]; wt != nil { // the directory itself
		if op.Has(fsnotify.Remove) || op.Has(fsnotify.Rename) {
			ws.lose(wt)
		}
		for u := range wt.users {
			nodes = append(nodes, u.node)
		}
	}
	dir, base := filepath.Dir(name), filepath.Base(name)
	if wt := ws.byName[dir]; wt != nil && dir != name {
		for u := range wt.users {
			if u.name == base || u.name == "" && u.node.relevant(base) {
				nodes = append(nodes, u.node)
			}
		}
	}
	return nodes
}

// close ends notifications and returns when nothing of them is left but the
// mailbox's goroutine, which ends at once.
func (ws *watches) close() error {
	if ws.fs == nil {
		return nil
	}
	err := ws.fs.Close()
	ws.fs = nil
	ws.byName, ws.byID = make(map[string]*watch), make(map[fileID]*watch)
	return err
}

// limit explains the errors that mean that a limit of the system was reached.
func limit(err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return errors.New("the limit of watched directories is reached (raise it with: sysctl fs.inotify.max_user_watches=524288)")
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return errors.New("the limit of open files or of watchers is reached (raise it with: ulimit -n 10240, or sysctl fs.inotify.max_user_instances=512)")
	}
	return fmt.Errorf("file notifications failed: %w", err)
}

// reset forgets every watch, for after lost events nobody knows which are dead.
// The next full pass adds them again.
func (ws *watches) reset() {
	for _, wt := range ws.byName {
		ws.lose(wt)
	}
	ws.stale = nil
}

// maxNames bounds the mailbox; beyond it a full comparison is cheaper anyway.
const maxNames = 10_000

// mailbox takes events off the kernel's hands at any speed and keeps them, each
// name once, until the loop has time.
type mailbox struct {
	wake chan struct{} // holds one token when there is mail

	mu    sync.Mutex
	names map[string]fsnotify.Op
	all   bool  // look at everything
	err   error // why, if it was an error
}

// listen ends when both channels are closed. It calls nothing of fsnotify, which
// may hold its lock while it delivers an error.
func (m *mailbox) listen(events <-chan fsnotify.Event, errs <-chan error) {
	for events != nil || errs != nil {
		select {
		case ev, ok := <-events:
			if !ok {
				events = nil
				continue
			}
			m.event(filepath.Clean(ev.Name), ev.Op)
		case err, ok := <-errs:
			if !ok {
				errs = nil
				continue
			}
			m.lost(err)
		}
	}
}

func (m *mailbox) event(name string, op fsnotify.Op) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.names == nil {
		m.names = make(map[string]fsnotify.Op)
	}
	if m.names[name] |= op; len(m.names) > maxNames {
		m.all, m.names = true, nil
	}
	m.ring()
}

func (m *mailbox) lost(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all, m.err = true, err
	m.ring()
}

func (m *mailbox) ring() {
	select {
	case m.wake <- struct{}{}:
	default: // it already rings
	}
}

// take empties the mailbox.
func (m *mailbox) take() (names map[string]fsnotify.Op, all bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	names, all, err = m.names, m.all, m.err
	m.names, m.all, m.err = nil, false, nil
	return names, all, err
}
