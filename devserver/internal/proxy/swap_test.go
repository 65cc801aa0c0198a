package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"devrun/devserver/suite"
)

// process is an app that can be killed.
type process struct {
	*httptest.Server
	requests atomic.Int64
}

func start(t testing.TB, h http.HandlerFunc) *process {
	p := &process{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.requests.Add(1)
		h(w, r)
	}))
	t.Cleanup(p.Server.Close)
	return p
}

func (p *process) addr() string { return p.Listener.Addr().String() }

// kill closes the listener and all connections at once, as the end of a process
// does.
func (p *process) kill() {
	p.Listener.Close()
	p.CloseClientConnections()
}

// Clients hammer while generation after generation takes over: no request fails,
// and none that began after Hold is answered by an older generation.
func TestSwapUnderLoad(t *testing.T) {
	const generations, clients = 50, 8
	f := front(t, Options{})
	// least is the oldest generation that may answer a request that begins now,
	// most the newest that can exist.
	var least, most atomic.Int64
	var done atomic.Bool
	var wg sync.WaitGroup
	var answered, swaps atomic.Int64
	for i := range clients {
		c := client(t)
		wg.Go(func() {
			for n := 0; !done.Load(); n++ {
				from := least.Load()
				var res *http.Response
				var err error
				if (i+n)%3 == 0 {
					res, err = c.Post(f.url(), "text/plain", strings.NewReader("some body"))
				} else {
					res, err = c.Get(f.url())
				}
				if err != nil {
					t.Error(err)
					return
				}
				b, err := io.ReadAll(res.Body)
				res.Body.Close()
				var g int64
				if _, bad := fmt.Sscan(string(b), &g); err != nil || bad != nil || res.StatusCode != 200 {
					t.Errorf("%s %q %v", res.Status, b, err)
					return
				}
				if to := most.Load(); g < from || g > to {
					t.Errorf("generation %d answered, allowed were %d to %d", g, from, to)
					return
				}
				answered.Add(1)
			}
		})
	}
	for g := range int64(generations) {
		a := app(t, func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			fmt.Fprint(w, g)
		})
		f.Hold()
		least.Store(g)
		most.Store(g)
		f.Forward(a)
		swaps.Add(1)
		at := answered.Load()
		suite.Until(t, "all clients are answered", func() error {
			if answered.Load() < at+2*clients && !t.Failed() {
				return errors.New("the clients are stuck")
			}
			return nil
		})
	}
	done.Store(true)
	wg.Wait()
	t.Logf("%d requests over %d swaps", answered.Load(), swaps.Load())
}

// As above with the old process killed while it works: what may be repeated is.
func TestSwapWithKills(t *testing.T) {
	f := front(t, Options{})
	var done atomic.Bool
	var answered atomic.Int64
	var wg sync.WaitGroup
	for range 4 {
		c := client(t)
		wg.Go(func() {
			for !done.Load() {
				res, err := c.Get(f.url())
				if err != nil {
					t.Error(err)
					return
				}
				b, _ := io.ReadAll(res.Body)
				res.Body.Close()
				if res.StatusCode != 200 {
					t.Errorf("%s %s", res.Status, b)
					return
				}
				answered.Add(1)
			}
		})
	}
	for range 10 {
		p := start(t, func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(time.Millisecond)
			fmt.Fprint(w, "ok")
		})
		f.Forward(p.addr())
		at := answered.Load()
		suite.Until(t, "clients are answered", func() error {
			if answered.Load() < at+20 && !t.Failed() {
				return errors.New("the clients are stuck")
			}
			return nil
		})
		f.Hold()
		p.kill()
	}
	done.Store(true)
	f.Answer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), "")
	wg.Wait()
}

func TestHoldIsBounded(t *testing.T) {
	f := front(t, Options{HoldMax: 30 * time.Millisecond})
	if code, body := get(t, client(t), f.url()); code != 503 || body != "the app is not ready yet\n" {
		t.Errorf("got %d %q", code, body)
	}
	f = front(t, Options{HoldMax: 30 * time.Millisecond, Waiting: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "still building "+r.URL.Path)
	})})
	if code, body := get(t, client(t), f.url()+"/x"); code != 200 || body != "still building /x" {
		t.Errorf("got %d %q", code, body)
	}
}

func TestHeldClientsThatLeaveCostNothing(t *testing.T) {
	f := front(t, Options{})
	base := runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	c := client(t)
	for range 50 {
		wg.Go(func() {
			req, _ := http.NewRequestWithContext(ctx, "GET", f.url(), nil)
			if _, err := c.Do(req); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
	suite.Until(t, "the requests are held", func() error {
		if n := runtime.NumGoroutine(); n < base+100 {
			return fmt.Errorf("%d goroutines", n)
		}
		return nil
	})
	cancel()
	wg.Wait()
	c.CloseIdleConnections()
	suite.Until(t, "nothing is left of the requests", func() error {
		if n := runtime.NumGoroutine(); n > base {
			return fmt.Errorf("%d goroutines, there were %d", n, base)
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if n := len(f.conns); n > 0 {
			return fmt.Errorf("%d connections", n)
		}
		return nil
	})
}

// A graceful shutdown of the app waits for connections that are in use, so none
// may be kept once the Front has turned away from it.
func TestHoldLetsGoOfTheApp(t *testing.T) {
	var open atomic.Int64
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.ConnState = func(_ net.Conn, st http.ConnState) {
		switch st {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed:
			open.Add(-1)
		}
	}
	s.Start()
	defer s.Close()
	f := forwarding(t, s.Listener.Addr().String())
	get(t, client(t), f.url())
	dial(t, f.Addrs()[0]) // and a silent one
	suite.Until(t, "there are two connections", func() error {
		if n := open.Load(); n != 2 {
			return fmt.Errorf("%d connections to the app", n)
		}
		return nil
	})
	f.Hold()
	suite.Until(t, "the connections are closed", func() error {
		if n := open.Load(); n != 0 {
			return fmt.Errorf("%d connections to the app", n)
		}
		return nil
	})
}

func TestAnswering(t *testing.T) {
	addr := app(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "app") })
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.Error(w, "page", 500) })
	f := front(t, Options{})
	for _, c := range []struct{ header, beside, alone string }{
		{"Accept: text/html", "page", "page"},
		{"Sec-Fetch-Dest: document", "page", "page"},
		{"Sec-Fetch-Dest: image", "app", "page"},
		{"Sec-Fetch-Dest: empty", "app", "page"},
	} {
		f.Answer(page, addr)
		if _, got := get(t, client(t), f.url(), c.header); strings.TrimSpace(got) != c.beside {
			t.Errorf("%s beside the app: got %q", c.header, got)
		}
		f.Answer(page, "")
		if _, got := get(t, client(t), f.url(), c.header); strings.TrimSpace(got) != c.alone {
			t.Errorf("%s without an app: got %q", c.header, got)
		}
	}
}
