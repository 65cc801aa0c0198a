package proxy

import (
	"io"
	"sync/atomic"
	"time"
)

// dial connects to the app of s; nil if that cannot be done.
func (f *Front) dial(s *state) *conn {
	c, err := s.app.dial(f.root, "", "")
	if err != nil {
		return nil // the next state, or a closed connection, tells the client
	}
	t := f.track(c)
	if t != nil {
		t.app = s.app
	}
	return t
}

// splice joins c to the app, once there is one. app is a connection to it that
// was made before, or nil.
func (f *Front) splice(c, app *conn) {
	defer c.Close()
	deadline := time.Now().Add(f.opts.HoldMax)
	for app == nil {
		s, ok, err := f.await(f.root, deadline)
		if err != nil || !ok || s.app == nil {
			return
		}
		if app = f.dial(s); app == nil && !f.changes(f.root, s, grace) {
			return
		}
	}
	defer app.Close()
	client := newDated(c)
	keep := app.app.drains(0, func() {
		client.whenSilent(func() {
			c.Close()
			app.Close()
		})
	})
	defer keep()
	back := make(chan struct{})
	f.wg.Go(func() {
		defer close(back)
		pipe(c, app, app.TCPConn) // bare, so that the kernel can move the bytes
	})
	pipe(app, c, client)
	<-back
}

// pipe copies what r reads of src until src ends, and ends dst in the same way: a
// half-close stays a half-close, a broken connection breaks the other.
func pipe(dst, src *conn, r io.Reader) {
	if _, err := io.Copy(dst.TCPConn, r); err != nil {
		abort(dst, src)
		return
	}
	dst.CloseWrite() // fails if dst is gone already, which its other pipe notices
}

// dated is a connection that knows when it last spoke.
type dated struct {
	c    *conn
	last atomic.Pointer[time.Time]
}

func newDated(c *conn) *dated {
	d := &dated{c: c}
	d.speaks()
	return d
}

func (d *dated) speaks() {
	now := time.Now()
	d.last.Store(&now)
}

func (d *dated) Read(p []byte) (int, error) {
	n, err := d.c.Read(p)
	d.speaks()
	return n, err
}

// whenSilent calls then as soon as an ordinary request of it would have been answered.
func (d *dated) whenSilent(then func()) {
	if left := ordinary - time.Since(*d.last.Load()); left > 0 {
		time.AfterFunc(left, func() { d.whenSilent(then) })
		return
	}
	then()
}

// abort resets both connections.
func abort(a, b *conn) {
	for _, c := range []*conn{a, b} {
		c.SetLinger(0)
		c.Close()
	}
}
