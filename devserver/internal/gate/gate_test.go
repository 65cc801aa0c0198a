package gate

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

const secret = "what stands behind the gate"

// remoteConn is a connection of a peer that is not this machine.
type remoteConn struct{ net.Conn }

func (remoteConn) RemoteAddr() net.Addr {
	return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 40000}
}

// switchListener makes peers remote while the test says so.
type switchListener struct {
	net.Listener
	remote chan bool // holds the current answer
}

func (l switchListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	remote := <-l.remote
	l.remote <- remote
	if remote {
		return remoteConn{c}, nil
	}
	return c, nil
}

// site is a real server behind the gate.
type site struct {
	addr   string
	port   string
	remote chan bool
}

func serve(t *testing.T, p Policy) site {
	t.Helper()
	server := httptest.NewUnstartedServer(p.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, secret)
	})))
	s := site{remote: make(chan bool, 1)}
	s.remote <- false
	server.Listener = switchListener{server.Listener, s.remote}
	server.Start()
	t.Cleanup(server.Close)
	s.addr = server.Listener.Addr().String()
	_, s.port, _ = net.SplitHostPort(s.addr)
	return s
}

// send writes request as it stands, PORT replaced, and reads one answer.
func (s site) send(t *testing.T, request string) (*http.Response, string) {
	t.Helper()
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(2 * time.Minute))
	request = strings.ReplaceAll(strings.ReplaceAll(request, "PORT", s.port), "\n", "\r\n")
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(request, " ")
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("no answer to %q: %v", request, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// honest proves that the server lives and lets the developer in.
func (s site) honest(t *testing.T) {
	t.Helper()
	resp, body := s.send(t, "GET /__devrun/page HTTP/1.1\nHost: 127.0.0.1:PORT\nSec-Fetch-Site: same-origin\nOrigin: http://127.0.0.1:PORT\nConnection: close\n\n")
	if resp.StatusCode != http.StatusOK || body != secret {
		t.Fatalf("the honest request got %d %q", resp.StatusCode, body)
	}
}

// get is a request of a browser with the Host and further header lines.
func get(host string, lines ...string) string {
	return "GET /__devrun/page HTTP/1.1\nHost: " + host + "\n" + strings.Join(append(lines, "Connection: close\n\n"), "\n")
}

func TestAttacksAreRefused(t *testing.T) {
	const ok = "localhost:PORT"
	type row struct {
		name, request string
		status        int
	}
	rows := []row{
		{"rebinding", get("evil.test:PORT"), 403},
		{"rebinding, origin too", get("evil.test:PORT", "Origin: http://evil.test:PORT", "Sec-Fetch-Site: same-origin"), 403},
		{"absolute form", "GET http://evil.test/__devrun/page HTTP/1.1\nHost: localhost:PORT\nConnection: close\n\n", 403},
		{"http/1.0 without host", "GET /__devrun/page HTTP/1.0\n\n", 403},
		{"forwarded host", get("evil.test", "X-Forwarded-Host: localhost", "Forwarded: host=localhost", "X-Host: localhost"), 403},
		{"cross origin", get(ok, "Origin: https://evil.test"), 403},
		{"origin null", get(ok, "Origin: null"), 403},
		{"origin empty", get(ok, "Origin: "), 403},
		{"origin of another port", get("127.0.0.1:PORT", "Origin: http://127.0.0.1:9"), 403},
		{"origin of another loopback name", get(ok, "Origin: http://127.0.0.1:PORT"), 403},
		{"origin of another scheme", get(ok, "Origin: https://localhost:PORT"), 403},
		{"origin below a foreign name", get(ok, "Origin: http://localhost.evil.test:PORT"), 403},
		{"origin with a suffix", get("127.0.0.1:PORT", "Origin: http://127.0.0.1:PORT.evil.test"), 403},
		{"origin by address", get(ok, "Origin: http://10.0.0.9"), 403},
		{"origin in capitals", get(ok, "Origin: HTTP://localhost:PORT"), 403},
		{"origin with a path", get(ok, "Origin: http://localhost:PORT/"), 403},
		{"two origins", get(ok, "Origin: http://localhost:PORT", "Origin: https://evil.test"), 403},
		{"two equal origins", get(ok, "Origin: http://localhost:PORT", "Origin: http://localhost:PORT"), 403},
		{"cross-site", get(ok, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors"), 403},
		{"same-site", get(ok, "Sec-Fetch-Site: same-site"), 403},
		{"fetch site unknown", get(ok, "Sec-Fetch-Site: same-origin, none"), 403},
		{"two fetch sites", get(ok, "Sec-Fetch-Site: none", "Sec-Fetch-Site: cross-site"), 403},
		{"stream from another origin", "GET /__devrun/events HTTP/1.1\nHost: localhost:PORT\nAccept: text/event-stream\nOrigin: https://evil.test\n\n", 403},
		{"websocket from another origin", get(ok, "Origin: https://evil.test", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="), 403},
		{"preflight", "OPTIONS /__devrun/page HTTP/1.1\nHost: localhost:PORT\nOrigin: https://evil.test\nAccess-Control-Request-Method: POST\nAccess-Control-Request-Headers: x-devrun\nConnection: close\n\n", 403},
		{"options", "OPTIONS /__devrun/page HTTP/1.1\nHost: localhost:PORT\nConnection: close\n\n", 405},
		{"post", "POST /__devrun/page HTTP/1.1\nHost: localhost:PORT\nContent-Length: 0\nConnection: close\n\n", 405},
		{"put", "PUT /__devrun/page HTTP/1.1\nHost: localhost:PORT\nContent-Length: 0\nConnection: close\n\n", 405},
		{"override", "POST /__devrun/page HTTP/1.1\nHost: localhost:PORT\nX-HTTP-Method-Override: GET\nContent-Length: 0\nConnection: close\n\n", 405},
		{"connect", "CONNECT localhost:PORT HTTP/1.1\nHost: localhost:PORT\nConnection: close\n\n", 405},
	}
	for _, host := range []string{
		"localhost.evil.test", "127.0.0.1.nip.io", "localhost:80@evil.test", "evil.test#localhost", "0x7f.1", "2130706433",
		"127.1", "0177.0.0.1", "xlocalhost", "localhost,evil.test", "", "\tevil.test", "0.0.0.0", "10.0.0.9", "[::]", "[::ffff:127.0.0.1]",
		"::1", "[::1", "[::1]x", "[127.0.0.1]", "[localhost]", "[::1%25lo]", "127.0.0.1.", "localhost..", ".localhost", "a..localhost", "loc alhost",
		"localhost:", "localhost:0", "localhost:+80", "localhost:080", "localhost:65536", "localhost:80:80", "localhost/x", "localho\u017ft",
	} {
		rows = append(rows, row{fmt.Sprintf("host %q", host), get(host), 403})
	}
	s := serve(t, Policy{})
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			s.honest(t)
			defer s.honest(t)
			resp, body := s.send(t, row.request)
			// net/http itself answers 400 to what is no host at all.
			if resp.StatusCode != row.status && !(row.status == 403 && resp.StatusCode == 400) {
				t.Errorf("status %d, want %d", resp.StatusCode, row.status)
			}
			if strings.Contains(body, secret) {
				t.Errorf("the answer leaks: %q", body)
			}
			for name := range resp.Header {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("the answer has %s", name)
				}
			}
			if resp.StatusCode == 403 && (!strings.Contains(body, "--host") || strings.Count(body, "\n") != 1) {
				t.Errorf("the refusal does not say in one line how to allow it: %q", body)
			}
			if resp.StatusCode == 405 && resp.Header.Get("Allow") != "GET, HEAD" {
				t.Errorf("Allow is %q", resp.Header.Get("Allow"))
			}
		})
	}
}

func TestHonestSpellingsPass(t *testing.T) {
	s := serve(t, Policy{})
	for _, host := range []string{"localhost", "LOCALHOST", "localhost.", "a.localhost", "a.b-c.LocalHost.", "127.0.0.1", "127.0.0.2", "127.255.255.254", "[::1]", "[0:0::1]"} {
		for _, port := range []string{"", ":PORT", ":80"} {
			if resp, body := s.send(t, get(host+port, "Sec-Fetch-Site: none")); resp.StatusCode != 200 {
				t.Errorf("%s%s: %d %s", host, port, resp.StatusCode, body)
			}
		}
	}
	// A forged forwarding header takes nothing from an honest request either.
	if resp, _ := s.send(t, get("localhost:PORT", "X-Forwarded-Host: evil.test", "X-Forwarded-For: 192.0.2.7")); resp.StatusCode != 200 {
		t.Errorf("with forwarding headers: %d", resp.StatusCode)
	}
}

func TestRemotePeer(t *testing.T) {
	forged := get("localhost:PORT", "X-Forwarded-For: 127.0.0.1", "X-Real-IP: 127.0.0.1", "Forwarded: for=127.0.0.1", "True-Client-IP: 127.0.0.1", "Connection: X-Forwarded-For")
	s := serve(t, Policy{})
	s.honest(t)
	<-s.remote
	s.remote <- true
	if resp, body := s.send(t, forged); resp.StatusCode != 403 || !strings.Contains(body, "--host") {
		t.Errorf("remote peer: %d %q", resp.StatusCode, body)
	}
	<-s.remote
	s.remote <- false
	s.honest(t)

	s = serve(t, Policy{RemoteOK: true, Hosts: []string{"Dev.Example", "192.0.2.1", "[2001:db8::1]", ""}})
	<-s.remote
	s.remote <- true
	for host, want := range map[string]int{
		"localhost:PORT": 200, "dev.example:PORT": 200, "DEV.example.": 200, "192.0.2.1:PORT": 200, "[2001:db8:0::1]:PORT": 200,
		"a.dev.example": 403, "192.0.2.2": 403, "evil.test": 403, "": 403,
	} {
		if resp, body := s.send(t, get(host)); resp.StatusCode != want && !(want == 403 && resp.StatusCode == 400) {
			t.Errorf("host %q: %d %q, want %d", host, resp.StatusCode, body, want)
		}
	}
}

func TestPeerAddresses(t *testing.T) {
	for remote, local := range map[string]bool{
		"127.0.0.1:1": true, "127.9.9.9:1": true, "[::1]:1": true, "[::ffff:127.0.0.1]:1": true, "[::1%lo]:1": true,
		"192.0.2.7:1": false, "[fe80::1%eth0]:1": false, "0.0.0.0:1": false, "": false, "@": false, "localhost:1": false, "127.0.0.1": false,
	} {
		r := httptest.NewRequest("GET", "http://localhost/", nil)
		r.RemoteAddr = remote
		if status, _ := (Policy{}).Check(r); (status == 0) != local {
			t.Errorf("peer %q: status %d", remote, status)
		}
	}
}

func TestHeaders(t *testing.T) {
	own := Policy{Methods: []string{"POST"}}.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-cache")
	}))
	for method, cache := range map[string]string{"POST": "no-cache", "GET": "no-store"} {
		r := httptest.NewRequest(method, "http://localhost/", nil)
		r.RemoteAddr = "127.0.0.1:1"
		w := httptest.NewRecorder()
		own.ServeHTTP(w, r)
		if (w.Code == 200) != (method == "POST") {
			t.Errorf("%s: %d", method, w.Code)
		}
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin",
			"X-Frame-Options": "DENY", "Cache-Control": cache,
		} {
			if got := w.Header().Values(name); len(got) != 1 || got[0] != want {
				t.Errorf("%s: %s is %q, want %q", method, name, got, want)
			}
		}
	}
}

