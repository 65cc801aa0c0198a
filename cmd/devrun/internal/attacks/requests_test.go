//go:build linux

package attacks

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"devrun/devserver/suite"
)

// request is the text of a request. A change is "Name: value" to set a header,
// "+Name: value" for another one, "-Name" to leave it out; PORT is that of the
// console.
func (s *site) request(line, body string, header []string, changes ...string) string {
	port := s.own[strings.LastIndexByte(s.own, ':')+1:]
	lines := slices.Clone(header)
	drop := func(name string) {
		lines = slices.DeleteFunc(lines, func(l string) bool { return strings.EqualFold(l[:strings.IndexByte(l, ':')], name) })
	}
	for _, c := range changes {
		switch c[0] {
		case '-':
			drop(c[1:])
		case '+':
			lines = append(lines, c[1:])
		default:
			drop(c[:strings.IndexByte(c, ':')])
			lines = append(lines, c)
		}
	}
	return line + "\r\n" + strings.ReplaceAll(strings.Join(lines, "\r\n"), "PORT", port) + "\r\n\r\n" + body
}

// post is an honest question, but for the changes.
func (s *site) post(path, body string, changes ...string) string {
	return s.request("POST "+path+" HTTP/1.1", body, []string{
		"Host: 127.0.0.1:PORT", "Origin: http://127.0.0.1:PORT", "Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty",
		"Content-Type: application/json", "X-Devrun: 1", "Authorization: Bearer " + s.token, fmt.Sprint("Content-Length: ", len(body)), "Connection: close",
	}, changes...)
}

// get is a person who opens an address, but for the changes.
func (s *site) get(path string, changes ...string) string {
	return s.request("GET "+path+" HTTP/1.1", "", []string{
		"Host: 127.0.0.1:PORT", "Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "Accept: text/html", "Connection: close",
	}, changes...)
}

// questions are the bodies of what can be asked; each would have an effect.
func (s *site) questions() map[string]string {
	q := func(format string) string { return fmt.Sprintf(format, s.ID, s.frame("main.fail")) }
	return map[string]string{
		"/api/eval":     q(`{"failure":%q,"frame":%d,"src":"effects.Add(1)"}`),
		"/api/complete": q(`{"failure":%q,"frame":%d,"src":"loc","pos":3}`),
		"/api/reveal":   fmt.Sprintf(`{"failure":%q,"frame":%d,"path":[%d]}`, s.ID, s.frame("main.fail"), s.variable("main.fail", "local")),
		"/api/release":  fmt.Sprintf(`{"failure":%q}`, s.ID),
		"/api/unlock":   fmt.Sprintf(`{"pin":%q}`, s.pin),
	}
}

// readable are the addresses that show something.
func (s *site) readable() []string {
	return []string{"/", "/failures/" + s.ID, "/api/failures/" + s.ID + "/state", "/__devrun/page.css", "/__devrun/page.js", "/__devrun/failure.js"}
}

// everywhere is a change to all requests that are otherwise honest.
func (s *site) everywhere(changes ...string) (all []string) {
	for path, body := range s.questions() {
		all = append(all, s.post(path, body, changes...))
	}
	for _, path := range s.readable() {
		all = append(all, s.get(path, changes...))
	}
	return all
}

type answer struct {
	*http.Response
	body string
}

// send sends text to the console and returns all answers until it closes.
func (s *site) send(t *testing.T, text string) []answer {
	t.Helper()
	return exchange(t, strings.TrimPrefix(s.own, "http://"), text)
}

// quiet is how long one who keeps the connection may take for another answer.
const quiet = 3 * time.Second

// sendApp sends text to the app's address.
func (s *site) sendApp(t *testing.T, text string) []answer {
	t.Helper()
	return exchange(t, fmt.Sprint("127.0.0.1:", s.Port), text)
}

func exchange(t *testing.T, addr, text string) (all []answer) {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, suite.Patience)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(suite.Patience))
	method, _, _ := strings.Cut(text, " ")
	go io.WriteString(c, text) // who refuses need not read it to its end
	for r := bufio.NewReader(c); ; {
		resp, err := http.ReadResponse(r, &http.Request{Method: method})
		if err != nil {
			return all // it is closed, or what comes is no HTTP
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return append(all, answer{resp, string(body)})
		}
		all = append(all, answer{resp, string(body)})
		if !resp.Close && resp.StatusCode >= 200 {
			c.SetReadDeadline(time.Now().Add(quiet))
		}
	}
}

// refused sends attacks to the console; each answer is one of these statuses, 0
// being none at all, and gives nothing away.
func (s *site) refused(t *testing.T, statuses []int, attacks ...string) {
	t.Helper()
	if len(attacks) == 0 {
		t.Error("no attack")
	}
	for _, text := range attacks {
		s.unmoved(t, statuses, text, s.send(t, text))
	}
}

func (s *site) unmoved(t *testing.T, statuses []int, text string, answers []answer) {
	t.Helper()
	if len(answers) == 0 && !slices.Contains(statuses, 0) {
		t.Errorf("no answer to\n%.1500s", text)
	}
	for _, a := range answers {
		if !slices.Contains(statuses, a.StatusCode) {
			t.Errorf("status %d, want one of %v, for\n%.1500s\n\n%.300s", a.StatusCode, statuses, text, a.body)
		}
		s.bare(t, text, a)
	}
}

// bare shows that an answer gives nothing away.
func (s *site) bare(t *testing.T, text string, a answer) {
	t.Helper()
	for _, secret := range []string{localValue, sourceLine, s.pin, strings.ReplaceAll(s.pin, "-", ""), s.token, "root:x:"} {
		if strings.Contains(a.body, secret) {
			t.Errorf("%q is given away to\n%.1500s", secret, text)
		}
	}
	for name := range a.Header {
		if strings.HasPrefix(name, "Access-Control-") || name == "Location" || name == "Set-Cookie" {
			t.Errorf("%s is answered to\n%.1500s", name, text)
		}
	}
}
