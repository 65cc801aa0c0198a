package console

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"devrun/devserver/internal/gate"
	"devrun/devserver/suite"
)

const (
	// pageText and local are what only those may see who passed.
	pageText = "the text of a page"
	local    = "the value of a local"
	failure  = "f1"
)

// secrets is what must not stand in any log: PINs, tokens, expressions, values.
var secrets struct {
	sync.Mutex
	all []string
}

func keepSecret(s ...string) {
	secrets.Lock()
	defer secrets.Unlock()
	secrets.all = append(secrets.all, s...)
}

// TestMain is attack 64, too: it reads the log of all attacks.
func TestMain(m *testing.M) {
	var logged bytes.Buffer
	log.SetOutput(&logged)
	keepSecret(local, "honest(1)")
	code := m.Run()
	for _, s := range secrets.all {
		if strings.Contains(logged.String(), s) {
			fmt.Printf("FAIL: the log has %q in it:\n%s\n", s, logged.String())
			code = 1
		}
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Println("FAIL:", err)
		code = 1
	}
	os.Exit(code)
}

// site is a real console behind the real gate, with a backend that counts.
type site struct {
	t       *testing.T
	console *Console
	addr    string
	port    string
	token   string
	wait    string // token of a wait
	remote  atomic.Bool

	accepted atomic.Int64 // connections
	calls    atomic.Int64 // of the backend
	shown    atomic.Int64 // pages and assets
	asked    atomic.Int64
	locked   atomic.Int64
	path     atomic.Value  // the newest that a value was asked for by
	held     chan struct{} // one for each evaluation of "hold" that has begun
	let      chan struct{} // lets one of them end
}

// peer is a connection that seems to come from another machine.
type peer struct{ net.Conn }

func (peer) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 40000} }

type listener struct {
	net.Listener
	site *site
}

func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.site.accepted.Add(1)
		if l.site.remote.Load() {
			c = peer{c}
		}
	}
	return c, err
}

// accepted is gate.Accepted of a connection as it is below those of the test.
func accepted(ctx context.Context, c net.Conn) context.Context {
	if p, ok := c.(peer); ok {
		c = p.Conn
	}
	return gate.Accepted(ctx, c)
}

func newSite(t *testing.T, change ...func(*Config)) *site {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, addr: ln.Addr().String(), held: make(chan struct{}, 100), let: make(chan struct{})}
	_, s.port, _ = net.SplitHostPort(s.addr)
	policy, err := gate.Own(ln.Addr())
	if err != nil {
		t.Fatal(err)
	}
	show := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.shown.Add(1)
		io.WriteString(w, pageText)
	})
	cfg := Config{
		Check: policy.Check, Accepted: accepted, Pages: show, Assets: show, Backend: s.backend(), Enabled: true,
		Asked: func() { s.asked.Add(1) }, Locked: func() { s.locked.Add(1) },
	}
	for _, c := range change {
		c(&cfg)
	}
	s.console = Serve(listener{ln, s}, cfg)
	t.Cleanup(func() {
		if err := s.console.Close(); err != nil {
			t.Error(err)
		}
	})
	if cfg.Enabled {
		s.token = s.unlock()
	}
	url := s.console.WaitURL(failure, 1)
	s.wait = url[strings.LastIndex(url, "/")+1:]
	keepSecret(s.wait)
	return s
}

func (s *site) backend() Backend {
	look := func(id string, frame int) (any, error) {
		s.calls.Add(1)
		switch {
		case id == "gone":
			return nil, fmt.Errorf("ask: %w", Gone{"the process has ended"})
		case id != failure && !strings.HasPrefix(id, "other"):
			return nil, fmt.Errorf("ask: %w", ErrUnknown)
		case frame > 3:
			return nil, ErrFrame
		}
		return map[string]string{"text": local}, nil
	}
	return Backend{
		Eval: func(ctx context.Context, id string, frame int, src string) (any, error) {
			switch src {
			case "hold":
				s.calls.Add(1)
				s.held <- struct{}{}
				select {
				case <-ctx.Done():
					return nil, ctx.Err()
				case <-s.let:
				}
				return "done", nil
			case "panic":
				panic("index out of range")
			case "late":
				return nil, context.DeadlineExceeded
			case "wrong":
				return nil, errors.New("undefined: wrong")
			case "huge":
				return strings.Repeat("x", maxAnswer), nil
			case "func":
				return func() {}, nil
			}
			return look(id, frame)
		},
		Complete: func(ctx context.Context, id string, frame int, src string, pos int) (any, error) {
			return look(id, frame)
		},
		Reveal: func(ctx context.Context, id string, frame int, path []string) (any, error) {
			s.path.Store(fmt.Sprintf("%q", path))
			return look(id, frame)
		},
		Field: func(ctx context.Context, id, part string, path []string) (any, error) {
			s.path.Store(fmt.Sprintf("%s %q", part, path))
			return look(id, 0)
		},
		More: func(ctx context.Context, id string, frame int, path []string, from int) (any, error) {
			s.path.Store(fmt.Sprintf("%q from %d", path, from))
			return look(id, frame)
		},
		Release: func(id string) error {
			_, err := look(id, 0)
			return err
		},
		State: func(id string) (any, bool) {
			v, err := look(id, 0)
			return v, err == nil
		},
	}
}

