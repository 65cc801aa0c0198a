package hook

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"devrun/devserver/internal/wire"
	"devrun/devserver/suite"
)

// Where an app's listener goes, with devrun on the port on both loopback
// addresses or on all.
func TestTakeover(t *testing.T) {
	binary := shared(t, "app")
	for _, c := range []struct {
		devrun, asks, network, wanted, moved string
		own                                  bool
	}{
		{"127.0.0.1:0", ":", "tcp6", "[::]:", "127.0.0.1:", false},
		{"127.0.0.1:0", "[::]:", "tcp6", "[::]:", "127.0.0.1:", true},
		{"127.0.0.1:0", "0.0.0.0:", "tcp6", "[::]:", "127.0.0.1:", true}, // package net takes both families
		{"127.0.0.1:0", "127.0.0.1:", "tcp4", "127.0.0.1:", "127.0.0.1:", true},
		{"127.0.0.1:0", "localhost:", "tcp4", "127.0.0.1:", "127.0.0.1:", false},
		{"127.0.0.2:0", "127.0.0.2:", "tcp4", "127.0.0.2:", "127.0.0.2:", true},
		{"[::1]:0", "[::1]:", "tcp6", "[::1]:", "[::1]:", true},
		{"0.0.0.0:0", "127.0.0.1:", "tcp4", "127.0.0.1:", "127.0.0.1:", false},
		{"[::]:0", ":", "tcp6", "[::]:", "127.0.0.1:", false},
	} {
		t.Run(c.asks+" beside "+c.devrun, func(t *testing.T) {
			_, port := public(t, c.devrun)
			p := run(t, binary, nil, fmt.Sprintf("-own=%t", c.own), c.asks+port)
			m := p.serving()
			equal(t, "network", m.Network, c.network)
			equal(t, "wanted", m.Wanted, c.wanted+port)
			if m.Addr == m.Wanted || !strings.HasPrefix(m.Addr, c.moved) {
				t.Errorf("moved to %s, want %s…", m.Addr, c.moved)
			}
			// The app must see a client as an ordinary one.
			host, _, err := net.SplitHostPort(m.Addr)
			if err != nil {
				t.Fatal(err)
			}
			if host == "127.0.0.2" {
				host = "127.0.0.1"
			}
			remote := " " + net.JoinHostPort(host, "")
			if body := get(t, "http://"+m.Addr+"/"); !strings.HasPrefix(body, "app ") || !strings.Contains(body, remote) {
				t.Errorf("app answers %q, want%s…", body, remote)
			}
			p.kill()
			if c.own {
				equal(t, "l.Addr()", p.out.String(), "addr "+m.Addr+"\n")
			}
		})
	}
}

// Connections on the public port reach devrun and only devrun while the app
// starts, runs, dies and starts again.
func TestPortSurvivesRestarts(t *testing.T) {
	binary := shared(t, "app")
	l, port := public(t, "127.0.0.1:0")
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "devrun") }))

	stop, done := make(chan struct{}), make(chan error)
	asked := 0
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
			}
			res, err := client.Get("http://127.0.0.1:" + port)
			if err != nil {
				done <- err
				return
			}
			b, err := io.ReadAll(res.Body)
			res.Body.Close()
			if err != nil || string(b) != "devrun" {
				done <- fmt.Errorf("answer %q, %v", b, err)
				return
			}
			asked++
		}
	}()
	for range 10 {
		p := run(t, binary, nil, ":"+port)
		m := p.serving()
		if body := get(t, "http://"+m.Addr+"/"); !strings.HasPrefix(body, "app ") {
			t.Errorf("app answers %q", body)
		}
		p.kill()
	}
	close(stop)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if asked < 40 {
		t.Errorf("only %d requests: nothing is proved", asked)
	}
}

// At the first start nobody has the port: the app leaves it free for devrun.
func TestFirstStart(t *testing.T) {
	port := unused(t)
	p := run(t, shared(t, "app"), nil, ":"+port)
	m := p.serving()
	equal(t, "wanted", m.Wanted, "[::]:"+port)
	for _, addr := range []string{"127.0.0.1:" + port, "[::1]:" + port} {
		l, err := net.Listen("tcp", addr) // exclusively
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
	}
}

func TestPortOfAnother(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	for _, asks := range []string{"127.0.0.1:", ":", "0.0.0.0:"} {
		p := run(t, shared(t, "app"), nil, asks+port)
		p.next(wire.Hello)
		out := p.failed()
		if want := "bind: address already in use"; !strings.Contains(out, want) {
			t.Errorf("output %q, want %s", out, want)
		}
	}
}

func TestTwoListeners(t *testing.T) {
	_, port := public(t, "127.0.0.1:0")
	_, metrics := public(t, "127.0.0.1:0")
	p := run(t, shared(t, "app"), nil, ":"+port, ":"+metrics)
	p.next(wire.Hello)
	wanted, serving := map[string]string{}, map[string]bool{}
	for range 4 { // two of each, in any order
		select {
		case m := <-p.messages:
			switch m.Kind {
			case wire.Listening:
				wanted[m.Wanted] = m.Addr
			case wire.Serving:
				serving[m.Addr] = true
			}
		case <-time.After(suite.Patience):
			t.Fatalf("after %v: %v %v", suite.Patience, wanted, serving)
		}
	}
	for _, port := range []string{port, metrics} {
		addr := wanted["[::]:"+port]
		if !serving[addr] {
			t.Errorf("port %s: listening %v, serving %v", port, wanted, serving)
			continue
		}
		get(t, "http://"+addr+"/")
	}
}

