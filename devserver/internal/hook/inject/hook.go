//go:build unix && go1.21

// Package hook is the part of devrun that runs inside the app.
//
// It promises the app that nothing happens when devrun did not start it, and
// that otherwise it never panics, never prints, never waits for devrun for
// longer than a second, and that whatever it cannot do leaves the app as it
// would be alone.
//
// Every file but this one and its helpers is a part that can be left out.
// The files keep to Go 1.21, whatever the app's go.mod says.
package hook

import (
	"errors"
	"io"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	"devrun/devserver/internal/wire"
)

// patience bounds the one time that a devrun which does not read can make the
// app wait: the socket's buffer holds some thousand messages.
const patience = time.Second

type part struct {
	name    string
	install func(*channel) bool
}

var parts []part

// add registers a part, before init runs. install says whether the part is
// active; it must not send.
func add(name string, install func(*channel) bool) struct{} {
	parts = append(parts, part{name, install})
	return struct{}{}
}

func init() {
	c := open()
	if c == nil {
		return
	}
	hello := wire.Message{Kind: wire.Hello, Go: runtime.Version()}
	c.mu.Lock() // a goroutine of another package's init may listen already: Hello goes first
	for _, p := range parts {
		if p.install(c) {
			hello.Parts = append(hello.Parts, p.name)
		}
	}
	c.write(hello)
	c.mu.Unlock()
	go c.watch()
	outlive()
}

// channel is the socket to devrun.
type channel struct {
	takeover bool
	file     *os.File

	mu   sync.Mutex
	dead bool // a write failed, half a line may be out: no more of them
}

// open takes the socket out of the environment; nil when there is none.
func open() *channel {
	s, ok := os.LookupEnv(wire.FD)
	if !ok {
		return nil
	}
	c := &channel{takeover: os.Getenv(wire.Takeover) != "0"}
	os.Unsetenv(wire.FD)
	os.Unsetenv(wire.Takeover)
	fd, err := strconv.Atoi(s)
	if err != nil || fd < 3 || !local(fd) {
		return nil
	}
	syscall.CloseOnExec(fd)
	if syscall.SetNonblock(fd, true) != nil {
		return nil
	}
	c.file = os.NewFile(uintptr(fd), "devrun")
	return c
}

// local reports whether fd is a socket and none of the network: a variable that
// some parent captured and passed on must not make a listener of the app's a
// channel.
func local(fd int) bool {
	var st syscall.Stat_t
	if syscall.Fstat(fd, &st) != nil || st.Mode&syscall.S_IFMT != syscall.S_IFSOCK {
		return false
	}
	sa, err := syscall.Getsockname(fd)
	if err != nil {
		return false
	}
	switch sa.(type) {
	case *syscall.SockaddrInet4, *syscall.SockaddrInet6:
		return false
	}
	return true
}

// send tells devrun; a message that cannot be sent is lost.
func (c *channel) send(m wire.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.write(m)
}

func (c *channel) write(m wire.Message) {
	if c.dead {
		return
	}
	err := c.file.SetWriteDeadline(time.Now().Add(patience))
	if err == nil {
		err = wire.Write(c.file, m)
	}
	c.dead = err != nil
}

// watch waits for the end of devrun, which says nothing else so far.
func (c *channel) watch() {
	_, err := io.Copy(io.Discard, c.file)
	if err == nil || errors.Is(err, syscall.ECONNRESET) { // reset: it died with messages unread
		gone()
	}
}
