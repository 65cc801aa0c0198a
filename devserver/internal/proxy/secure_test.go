package proxy

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/coder/websocket"
	"golang.org/x/net/http2"

	"devrun/devserver/suite"
)

// secureApp is an app that speaks TLS, or HTTP/2 without.
type secureApp struct {
	*httptest.Server
	asked atomic.Int64 // for its terms
}

// over starts one: "https", or "h2c".
func over(t testing.TB, scheme string, h http.HandlerFunc) *secureApp {
	a := &secureApp{Server: httptest.NewUnstartedServer(h)}
	a.Config.ErrorLog = newLog(io.Discard)
	if scheme == "https" {
		a.EnableHTTP2 = true
		a.StartTLS()
	} else {
		a.Config.Protocols = &protocols
		a.Start()
	}
	t.Cleanup(a.Close)
	return a
}

func (a *secureApp) addr() string { return a.Listener.Addr().String() }

// terms are the app's, at its own address only.
func (a *secureApp) terms(_ context.Context, app string, hello *tls.ClientHelloInfo) Terms {
	a.asked.Add(1)
	if app != a.addr() {
		return Terms{}
	}
	if hello == nil {
		return Terms{HTTP2: a.TLS == nil}
	}
	return Terms{TLS: a.TLS}
}

// clientOf speaks one version of HTTP over scheme, and counts its connections.
func clientOf(t testing.TB, scheme, version string) (c *http.Client, conns *atomic.Int64) {
	conns = &atomic.Int64{}
	c = client(t)
	tr := c.Transport.(*http.Transport)
	tr.TLSClientConfig = &tls.Config{InsecureSkipVerify: true, ServerName: "the.name"}
	tr.Protocols = &http.Protocols{}
	switch {
	case version == "HTTP/1.1":
		tr.Protocols.SetHTTP1(true)
	case scheme == "https":
		tr.Protocols.SetHTTP2(true)
	default:
		tr.Protocols.SetUnencryptedHTTP2(true)
	}
	tr.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conns.Add(1)
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
	return c, conns
}

func (f *Front) at(scheme string) string {
	return strings.Replace(scheme, "h2c", "http", 1) + "://" + f.Addrs()[0]
}

// ways are those to speak HTTP with TLS or in version 2.
var ways = []struct{ scheme, version string }{{"https", "HTTP/1.1"}, {"https", "HTTP/2.0"}, {"h2c", "HTTP/2.0"}}

// A request over TLS, or over HTTP/2, reaches the app as it was sent, and its pages have
// the tag.
func TestSecure(t *testing.T) {
	for _, w := range ways {
		t.Run(w.scheme+" "+w.version, func(t *testing.T) {
			a := over(t, w.scheme, func(w http.ResponseWriter, r *http.Request) {
				name := ""
				if r.TLS != nil {
					name = r.TLS.ServerName
				}
				b, _ := io.ReadAll(r.Body)
				w.Header().Set("Content-Type", "text/html")
				w.Header().Set("Trailer", "After")
				fmt.Fprintf(w, "<head>%s %s %s %q %s %s", r.Method, r.Proto, r.URL, name, b, r.Header.Get("X-Forwarded-Proto"))
				w.Header().Set("After", "all")
			})
			f := front(t, Options{Terms: a.terms, Snippet: func(string, string) string { return "<tag>" }})
			f.Forward(a.addr())
			c, _ := clientOf(t, w.scheme, w.version)
			res := do(t, c, "POST", f.at(w.scheme)+"/a?b=c;d", strings.NewReader("body"), "Sec-Fetch-Dest: document")
			b, err := io.ReadAll(res.Body)
			res.Body.Close()
			name, proto := `"the.name"`, "https"
			if w.scheme != "https" {
				name, proto = `""`, "http"
			}
			want := fmt.Sprintf("<head><tag>POST %s /a?b=c;d %s body %s", w.version, name, proto)
			if string(b) != want || err != nil || res.Proto != w.version || res.Trailer.Get("After") != "all" {
				t.Errorf("%s %v %q, %v; want %s", res.Proto, res.Trailer, b, err, want)
			}
			if w.scheme == "https" && res.TLS.PeerCertificates[0].Subject.String() != a.Certificate().Subject.String() {
				t.Errorf("certificate of %v", res.TLS.PeerCertificates[0].Subject)
			}
		})
	}
}

