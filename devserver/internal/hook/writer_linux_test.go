package hook

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"devrun/devserver/internal/wire"
	"devrun/devserver/suite"
)

// The app's writer offers what net/http's does, and Unwrap.
func TestWriterMethods(t *testing.T) {
	p1, url1 := failing(t, nil)
	_, url2, client2 := secure(t)
	for _, text := range []string{fetch(t, &client, url1+"/methods"), fetch(t, client2, url2+"/methods")} {
		lines := strings.Split(strings.TrimSpace(text), "\n")
		if len(lines) != 2 {
			t.Fatalf("methods:\n%s", text)
		}
		equal(t, "methods", strings.Replace(lines[0], "Unwrap ", "", 1), lines[1])
	}
	if body := get(t, url1+"/kernel"); len(body) != 10000 || !strings.HasSuffix(body, strings.Repeat("1", 9000)) {
		t.Errorf("the connection does not read for itself: %.20q…%.20q", body, body[len(body)-20:])
	}
	p1.kill()
}

// What net/http has an opinion on is answered, and logged, as without the hook.
func TestWriterFaithful(t *testing.T) {
	port := unused(t)
	plain := exec.Command(shared(t, "faults"), "127.0.0.1:"+port)
	var plainLog strings.Builder
	plain.Stdout, plain.Stderr = &plainLog, &plainLog
	if err := plain.Start(); err != nil {
		t.Fatal(err)
	}
	defer plain.Process.Kill()
	hooked, url := failing(t, nil)
	addrs := []string{"127.0.0.1:" + port, strings.TrimPrefix(url, "http://")}
	suite.Until(t, "the app listens", func() error {
		c, err := net.Dial("tcp", addrs[0])
		if err == nil {
			c.Close()
		}
		return err
	})
	date := regexp.MustCompile(`(?m)^Date: .*\r\n`)
	for _, what := range []string{"no content", "twice", "too long", "late header", "trailer", "short trailer", "early",
		"empty source", "source", "nothing", "many", "bad status", "sniffed", "hijacked"} {
		for _, proto := range []string{"GET %s HTTP/1.1", "HEAD %s HTTP/1.1", "GET %s HTTP/1.0", "POST %s HTTP/1.1\r\nContent-Length: 600000"} {
			var answers []string
			for _, addr := range addrs {
				path := "/odd?what=" + strings.ReplaceAll(what, " ", "+")
				answers = append(answers, date.ReplaceAllString(raw(t, addr, fmt.Sprintf(proto, path)+"\r\nHost: a\r\n\r\n"), ""))
			}
			if answers[0] != answers[1] || answers[0] == "" {
				t.Errorf("%s, %s: answer\n%q\nwithout the hook\n%q", what, proto, answers[1], answers[0])
			}
		}
	}
	plain.Process.Kill()
	plain.Wait()
	hooked.kill()
	place := regexp.MustCompile(`main\.go:\d+`)
	equal(t, "log", hooked.out.String(), plainLog.String())
	if n := len(place.FindAllString(plainLog.String(), -1)); n < 8 {
		t.Errorf("only %d lines about misplaced calls:\n%s", n, plainLog.String())
	}
}

// raw sends a request and returns all that comes until the connection is idle.
func raw(t *testing.T, addr, request string) string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(suite.Patience))
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	// A second request ends what the first one began, or is refused.
	io.WriteString(c, "GET /end HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	c.(*net.TCPConn).CloseWrite()
	b, err := io.ReadAll(c)
	if err != nil && !strings.Contains(err.Error(), "reset") {
		t.Fatal(err)
	}
	return string(b)
}

// Parts of an answer arrive when they are flushed.
func TestStream(t *testing.T) {
	p1, url1 := failing(t, nil)
	p2, url2, client2 := secure(t)
	for url, c := range map[string]*http.Client{url1: &client, url2: client2} {
		in, out := io.Pipe()
		req, err := http.NewRequest("POST", url+"/stream", in)
		if err != nil {
			t.Fatal(err)
		}
		first := make(chan error, 1)
		go func() {
			_, err := io.WriteString(out, "1")
			first <- err
		}()
		res, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body := bufio.NewReader(res.Body)
		for i := range 3 {
			for _, want := range []string{fmt.Sprintf("data: %d\n", i), "\n"} {
				if line, err := body.ReadString('\n'); err != nil || line != want {
					t.Fatalf("%q, %v instead of %q", line, err, want)
				}
			}
			if i == 0 {
				if err := <-first; err != nil {
					t.Fatal(err)
				}
				if c == &client { // HTTP/1 reads the body before it answers
					break
				}
				if _, err := io.WriteString(out, "2"); err != nil {
					t.Fatal(err)
				}
			}
		}
		out.Close()
		res.Body.Close()
	}
	p1.kill()
	p2.kill()
}

func TestServeFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	text := strings.Repeat("0123456789", 400_000)
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, url := failing(t, nil)
	if body := get(t, url+"/file?name="+name); body != text {
		t.Errorf("%d bytes of %d", len(body), len(text))
	}
}

// A connection stays in use after a failure, whatever came with the request.
func TestConnectionAfterwards(t *testing.T) {
	p, url := failing(t, nil, "-write=50ms") // over before the page is ready
	addr := strings.TrimPrefix(url, "http://")
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(suite.Patience))
	r := bufio.NewReader(c)
	for _, request := range []string{
		"GET /nil HTTP/1.1\r\nHost: a\r\n\r\n",
		"POST /nil HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n" + strings.Repeat("x", 1000),
		"GET /error HTTP/1.1\r\nHost: a\r\n\r\n",
		"POST /nil HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n", // closes, as ever
	} {
		if _, err := io.WriteString(c, request); err != nil {
			t.Fatal(err)
		}
		f := p.failure()
		if f.How == "status" {
			p.say(wire.Message{Kind: wire.Proceed, ID: f.ID})
			p.next(wire.Finished)
		}
		time.Sleep(60 * time.Millisecond) // past WriteTimeout
		p.show(f.ID)
		res, err := http.ReadResponse(r, &http.Request{Method: "GET"})
		if err != nil {
			t.Fatalf("%.20q: %v", request, err)
		}
		b, err := io.ReadAll(res.Body)
		if err != nil || string(b) != shown {
			t.Errorf("%.20q: answer %q, %v", request, b, err)
		}
	}

	c, err = net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(suite.Patience))
	if _, err := io.WriteString(c, "GET /nil HTTP/1.0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	p.show(p.failure().ID)
	b, err := io.ReadAll(c)
	if err != nil || !strings.HasPrefix(string(b), "HTTP/1.0 500 ") || !strings.HasSuffix(string(b), shown) {
		t.Errorf("HTTP/1.0: %q, %v", b, err)
	}

	// 40 MB that the handler does not read, of a client that reads no answer before it
	// has sent all.
	c, err = net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(suite.Patience))
	if _, err := io.WriteString(c, "POST /nil HTTP/1.1\r\nHost: a\r\nContent-Length: 41943040\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	p.show(p.failure().ID)
	if _, err := io.Copy(c, io.LimitReader(zeros{}, 40<<20)); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: "POST"})
	if err != nil {
		t.Fatal(err)
	}
	if b, err = io.ReadAll(res.Body); err != nil || string(b) != shown {
		t.Errorf("40 MB unread: %q, %v", b, err)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

// What is no failure, or none that can be answered.
func TestCut(t *testing.T) {
	p1, url1 := failing(t, nil)
	p2, url2, client2 := secure(t)
	for url, c := range map[string]*http.Client{url1: &client, url2: client2} {
		for _, path := range []string{"/abort", "/goexit"} {
			if res, err := c.Get(url + path); err == nil {
				res.Body.Close()
				if c == &client || path == "/abort" {
					t.Errorf("%s: answer %s", path, res.Status)
				}
			}
		}
		equal(t, "recovered", fetch(t, c, url+"/fine"), "all is well")
	}
	answer := raw(t, strings.TrimPrefix(url1, "http://"), "GET /hijack HTTP/1.1\r\nHost: a\r\n\r\n")
	if !strings.HasSuffix(answer, "\r\n\r\nraw") {
		t.Errorf("answer %q", answer)
	}
	f := p1.failure()
	equal(t, "hijacked", fmt.Sprint(f.Hijacked, f.Text, at(f)), fmt.Sprint(true, nilText, line(t, "faults", "LOOKUP")))
	p1.say(wire.Message{Kind: wire.Release})
	p1.gone(f.ID) // its line is out
	p1.kill()
	p2.kill()
	equal(t, "lines", fmt.Sprint(strings.Count(p1.out.String(), "panic serving"), strings.Count(p2.out.String(), "panic serving")), "1 0")
}
