// Package proxy owns the app's public port across restarts.
//
// A Front listens where the app would. What speaks HTTP is served by one
// http.Server that answers devrun's own paths and forwards the rest; what
// speaks anything else (a protocol of the app's own, a TLS that Options.Terms does not
// know) is spliced to the app byte for byte. Hold, Forward and Answer say what becomes
// of both.
//
// Promises:
//   - No connection is refused while the Front is open. What comes while the
//     app is away waits, in order, for at most Options.HoldMax.
//   - A request is the app's own: body, query, path, Host and every end-to-end
//     header arrive as sent. Added are X-Forwarded-For, -Host and -Proto, which
//     a client cannot forge.
//   - An answer is the app's own, with the same timing, except for one script
//     tag in pages (inject.go says when). There is no deadline once a
//     connection is made, until Drain, and no buffer that grows with what passes.
//   - A request is sent twice only if the first sending cannot have been acted
//     on, or if its method promises that this is harmless; never after a byte of
//     its body was read.
//   - Paths under /__devrun/ never reach the app, however they are spelled, nor
//     do headers and cookies that bear devrun's name, in either direction.
//
// A request reaches the app as it came: over TLS if the client spoke TLS, with the same
// server name, and in the same version of HTTP.
//
// Limits: a tunnel opened with CONNECT and an upgrade to h2c inside HTTP/1.1 are
// passed on as plain requests. HTTP/1.0 requests reach the app as HTTP/1.1, with
// the Front's own address as Host if they name none. A request of no body says so
// as browsers do: Content-Length 0 with POST, PUT and PATCH, else nothing. That a
// client left while it was held is noticed once its body, if any, is read. Only on
// Linux can the app bind the address that the Front listens on.
package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Options is what a Front needs to know. Only Addrs is required.
type Options struct {
	Addrs    []string                          // loopback addresses to own; the first must work, others are best effort
	Listener net.Listener                      // one for TCP that is there already, instead of Addrs
	Internal http.Handler                      // gets every request under /__devrun/, its URL.Path cleaned; nil: 404
	Snippet  func(method, nonce string) string // the script tag to insert into the answer; "" inserts nothing
	HoldMax  time.Duration                     // how long requests wait; 0: 30 s
	Waiting  http.Handler                      // answers those that waited so long; nil: a plain 503
	Asked    func() (begun func())             // told that a page is asked for, and then that its answer begins; or nil
	Log      func(string)                      // told notices of one line, from any goroutine

	// Terms is asked how the app takes a client that begins with TLS, or with HTTP/2 and
	// no hello. app is where the app is, "" while it is away. nil: every such client is
	// for the app alone.
	Terms func(ctx context.Context, app string, hello *tls.ClientHelloInfo) Terms

	// Lost is asked when requests begin to go to an app, for who explains why it closes
	// a connection without an answer; nil explains nothing, of no app or of this one.
	Lost func() Lost

	// Said tells whether it is devrun that has put this into the header of the app's
	// answer, in its own name; nil: it puts in nothing. It may take its time, until ctx
	// ends.
	Said func(ctx context.Context, name, value string) bool
}

// Lost returns what answers a request whose connection the app closed without an
// answer, or nil for a plain 502. r is the request as the app got it, peer the address
// that it came from for the app. It may take its time, until the context of r ends.
type Lost func(r *http.Request, peer string) http.Handler

// Front is the public side of the app. Its methods may be called from any
// goroutine.
type Front struct {
	opts      Options
	listeners []net.Listener
	server    *http.Server
	proxy     *httputil.ReverseProxy
	handed    handed
	notes     notes

	root context.Context // ends with Close
	stop context.CancelFunc

	state  atomic.Pointer[state]  // never nil
	tenure atomic.Pointer[tenure] // of the app that is forwarded to, or will be next

	mu    sync.Mutex         // guards conns
	conns map[*conn]struct{} // all that are open; nil after Close

	wg sync.WaitGroup // accept loops, connections, handlers
}

const (
	// defaultHold covers a slow build; a browser gives up much later.
	defaultHold = 30 * time.Second

	// headerTimeout lets a person type a request into a terminal, and ends the
	// connections of a client that never finishes one.
	headerTimeout = time.Minute

	// acceptPause is the breath taken when the system has no descriptor left.
	acceptPause = 100 * time.Millisecond
)

// Listen binds o.Addrs and returns a Front that holds what comes. If the first
// address is taken the error satisfies errors.Is(err, syscall.EADDRINUSE).
func Listen(o Options) (*Front, error) {
	if len(o.Addrs) == 0 && o.Listener == nil {
		return nil, errors.New("no address to listen on")
	}
	if o.HoldMax == 0 {
		o.HoldMax = defaultHold
	}
	if o.Log == nil {
		o.Log = func(string) {}
	}
	if o.Internal == nil {
		o.Internal = http.NotFoundHandler()
	}
	if o.Waiting == nil {
		o.Waiting = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "the app is not ready yet", http.StatusServiceUnavailable)
		})
	}
	f := &Front{opts: o, conns: map[*conn]struct{}{}}
	f.root, f.stop = context.WithCancel(context.Background())
	f.notes.say = o.Log
	f.handed = handed{make(chan net.Conn), f.root.Done()}
	f.tenure.Store(newTenure())
	f.state.Store(f.newState(nil, ""))
	if err := f.bind(); err != nil {
		f.stop()
		return nil, err
	}
	f.proxy = f.newProxy()
	f.server = &http.Server{
		Handler:                      http.HandlerFunc(f.serveHTTP),
		BaseContext:                  func(net.Listener) context.Context { return f.root },
		ConnState:                    f.connState,
		ReadHeaderTimeout:            headerTimeout,
		MaxHeaderBytes:               http.DefaultMaxHeaderBytes, // the app's own limit, unless it set one: the same requests are refused
		DisableGeneralOptionsHandler: true,                       // the app answers OPTIONS *
		Protocols:                    &protocols,
		ErrorLog:                     log.New(serverLog(o.Log), "", 0),
	}
	f.wg.Go(func() { f.server.Serve(f.handed) }) // returns when Close ends f.root
	for _, l := range f.listeners {
		f.wg.Go(func() { f.accept(l) })
	}
	return f, nil
}

