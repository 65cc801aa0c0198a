//go:build unix && go1.21

package hook

import (
	"os"
	"path/filepath"
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

// mostOpened bounds the names that are kept and sent: the app's templates and
// assets are some hundred, its data may be millions.
const mostOpened = 4096

// opened reports each file that the app opens, once: one that is in the binary
// and read from disk all the same need not be built.
type opened struct {
	c *channel

	mu    sync.RWMutex
	names map[string]bool
}

var _ = add("files", func(c *channel) (active bool) {
	defer func() { active = recover() == nil }() // somebody else has set a logger
	setLogger(&opened{c: c, names: map[string]bool{}})
	return
})

func (o *opened) Getenv(string) {}
func (o *opened) Stat(string)   {}
func (o *opened) Chdir(string)  {}

func (o *opened) Open(name string) {
	o.mu.RLock()
	old := o.names[name] || len(o.names) >= mostOpened
	o.mu.RUnlock()
	if old || ofSystem(name) {
		return
	}
	path := name
	if !filepath.IsAbs(path) {
		dir, err := os.Getwd()
		if err != nil {
			return
		}
		path = filepath.Join(dir, name)
	}
	o.mu.Lock()
	old = o.names[name]
	o.names[name] = true
	o.mu.Unlock()
	if !old {
		o.c.send(wire.Message{Kind: wire.Opened, Path: path})
	}
}

// ofSystem reports whether the file is the kernel's.
func ofSystem(name string) bool {
	return strings.HasPrefix(name, "/proc/") || strings.HasPrefix(name, "/sys/") || strings.HasPrefix(name, "/dev/")
}
