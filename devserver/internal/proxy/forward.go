package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// settling is how long after Forward a refused connection may mean that the
	// app is about to listen; redial is the pause between attempts.
	settling = time.Second
	redial   = 5 * time.Millisecond

	// crowded is how long a connection to the app waits for a descriptor when this
	// process has none left: others give theirs back.
	crowded      = 10 * time.Second
	crowdedPause = 20 * time.Millisecond

	// keepIdle is shorter than any time-out that an app gives its idle
	// connections, so that no request meets one that the app is closing; one with
	// a body could not be repeated.
	keepIdle = 2 * time.Second

	// keepConns is more than a browser, or a load test, has under way at once.
	keepConns = 512

	// continueAfter is when a body is sent without the app having asked for it.
	// Clients that send Expect: 100-continue do so themselves after about as long.
	continueAfter = time.Second

	// ioBuffer holds one piece of a body on its way.
	ioBuffer = 32 << 10
)

// upstream is one process of the app.
type upstream struct {
	addr   string
	since  time.Time
	over   context.Context
	tenure *tenure         // of the process
	one    *http.Transport // for HTTP/1
	two    *http.Transport // for HTTP/2
	lost   Lost            // or nil
}

func newUpstream(addr string, over context.Context, t *tenure) *upstream {
	u := &upstream{addr: addr, since: time.Now(), over: over, tenure: t}
	u.one, u.two = u.transport("http/1.1"), u.transport("h2")
	u.one.Protocols.SetHTTP1(true)
	u.two.Protocols.SetHTTP2(true)
	u.two.Protocols.SetUnencryptedHTTP2(true)
	return u
}

// transport makes one whose connections over TLS speak protocol.
func (u *upstream) transport(protocol string) *http.Transport {
	return &http.Transport{
		DialContext:           u.dial,
		DialTLSContext:        u.dialTLS(protocol),
		Protocols:             new(http.Protocols),
		DisableCompression:    true,
		MaxIdleConnsPerHost:   keepConns,
		IdleConnTimeout:       keepIdle,
		ExpectContinueTimeout: continueAfter,
		ReadBufferSize:        ioBuffer,
		WriteBufferSize:       ioBuffer,
	}
}

// roundTrip sends r in the version of HTTP in which in came.
func (u *upstream) roundTrip(r, in *http.Request) (*http.Response, error) {
	if in.ProtoMajor == 2 {
		return u.two.RoundTrip(r)
	}
	return u.one.RoundTrip(r)
}

// leave closes the connections that are not in use.
func (u *upstream) leave() {
	u.one.CloseIdleConnections()
	u.two.CloseIdleConnections()
}

// dial connects to the app, whatever address is asked for.
func (u *upstream) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	var d net.Dialer
	for begin := time.Now(); ; {
		c, err := d.DialContext(ctx, "tcp", u.addr)
		var pause time.Duration
		switch {
		case errors.Is(err, syscall.ECONNREFUSED) && time.Since(u.since) <= settling:
			pause = redial
		case isCrowded(err) && time.Since(begin) <= crowded:
			pause = crowdedPause
		default:
			return c, err
		}
		select {
		case <-time.After(pause):
		case <-u.over.Done():
			return nil, err
		case <-ctx.Done():
			return nil, err
		}
	}
}

