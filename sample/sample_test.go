package main

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// visitor is a browser without scripts: it keeps cookies and follows nothing.
type visitor struct {
	t      *testing.T
	base   string
	client *http.Client
}

func serve(t *testing.T, env string, with func(*app)) *visitor {
	t.Helper()
	cfg, err := configFrom(func(name string) string {
		return map[string]string{"APP_ENV": env, "SECRET_KEY": "for the test"}[name]
	})
	if err != nil {
		t.Fatal(err)
	}
	a, err := newApp(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if with != nil {
		with(a)
	}
	srv := httptest.NewServer(a)
	t.Cleanup(srv.Close)
	return newVisitor(t, srv.URL)
}

func newVisitor(t *testing.T, base string) *visitor {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{t, base, &http.Client{
		Jar:           jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func (v *visitor) do(method, path string, form url.Values) (*http.Response, string) {
	v.t.Helper()
	req, err := http.NewRequest(method, v.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := v.client.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return resp, string(body)
}

func (v *visitor) signIn(remember string) *http.Response {
	v.t.Helper()
	resp, _ := v.do("POST", "/login", url.Values{"username": {"susan"}, "password": {"cat"}, "remember_me": {remember}})
	if resp.StatusCode != http.StatusFound || resp.Header.Get("Location") != "/index" {
		v.t.Fatalf("sign in: %d to %q", resp.StatusCode, resp.Header.Get("Location"))
	}
	return resp
}

func TestAnonymousIsSentToLogin(t *testing.T) {
	v := serve(t, "production", nil)
	for path, next := range map[string]string{"/": "%2F", "/index?x=1": "%2Findex%3Fx%3D1"} {
		resp, _ := v.do("GET", path, nil)
		if got := resp.Header.Get("Location"); resp.StatusCode != 302 || got != "/login?next="+next {
			t.Errorf("GET %s = %d to %q", path, resp.StatusCode, got)
		}
	}
	const flash = "Please log in to access this page."
	if _, body := v.do("GET", "/login", nil); strings.Count(body, flash) != 2 {
		t.Errorf("two redirects left %d messages", strings.Count(body, flash))
	}
	if _, body := v.do("GET", "/login", nil); strings.Contains(body, flash) {
		t.Error("a message was shown again")
	}
}

func TestLogin(t *testing.T) {
	v := serve(t, "production", nil)
	for _, form := range []url.Values{
		{"username": {"susan"}, "password": {"dog"}},
		{"username": {"nobody"}, "password": {"cat"}},
		{"username": {"Susan"}, "password": {"cat"}},
	} {
		resp, _ := v.do("POST", "/login?next=%2Findex", form)
		if resp.StatusCode != 302 || resp.Header.Get("Location") != "/login" {
			t.Errorf("%v = %d to %q", form, resp.StatusCode, resp.Header.Get("Location"))
		}
		if _, body := v.do("GET", "/login", nil); !strings.Contains(body, "<li>Invalid username or password</li>") {
			t.Errorf("%v: no message", form)
		}
	}
	resp, body := v.do("POST", "/login", url.Values{"username": {" <b> "}, "password": {"  "}})
	if resp.StatusCode != 200 || strings.Count(body, "[This field is required.]") != 1 || !strings.Contains(body, `value=" &lt;b&gt; "`) {
		t.Errorf("blank password = %d\n%s", resp.StatusCode, body)
	}
	v.signIn("")
	if resp, body := v.do("GET", "/index", nil); resp.StatusCode != 200 || !strings.Contains(body, "<h1>Hi, susan!</h1>") ||
		!strings.Contains(body, "John says: <b>Beautiful day in Portland!</b>") || !strings.Contains(body, "<title>Home - Microblog</title>") {
		t.Errorf("home = %d\n%s", resp.StatusCode, body)
	}
	if resp, _ := v.do("GET", "/login", nil); resp.Header.Get("Location") != "/index" {
		t.Error("somebody who is signed in was shown the login page")
	}
	if resp, _ := v.do("HEAD", "/logout", nil); resp.StatusCode != 302 || resp.Header.Get("Location") != "/index" {
		t.Errorf("logout = %d to %q", resp.StatusCode, resp.Header.Get("Location"))
	}
	if resp, _ := v.do("GET", "/index", nil); resp.StatusCode != 302 {
		t.Error("still signed in after the logout")
	}
}

func TestNext(t *testing.T) {
	for in, want := range map[string]string{
		"/user/susan": "/user/susan", "/index?x=1#y": "/index?x=1#y",
		"": "/index", "evil": "/index", "//evil.test": "/index", "http://evil.test/": "/index", "///evil.test": "/index",
		`/\evil.test`: "/index", `\\evil.test`: "/index", "javascript:alert(1)": "/index", "/\r\nX: 1": "/index", "/\tx": "/index", "/%zz": "/index",
	} {
		if got := next(in); got != want {
			t.Errorf("next(%q) = %q, want %q", in, got, want)
		}
	}
	v := serve(t, "production", nil)
	resp, _ := v.do("POST", "/login?next=%2F%0d%0aX%3a1", url.Values{"username": {"susan"}, "password": {"cat"}})
	if resp.Header.Get("Location") != "/index" || resp.Header.Get("X") != "" {
		t.Errorf("header injected: %v", resp.Header)
	}
}

func TestRememberMe(t *testing.T) {
	v := serve(t, "production", nil)
	if resp := v.signIn("false"); len(resp.Cookies()) != 1 {
		t.Errorf("cookies without remember me: %v", resp.Cookies())
	}
	v = newVisitor(t, v.base)
	var token *http.Cookie
	for _, c := range v.signIn("y").Cookies() {
		if c.Name == rememberCookie {
			token = c
		}
	}
	if token == nil || !token.HttpOnly || time.Until(token.Expires) < 364*24*time.Hour {
		t.Fatalf("remember cookie = %v", token)
	}
	get := func(value string) int {
		req, err := http.NewRequest("GET", v.base+"/index", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.AddCookie(&http.Cookie{Name: rememberCookie, Value: value})
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if got := get(token.Value); got != 200 {
		t.Errorf("with the remember cookie alone: %d", got)
	}
	for _, forged := range []string{"", "x", token.Value + "x", strings.Replace(token.Value, ".", "A.", 1), (sessions{[]byte("other key")}).seal(rememberCookie, []byte("1.99999999999")), (sessions{[]byte("for the test")}).seal(sessionCookie, []byte("1.99999999999"))} {
		if got := get(forged); got != 302 {
			t.Errorf("forged cookie %q: %d", forged, got)
		}
	}
}

func TestErrorPages(t *testing.T) {
	v := serve(t, "production", func(a *app) {
		a.mux.HandleFunc("GET /panic", func(http.ResponseWriter, *http.Request) { panic("a secret <b>detail</b>") })
	})
	for _, path := range []string{"/nope", "/index/", "/static/none.css", "/static/", "/user/nobody"} {
		resp, body := v.do("GET", path, nil)
		if resp.StatusCode != 404 || !strings.Contains(body, "<h1>Not Found</h1>") || !strings.Contains(body, `<a href="/index">Back</a>`) || resp.Header.Get("Content-Type") != "text/html; charset=utf-8" {
			t.Errorf("GET %s = %d %s\n%s", path, resp.StatusCode, resp.Header.Get("Content-Type"), body)
		}
	}
	if resp, body := v.do("HEAD", "/nope", nil); resp.StatusCode != 404 || body != "" {
		t.Errorf("HEAD /nope = %d %q", resp.StatusCode, body)
	}
	if resp, _ := v.do("POST", "/nope", url.Values{}); resp.StatusCode != 404 {
		t.Errorf("POST /nope = %d", resp.StatusCode)
	}
	for _, method := range []string{"PUT", "DELETE", "BREW"} {
		resp, body := v.do(method, "/login", nil)
		if resp.StatusCode != 405 || resp.Header.Get("Allow") != "GET, HEAD, POST, OPTIONS" || len(body) != 153 {
			t.Errorf("%s /login = %d, Allow %q, %d bytes", method, resp.StatusCode, resp.Header.Get("Allow"), len(body))
		}
	}
	if resp, body := v.do("OPTIONS", "/login", nil); resp.StatusCode != 200 || body != "" {
		t.Errorf("OPTIONS /login = %d %q", resp.StatusCode, body)
	}
	resp, body := v.do("GET", "/panic", nil)
	if resp.StatusCode != 500 || !strings.Contains(body, "<h1>An unexpected error has occurred</h1>") ||
		!strings.Contains(body, "The administrator has been notified. Sorry for the inconvenience!") || strings.Contains(body, "detail") {
		t.Errorf("GET /panic = %d\n%s", resp.StatusCode, body)
	}
	v.signIn("")
	if resp, _ := v.do("GET", "/index", nil); resp.StatusCode != 200 {
		t.Errorf("after the panic: %d", resp.StatusCode)
	}
}

func TestFormsOfOtherSites(t *testing.T) {
	v := serve(t, "production", nil)
	req, err := http.NewRequest("POST", v.base+"/login", strings.NewReader("username=susan&password=cat"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	resp, err := v.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 403 || len(resp.Cookies()) != 0 {
		t.Errorf("cross-site login = %d %v", resp.StatusCode, resp.Cookies())
	}
}

func TestConfig(t *testing.T) {
	for _, c := range []struct {
		env  map[string]string
		want string // part of the error, "" for none
	}{
		{map[string]string{"SECRET_KEY": "x"}, ""},
		{map[string]string{"APP_ENV": "development"}, ""},
		{map[string]string{"FLASK_ENV": "development"}, ""},
		{nil, "SECRET_KEY is not set"},
		{map[string]string{"APP_ENV": "production", "FLASK_ENV": "development"}, "SECRET_KEY is not set"},
		{map[string]string{"APP_ENV": "staging"}, `APP_ENV is "staging"; it can be production or development`},
	} {
		_, err := configFrom(func(n string) string { return c.env[n] })
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.env, err, c.want)
		}
	}
}

// In development the templates are read from disk, in production from the
// binary; they are the same.
func TestPagesInBothModes(t *testing.T) {
	_, dev := serve(t, "development", nil).do("GET", "/login", nil)
	_, prod := serve(t, "production", nil).do("GET", "/login", nil)
	if dev != prod || !strings.Contains(dev, "<h1>Sign In</h1>") {
		t.Errorf("development:\n%s\nproduction:\n%s", dev, prod)
	}
}
