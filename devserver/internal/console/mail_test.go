package console

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// mailSite is a site with a mailbox, and how often something was deleted there.
func mailSite(t *testing.T, change ...func(*Config)) (s *site, deleted *atomic.Int32) {
	t.Helper()
	deleted = new(atomic.Int32)
	return newSite(t, append(change, func(c *Config) {
		c.Mail = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				if _, err := io.ReadAll(r.Body); err == nil {
					deleted.Add(1)
				}
			}
			io.WriteString(w, pageText+" "+r.URL.Path)
		})
	})...), deleted
}

var mailGets = []string{"/mail/", "/mail/events", "/mail/f1", "/mail/f1/html", "/mail/f1/attachment/1", "/__devrun/mail.css", "/__devrun/mail.js"}

const deleteBody = `{"id":"f1"}`

// The mailbox is read and emptied without the PIN, and also where there is none.
func TestMailHonest(t *testing.T) {
	for _, enabled := range []bool{true, false} {
		s, deleted := mailSite(t, func(c *Config) { c.Enabled = enabled })
		for _, path := range mailGets {
			if resp, body := s.send(s.get(path, "-Authorization")); resp.StatusCode != 200 || !strings.HasPrefix(body, pageText) {
				t.Errorf("%s: %d %s", path, resp.StatusCode, body)
			}
		}
		if resp, body := s.send(s.post("/mail/delete", deleteBody, "-Authorization")); resp.StatusCode != 200 || deleted.Load() != 1 {
			t.Errorf("delete: %d %s", resp.StatusCode, body)
		}
		// A link from anywhere may lead to a mail, as to a failure.
		if resp, _ := s.send(s.get("/mail/f1", "-Authorization", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document")); resp.StatusCode != 200 {
			t.Errorf("link: %d", resp.StatusCode)
		}
	}
}

func TestMailAttacks(t *testing.T) {
	s, deleted := mailSite(t)
	post := func(changes ...string) string { return s.post("/mail/delete", deleteBody, changes...) }
	var rows []attack
	for _, changes := range [][]string{
		{"Host: evil.test:PORT", "Origin: http://evil.test:PORT"}, {"Host: a.localhost:PORT", "Origin: http://a.localhost:PORT"}, {"Origin: https://evil.test"}, {"Origin: null"},
		{"Origin: http://127.0.0.1:PORT", "+Origin: https://evil.test"}, {"Sec-Fetch-Site: cross-site"}, {"Sec-Fetch-Site: same-site"},
	} {
		rows = append(rows, attack{2, fmt.Sprint("delete ", changes), post(changes...), []int{403}})
		for _, path := range mailGets {
			rows = append(rows, attack{2, fmt.Sprint(path, changes), s.get(path, changes...), []int{403}})
		}
	}
	for _, changes := range [][]string{
		{"-Origin"}, {"-Origin", "-Sec-Fetch-Site", "-Sec-Fetch-Mode", "-Sec-Fetch-Dest"}, {"Sec-Fetch-Site: none"}, {"Sec-Fetch-Mode: navigate"}, {"Sec-Fetch-Mode: no-cors"},
		{"Sec-Fetch-Dest: iframe"}, {"Sec-Fetch-Dest: document"}, {"-X-Devrun"}, {"X-Devrun: 0"}, {"+X-Devrun: 1"},
	} {
		rows = append(rows, attack{8, fmt.Sprint("delete ", changes), post(changes...), []int{403}})
	}
	for _, kind := range []string{"Content-Type: text/plain", "Content-Type: application/x-www-form-urlencoded", "-Content-Type", "Content-Type: application/json; charset=utf-8", "Content-Encoding: gzip"} {
		rows = append(rows, attack{9, "delete " + kind, post(kind), []int{415}})
	}
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"} {
		rows = append(rows, attack{10, method, s.request(method+" /mail/delete HTTP/1.1", ""), []int{405}})
	}
	for _, path := range mailGets {
		rows = append(rows, attack{10, "post " + path, s.post(path, deleteBody), []int{405}})
	}
	for _, target := range []string{
		"/mail", "/mail//", "/mail/./f1", "/mail/../mail/", "/mail/%66%31", "/mail/f1/", "/mail/f1/html/", "/mail/f1/attachment/1/2", "/mail/f1/..%2f", "/Mail/", "//mail/", "/mail/f1.html",
		"/mail/" + strings.Repeat("f", maxWord+1), "/mail/delete/", "/mail/delete?x=1", "/failures/../mail/delete",
	} {
		rows = append(rows, attack{50, target, s.get(target), []int{400, 403, 404, 405}}, attack{50, "post " + target, s.post(target, deleteBody), []int{400, 403, 404, 405}})
	}
	for _, a := range rows {
		t.Run(fmt.Sprintf("%02d %.80s", a.n, a.name), func(t *testing.T) {
			s.t = t
			s.refused(a.request, a.statuses...)
		})
	}
	s.t = t
	if n := deleted.Load(); n != 0 {
		t.Errorf("%d were deleted", n)
	}
	s.send(s.post("/mail/delete", strings.Repeat(" ", maxMailQuestion)+deleteBody))
	if n := deleted.Load(); n != 0 {
		t.Error("a body of any size is read")
	}
}

// Without a mailbox there are no addresses of one.
func TestNoMail(t *testing.T) {
	s := newSite(t)
	for _, path := range []string{"/mail/", "/mail/f1", "/mail/events"} {
		s.refused(s.get(path), 404)
	}
	s.refused(s.post("/mail/delete", deleteBody), 404)
}