// isCrowded tells that no descriptor is left, in this process or in the system.
func isCrowded(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// exchange is one request on its way, through as many sendings as it takes. It
// belongs to the goroutine of its handler.
type exchange struct {
	r    *http.Request
	page bool // wants a whole document, and may have the script tag in it

	app      *upstream   // this sending's
	body     *body       // this sending's
	end      func()      // ends this sending
	keep     func() bool // tells that it is not to end when the app is drained; false if it has
	peer     string      // where the app sees this sending come from, if that is of use
	err      error       // why there is no answer
	answered bool        // a response header came
	empty    bool        // and is all there is: with HTTP/2 it ends the stream, which gRPC relies on
	hijacked bool        // it became a tunnel
	touched  bool        // bytes of the body are gone
	sent     int         // how many processes may have seen it, in vain
}

func newExchange(r *http.Request, page bool) *exchange {
	if r.Trailer == nil && r.ContentLength < 0 {
		r.Trailer = http.Header{} // filled at the end of the body, announced or not
	}
	return &exchange{r: r, page: page}
}

type exchangeKey struct{}

func exchangeOf(ctx context.Context) *exchange { return ctx.Value(exchangeKey{}).(*exchange) }

// try sends x to the app of s. An error says why w is still untouched.
func (f *Front) try(w http.ResponseWriter, x *exchange, s *state) error {
	x.app, x.err = s.app, nil
	ctx, end := context.WithCancel(context.WithValue(x.r.Context(), exchangeKey{}, x))
	x.end, x.keep = end, always
	if x.safe() {
		x.keep = x.app.drains(ordinary, end)
	}
	if x.app.lost != nil {
		x.peer = ""
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
			GotConn: func(c httptrace.GotConnInfo) { x.peer = c.Conn.LocalAddr().String() },
		})
	}
	r := x.r.WithContext(ctx)
	x.body = &body{ReadCloser: x.r.Body}
	r.Body = x.body
	// The app decides what becomes of an unread body, not this server.
	http.NewResponseController(w).EnableFullDuplex() // cannot fail with net/http's own
	defer func() {
		x.keep()
		end()
		x.touched = x.body.shut() || x.touched
		if s.over.Err() != nil {
			s.leave()
		}
	}()
	f.proxy.ServeHTTP(&reply{w, x}, r)
	scrub(w.Header(), never) // the trailers
	return x.err
}

// repeatable reports whether x, which failed with err, may be sent once more.
func (x *exchange) repeatable(err error) bool {
	if x.answered || x.touched {
		return false
	}
	return isDial(err) || x.r.ContentLength != 0 || x.safe()
}

// safe reports whether the app may see x twice.
func (x *exchange) safe() bool {
	switch x.r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return x.r.ContentLength == 0
	}
	return false
}

// body is a request's body during one sending. It cannot be read afterwards,
// because the transport may still try to when the next sending has begun.
type body struct {
	io.ReadCloser
	mu           sync.Mutex
	read, closed bool
}

func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return 0, http.ErrBodyReadAfterClose
	}
	b.read = true
	b.mu.Unlock()
	return b.ReadCloser.Read(p)
}

// shut ends the reading and reports whether there was any.
func (b *body) shut() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	return b.read
}

func (f *Front) newProxy() *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite:        rewrite,
		Transport:      roundTrip(f.send),
		FlushInterval:  -1,
		ModifyResponse: f.modify,
		BufferPool:     &buffers,
		ErrorLog:       log.New(io.Discard, "", 0), // every error ends in the answer
		ErrorHandler:   func(_ http.ResponseWriter, r *http.Request, err error) { exchangeOf(r.Context()).err = err },
	}
}

// rewrite makes the outgoing request the incoming one, which ReverseProxy has
// made cleaner than the client sent it.
func rewrite(p *httputil.ProxyRequest) {
	x := exchangeOf(p.In.Context())
	in, out := p.In, p.Out
	scheme, host := "http", x.app.addr
	if in.TLS != nil {
		scheme = "https"
		if in.TLS.ServerName != "" {
			host = net.JoinHostPort(in.TLS.ServerName, "443") // dial goes to the app all the same
		}
	}
	out.URL = &url.URL{
		Scheme: scheme, Host: host,
		Path: in.URL.Path, RawPath: in.URL.RawPath,
		RawQuery: in.URL.RawQuery, ForceQuery: in.URL.ForceQuery,
	}
	// A path with characters that should have been escaped stays as it is. (An
	// Opaque that begins with two slashes would become an absolute URL.)
	if raw, _, _ := strings.Cut(in.RequestURI, "?"); strings.HasPrefix(raw, "/") && !strings.HasPrefix(raw, "//") && raw != out.URL.EscapedPath() {
		out.URL.Opaque = raw
	}
	if out.Host == "" { // HTTP/1.0
		out.Host = in.Context().Value(http.LocalAddrContextKey).(net.Addr).String()
	}
	out.Trailer = in.Trailer // the same map: its values come with the end of the body
	p.SetXForwarded()
	dropOwn(out.Header)
	if x.page {
		// A 304 would revive a page with the tag of an earlier generation in it.
		out.Header.Del("If-None-Match")
		out.Header.Del("If-Modified-Since")
	}
}

