package proxy

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"devrun/devserver/internal/fault"
)

// panicking is an app whose handler panics with what the request says, and the lines
// that net/http logs of it.
func panicking(t *testing.T) (p *process, log *logged) {
	log = &logged{}
	p = &process{}
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.requests.Add(1)
		switch what := r.URL.Query().Get("panic"); what {
		case "":
			fmt.Fprint(w, "fine")
		case "abort":
			panic(http.ErrAbortHandler)
		case "late":
			w.(http.Flusher).Flush()
			panic("late")
		case "body":
			io.Copy(io.Discard, r.Body)
			panic("read it")
		default:
			panic(what)
		}
	}))
	p.Config.ErrorLog = newLog(log)
	p.Start()
	t.Cleanup(p.Close)
	return p, log
}

type logged struct {
	mu    sync.Mutex
	lines []string
}

func newLog(w io.Writer) *log.Logger { return log.New(w, "the app: ", log.LstdFlags) }

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")...)
	return len(b), nil
}

// of is the message of the panic of the request from peer.
func (l *logged) of(peer string) (string, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	message, _, ok := fault.ParseServed(l.lines, peer)
	return message, ok
}

// explaining is a Front for p that answers with the message of the panic.
func explaining(t *testing.T, p *process, log *logged) (f *Front, asked *seen) {
	t.Helper()
	asked = &seen{}
	f = front(t, Options{Lost: func() Lost {
		return func(r *http.Request, peer string) http.Handler {
			asked.serve(httptest.NewRecorder(), r)
			message, ok := log.of(peer)
			if !ok {
				return nil
			}
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				http.Error(w, fmt.Sprintf("%s panicked: %s", r.Method, message), 500)
			})
		}
	}})
	f.Forward(p.addr())
	return f, asked
}

func TestLost(t *testing.T) {
	const closed = "502 the app closed the connection without an answer\n"
	p, log := panicking(t)
	f, asked := explaining(t, p, log)
	for _, c := range []struct {
		method, query, body, want string
		explained                 bool // Lost was asked
	}{
		{"GET", "", "", "200 fine", false},
		{"GET", "boom", "", "500 GET panicked: boom\n", true},
		{"GET", "a%0Ab", "", "500 GET panicked: a\nb\n", true},
		{"POST", "boom", "", "500 POST panicked: boom\n", true},
		{"POST", "boom", "some body", "500 POST panicked: boom\n", true},
		{"POST", "boom", strings.Repeat("much ", 1<<20), "500 POST panicked: boom\n", true},
		{"POST", "body", strings.Repeat("much ", 1<<20), "500 POST panicked: read it\n", true},
		{"GET", "abort", "", closed, true},
		{"GET", "", "", "200 fine", false},
	} {
		c0 := client(t)
		c0.Transport.(*http.Transport).DisableKeepAlives = true // how its body is cut off is another matter
		f.state.Load().leave()                                  // a connection that is used again may be tried twice
		asked.take()
		before := p.requests.Load()
		var body io.Reader
		if c.body != "" {
			body = strings.NewReader(c.body)
		}
		res := do(t, c0, c.method, f.url()+"/?panic="+c.query, body, "X-Devrun-Secret: s", "Cookie: a=b; devrun_x=y")
		b, err := io.ReadAll(res.Body)
		res.Body.Close()
		if got := fmt.Sprintf("%d %s", res.StatusCode, b); got != c.want || err != nil {
			t.Errorf("%s %s: got %q %v, want %q", c.method, c.query, got, err, c.want)
		}
		if n := p.requests.Load() - before; n != 1 {
			t.Errorf("%s %s: sent %d times", c.method, c.query, n)
		}
		if got := asked.take(); (len(got) == 1) != c.explained {
			t.Errorf("%s %s: asked for %q", c.method, c.query, got)
		}
	}
}

// What is devrun's own is not part of the request.
func TestLostSeesWhatTheAppSaw(t *testing.T) {
	p, _ := panicking(t)
	var got http.Header
	f := front(t, Options{Lost: func() Lost {
		return func(r *http.Request, peer string) http.Handler {
			got = r.Header
			return http.NotFoundHandler()
		}
	}})
	f.Forward(p.addr())
	if status, _ := get(t, client(t), f.url()+"/?panic=x", "X-Devrun-Secret: s", "Cookie: a=b; devrun_x=y", "X-Own: 1"); status != 404 {
		t.Errorf("status %d", status)
	}
	if len(got["X-Devrun-Secret"]) > 0 || got.Get("Cookie") != "a=b" || got.Get("X-Own") != "1" {
		t.Errorf("saw %v", got)
	}
}

// Each of many at once is told of its own panic, over connections that are used again.
func TestLostAtOnce(t *testing.T) {
	p, log := panicking(t)
	f, _ := explaining(t, p, log)
	var wg sync.WaitGroup
	for i := range 8 {
		c := client(t)
		wg.Go(func() {
			for n := range 20 {
				if res, err := c.Get(f.url()); err != nil {
					t.Error(err)
				} else {
					io.Copy(io.Discard, res.Body)
					res.Body.Close()
				}
				res, err := c.Get(fmt.Sprintf("%s/?panic=%d-%d", f.url(), i, n))
				if err != nil {
					t.Error(err)
					return
				}
				b, _ := io.ReadAll(res.Body)
				res.Body.Close()
				if want := fmt.Sprintf("GET panicked: %d-%d\n", i, n); res.StatusCode != 500 || string(b) != want {
					t.Errorf("got %d %q, want %q", res.StatusCode, b, want)
				}
			}
		})
	}
	wg.Wait()
}

// Lost is not asked for an answer that breaks off, for a dead app or for one that was
// replaced, and never when it is not wanted of an app.
func TestNotLost(t *testing.T) {
	fail := func(*http.Request, string) http.Handler {
		t.Error("asked")
		return nil
	}
	p, _ := panicking(t)
	f := front(t, Options{Lost: func() Lost { return fail }})
	f.Forward(p.addr())
	res := do(t, client(t), "GET", f.url()+"/?panic=late", nil)
	if _, err := io.ReadAll(res.Body); err == nil {
		t.Error("the answer is whole")
	}
	res.Body.Close()
	p.kill()
	if status, _ := get(t, client(t), f.url()+"/?panic=x"); status != 502 {
		t.Errorf("dead: %d", status)
	}

	started := make(chan bool)
	old := start(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		started <- true
		<-r.Context().Done()
	})
	f.Forward(old.addr())
	got := make(chan int)
	go func() {
		res, err := client(t).Post(f.url(), "text/plain", strings.NewReader("x"))
		if err != nil {
			t.Error(err)
			got <- 0
			return
		}
		res.Body.Close()
		got <- res.StatusCode
	}()
	<-started
	f.Hold()
	old.kill()
	if status := <-got; status != 502 {
		t.Errorf("replaced: %d", status)
	}

	other, _ := panicking(t)
	f = front(t, Options{Lost: func() Lost { return nil }})
	f.Forward(other.addr())
	if status, body := get(t, client(t), f.url()+"/?panic=x"); status != 502 || !strings.HasPrefix(body, "the app closed") {
		t.Errorf("not wanted: %d %q", status, body)
	}
}
