package proxy

import (
	"io"
	"time"
)

// dial connects to the app of s; nil if that cannot be done.
func (f *Front) dial(s *state) *conn {
	c, err := s.app.dial(f.root, "", "")
	if err != nil {
		return nil // the next state, or a closed connection, tells the client
	}
	return f.track(c)
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
	back := make(chan struct{})
	f.wg.Go(func() {
		defer close(back)
		pipe(c, app)
	})
	if _, err := app.Write(c.unread); err != nil {
		abort(c, app)
	} else {
		pipe(app, c)
	}
	<-back
}

// pipe copies until src ends, and ends dst in the same way: a half-close stays a
// half-close, a broken connection breaks the other.
func pipe(dst, src *conn) {
	// The bare TCPConns let the kernel move the bytes where it can.
	if _, err := io.Copy(dst.TCPConn, src.TCPConn); err != nil {
		abort(dst, src)
		return
	}
	dst.CloseWrite() // fails if dst is gone already, which its other pipe notices
}

// abort resets both connections.
func abort(a, b *conn) {
	for _, c := range []*conn{a, b} {
		c.SetLinger(0)
		c.Close()
	}
}
