package main

import (
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"devrun/devserver/suite"
)

// visitor is a browser without scripts: it keeps cookies, and follows no
// redirect so that a test sees it.
type visitor struct {
	t      *testing.T
	base   string
	client *http.Client
}

func newVisitor(t *testing.T, base string) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{t, base, &http.Client{
		Jar:           jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       suite.Patience,
	}}
}

// answer is what a visitor got.
type answer struct {
	*http.Response
	body string
}

func (a answer) String() string {
	return fmt.Sprintf("%d, Location %q\n%s", a.StatusCode, a.Header.Get("Location"), a.body)
}

// shows reports whether the page has all of these texts, as they are in HTML.
func (a answer) shows(texts ...string) bool {
	for _, text := range texts {
		if !strings.Contains(a.body, text) {
			return false
		}
	}
	return true
}

// to reports whether the answer sends the visitor to that address.
func (a answer) to(location string) bool {
	return a.StatusCode == http.StatusFound && a.Header.Get("Location") == location
}

// problem is a message beside a field, as the page shows it.
func problem(message string) string {
	return `<span class="error">[` + html.EscapeString(message) + `]</span>`
}

func (v *visitor) do(method, path, body string, header ...string) answer {
	v.t.Helper()
	a, err := v.try(method, path, body, header...)
	if err != nil {
		v.t.Fatal(err)
	}
	return a
}

func (v *visitor) try(method, path, body string, header ...string) (answer, error) {
	req, err := http.NewRequest(method, v.base+path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	return v.send(req, header...)
}

// begin sends a request whose body has size bytes, and only the beginning of
// that body: what is answered did not wait for the rest.
func (v *visitor) begin(method, path string, size int64, beginning string) answer {
	v.t.Helper()
	rest, never := io.Pipe()
	defer never.Close()
	req, err := http.NewRequest(method, v.base+path, io.MultiReader(strings.NewReader(beginning), rest))
	if err != nil {
		v.t.Fatal(err)
	}
	req.ContentLength = size
	a, err := v.send(req)
	if err != nil {
		v.t.Fatal(err)
	}
	return a
}

func (v *visitor) send(req *http.Request, header ...string) (answer, error) {
	if req.Method == "POST" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := v.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return answer{resp, string(b)}, err
}

func (v *visitor) get(path string) answer { v.t.Helper(); return v.do("GET", path, "") }

// post sends a form of names and values.
func (v *visitor) post(path string, fields ...string) answer {
	v.t.Helper()
	return v.do("POST", path, form(fields...))
}

func form(fields ...string) string {
	values := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		values.Set(fields[i], fields[i+1])
	}
	return values.Encode()
}

func (v *visitor) tryRegister(name, email string) answer {
	v.t.Helper()
	return v.post("/register", "username", name, "email", email, "password", "cat", "password2", "cat")
}

func (v *visitor) register(name, email string) {
	v.t.Helper()
	if a := v.tryRegister(name, email); !a.to("/login") {
		v.t.Fatalf("register %q: %v", name, a)
	}
}

func (v *visitor) signIn(name string) {
	v.t.Helper()
	if a := v.post("/login", "username", name, "password", "cat"); !a.to("/index") {
		v.t.Fatalf("sign in as %q: %v", name, a)
	}
}

// as registers somebody and signs in.
func (s *server) as(t *testing.T, name string) *visitor {
	t.Helper()
	v := newVisitor(t, s.url)
	v.register(name, name+"@example.com")
	v.signIn(name)
	return v
}
