package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"devrun/devserver/suite"
)

// stopping is an app whose handler tells begun of every request and goes on when its
// client is gone or release is closed.
type stopping struct {
	*httptest.Server
	begun, ended chan string
	release      chan struct{}
}

func startStopping(t *testing.T, serve func(*httptest.Server)) *stopping {
	p := &stopping{begun: make(chan string, 1), ended: make(chan string, 1), release: make(chan struct{})}
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(w)
		switch r.URL.Path {
		case "/sse":
			w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
			c.Flush()
		case "/chunked":
			c.Flush()
		case "/sized":
			w.Header().Set("Content-Length", "3")
			c.Flush()
		case "/upgrade":
			conn, rw, err := c.Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
			rw.Flush()
			p.begun <- r.URL.Path
			io.Copy(conn, rw)
			p.ended <- r.URL.Path
			return
		}
		p.begun <- r.URL.Path
		select {
		case <-r.Context().Done():
			p.ended <- r.URL.Path
		case <-p.release:
			io.WriteString(w, "old")
		}
	}))
	serve(p.Server)
	t.Cleanup(p.Server.Close)
	return p
}

// shutdown is what a graceful app does when it is told to stop.
func (p *stopping) shutdown(t *testing.T) <-chan error {
	done := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), suite.Patience)
		defer cancel()
		done <- p.Config.Shutdown(ctx)
	}()
	return done
}

// A graceful shutdown of the app waits for no stream and for no long poll.
func TestDrainEndsStreams(t *testing.T) {
	for _, c := range []struct {
		name, request string
		tls           bool
	}{
		{"event stream", "GET /sse HTTP/1.1\r\nHost: x\r\n\r\n", false},
		{"event stream of a POST", "POST /sse HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", false},
		{"answer of unknown length", "GET /chunked HTTP/1.1\r\nHost: x\r\n\r\n", false},
		{"upgraded connection", "GET /upgrade HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n", false},
		{"long poll", "GET /poll HTTP/1.1\r\nHost: x\r\n\r\n", false},
		{"event stream under TLS", "GET /sse HTTP/1.1\r\nHost: x\r\n\r\n", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			serve := (*httptest.Server).Start
			if c.tls {
				serve = (*httptest.Server).StartTLS
			}
			old := startStopping(t, serve)
			f := forwarding(t, old.Listener.Addr().String())
			conn := io.ReadWriter(dial(t, f.Addrs()[0]))
			if c.tls {
				conn = tls.Client(dial(t, f.Addrs()[0]), &tls.Config{InsecureSkipVerify: true})
			}
			fmt.Fprint(conn, c.request)
			<-old.begun
			f.Hold()
			f.Drain()
			if err := <-old.shutdown(t); err != nil {
				t.Fatal(err)
			}
			<-old.ended
			if c.name == "long poll" {
				f.Forward(app(t, func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Connection", "close")
					fmt.Fprint(w, "new")
				}))
			}
			b, err := io.ReadAll(conn)
			if got := strings.HasSuffix(string(b), "new"); got != (c.name == "long poll") {
				t.Errorf("the client got %q, %v", b, err)
			}
		})
	}
}

// What will be answered by itself is the app's to finish.
func TestDrainLeavesTheRest(t *testing.T) {
	for _, c := range []struct{ name, method, path string }{
		{"answer of known length", "GET", "/sized"},
		{"request that cannot be sent twice", "POST", "/slow"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			old := startStopping(t, (*httptest.Server).Start)
			f := forwarding(t, old.Listener.Addr().String())
			got := make(chan string, 1)
			go func() {
				res, err := client(t).Do(must(http.NewRequest(c.method, f.url()+c.path, nil)))
				if err != nil {
					got <- err.Error()
					return
				}
				defer res.Body.Close()
				b, err := io.ReadAll(res.Body)
				got <- fmt.Sprint(string(b), err)
			}()
			<-old.begun
			f.Hold()
			f.Drain()
			down := old.shutdown(t)
			select {
			case <-old.ended:
				t.Error("it was cut short")
			case <-time.After(ordinary + 100*time.Millisecond): // when a stream would have been
			}
			close(old.release)
			if s := <-got; s != "old<nil>" {
				t.Errorf("got %s", s)
			}
			if err := <-down; err != nil {
				t.Error(err)
			}
		})
	}
}

// A long poll is sent to each app that comes.
func TestDrainAgainAndAgain(t *testing.T) {
	f := front(t, Options{})
	got := make(chan string, 1)
	for n := range 3 {
		p := startStopping(t, (*httptest.Server).Start)
		f.Forward(p.Listener.Addr().String())
		if n == 0 {
			go func() {
				_, body := get(t, client(t), f.url()+"/poll")
				got <- body
			}()
		}
		<-p.begun
		if n == 2 {
			close(p.release)
			break
		}
		f.Hold()
		f.Drain()
		<-p.ended
	}
	if s := <-got; s != "old" {
		t.Errorf("got %q", s)
	}
}

// A request to the app that comes after Drain is another app's.
func TestDrainIsOver(t *testing.T) {
	p := startStopping(t, (*httptest.Server).Start)
	f := front(t, Options{})
	f.Drain()
	f.Forward(p.Listener.Addr().String())
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		<-p.begun
		time.AfterFunc(ordinary+100*time.Millisecond, cancel)
	}()
	req := must(http.NewRequestWithContext(ctx, "GET", f.url()+"/sse", nil))
	res, err := client(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.ReadAll(res.Body); !errors.Is(err, context.Canceled) {
		t.Errorf("the stream ended with %v", err)
	}
}
