package proxy

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"devrun/devserver/suite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// app serves h and returns its host:port.
func app(t testing.TB, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	s.Config.ErrorLog = nil
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// rawApp calls serve with every connection, and returns its host:port.
func rawApp(t testing.TB, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				serve(c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		wg.Wait()
	})
	return l.Addr().String()
}

// front listens with o on a free port.
func front(t testing.TB, o Options) *Front {
	t.Helper()
	if o.Addrs == nil {
		o.Addrs = []string{"127.0.0.1:0"}
	}
	f, err := Listen(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// forwarding is a Front for the app at addr.
func forwarding(t testing.TB, addr string) *Front {
	t.Helper()
	f := front(t, Options{})
	f.Forward(addr)
	return f
}

func (f *Front) url() string { return "http://" + f.Addrs()[0] }

// client has no connection of another test, and leaves none.
func client(t testing.TB) *http.Client {
	tr := &http.Transport{DisableCompression: true}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{
		Transport:     tr,
		Timeout:       time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// get returns status and body; header is "Name: value", ….
func get(t testing.TB, c *http.Client, url string, header ...string) (int, string) {
	t.Helper()
	res := do(t, c, "GET", url, nil, header...)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

func do(t testing.TB, c *http.Client, method, url string, body io.Reader, header ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Add(name, value)
	}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func dial(t testing.TB, addr string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(time.Minute))
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn)
}

// lines collects what Options.Log is told.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) log(s string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, s)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.all, "\n")
}

func TestListenSaysWhoseAddressItIs(t *testing.T) {
	held, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	taken := held.Addr().String()

	if _, err := Listen(Options{Addrs: []string{taken}}); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("first address taken: error %v, want EADDRINUSE", err)
	}
	// What is shared with the app is not to be had by another devrun.
	f := front(t, Options{})
	if _, err := Listen(Options{Addrs: f.Addrs()}); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a second Front on the address: error %v, want EADDRINUSE", err)
	}
	var log lines
	f = front(t, Options{Addrs: []string{"127.0.0.1:0", taken}, Log: log.log})
	if len(f.Addrs()) != 1 || !strings.Contains(log.String(), taken+" is not served") {
		t.Errorf("second address taken: serves %v, says %q", f.Addrs(), log.String())
	}
	if _, err := Listen(Options{}); err == nil {
		t.Error("no address: no error")
	}
}

// The app binds the same address, wildcard and loopback, before its hook moves
// the socket; the Front goes on receiving all connections.
func TestAddressIsSharedWithTheApp(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs SO_REUSEPORT as Linux has it")
	}
	f := front(t, Options{})
	f.Answer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "front") }), "")
	for _, host := range []string{"127.0.0.1", "0.0.0.0"} {
		if err := bindShared(t, host, f.listeners[0].Addr().(*net.TCPAddr).Port); err != nil {
			t.Errorf("the app cannot bind %s: %v", host, err)
		}
	}
	for range 20 {
		if _, body := get(t, client(t), f.url()); body != "front" {
			t.Fatalf("got %q", body)
		}
	}
}

func TestCloseEndsEverything(t *testing.T) {
	hang := make(chan struct{})
	defer close(hang)
	addr := app(t, func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-hang:
		}
	})
	raw := rawApp(t, func(c net.Conn) { io.Copy(io.Discard, c) })
	f := front(t, Options{})

	silent, held, idle := dial(t, f.Addrs()[0]), dial(t, f.Addrs()[0]), dial(t, f.Addrs()[0])
	fmt.Fprint(held, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	f.Answer(http.NotFoundHandler(), raw)
	fmt.Fprint(idle, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, err := http.ReadResponse(bufio.NewReader(idle), nil); err != nil {
		t.Fatal(err)
	}
	spliced := dial(t, f.Addrs()[0])
	fmt.Fprint(spliced, "\x16\x03\x01")
	f.Forward(addr)
	busy := dial(t, f.Addrs()[0])
	fmt.Fprint(busy, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")

	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]net.Conn{"silent": silent, "held": held, "idle": idle, "spliced": spliced, "busy": busy} {
		b, err := io.ReadAll(c)
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			t.Errorf("%s: still open", name)
		}
		if name == "busy" && len(b) > 0 {
			t.Errorf("%s: got %q, want nothing", name, b)
		}
	}
	if err := f.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	f.Hold()
	f.Forward(addr)
}

// What net/http has to say about clients is noise; a panic of a handler is not.
func TestServerLog(t *testing.T) {
	var log lines
	f := front(t, Options{
		Log:      log.log,
		Internal: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom") }),
	})
	garbage := dial(t, f.Addrs()[0])
	fmt.Fprint(garbage, "GET / HTTP/1.1\r\nBad Header\r\n\r\n")
	io.ReadAll(garbage)
	if _, err := client(t).Get(f.url() + "/__devrun/x"); err == nil {
		t.Error("a panic was answered")
	}
	suite.Until(t, "the panic is logged", func() error {
		if s := log.String(); !strings.HasPrefix(s, "http: panic serving") || !strings.Contains(s, "boom") || strings.Contains(s, "\n") {
			return fmt.Errorf("log is %q", s)
		}
		return nil
	})
}