// A connection outlives the app: what comes meanwhile waits for the next one, or has the
// page.
func TestSecureSwap(t *testing.T) {
	for _, w := range ways {
		t.Run(w.scheme+" "+w.version, func(t *testing.T) {
			says := func(s string) *secureApp {
				return over(t, w.scheme, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, s) })
			}
			first, second := says("first"), says("second")
			f := front(t, Options{Terms: func(ctx context.Context, app string, hello *tls.ClientHelloInfo) Terms {
				return first.terms(ctx, first.addr(), hello) // as devrun has kept them
			}})
			f.Forward(first.addr())
			c, conns := clientOf(t, w.scheme, w.version)
			url := f.at(w.scheme)
			ask := func(want string) {
				t.Helper()
				if status, body := get(t, c, url); body != want {
					t.Errorf("%d %q, want %s", status, body, want)
				}
			}
			ask("first")
			f.Answer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "page") }), "")
			ask("page")
			f.Hold()
			first.Close()
			sent, held := make(chan struct{}), make(chan string)
			go func() {
				req, _ := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
					WroteRequest: func(httptrace.WroteRequestInfo) { close(sent) },
				}), "GET", url, nil)
				res, err := c.Do(req)
				if err != nil {
					held <- err.Error()
					return
				}
				b, err := io.ReadAll(res.Body)
				res.Body.Close()
				held <- fmt.Sprint(string(b), err)
			}()
			<-sent
			f.Forward(second.addr())
			if s := <-held; s != "second<nil>" {
				t.Error(s)
			}
			ask("second")
			if n := conns.Load(); n != 1 {
				t.Errorf("%d connections, want 1", n)
			}
			// A new client is taken as kindly while there is no app.
			f.Hold()
			other, _ := clientOf(t, w.scheme, w.version)
			c = other
			go f.Answer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "page") }), "")
			ask("page")
		})
	}
}

// The terms of an app that has not run yet are waited for.
func TestSecureBeforeTheApp(t *testing.T) {
	for _, w := range ways {
		t.Run(w.scheme+" "+w.version, func(t *testing.T) {
			a := over(t, w.scheme, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "here") })
			f := front(t, Options{Terms: a.terms})
			c, _ := clientOf(t, w.scheme, w.version)
			go suite.Until(t, "the terms are asked for", func() error {
				if a.asked.Load() == 0 {
					return errors.New("not yet")
				}
				f.Forward(a.addr())
				return nil
			})
			if _, body := get(t, c, f.at(w.scheme)); body != "here" {
				t.Error(body)
			}
		})
	}
}

// What nobody agrees on, and what is no TLS though it begins so, is for the app alone.
func TestNotAgreed(t *testing.T) {
	none := func(context.Context, string, *tls.ClientHelloInfo) Terms { return Terms{} }
	for _, w := range ways {
		t.Run(w.scheme+" "+w.version, func(t *testing.T) {
			a := over(t, w.scheme, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Header["X-Forwarded-For"]) })
			f := front(t, Options{Terms: none})
			f.Forward(a.addr())
			c, _ := clientOf(t, w.scheme, w.version)
			if _, body := get(t, c, f.at(w.scheme)); body != "[]" {
				t.Error(body)
			}
		})
	}
	for _, begin := range []string{"\x16\x03\x01\x00\x05hello", "\x16\x03nothing of the kind", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"} {
		echo := rawApp(t, func(c net.Conn) { io.Copy(c, c) })
		f := front(t, Options{Terms: none})
		f.Forward(echo)
		c := dial(t, f.Addrs()[0])
		io.WriteString(c, begin)
		c.CloseWrite()
		if b, err := io.ReadAll(c); string(b) != begin || err != nil {
			t.Errorf("%q came back as %q, %v", begin, b, err)
		}
	}
}