func TestOwnOrigin(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr()
	listener.Close()
	p, err := Own(addr)
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(addr.String())
	check := func(method, host string, lines ...string) (int, string) {
		r := httptest.NewRequestWithContext(context.WithValue(t.Context(), knownKey{}, true), method, "http://x/", nil)
		r.Host, r.RemoteAddr = strings.ReplaceAll(host, "PORT", port), "127.0.0.1:1"
		for _, line := range lines {
			name, value, _ := strings.Cut(strings.ReplaceAll(line, "PORT", port), ": ")
			r.Header.Add(name, value)
		}
		return p.Check(r)
	}
	for _, host := range []string{"127.0.0.1:PORT", "localhost:PORT", "[::1]:PORT"} {
		for _, method := range []string{"GET", "HEAD", "POST"} {
			if status, reason := check(method, host, "Origin: http://"+host, "Sec-Fetch-Site: same-origin"); status != 0 {
				t.Errorf("%s %s: %d %s", method, host, status, reason)
			}
		}
	}
	for _, host := range []string{"127.0.0.1", "localhost", "127.0.0.1:80", "LOCALHOST:PORT", "localhost.:PORT", "a.localhost:PORT", "127.0.0.2:PORT", "[0::1]:PORT", "evil.test:PORT", "127.0.0.1:PORT ", ""} {
		if status, reason := check("GET", host); status != 403 || strings.Contains(reason, "--host") {
			t.Errorf("%q: %d %s", host, status, reason)
		}
	}
	if status, _ := check("PUT", "127.0.0.1:PORT"); status != 405 {
		t.Errorf("PUT: %d", status)
	}
	link := []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"}
	if status, reason := check("GET", "127.0.0.1:PORT", link...); status != 0 {
		t.Errorf("a link: %d %s", status, reason)
	}
	for name, lines := range map[string][]string{
		"frame": {link[0], link[1], "Sec-Fetch-Dest: iframe"}, "script": {link[0], "Sec-Fetch-Mode: no-cors", link[2]}, "two modes": append(link, "Sec-Fetch-Mode: cors"),
		"no mode": {link[0], link[2]}, "no destination": {link[0], link[1]}, "with an origin": append(link, "Origin: null"),
	} {
		if status, _ := check("GET", "127.0.0.1:PORT", lines...); status != 403 {
			t.Errorf("%s: %d", name, status)
		}
	}
	if status, _ := check("POST", "127.0.0.1:PORT", link...); status != 403 {
		t.Errorf("a form: %d", status)
	}
	for _, wide := range []string{"0.0.0.0:1", "192.0.2.1:1", "[::]:1"} {
		a, _ := net.ResolveTCPAddr("tcp", wide)
		if _, err := Own(a); err == nil || !strings.Contains(err.Error(), "loopback") {
			t.Errorf("an origin at %s: %v", wide, err)
		}
	}
}
