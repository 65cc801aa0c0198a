package proxy

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestSniff(t *testing.T) {
	long := strings.Repeat("x", maxLine)
	for _, c := range []struct {
		in   string
		want protocol
	}{
		{"GET / HTTP/1.1\r\n", http1},
		{"GET / HTTP/1.0\n", http1},
		{"get / HTTP/1.1\r\n", http1}, // net/http takes any token
		{"X-odd!method ??? HTTP/1.1\r\n", http1},
		{"OPTIONS * HTTP/1.1\r\nHost", http1},
		{"CONNECT a:1 HTTP/1.1\r\n", http1},
		{"GET http://a/b HTTP/1.1\r\n", http1},
		{"GET /a b HTTP/1.1\r\n", other}, // 400 from the app
		{"GET /\r\n", other},
		{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", other},
		{"PRI * HTTP/2", undecided},
		{"GET /", undecided},
		{"GET", undecided},
		{"hello", undecided},
		{"hello world\n", other},
		{"PING\r\n", other},
		{"*1\r\n$4\r\nPING\r\n", other},
		{"\x16\x03\x01\x02\x00", other},
		{" GET / HTTP/1.1\r\n", other},
		{"\r\nGET / HTTP/1.1\r\n", other},
		{"\x00", other},
		{strings.Repeat("a", maxMethod+1), other},
		{"GET /" + long, http1},
	} {
		if got := sniff([]byte(c.in)); got != c.want {
			t.Errorf("%.40q: %d, want %d", c.in, got, c.want)
		}
		// No beginning of it is taken for something else.
		if c.want == undecided {
			continue
		}
		for n := range len(c.in) {
			if got := sniff([]byte(c.in[:n])); got != undecided && got != c.want {
				t.Errorf("%.40q: the first %d bytes are %d, the whole is %d", c.in, n, got, c.want)
				break
			}
		}
	}
}

func TestLean(t *testing.T) {
	for in, want := range map[string]protocol{
		"G": http1, "GET": http1, "GET ": http1, "GET /": http1, "CONNECT a": http1, "PURGE /x": http1,
		"hello": other, "hello world": other, "GETX": other, "PING": other,
	} {
		if got := lean([]byte(in)); got != want {
			t.Errorf("%q: %d, want %d", in, got, want)
		}
	}
}

func TestTLSAndHTTP2AreSpliced(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %d tls=%v", r.Proto, r.Host, len(b), r.TLS != nil)
	})
	secure := httptest.NewUnstartedServer(h)
	secure.EnableHTTP2 = true
	secure.StartTLS()
	defer secure.Close()
	clear := httptest.NewUnstartedServer(h)
	clear.Config.Protocols = new(http.Protocols)
	clear.Config.Protocols.SetUnencryptedHTTP2(true)
	clear.Start()
	defer clear.Close()

	for _, c := range []struct {
		name, scheme, addr string
		protocols          func(*http.Protocols)
		want               string
	}{
		{"https", "https", secure.Listener.Addr().String(), func(p *http.Protocols) { p.SetHTTP1(true) }, "HTTP/1.1 HOST 100000 tls=true"},
		{"h2", "https", secure.Listener.Addr().String(), func(p *http.Protocols) { p.SetHTTP2(true) }, "HTTP/2.0 HOST 100000 tls=true"},
		{"h2c", "http", clear.Listener.Addr().String(), func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) }, "HTTP/2.0 HOST 100000 tls=false"},
	} {
		f := front(t, Options{})
		tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, Protocols: new(http.Protocols)}
		c.protocols(tr.Protocols)
		got := make(chan string, 1)
		go func() { // held first, like any other connection
			res, err := (&http.Client{Transport: tr}).Post(c.scheme+"://"+f.Addrs()[0], "text/plain", bytes.NewReader(make([]byte, 100000)))
			if err != nil {
				got <- err.Error()
				return
			}
			defer res.Body.Close()
			b, _ := io.ReadAll(res.Body)
			got <- string(b)
		}()
		f.Forward(c.addr)
		if s, want := <-got, strings.ReplaceAll(c.want, "HOST", f.Addrs()[0]); s != want {
			t.Errorf("%s: got %q, want %q", c.name, s, want)
		}
		tr.CloseIdleConnections()
	}
}