// Why TLS is passed through is said once.
func TestNotAgreedWhy(t *testing.T) {
	a := over(t, "https", func(http.ResponseWriter, *http.Request) {})
	var log lines
	f := front(t, Options{Log: log.log, Terms: func(context.Context, string, *tls.ClientHelloInfo) Terms { return Terms{Why: "passed through"} }})
	f.Forward(a.addr())
	for range 2 {
		c, _ := clientOf(t, "https", "HTTP/2.0")
		get(t, c, f.at("https"))
	}
	if log.String() != "passed through" {
		t.Errorf("said %q", log.String())
	}
}

// One port may speak both: plain HTTP at a port with TLS is the app's to refuse.
func TestPlainAtSecure(t *testing.T) {
	a := over(t, "https", func(http.ResponseWriter, *http.Request) {})
	f := front(t, Options{Terms: a.terms})
	f.Forward(a.addr())
	if status, body := get(t, client(t), f.url()); status != http.StatusBadRequest || !strings.Contains(body, "HTTPS server") {
		t.Errorf("%d %q", status, body)
	}
}

// A websocket over TLS is joined to the app's, also with what was said too early.
func TestSecureWebsocket(t *testing.T) {
	a := over(t, "https", func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		for {
			kind, b, err := c.Read(r.Context())
			if err != nil || c.Write(r.Context(), kind, b) != nil {
				return
			}
		}
	})
	f := front(t, Options{Terms: a.terms})
	f.Forward(a.addr())
	hc, _ := clientOf(t, "https", "HTTP/1.1")
	ctx, cancel := context.WithTimeout(t.Context(), suite.Patience)
	defer cancel()
	c, _, err := websocket.Dial(ctx, "wss://"+f.Addrs()[0], &websocket.DialOptions{HTTPClient: hc})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	if err := c.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, b, err := c.Read(ctx); string(b) != "hello" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	c.Close(websocket.StatusNormalClosure, "")

	early := over(t, "https", func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer c.Close()
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		line, _ := rw.ReadString('\n')
		io.WriteString(c, line)
	})
	f = front(t, Options{Terms: early.terms})
	f.Forward(early.addr())
	s, err := tls.Dial("tcp", f.Addrs()[0], &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	io.WriteString(s, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\ntoo early\n")
	r := bufio.NewReader(s)
	if res, err := http.ReadResponse(r, nil); err != nil || res.StatusCode != 101 {
		t.Fatal(res, err)
	}
	if line, err := r.ReadString('\n'); line != "too early\n" {
		t.Errorf("%q, %v", line, err)
	}
}

// Both sides of a stream of HTTP/2 speak at the same time.
func TestBothWays(t *testing.T) {
	for _, scheme := range []string{"https", "h2c"} {
		a := over(t, scheme, func(w http.ResponseWriter, r *http.Request) {
			http.NewResponseController(w).Flush()
			lines := bufio.NewScanner(r.Body)
			for lines.Scan() {
				fmt.Fprintln(w, lines.Text())
				http.NewResponseController(w).Flush()
			}
		})
		f := front(t, Options{Terms: a.terms})
		f.Forward(a.addr())
		c, _ := clientOf(t, scheme, "HTTP/2.0")
		body, say := io.Pipe()
		res := do(t, c, "POST", f.at(scheme), body)
		heard := bufio.NewReader(res.Body)
		for i := range 3 {
			fmt.Fprintln(say, i)
			if line, err := heard.ReadString('\n'); line != fmt.Sprintln(i) {
				t.Fatalf("%q, %v", line, err)
			}
		}
		say.Close()
		if rest, err := io.ReadAll(heard); len(rest) > 0 || err != nil {
			t.Errorf("%q, %v", rest, err)
		}
		res.Body.Close()
	}
}

// An answer that is no more than its header ends the stream with it: gRPC says so that a
// call has failed.
func TestHeaderAlone(t *testing.T) {
	a := over(t, "h2c", func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Grpc-Status", "5") })
	f := front(t, Options{Terms: a.terms})
	f.Forward(a.addr())
	c := dial(t, f.Addrs()[0])
	io.WriteString(c, http2.ClientPreface)
	fr := http2.NewFramer(c, c)
	fr.WriteSettings()
	fr.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, EndStream: true, EndHeaders: true,
		BlockFragment: []byte{0x83, 0x86, 0x84, 0x41, 1, 'x'}}) // POST http / x
	for {
		frame, err := fr.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if h, ok := frame.(*http2.HeadersFrame); ok {
			if !h.StreamEnded() {
				t.Error("the stream goes on")
			}
			return
		}
	}
}