// Port 0 cannot be told from a port that the app names: it is moved as well.
func TestPortZero(t *testing.T) {
	p := run(t, shared(t, "app"), nil, "-own", "127.0.0.1:0")
	m := p.serving()
	if m.Wanted == m.Addr {
		t.Errorf("not moved: %+v", m)
	}
	get(t, "http://"+m.Addr+"/")
	p.kill()
	equal(t, "l.Addr()", p.out.String(), "addr "+m.Addr+"\n")
}

func TestTLS(t *testing.T) {
	cert, key := suite.Certificate(t)
	_, port := public(t, "127.0.0.1:0")
	p := run(t, shared(t, "app"), nil, "-cert", cert, "-key", key, ":"+port)
	p.next(wire.Hello)
	m := p.next(wire.Listening)
	equal(t, "serving", p.next(wire.Serving), wire.Message{Kind: wire.Serving, Addr: m.Addr, TLS: true})
	c, err := tls.Dial("tcp", m.Addr, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

// A listener made past package net goes the same way, and calls on it wait or not as the
// app wants.
func TestRaw(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("only where the hook can overwrite what the app calls")
	}
	binary := shared(t, "raw")
	for _, calls := range []string{"syscall", "unix"} {
		t.Run(calls, func(t *testing.T) {
			_, port := public(t, "127.0.0.1:0")
			p := run(t, binary, nil, calls, port)
			m := p.serving()
			equal(t, "wanted", m.Wanted, "127.0.0.1:"+port)
			if m.Addr == m.Wanted {
				t.Error("not moved")
			}
			equal(t, "answer", get(t, "http://"+m.Addr+"/"), "waits true, stays true")
		})
	}
}

func TestWithoutHTTP(t *testing.T) {
	_, port := public(t, "127.0.0.1:0")
	p := run(t, shared(t, "echo"), nil, ":"+port)
	equal(t, "parts", p.next(wire.Hello).Parts, []string{"exit", "files", "left", "listen", "raw", "takeover"})
	c, err := net.Dial("tcp", p.next(wire.Listening).Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(suite.Patience))
	var b [4]byte
	if _, err := io.WriteString(c, "echo"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, b[:]); err != nil || string(b[:]) != "echo" {
		t.Errorf("%q, %v", b, err)
	}
}

func TestReportOnly(t *testing.T) {
	port := unused(t)
	p := run(t, shared(t, "app"), []string{wire.Takeover + "=0"}, "127.0.0.1:"+port)
	equal(t, "parts", p.next(wire.Hello).Parts, []string{"exit", "files", "left", "listen", "peek", "eval", "pins", "capture", "serve"})
	equal(t, "listening", p.next(wire.Listening), wire.Message{Kind: wire.Listening, Network: "tcp4", Wanted: "127.0.0.1:" + port, Addr: "127.0.0.1:" + port})
	equal(t, "serving", p.next(wire.Serving), wire.Message{Kind: wire.Serving, Addr: "127.0.0.1:" + port})
	get(t, "http://127.0.0.1:"+port)
}

// A listener that cannot be moved stays where it is, as without devrun.
func TestNoDescriptorLeft(t *testing.T) {
	binary := shared(t, "app")
	port := unused(t)
	p := run(t, binary, nil, "-full", "127.0.0.1:"+port)
	p.next(wire.Hello)
	equal(t, "notice", p.next(wire.Notice).Text, "the app keeps 127.0.0.1:"+port+" for itself: too many open files")
	m := p.next(wire.Listening)
	equal(t, "address", m.Addr, m.Wanted)
	get(t, "http://127.0.0.1:"+port)
	p.kill()

	_, port = public(t, "127.0.0.1:0") // and is refused a port that devrun has
	p = run(t, binary, nil, "-full", "127.0.0.1:"+port)
	p.next(wire.Hello)
	p.next(wire.Notice)
	if out := p.failed(); !strings.Contains(out, "listen: address already in use") {
		t.Errorf("output %q", out)
	}
}

func TestOtherSocketsUntouched(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.WriteString(c, "hello")
			c.Close()
		}
	}()
	_, port := public(t, "127.0.0.1:0")
	path := filepath.Join(t.TempDir(), "socket")
	p := run(t, shared(t, "app"), nil, "-unix", path, ":"+port)
	p.next(wire.Hello)
	equal(t, "listening", p.next(wire.Listening), wire.Message{Kind: wire.Listening, Network: "unix", Wanted: path, Addr: path})
	// The port is told before it is served, and the socket is served meanwhile.
	addr := ""
	for range 3 {
		m := p.nextOf(wire.Listening, wire.Serving)
		if m.Kind == wire.Listening {
			addr = m.Addr
		} else if m.Addr != addr && m.Addr != path {
			t.Errorf("it serves at %s", m.Addr)
		}
	}
	equal(t, "connection", get(t, "http://"+addr+"/dial?to="+l.Addr().String()), "reuseport 0 <nil>\nhello <nil>\n")
}