func TestRawProtocols(t *testing.T) {
	echo := rawApp(t, func(c net.Conn) { io.Copy(c, c) })
	f := forwarding(t, echo)

	t.Run("echo with half-close", func(t *testing.T) {
		c := dial(t, f.Addrs()[0])
		want := bytes.Repeat([]byte("\x00\x01binary\xff"), 100000)
		go func() {
			c.Write(want)
			c.CloseWrite()
		}()
		if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes came back (%v), want %d", len(got), err, len(want))
		}
	})
	t.Run("a word without a line end", func(t *testing.T) {
		c := dial(t, f.Addrs()[0])
		fmt.Fprint(c, "hello")
		got := make([]byte, 5)
		if _, err := io.ReadFull(c, got); err != nil || string(got) != "hello" {
			t.Errorf("got %q, %v", got, err)
		}
	})
	t.Run("the app hangs up", func(t *testing.T) {
		f := forwarding(t, rawApp(t, func(c net.Conn) { c.Read(make([]byte, 1)) }))
		c := dial(t, f.Addrs()[0])
		fmt.Fprint(c, "\x01")
		if b, err := io.ReadAll(c); len(b) > 0 || err != nil {
			t.Errorf("got %q, %v; want a plain end", b, err)
		}
	})
	t.Run("the app breaks off", func(t *testing.T) {
		f := forwarding(t, rawApp(t, func(c net.Conn) {
			c.Read(make([]byte, 1))
			c.(*net.TCPConn).SetLinger(0)
		}))
		c := dial(t, f.Addrs()[0])
		fmt.Fprint(c, "\x01")
		if _, err := io.ReadAll(c); err == nil {
			t.Error("a reset arrived as a plain end")
		}
	})
	t.Run("held, then answering without an app", func(t *testing.T) {
		f := front(t, Options{})
		c := dial(t, f.Addrs()[0])
		fmt.Fprint(c, "\x01held")
		f.Answer(http.NotFoundHandler(), "")
		if b, _ := io.ReadAll(c); len(b) > 0 {
			t.Errorf("got %q", b)
		}
	})
	t.Run("held, then answering beside an app", func(t *testing.T) {
		f := front(t, Options{})
		c := dial(t, f.Addrs()[0])
		fmt.Fprint(c, "\x01held")
		f.Answer(http.NotFoundHandler(), echo)
		got := make([]byte, 5)
		if _, err := io.ReadFull(c, got); err != nil || string(got) != "\x01held" {
			t.Errorf("got %q, %v", got, err)
		}
	})
	t.Run("held too long", func(t *testing.T) {
		f := front(t, Options{HoldMax: 50 * time.Millisecond})
		c := dial(t, f.Addrs()[0])
		fmt.Fprint(c, "\x01held")
		if b, err := io.ReadAll(c); len(b) > 0 || err != nil {
			t.Errorf("got %q, %v", b, err)
		}
	})
}

func TestServerSpeaksFirst(t *testing.T) {
	met := make(chan net.Conn, 10)
	addr := rawApp(t, func(c net.Conn) {
		met <- c
		fmt.Fprint(c, "220 ready\r\n")
		line, _ := bufio.NewReader(c).ReadString('\n')
		fmt.Fprintf(c, "250 %s", line)
	})
	f := front(t, Options{})
	c := dial(t, f.Addrs()[0]) // silent while held, too
	f.Forward(addr)
	r := bufio.NewReader(c)
	if line, err := r.ReadString('\n'); line != "220 ready\r\n" {
		t.Fatalf("got %q, %v", line, err)
	}
	fmt.Fprint(c, "HELO you\r\n")
	if line, err := r.ReadString('\n'); line != "250 HELO you\r\n" {
		t.Fatalf("got %q, %v", line, err)
	}

	listener := dial(t, f.Addrs()[0]) // it has nothing to say at all
	listener.CloseWrite()
	if line, err := bufio.NewReader(listener).ReadString('\n'); line != "220 ready\r\n" {
		t.Errorf("half-closed: got %q, %v", line, err)
	}
}

// Browsers open connections ahead of need. Such a connection must not become the
// app's by being silent, since requests for devrun may come on it.
func TestSilentConnectionIsStillHTTP(t *testing.T) {
	seen := make(chan struct{}, 10)
	addr := rawApp(t, func(c net.Conn) {
		seen <- struct{}{}
		io.Copy(io.Discard, c)
	})
	f := front(t, Options{Internal: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "devrun") })})
	f.Forward(addr)
	ask := func(c net.Conn) {
		t.Helper()
		fmt.Fprint(c, "GET /__devrun/x HTTP/1.1\r\nHost: x\r\n\r\n")
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if b, _ := io.ReadAll(res.Body); string(b) != "devrun" {
			t.Errorf("got %q", b)
		}
	}
	c := dial(t, f.Addrs()[0])
	<-seen // the Front has become curious
	ask(c)

	c = dial(t, f.Addrs()[0])
	<-seen
	f.Hold() // lets go of the app, so that its shutdown waits for nothing
	ask(c)

	f.Forward(addr)
	c = dial(t, f.Addrs()[0])
	<-seen
	f.Forward(addr)
	<-seen // and asks the new one
	ask(c)
}

func TestReadUntilLeavesNoDeadline(t *testing.T) {
	f := front(t, Options{})
	sent := make(chan struct{})
	addr := rawApp(t, func(c net.Conn) {
		fmt.Fprint(c, "one")
		<-sent
		fmt.Fprint(c, "two")
	})
	raw, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c := f.track(raw)
	defer c.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	b := make([]byte, 3)
	// The context may win or the bytes: neither may break what follows.
	n, _ := c.readUntil(ctx, time.Millisecond, b)
	if _, err := io.ReadFull(c, b[n:]); err != nil || string(b) != "one" {
		t.Fatalf("got %q, %v", b, err)
	}
	close(sent)
	if _, err := io.ReadFull(c, b); err != nil || string(b) != "two" {
		t.Fatalf("got %q, %v", b, err)
	}
}
