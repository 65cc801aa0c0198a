//go:build unix && go1.21

package hook

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	_ "unsafe" // for go:linkname

	"devrun/devserver/internal/wire"
)

// setLogger makes package os tell of what it does with files; it is there for
// the go command, which wants to know what a test depends on.
//
//go:linkname setLogger internal/testlog.SetLogger
func setLogger(testlog)

// testlog has the methods of internal/testlog.Interface, no more and no less:
// a value of it is passed as one of that.
type testlog interface {
	Getenv(key string)
	Stat(file string)
	Open(file string)
	Chdir(dir string)
}

// mostOpened bounds the names that are kept and sent of each kind: the app's templates
// and assets are some hundred, its data may be millions.
const mostOpened = 4096

// opened reports each file that the app opens: one that is in the binary and read from
// disk all the same need not be built, and what is read once, at the start as a rule, is
// read anew by a start alone. It reports as well which files the app may write.
type opened struct {
	c     *channel
	read  reads
	wrote names
	dirs  names // in which it wrote something
}

var _ = add("files", func(c *channel) (active bool) {
	defer func() { active = recover() == nil }() // somebody else has set a logger
	o := &opened{c: c}
	setLogger(o)
	answered = func(of string, number uint64) {
		for _, name := range o.read.without(of, number) {
			o.tell(wire.Message{Kind: wire.Opened, Path: name, Kept: true})
		}
	}
	return
})

// reads are the files that were opened, and what is known of when that is done again.
type reads struct {
	mu  sync.Mutex
	all map[string]*read
	by  map[string]map[*read]bool // those of which it is not known yet, by the request
}

type read struct {
	name  string
	of    string // the request that opened it, "" if none has
	until uint64 // none that is newer had begun then
	last  uint64 // that opened it
	again bool   // another one for the same opened it anew: it is read each time
}

// open notes that a file is opened, and reports whether that is the first time and
// whether it is now known to be read for each request.
func (r *reads) open(name string) (first, again bool) {
	of, number, newest := "", uint64(0), uint64(0)
	if worksOn != nil {
		of, number, newest = worksOn()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.all[name]
	switch {
	case f == nil && len(r.all) >= mostOpened:
		return false, false
	case f == nil:
		if r.all == nil {
			r.all = map[string]*read{}
		}
		f = &read{name: name}
		r.all[name] = f
		first = true
	}
	if of == "" || f.again {
		return first, false
	}
	f.again, f.last = f.of == of && number > f.until, number
	switch {
	case f.again:
		r.settle(f)
	case f.of != of:
		r.settle(f)
		f.of, f.until = of, newest
		if r.by == nil {
			r.by = map[string]map[*read]bool{}
		}
		if r.by[of] == nil {
			r.by[of] = map[*read]bool{}
		}
		r.by[of][f] = true
	}
	return first, f.again
}

// settle has a file no longer wait for another request. Called with mu held.
func (r *reads) settle(f *read) {
	if delete(r.by[f.of], f); len(r.by[f.of]) == 0 {
		delete(r.by, f.of)
	}
}

// without returns the files that another request for the same has opened, and this one,
// which began later and has ended, has not.
func (r *reads) without(of string, number uint64) (kept []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for f := range r.by[of] {
		if number > f.until && f.last != number {
			kept = append(kept, f.name)
			r.settle(f)
		}
	}
	return kept
}

func (o *opened) Getenv(string) {}
func (o *opened) Chdir(string)  {}

func (o *opened) Open(name string) {
	if ofSystem(name) {
		return
	}
	first, again := o.read.open(name)
	if first || again {
		o.tell(wire.Message{Kind: wire.Opened, Path: name, Again: again})
	}
	if !o.wrote.has(name) && !readers[osCaller()] {
		o.writes(name)
		o.dirs.add(filepath.Dir(name))
	}
}

// Stat is called by os.Rename for the new name. A file that is written whole is moved
// from beside its place, as a rule, so it need not be looked for anywhere else.
func (o *opened) Stat(name string) {
	if o.dirs.has(filepath.Dir(name)) && !o.wrote.has(name) && osCaller() == "os.Rename" {
		o.writes(name)
	}
}

func (o *opened) writes(name string) {
	if o.wrote.add(name) {
		o.tell(wire.Message{Kind: wire.Wrote, Path: name})
	}
}

func (o *opened) tell(m wire.Message) {
	if !filepath.IsAbs(m.Path) {
		dir, err := os.Getwd()
		if err != nil {
			return
		}
		m.Path = filepath.Join(dir, m.Path)
	}
	m.Path = filepath.Clean(m.Path)
	o.c.send(m)
}

// names is a bounded set.
type names struct {
	mu  sync.RWMutex
	all map[string]bool
}

func (n *names) has(name string) bool {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.all[name] || len(n.all) >= mostOpened
}

// add reports whether the name is new.
func (n *names) add(name string) bool {
	if n.has(name) {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.all[name] {
		return false
	}
	if n.all == nil {
		n.all = map[string]bool{}
	}
	n.all[name] = true
	return true
}

// readers are the functions of package os that open a file and do not write it. Whoever
// calls OpenFile may do either.
var readers = map[string]bool{
	"os.Open": true, "os.ReadFile": true, "os.ReadDir": true, "os.OpenInRoot": true, "os.OpenRoot": true, "os.StartProcess": true,
	"os.(*Root).Open": true, "os.(*Root).ReadFile": true, "os.(*Root).OpenRoot": true,
	"os.dirFS.Open": true, "os.dirFS.ReadFile": true, "os.dirFS.ReadDir": true,
	"os.(*rootFS).Open": true, "os.(*rootFS).ReadFile": true, "os.(*rootFS).ReadDir": true,
}

// osCaller is the function of package os that was called by another package, with the
// call that is being reported below it.
func osCaller() (name string) {
	var pcs [12]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(4, pcs[:])]) // above the one that tells testlog
	for more := true; more; {
		var f runtime.Frame
		f, more = frames.Next()
		if !strings.HasPrefix(f.Function, "os.") {
			break
		}
		name = f.Function
	}
	return name
}

// ofSystem reports whether the file is the kernel's.
func ofSystem(name string) bool {
	return strings.HasPrefix(name, "/proc/") || strings.HasPrefix(name, "/sys/") || strings.HasPrefix(name, "/dev/")
}
