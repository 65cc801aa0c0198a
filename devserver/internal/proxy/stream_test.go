package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"devrun/devserver/suite"
)

// Nothing is cut by the time-outs that are there: all but that for reading a
// header, which net/http takes back, are shorter than this test.
func TestLongNothingIsCut(t *testing.T) {
	suite.Long(t)
	long := keepIdle + 200*time.Millisecond
	addr := app(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/slow":
			time.Sleep(long)
			io.WriteString(w, "done")
		case "/sse":
			w.Header().Set("Content-Type", "text/event-stream")
			for i := range 12 {
				fmt.Fprintf(w, "data: %d\n\n", i)
				w.(http.Flusher).Flush()
				time.Sleep(long / 12)
			}
		}
	})
	f := front(t, Options{HoldMax: 50 * time.Millisecond})
	f.Forward(addr)
	t.Run("slow", func(t *testing.T) {
		t.Parallel()
		if code, body := get(t, client(t), f.url()+"/slow"); code != 200 || body != "done" {
			t.Errorf("got %d %q", code, body)
		}
	})
	t.Run("sse", func(t *testing.T) {
		t.Parallel()
		if _, body := get(t, client(t), f.url()+"/sse"); strings.Count(body, "data: ") != 12 {
			t.Errorf("got %q", body)
		}
	})
	t.Run("upload", func(t *testing.T) {
		t.Parallel()
		r, w := io.Pipe()
		go func() {
			for range 12 {
				fmt.Fprint(w, "piece")
				time.Sleep(long / 12)
			}
			w.Close()
		}()
		res := do(t, client(t), "POST", f.url()+"/slow", r)
		res.Body.Close()
		if res.StatusCode != 200 {
			t.Error(res.Status)
		}
	})
	t.Run("raw", func(t *testing.T) {
		t.Parallel()
		f := forwarding(t, rawApp(t, func(c net.Conn) { io.Copy(c, c) }))
		c := dial(t, f.Addrs()[0])
		for range 2 {
			fmt.Fprint(c, "\x01")
			if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(long)
		}
	})
}

func TestWebSocket(t *testing.T) {
	closed := make(chan error, 1)
	addr := app(t, func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer c.CloseNow()
		c.SetReadLimit(1 << 21)
		for {
			kind, b, err := c.Read(context.Background())
			if err != nil {
				closed <- err
				return
			}
			if string(b) == "die" {
				return
			}
			if err := c.Write(context.Background(), kind, b); err != nil {
				t.Error(err)
			}
		}
	})
	f := forwarding(t, addr)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	open := func() *websocket.Conn {
		t.Helper()
		c, _, err := websocket.Dial(ctx, strings.Replace(f.url(), "http", "ws", 1)+"/ws", &websocket.DialOptions{HTTPClient: client(t)})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := open()
	c.SetReadLimit(1 << 21)
	for _, n := range []int{0, 1, 1 << 20} {
		if err := c.Write(ctx, websocket.MessageBinary, make([]byte, n)); err != nil {
			t.Fatal(err)
		}
		if _, b, err := c.Read(ctx); err != nil || len(b) != n {
			t.Fatalf("%d bytes came back as %d, %v", n, len(b), err)
		}
	}
	f.Hold() // a new state leaves open tunnels alone
	if err := c.Write(ctx, websocket.MessageText, []byte("still")); err != nil {
		t.Fatal(err)
	}
	if _, b, err := c.Read(ctx); string(b) != "still" {
		t.Fatal(err)
	}
	if err := c.Close(websocket.StatusNormalClosure, "bye"); err != nil {
		t.Error(err)
	}
	if err := <-closed; websocket.CloseStatus(err) != websocket.StatusNormalClosure {
		t.Errorf("the app saw %v", err)
	}
	f.Forward(addr)
	c = open()
	defer c.CloseNow()
	if err := c.Write(ctx, websocket.MessageText, []byte("die")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Read(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("the app is gone, reading gave %v", err)
	}
}

// What a client sends behind its upgrade request, before the answer, is the
// beginning of the tunnel; if the app declines it is a request of its own, and
// devrun sees it.
func TestUpgradeWithEarlyBytes(t *testing.T) {
	addr := app(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/switch" {
			fmt.Fprint(w, "declined")
			return
		}
		c, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		rw.Flush()
		io.Copy(c, rw)
	})
	f := front(t, Options{Internal: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "devrun") })})
	f.Forward(addr)
	c := dial(t, f.Addrs()[0])
	fmt.Fprint(c, "GET /switch HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nearly")
	r := bufio.NewReader(c)
	if res, err := http.ReadResponse(r, nil); err != nil || res.StatusCode != 101 {
		t.Fatal(res, err)
	}
	fmt.Fprint(c, " late")
	c.CloseWrite()
	if b, err := io.ReadAll(r); string(b) != "early late" || err != nil {
		t.Errorf("got %q, %v", b, err)
	}

	got := answerOf(t, f.Addrs()[0], []byte("GET /no HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"+
		"POST /__devrun/eval HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
	if !strings.Contains(got, "declined") || !strings.Contains(got, "devrun") {
		t.Errorf("got %s", got)
	}
}

// Each part of a page is there before the app writes the next.
func TestPartsAreFlushed(t *testing.T) {
	parts := []string{"<!doctype html><html><head><title>a</title></head><body>", "<p>one", "<p>two", "</body></html>"}
	for _, c := range []struct{ name, coding, contentType string }{
		{"text", "", "text/plain"}, {"html", "", "text/html"},
		{"gzip", "gzip", "text/html"}, {"deflate", "deflate", "text/html"}, {"br", "br", "text/html"}, {"zstd", "zstd", "text/html"},
	} {
		t.Run(c.name, func(t *testing.T) {
			seen := make(chan struct{})
			addr := app(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", c.contentType)
				if c.coding != "" {
					w.Header().Set("Content-Encoding", c.coding)
				}
				enc := encoders[c.coding](w)
				w.(http.Flusher).Flush()
				<-seen // the header
				for _, p := range parts {
					io.WriteString(enc, p)
					enc.Flush()
					w.(http.Flusher).Flush()
					<-seen
				}
				enc.Close()
			})
			f := front(t, Options{Snippet: func(_, _ string) string { return "<script></script>" }})
			f.Forward(addr)
			res := do(t, client(t), "GET", f.url(), nil, "Accept: text/html")
			defer res.Body.Close()
			seen <- struct{}{}
			for i, p := range parts {
				if i == 0 && c.contentType == "text/html" {
					p = strings.Replace(p, "<head>", "<head><script></script>", 1)
				}
				b := make([]byte, len(p))
				if _, err := io.ReadFull(res.Body, b); err != nil || string(b) != p {
					t.Fatalf("got %q, %v; want %q", b, err, p)
				}
				seen <- struct{}{}
			}
			if b, err := io.ReadAll(res.Body); len(b) > 0 || err != nil {
				t.Errorf("end: %q, %v", b, err)
			}
		})
	}
}
