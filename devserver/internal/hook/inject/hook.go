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
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode/utf8"

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

// What parts tell each other that may be there without the other.
var (
	// worksOn returns what the request is for that the calling goroutine works on, "" if
	// there is none, its number, and the newest that has begun; nil without "capture".
	worksOn func() (of string, number, newest uint64)

	// answered is told of a request that has ended well; nil without "files".
	answered func(of string, number uint64)
)

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
	c.on(wire.Sync, func(m wire.Message) { go c.send(wire.Message{Kind: wire.Synced, Seq: m.Seq}) })
	c.mu.Lock() // a goroutine of another package's init may listen already: Hello goes first
	for _, p := range parts {
		if p.install(c) {
			hello.Parts = append(hello.Parts, p.name)
		}
	}
	c.write(hello)
	c.mu.Unlock()
	go c.read()
	if c.first {
		outlive()
	}
}

// channel is the socket to devrun.
type channel struct {
	first    bool // of the process that devrun has started
	takeover bool
	park     int
	statuses bool // a 5xx parks its goroutine, too
	file     *os.File
	r        *wire.Reader
	handlers map[wire.Kind]func(wire.Message) // set while parts are installed

	mu   sync.Mutex
	dead bool // a write failed, half a line may be out: no more of them
}

// open takes the socket out of the environment, or asks for one at devrun's door; nil
// when there is none.
func open() *channel {
	s, inherited := os.LookupEnv(wire.FD)
	c := &channel{
		takeover: os.Getenv(wire.Takeover) != "0",
		handlers: map[wire.Kind]func(wire.Message){},
	}
	if !inherited {
		return c.join()
	}
	c.first = true
	if os.Getenv("LISTEN_PID") == strconv.Itoa(os.Getppid()) { // devrun's, who has passed them on
		os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
	}
	c.parks(os.Getenv(wire.Park))
	os.Unsetenv(wire.FD)
	os.Unsetenv(wire.Takeover)
	os.Unsetenv(wire.Park)
	fd, err := strconv.Atoi(s)
	if err != nil || fd < 3 || !local(fd) {
		return nil
	}
	syscall.CloseOnExec(fd)
	if syscall.SetNonblock(fd, true) != nil {
		return nil
	}
	c.file = os.NewFile(uintptr(fd), "devrun")
	c.r = wire.NewReader(c.file)
	return c
}

// parks takes the value of wire.Park.
func (c *channel) parks(s string) {
	c.park = wire.DefaultPark
	park, statuses := strings.CutSuffix(s, wire.ParkStatus)
	if n, err := strconv.Atoi(park); err == nil && n >= 0 {
		c.park, c.statuses = n, statuses && n > 0
	}
}

// join makes c the channel of a process that has not inherited one: a child of the
// app that runs the same binary, or the app once it has executed itself. Devrun says
// whether it may speak; nil if not.
func (c *channel) join() *channel {
	if c.file = knock(); c.file == nil {
		return nil
	}
	c.r = wire.NewReader(c.file)
	c.file.SetReadDeadline(time.Now().Add(patience))
	m, err := c.r.Next()
	if err != nil || m.Kind != wire.Welcome || c.file.SetReadDeadline(time.Time{}) != nil {
		c.file.Close()
		return nil
	}
	c.parks(m.Park)
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

// send tells devrun and reports whether it could.
func (c *channel) send(m wire.Message) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.write(m)
}

func (c *channel) write(m wire.Message) bool {
	if c.dead {
		return false
	}
	err := wire.Write(timely{c.file}, m)
	if err == wire.ErrTooLong {
		return false
	}
	c.dead = err != nil
	return !c.dead
}

// timely writes within patience. A busy machine may let the time pass before the
// write has begun: as long as nothing is out it is tried again.
type timely struct{ f *os.File }

func (t timely) Write(b []byte) (n int, err error) {
	const tries = 3
	for i := 0; i < tries; i++ {
		if err = t.f.SetWriteDeadline(time.Now().Add(patience / tries)); err != nil {
			return 0, err
		}
		if n, err = t.f.Write(b); n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
	}
	return n, err
}

// on registers what is done with messages of devrun; f runs on the only
// goroutine that reads and must not wait. Parts call it from install.
func (c *channel) on(kind wire.Kind, f func(wire.Message)) { c.handlers[kind] = f }

// read hands out what devrun says and waits for its end. After a line that is no
// message nothing more is understood, but the end still is.
func (c *channel) read() {
	var err error
	for err == nil {
		var m wire.Message
		if m, err = c.r.Next(); err == nil {
			c.receive(m)
		}
	}
	if err != io.EOF && !errors.Is(err, syscall.ECONNRESET) {
		_, err = io.Copy(io.Discard, c.file)
	}
	if err == nil || err == io.EOF || errors.Is(err, syscall.ECONNRESET) { // reset: it died with messages unread
		gone()
	}
}

func (c *channel) receive(m wire.Message) {
	defer func() { recover() }() // a mistake in here is not the app's
	if f := c.handlers[m.Kind]; f != nil {
		f(m)
	}
}

// cut shortens s to at most n bytes and whole runes.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// inFull is the path of a Unix socket from the root on, "" for one that has no path.
func inFull(name string) string {
	if name == "" || name[0] == '@' { // abstract
		return ""
	}
	dir, err := os.Getwd()
	if name[0] == '/' || err != nil {
		return name
	}
	return dir + "/" + name
}
