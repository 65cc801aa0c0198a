package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"time"
)

// Terms are how the app takes a client that does not begin with HTTP/1.
type Terms struct {
	TLS   *tls.Config // what the app would agree on; nil: this client is for the app alone, byte for byte
	HTTP2 bool        // it understands HTTP/2 without TLS
	Why   string      // a notice of why there is no TLS, or ""
}

func (t Terms) known() bool { return t.TLS != nil || t.HTTP2 }

var (
	handshake = []byte{22, 3}                // how a record of TLS begins that has a ClientHello in it
	preface   = []byte("PRI * HTTP/2.0\r\n") // RFC 9113, section 3.4
	protocols = func() (p http.Protocols) {  // that are served
		p.SetHTTP1(true)
		p.SetHTTP2(true)
		p.SetUnencryptedHTTP2(true)
		return p
	}()
)

// agree returns what is to be served of c, which does not begin with HTTP/1: what c
// carries if that is HTTP too, on terms that are the app's. nil means that the bytes
// are for the app alone.
func (f *Front) agree(c *conn) net.Conn {
	switch {
	case f.opts.Terms == nil:
	case bytes.HasPrefix(c.unread, preface):
		if f.terms(nil).HTTP2 {
			return c
		}
	case bytes.HasPrefix(c.unread, handshake):
		if hello := c.hello(); hello != nil {
			t := f.terms(hello)
			if t.TLS != nil {
				return tls.Server(c, t.TLS)
			}
			if t.Why != "" {
				f.notes.once(t.Why, t.Why)
			}
		}
	}
	return nil
}

// terms asks for those of a client, and waits for the app if they are not known without it.
func (f *Front) terms(hello *tls.ClientHelloInfo) Terms {
	late := time.NewTimer(f.opts.HoldMax)
	defer late.Stop()
	for {
		s := f.state.Load()
		app := ""
		if s.app != nil {
			app = s.app.addr
		}
		t := f.opts.Terms(s.over, app, hello)
		if t.known() || !s.holding() && s.over.Err() == nil {
			return t
		}
		select {
		case <-s.over.Done():
			if f.root.Err() != nil {
				return Terms{}
			}
		case <-late.C:
			return Terms{}
		}
	}
}

// hello reads what a client begins TLS with, to be read again; nil if it is none that
// crypto/tls understands.
func (c *conn) hello() (hello *tls.ClientHelloInfo) {
	heard := &recorded{conn: c}
	c.SetReadDeadline(time.Now().Add(headerTimeout))
	defer c.SetReadDeadline(time.Time{})
	tls.Server(heard, &tls.Config{GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		hello = h
		return nil, errors.New("that is all")
	}}).Handshake()
	c.unread = append(heard.bytes, c.unread...)
	return hello
}

// recorded is a connection of which it is kept what was read, and on which nothing is said.
type recorded struct {
	*conn
	bytes []byte
}

func (r *recorded) Read(p []byte) (int, error) {
	n, err := r.conn.Read(p)
	r.bytes = append(r.bytes, p[:n]...)
	return n, err
}

func (r *recorded) Write(p []byte) (int, error) { return len(p), nil }

// dialTLS connects to the app as dial does, and begins TLS as a client does that asks for
// the host in addr and for that protocol. The certificate is not looked at: it is the
// app's own address on this machine, and the client sees the same one.
func (u *upstream) dialTLS(protocol string) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		c, err := u.dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		t := tls.Client(c, &tls.Config{ServerName: host, InsecureSkipVerify: true, NextProtos: []string{protocol}})
		if err := t.HandshakeContext(ctx); err != nil {
			c.Close()
			return nil, &net.OpError{Op: "dial", Net: network, Addr: c.RemoteAddr(), Err: err} // no request has been seen
		}
		return t, nil
	}
}

// secureConn is a connection over TLS whose bytes read too early are read again.
type secureConn struct {
	*tls.Conn
	unread []byte
}

func (c *secureConn) Read(p []byte) (int, error) {
	if len(c.unread) > 0 {
		n := copy(p, c.unread)
		c.unread = c.unread[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

// broken is how net/http says that the other side has ended a stream of HTTP/2, whose own
// type for that it does not export: errors.As fills one of the same fields.
type broken struct {
	StreamID uint32
	Code     uint32
	Cause    error
}

func (broken) Error() string { return "stream ended" }