// unlock is what the developer does.
func (s *site) unlock() string {
	s.t.Helper()
	pin := s.console.PIN()
	keepSecret(pin, strings.ReplaceAll(pin, "-", ""))
	resp, body := s.send(s.post("/api/unlock", `{"pin":"`+pin+`"}`))
	token, ok := strings.CutPrefix(strings.TrimSpace(body), `{"token":"`)
	token, closed := strings.CutSuffix(token, `"}`)
	if resp.StatusCode != 200 || !ok || !closed || len(token) != 43 {
		s.t.Fatalf("the right PIN got %d %s", resp.StatusCode, body)
	}
	keepSecret(token)
	return token
}

// bodies are an honest body for every address that takes one.
var bodies = map[string]string{
	"/api/unlock":   `{"pin":"000 000-000"}`,
	"/api/eval":     `{"failure":"f1","frame":0,"src":"honest(1)"}`,
	"/api/complete": `{"failure":"f1","frame":0,"src":"hon","pos":3}`,
	"/api/reveal":   `{"failure":"f1","frame":0,"path":["user","Password"]}`,
	"/api/field":    `{"failure":"f1","part":"form","path":[0,0]}`,
	"/api/more":     `{"failure":"f1","frame":0,"path":[3,"a key"],"from":60}`,
	"/api/release":  `{"failure":"f1"}`,
}

// gets are the addresses that are read.
var gets = []string{"/", "/failures/", "/failures/f1", "/__devrun/page.css", "/__devrun/page.js", "/__devrun/failure.js", "/__devrun/saves.css", "/api/failures/f1/state"}

// post is a request of the page's own script. Each change replaces a header
// line ("Name: value"), drops it ("-Name") or adds one ("+Name: value").
func (s *site) post(path, body string, changes ...string) string {
	return s.request("POST "+path+" HTTP/1.1", body, append([]string{
		"Origin: http://127.0.0.1:PORT", "Content-Type: application/json", "Content-Length: " + strconv.Itoa(len(body))}, changes...)...)
}

// get is the same without a body.
func (s *site) get(path string, changes ...string) string {
	return s.request("GET "+path+" HTTP/1.1", "", changes...)
}

func (s *site) request(line, body string, changes ...string) string {
	lines := []string{
		"Host: 127.0.0.1:PORT", "Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty",
		"X-Devrun: 1", "Authorization: Bearer " + s.token, "Connection: close",
	}
	for _, change := range changes {
		name, _, _ := strings.Cut(strings.TrimLeft(change, "-+"), ":")
		if change[0] != '+' {
			lines = slices.DeleteFunc(lines, func(line string) bool { return strings.HasPrefix(line, name+":") })
		}
		if change[0] != '-' {
			lines = append(lines, strings.TrimPrefix(change, "+"))
		}
	}
	text := line + "\n" + strings.Join(lines, "\n") + "\n\n"
	return strings.ReplaceAll(strings.ReplaceAll(text, "PORT", s.port), "\n", "\r\n") + body
}

func (s *site) dial() net.Conn {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(suite.Patience))
	return conn
}

// send writes a request as it stands and reads one answer.
func (s *site) send(request string) (*http.Response, string) {
	s.t.Helper()
	answers := s.exchange(request, 1)
	if len(answers) == 0 {
		s.t.Fatalf("no answer to %.300q", request)
	}
	return answers[0].Response, answers[0].body
}

type answer struct {
	*http.Response
	body string
}

// exchange reads at most so many answers, or those that come until the server
// closes the connection.
func (s *site) exchange(request string, most int) (answers []answer) {
	s.t.Helper()
	conn := s.dial()
	defer conn.Close()
	written := make(chan struct{})
	go func() {
		defer close(written)
		io.WriteString(conn, request) // a server that has refused need not read on
		if most > 1 {
			conn.(*net.TCPConn).CloseWrite() // nothing follows, so that the server closes, too
		}
	}()
	defer func() { conn.Close(); <-written }()
	method, _, _ := strings.Cut(request, " ")
	for reader := bufio.NewReader(conn); len(answers) < most; {
		resp, err := http.ReadResponse(reader, &http.Request{Method: method})
		if err != nil {
			break
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			break
		}
		answers = append(answers, answer{resp, string(body)})
	}
	return answers
}