// bind listens without SO_REUSEPORT, so that an address held by somebody else is
// an error, and only then shares it with the app.
func (f *Front) bind() (err error) {
	defer func() {
		if err != nil {
			for _, l := range f.listeners {
				l.Close()
			}
		}
	}()
	if l := f.opts.Listener; l != nil {
		f.listeners = append(f.listeners, l)
		if err := share(l.(*net.TCPListener)); err != nil {
			return fmt.Errorf("cannot share %s with the app: %w", l.Addr(), err)
		}
	}
	for i, addr := range f.opts.Addrs {
		l, err := net.Listen("tcp", addr)
		switch {
		case err == nil:
		case i == 0:
			return fmt.Errorf("cannot listen on %s: %w", addr, err)
		case errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT):
			continue // a machine without IPv6
		default:
			f.opts.Log(fmt.Sprintf("%s is not served: %v", addr, err))
			continue
		}
		f.listeners = append(f.listeners, l)
		if err := share(l.(*net.TCPListener)); err != nil {
			return fmt.Errorf("cannot share %s with the app: %w", addr, err)
		}
	}
	return nil
}

// Addrs are the addresses that are served, in the order of Options.
func (f *Front) Addrs() []string {
	var addrs []string
	for _, l := range f.listeners {
		addrs = append(addrs, l.Addr().String())
	}
	return addrs
}

// Close ends all connections and returns when every goroutine is gone.
func (f *Front) Close() error {
	f.stop()
	var errs []error
	for _, l := range f.listeners {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	f.mu.Lock()
	open := f.conns
	f.conns = nil
	f.mu.Unlock()
	for c := range open {
		c.TCPConn.Close()
	}
	f.wg.Wait()
	f.state.Load().leave()
	return errors.Join(errs...)
}

func (f *Front) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		switch {
		case err == nil:
			if c := f.track(c); c != nil {
				f.wg.Go(func() { f.handle(c) })
			}
		case f.root.Err() != nil:
			return
		default:
			f.notes.once("accept", "cannot accept a connection: "+err.Error())
			select {
			case <-time.After(acceptPause):
			case <-f.root.Done():
			}
		}
	}
}

// conn is a connection that Close knows of. Bytes read too early are read again.
type conn struct {
	*net.TCPConn
	front  *Front
	app    *upstream // that it was dialled to; nil for a client's
	unread []byte
}

// track takes over c; nil if the Front is closed.
func (f *Front) track(c net.Conn) *conn {
	t := &conn{TCPConn: c.(*net.TCPConn), front: f}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.conns == nil {
		c.Close()
		return nil
	}
	f.conns[t] = struct{}{}
	return t
}

func (c *conn) Close() error {
	c.front.mu.Lock()
	delete(c.front.conns, c)
	c.front.mu.Unlock()
	return c.TCPConn.Close()
}

func (c *conn) Read(p []byte) (int, error) {
	if len(c.unread) > 0 {
		n := copy(p, c.unread)
		if c.unread = c.unread[n:]; len(c.unread) == 0 {
			c.unread = nil
		}
		return n, nil
	}
	return c.TCPConn.Read(p)
}

// WriteTo hides that of TCPConn, which knows nothing of unread.
func (c *conn) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(c.unread)
	c.unread = nil
	if err != nil {
		return int64(n), err
	}
	m, err := io.Copy(w, c.TCPConn)
	return int64(n) + m, err
}

// handed is the listener of the http.Server: what was recognised as HTTP.
type handed struct {
	conns chan net.Conn
	done  <-chan struct{}
}

func (h handed) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}

func (h handed) Close() error   { return nil }
func (h handed) Addr() net.Addr { return &net.TCPAddr{} }

// give hands c to the server. It counts in f.wg until connState sees its end.
func (f *Front) give(c net.Conn) {
	f.wg.Add(1)
	select {
	case f.handed.conns <- c:
	case <-f.root.Done():
		c.Close()
		f.wg.Done()
	}
}

func (f *Front) connState(_ net.Conn, s http.ConnState) {
	if s == http.StateClosed || s == http.StateHijacked {
		f.wg.Done()
	}
}

// serverLog keeps what a person can act on, a panic of devrun's own handlers;
// the rest of what net/http says is about clients that went away.
type serverLog func(string)

func (say serverLog) Write(p []byte) (int, error) {
	if line, _, _ := strings.Cut(string(p), "\n"); strings.HasPrefix(line, "http: panic") || strings.HasPrefix(line, "http2: panic") {
		say(line)
	}
	return len(p), nil
}

// notes says things once.
type notes struct {
	say  func(string)
	mu   sync.Mutex
	said map[string]bool
}

// maxNotes bounds what is remembered; an app can have any number of paths.
const maxNotes = 256

func (n *notes) once(key, line string) {
	n.mu.Lock()
	known := n.said[key] || len(n.said) >= maxNotes
	if !known {
		if n.said == nil {
			n.said = map[string]bool{}
		}
		n.said[key] = true
	}
	n.mu.Unlock()
	if !known {
		n.say(line)
	}
}