var errReplaced = errors.New("the app was replaced")

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// send sends r to the process that its exchange chose. If another one has
// taken over by the time the answer begins, an answer that can be had from the
// new one is not taken from the old, once.
func (f *Front) send(r *http.Request) (*http.Response, error) {
	x := exchangeOf(r.Context())
	res, err := x.app.roundTrip(r, x.r)
	if !x.keep() {
		if err == nil {
			res.Body.Close()
		}
		return nil, errDrained
	}
	if err != nil {
		return nil, err
	}
	if s := f.state.Load(); x.sent == 0 && x.safe() && s.page == nil && s.app != nil && s.app != x.app {
		res.Body.Close()
		return nil, errReplaced
	}
	x.answered, x.keep = true, always
	x.empty = res.ProtoMajor == 2 && res.ContentLength == 0
	if d, stream := patience(res); stream {
		x.keep = x.app.drains(d, x.end)
	}
	return res, nil
}

// modify makes the app's answer fit to be passed on.
func (f *Front) modify(res *http.Response) error {
	x := exchangeOf(res.Request.Context())
	said := never
	if f.opts.Said != nil {
		said = func(name, value string) bool { return f.opts.Said(res.Request.Context(), name, value) }
	}
	scrub(res.Header, said)
	for name := range res.Trailer {
		if reserved(name) {
			delete(res.Trailer, name)
		}
	}
	if res.StatusCode == http.StatusSwitchingProtocols {
		return nil
	}
	if res.Close {
		res.Header.Set("Connection", "close") // the app wants the client to go
	}
	if x.page {
		f.insert(res, x.r)
	}
	return nil
}

// reply is the client's side of an answer that comes from the app.
type reply struct {
	http.ResponseWriter
	x *exchange
}

func (w *reply) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *reply) WriteHeader(code int) {
	h := w.Header()
	if code < 200 {
		if code == http.StatusContinue && w.x.r.Header.Get("Expect") != "" {
			return // sent when the transport begins to read the body
		}
		scrub(h, never)
		w.ResponseWriter.WriteHeader(code)
		return
	}
	for _, name := range []string{"Date", "Content-Type"} {
		if _, ok := h[name]; !ok {
			h[name] = nil // the app sent none: net/http shall not add one
		}
	}
	w.ResponseWriter.WriteHeader(code)
	if h.Get("Content-Length") == "" && !w.x.empty {
		// Now, so that an empty body does not get the length 0 instead.
		http.NewResponseController(w.ResponseWriter).Flush() // a client that is gone is noticed at the first write
	}
}

// Hijack makes what the client sent too early part of the tunnel.
func (w *reply) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	w.x.hijacked = true
	if n := rw.Reader.Buffered(); n > 0 {
		early, _ := rw.Reader.Peek(n) // they are there
		switch t := c.(type) {
		case *conn:
			t.unread = append(bytes.Clone(early), t.unread...)
		case *tls.Conn:
			c = &secureConn{t, bytes.Clone(early)}
		}
	}
	return c, rw, nil
}

// bufferPool lends the buffers that bodies pass through.
type bufferPool struct{ sync.Pool }

var buffers = bufferPool{sync.Pool{New: func() any { return new([ioBuffer]byte) }}}

func (p *bufferPool) Get() []byte  { return p.Pool.Get().(*[ioBuffer]byte)[:] }
func (p *bufferPool) Put(b []byte) { p.Pool.Put((*[ioBuffer]byte)(b)) }