// Of an app that dies or cuts a stream of HTTP/2 the client hears the same as of one that
// speaks HTTP/1: what may be repeated is, the rest is told.
func TestSecureEnds(t *testing.T) {
	for _, w := range ways {
		t.Run(w.scheme+" "+w.version, func(t *testing.T) {
			var seen sync.WaitGroup
			seen.Add(2)
			begun := sync.OnceFunc(seen.Done)
			dies := over(t, w.scheme, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/cut" {
					panic(http.ErrAbortHandler)
				}
				begun()
				<-r.Context().Done()
			})
			next := over(t, w.scheme, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "next") })
			f := front(t, Options{Terms: func(ctx context.Context, app string, hello *tls.ClientHelloInfo) Terms {
				return dies.terms(ctx, dies.addr(), hello)
			}})
			f.Forward(dies.addr())
			c, _ := clientOf(t, w.scheme, w.version)
			if status, body := get(t, c, f.at(w.scheme)+"/cut"); status != http.StatusBadGateway || body != "the app closed the connection without an answer\n" {
				t.Errorf("%d %q", status, body)
			}
			alone := over(t, w.scheme, nil)
			alone.Config.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
				alone.Listener.Close()
				alone.CloseClientConnections()
			})
			f.Forward(alone.addr())
			if status, body := get(t, c, f.at(w.scheme)); status != http.StatusBadGateway || body != "the app closed the connection without an answer\n" && !strings.HasPrefix(body, "the app does not answer at") {
				t.Errorf("%d %q", status, body)
			}
			f.Forward(dies.addr())
			go func() {
				seen.Wait()
				f.Hold()
				dies.Listener.Close()
				dies.CloseClientConnections()
				f.Forward(next.addr())
			}()
			seen.Done()
			if status, body := get(t, c, f.at(w.scheme)+"/slow"); body != "next" {
				t.Errorf("%d %q", status, body)
			}
		})
	}
}

// Close ends connections, and handlers that have no connection any more.
func TestSecureClose(t *testing.T) {
	for _, w := range ways {
		var under sync.WaitGroup
		a := over(t, w.scheme, func(w http.ResponseWriter, r *http.Request) {
			under.Done()
			<-r.Context().Done()
		})
		f, err := Listen(Options{Addrs: []string{"127.0.0.1:0"}, Terms: a.terms})
		if err != nil {
			t.Fatal(err)
		}
		f.Forward(a.addr())
		c, _ := clientOf(t, w.scheme, w.version)
		var ended sync.WaitGroup
		under.Add(8)
		for range 8 {
			ended.Go(func() {
				if res, err := c.Get(f.at(w.scheme)); err == nil {
					t.Errorf("%s", res.Status)
					res.Body.Close()
				}
			})
		}
		under.Wait()
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		ended.Wait()
	}
}

// Connections to the app are used again, and those of one server name are not another's.
func TestSecureConnections(t *testing.T) {
	var mu sync.Mutex
	peers := map[string][]string{}
	a := over(t, "https", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if !slices.Contains(peers[r.TLS.ServerName], r.RemoteAddr) {
			peers[r.TLS.ServerName] = append(peers[r.TLS.ServerName], r.RemoteAddr)
		}
	})
	f := front(t, Options{Terms: a.terms})
	f.Forward(a.addr())
	names := []string{"one.test", "two.test", "UPPER.test", "under_score", "a b", "a/b?c#d", "a\r\nb: c", ""}
	for range 3 {
		for _, name := range names {
			c, _ := clientOf(t, "https", "HTTP/2.0")
			c.Transport.(*http.Transport).TLSClientConfig.ServerName = name
			get(t, c, f.at("https"))
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for _, name := range names {
		if len(peers[name]) != 1 {
			t.Errorf("%q: %v", name, peers[name])
		}
	}
}
