package devserver

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"devrun/devserver/internal/wire"
	"devrun/watcher"
)

// opened are the files that a binary opens, and when.
type opened map[string]when

type when uint8

const (
	atStart   when = 1 + iota // before it listened, or once for all requests: what it made of the file stays
	onRequest                 // later, and once as far as is known
	eachTime                  // for each request anew
)

// add notes what a process says of a file that it opens, once it has listened or not yet,
// and reports whether the file is new.
func (o opened) add(m wire.Message, listened bool) bool {
	was, is := o[m.Path], onRequest
	switch {
	case m.Again:
		is = eachTime
	case was == eachTime:
		return false
	case m.Kept:
		is = atStart
	case was != 0: // by another process, or one before
		return false
	case !listened:
		is = atStart
	}
	o[m.Path] = is
	return was == 0
}

// addAfter is how long the app may go on to open files before those are watched that
// were not watched anyway.
const addAfter = 100 * time.Millisecond

// onOpened takes word of a file that the app opens. One that turns out to be kept may
// have been saved since, as if it were read for each request.
func (l *loop) onOpened(a *app, m wire.Message) {
	_, listened := l.process.(ready)
	h := &l.habits
	if h.opened.add(m, listened) && !h.adding {
		h.adding = true
		l.queue.after(addAfter, l.watchOpened)
	}
	if m.Kept && l.mayBeSaved()(m.Path) {
		begun := a.begun
		go func() {
			if savedSince(m.Path, begun) {
				l.queue.tell(func() { l.onBatch(watcher.Batch{{Path: m.Path, Op: watcher.Modified}}) })
			}
		}()
	}
}

// watchOpened has the files watched that the app opens, wherever they are and though
// .gitignore may name them. One that was not watched before and was saved since the app
// has begun to run was saved after it was read, as far as one can tell.
func (l *loop) watchOpened() {
	l.habits.adding = false
	a := l.process.any()
	if a == nil {
		return
	}
	files, begun := l.openedFiles(), a.begun
	go func() {
		added, err := l.watcher.Add(files...)
		if err != nil {
			return // the run ends
		}
		var late watcher.Batch
		for _, f := range added {
			if savedSince(f, begun) {
				late = append(late, watcher.Change{Path: f, Op: watcher.Modified})
			}
		}
		if len(late) > 0 {
			l.queue.tell(func() { l.onBatch(late) })
		}
	}()
}

// mayBeSaved tells of a file that the app opens whether a person may save it.
func (l *loop) mayBeSaved() func(path string) bool {
	outside := l.sources.outside(l.cfg.Dir)
	return func(path string) bool {
		return !outside.has(path) && !l.habits.writes.has(path, l.habits.starts.acts)
	}
}

// openedFiles are those that the app opens and a person may save.
func (l *loop) openedFiles() []string {
	mayBeSaved := l.mayBeSaved()
	var files []string
	for path := range l.habits.opened {
		if mayBeSaved(path) {
			files = append(files, path)
		}
	}
	slices.Sort(files)
	return files[:min(len(files), maxOpened)]
}

// maxOpened bounds how many are watched: the app's configuration, templates and
// translations are some hundred, its data may be any number.
const maxOpened = 1000

// outside are the places whose files are not the developer's to save.
type outside struct{ in, but []string }

// outside are those for an app in a directory.
func (s *sources) outside(dir string) outside {
	o := outside{
		in:  []string{"/usr", "/proc", "/sys", "/dev", "/run", "/var", "/etc/ssl", "/etc/pki", s.GOROOT, s.GOMODCACHE, os.TempDir()},
		but: append([]string{dir}, s.modules...),
	}
	if cache, err := os.UserCacheDir(); err == nil {
		o.in = append(o.in, cache)
	}
	return o
}

func (o outside) has(path string) bool {
	if slices.ContainsFunc(o.but, func(dir string) bool { return within(dir, path) }) {
		return false
	}
	if dir, name := filepath.Split(path); dir == "/etc/" {
		return slices.Contains(systemFiles, name)
	}
	return slices.ContainsFunc(o.in, func(dir string) bool { return dir != "" && within(dir, path) })
}

// systemFiles are what Go's own packages read of /etc.
var systemFiles = strings.Fields("hosts resolv.conf nsswitch.conf services protocols localtime mime.types passwd group")
