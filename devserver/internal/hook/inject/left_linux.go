//go:build go1.21

package hook

import (
	"sync"
	"syscall"
	"time"
	_ "unsafe" // for go:linkname

	"devrun/devserver/internal/wire"
)

// closeFunc is what package internal/poll calls for close(2).
//
//go:linkname closeFunc internal/poll.CloseFunc
var closeFunc func(int) error

// mostLeft bounds how many files are told of in a second: an app may write thousands.
const mostLeft = 500

// left reports in which state the app leaves each file that it has opened to write, as
// it closes it. Files that it maps, or writes by system calls of its own, are not seen.
var _ = add("left", func(c *channel) bool {
	closing := closeFunc
	if closing == nil {
		return false
	}
	var few limit
	closeFunc = func(fd int) error {
		if s := state(fd); s != nil && few.allows(time.Now()) {
			c.send(wire.Message{Kind: wire.Left, Stamp: wire.Stamp(s.Ino, s.Size, time.Unix(s.Mtim.Unix()))})
		}
		return closing(fd)
	}
	return true
})

// state is that of a regular file which was opened to write, nil for anything else.
func state(fd int) *syscall.Stat_t {
	flags, err := fcntl(fd, syscall.F_GETFL)
	if err != nil || flags&syscall.O_ACCMODE == syscall.O_RDONLY {
		return nil
	}
	var s syscall.Stat_t
	if syscall.Fstat(fd, &s) != nil || s.Mode&syscall.S_IFMT != syscall.S_IFREG {
		return nil
	}
	return &s
}

// limit is so many a second.
type limit struct {
	mu     sync.Mutex
	second int64
	n      int
}

func (l *limit) allows(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := now.Unix(); s != l.second {
		l.second, l.n = s, 0
	}
	l.n++
	return l.n <= mostLeft
}
