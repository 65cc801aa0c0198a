package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"devrun/devserver/suite"
)

func TestUnderWayWhenTheAppIsReplaced(t *testing.T) {
	const restarted = "502 the app was restarted while this request was under way\n"
	for _, c := range []struct {
		name, request string
		readsBody     bool
		want          string // status and body; %s stands for what the new process says
	}{
		{"GET", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", false, "200 new GET 0"},
		{"HEAD", "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", false, "200 "},
		{"POST without body", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", false, restarted},
		{"DELETE", "DELETE / HTTP/1.1\r\nHost: x\r\n\r\n", false, restarted},
		{"POST", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody", true, restarted},
		{"GET with body", "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody", true, restarted},
		{"POST, body not asked for", "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n", false, "200 new POST 4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			started, end := make(chan struct{}, 1), make(chan struct{})
			old := start(t, func(w http.ResponseWriter, r *http.Request) {
				if c.readsBody {
					io.ReadAll(r.Body)
				}
				started <- struct{}{}
				select {
				case <-r.Context().Done():
				case <-end: // net/http notices no disconnect before the body is read
				}
			})
			defer close(end)
			fresh := start(t, func(w http.ResponseWriter, r *http.Request) {
				b, _ := io.ReadAll(r.Body)
				fmt.Fprintf(w, "new %s %d", r.Method, len(b))
			})
			f := forwarding(t, old.addr())
			conn := dial(t, f.Addrs()[0])
			fmt.Fprint(conn, c.request)
			<-started
			f.Hold()
			old.kill()
			f.Forward(fresh.addr())
			r := bufio.NewReader(conn)
			method, _, _ := strings.Cut(c.request, " ")
			res, err := http.ReadResponse(r, &http.Request{Method: method})
			if err == nil && res.StatusCode == 100 {
				fmt.Fprint(conn, "body")
				res, err = http.ReadResponse(r, &http.Request{Method: method})
			}
			if err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(res.Body)
			if got := fmt.Sprintf("%d %s", res.StatusCode, b); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if c.want == restarted && fresh.requests.Load() != 0 {
				t.Error("it was sent again")
			}
		})
	}
}

// A request that kills every process it meets is not fed to all of them.
func TestSentTwiceAtMost(t *testing.T) {
	f := front(t, Options{})
	var p *process
	met := make(chan struct{})
	deadly := func(w http.ResponseWriter, r *http.Request) {
		met <- struct{}{}
		<-r.Context().Done()
	}
	p = start(t, deadly)
	f.Forward(p.addr())
	got := make(chan string)
	go func() {
		res, err := client(t).Get(f.url())
		if err != nil {
			got <- err.Error()
			return
		}
		res.Body.Close()
		got <- res.Status
	}()
	for range 2 {
		<-met
		f.Hold()
		p.kill()
		p = start(t, deadly)
		f.Forward(p.addr())
	}
	if s := <-got; s != "502 Bad Gateway" || p.requests.Load() != 0 {
		t.Errorf("got %s, the third process saw %d requests", s, p.requests.Load())
	}
}

// The old process is still there, and begins to answer when the new one has taken
// over already: too late.
func TestLateAnswerOfTheOldProcess(t *testing.T) {
	started, release := make(chan struct{}), make(chan struct{})
	old := app(t, func(w http.ResponseWriter, r *http.Request) {
		started <- struct{}{}
		<-release
		fmt.Fprint(w, "old")
	})
	fresh := app(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "new") })
	for method, want := range map[string]string{"GET": "new", "POST": "old"} {
		f := forwarding(t, old)
		got := make(chan string)
		go func() {
			res, err := client(t).Do(must(http.NewRequest(method, f.url(), nil)))
			if err != nil {
				got <- err.Error()
				return
			}
			defer res.Body.Close()
			b, _ := io.ReadAll(res.Body)
			got <- string(b)
		}()
		<-started
		f.Hold()
		f.Forward(fresh)
		release <- struct{}{}
		if s := <-got; s != want {
			t.Errorf("%s: got %q, want %q", method, s, want)
		}
	}
}

func must(r *http.Request, err error) *http.Request {
	if err != nil {
		panic(err)
	}
	return r
}

func TestAppIsGoneBeforeAnybodyKnows(t *testing.T) {
	f := front(t, Options{})
	crashed := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "it crashed", 500)
	})

	t.Run("died under way, then known", func(t *testing.T) {
		var p *process
		p = start(t, func(w http.ResponseWriter, r *http.Request) {
			go func() {
				p.kill()
				f.Answer(crashed, "")
			}()
			<-r.Context().Done()
		})
		f.Forward(p.addr())
		if code, body := get(t, client(t), f.url()); code != 500 || body != "it crashed\n" {
			t.Errorf("got %d %q", code, body)
		}
	})
	t.Run("refused, never known", func(t *testing.T) {
		p := start(t, nil)
		p.kill()
		f.Forward(p.addr())
		if code, body := get(t, client(t), f.url()); code != 502 || body != "the app does not answer at "+p.addr()+"\n" {
			t.Errorf("got %d %q", code, body)
		}
	})
	t.Run("refused at first", func(t *testing.T) {
		addr := fmt.Sprintf("127.0.0.1:%d", suite.FreePort(t))
		f.Forward(addr)
		go func() {
			time.Sleep(20 * time.Millisecond)
			l, err := net.Listen("tcp", addr)
			if err != nil {
				t.Error(err)
				return
			}
			s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "at last") })}
			t.Cleanup(func() { s.Close() })
			s.Serve(l)
		}()
		if code, body := get(t, client(t), f.url()); code != 200 || body != "at last" {
			t.Errorf("got %d %q", code, body)
		}
	})
	t.Run("alive, but the handler panics", func(t *testing.T) {
		p := start(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		f.Forward(p.addr())
		if code, body := get(t, client(t), f.url()); code != 502 || body != "the app closed the connection without an answer\n" {
			t.Errorf("got %d %q", code, body)
		}
		if n := p.requests.Load(); n != 1 {
			t.Errorf("sent %d times", n)
		}
	})
}
