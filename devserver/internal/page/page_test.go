package page

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"devrun/devserver/internal/fault"
	"devrun/devserver/suite"
)

const appSource = `package main

func main() {
	user := 1
	usre = 2
	println(user)
}
`

// testApp writes the source of a small app and returns the App of it.
func testApp(t *testing.T) App {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "main.go"), appSource)
	return App{Name: "microblog", Version: "0.1.0", Go: "go1.26.8 linux/amd64", Root: dir}
}

func write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func failedBuild(app App) fault.Build {
	return fault.Build{
		Generation: 43, At: time.Now(), Took: 190 * time.Millisecond,
		Saved:   []string{"main.go"},
		Command: "go build .",
		Diagnostics: []fault.Diagnostic{
			{File: filepath.Join(app.Root, "main.go"), Rel: "main.go", Line: 5, Col: 2, Message: "undefined: usre"},
			{Message: "cannot use a (value of type int) as b value in assignment: int does not implement b", Package: "example.com/b"},
			{File: filepath.Join(app.Root, "x.c"), Rel: "x.c", Line: 1, Message: "warning: odd\n  1 | x\n    | ^"},
			{File: filepath.Join(app.Root, "main.go"), Rel: "main.go", Line: 5, Col: 2, Message: "too many errors"},
		},
	}
}

func get(h http.Handler, method, accept string) *http.Response {
	r := httptest.NewRequest(method, "/any/path?q=1", nil)
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, h http.Handler, accept string) string {
	t.Helper()
	resp := get(h, "GET", accept)
	var b strings.Builder
	if err := resp.Write(&b); err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(b.String(), "\r\n\r\n")
	return text
}

func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is missing in\n%s", part, text)
		}
	}
}

func lacks(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if strings.Contains(text, part) {
			t.Errorf("%q is in\n%s", part, text)
		}
	}
}

func TestNegotiate(t *testing.T) {
	for _, test := range []struct {
		accept string
		want   form
	}{
		{"", asText},
		{"*/*", asText},
		{"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", asHTML},
		{"text/html, */*", asHTML},
		{"text/vnd.turbo-stream.html, text/html, application/xhtml+xml", asHTML},
		{"TEXT/HTML;charset=utf-8", asHTML},
		{"application/json", asJSON},
		{"application/json, text/plain, */*", asJSON},
		{"application/json, text/javascript, */*; q=0.01", asJSON},
		{"application/vnd.api+json", asJSON},
		{"application/json, text/html;q=0.9", asJSON},
		{"application/json, text/html", asHTML},
		{"text/markdown", asMarkdown},
		{"text/markdown, text/html;q=0.5", asMarkdown},
		{"text/plain", asText},
		{"text/plain, text/html;q=0.1", asText},
		{"text/html;q=0, */*", asText},
		{"text/html;q=NaN", asText},
		{"text/html;q=7", asText},
		{"text/css,*/*;q=0.1", asText},
		{"image/avif,image/webp,*/*;q=0.8", asText},
		{",;q=,,", asText},
	} {
		if got := negotiate([]string{test.accept}, false); got != test.want {
			t.Errorf("%q: form %d, want %d", test.accept, got, test.want)
		}
	}
	if negotiate([]string{"image/png", "text/html"}, false) != asHTML {
		t.Error("only the first of two Accept headers counts")
	}
}

func TestAnswer(t *testing.T) {
	p := New(testApp(t))
	for name, test := range map[string]struct {
		handler http.Handler
		status  int
	}{
		"build":   {p.BuildFailed(failedBuild(p.app), nil), 500},
		"crash":   {p.Crashed(fault.Crash{Exit: fault.Exit{Code: 1}}, ""), 500},
		"waiting": {p.Waiting(time.Now().Add(-90*time.Minute-30*time.Second), "still building"), 503},
	} {
		t.Run(name, func(t *testing.T) {
			for accept, mime := range map[string]string{
				"text/html":        "text/html; charset=utf-8",
				"application/json": "application/json",
				"text/markdown":    "text/markdown; charset=utf-8",
				"*/*":              "text/plain; charset=utf-8",
			} {
				resp := get(test.handler, "GET", accept)
				head := get(test.handler, "HEAD", accept)
				post := get(test.handler, "POST", accept)
				if resp.StatusCode != test.status || head.StatusCode != test.status || post.StatusCode != test.status {
					t.Errorf("%s: status %d, HEAD %d, POST %d, want %d", accept, resp.StatusCode, head.StatusCode, post.StatusCode, test.status)
				}
				if n, err := head.Body.Read(make([]byte, 1)); n != 0 || err == nil {
					t.Errorf("%s: HEAD has a body", accept)
				}
				text := body(t, test.handler, accept)
				for name, want := range map[string]string{
					"Content-Type":                 mime,
					"Content-Length":               fmt.Sprint(len(text)),
					"Vary":                         "Accept",
					"Cache-Control":                "no-store",
					"X-Robots-Tag":                 "noindex",
					"X-Content-Type-Options":       "nosniff",
					"X-Frame-Options":              "DENY",
					"Referrer-Policy":              "no-referrer",
					"Cross-Origin-Resource-Policy": "same-origin",
					"Content-Security-Policy":      policy,
				} {
					if got := resp.Header.Get(name); got != want {
						t.Errorf("%s: %s is %q, want %q", accept, name, got, want)
					}
					if got := head.Header.Get(name); got != want {
						t.Errorf("HEAD %s: %s is %q, want %q", accept, name, got, want)
					}
				}
				if got := resp.Header.Get("Retry-After"); (got != "") != (test.status == 503) {
					t.Errorf("%s: Retry-After %q", accept, got)
				}
				for name := range resp.Header {
					if strings.HasPrefix(name, "Access-Control-") {
						t.Errorf("%s: %s lets other origins read the page", accept, name)
					}
				}
			}
		})
	}
}

// A page for who waits asks again, but not where that would be another request.
func TestWaitingAsksAgain(t *testing.T) {
	h := New(testApp(t)).Waiting(time.Now(), "still building")
	for method, again := range map[string]bool{"GET": true, "POST": false, "PUT": false} {
		text, err := io.ReadAll(get(h, method, "text/html").Body)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), `http-equiv="refresh"`) != again || strings.Contains(string(text), "has not reached the app") == again {
			t.Errorf("%s:\n%s", method, text)
		}
	}
}

func TestBuildForms(t *testing.T) {
	p := New(testApp(t))
	running := &Running{Generation: 42, Pid: 4211, Built: time.Now()}
	h := p.BuildFailed(failedBuild(p.app), running)

	want := `build failed: 2 errors (generation 43)

main.go:5:2: undefined: usre
cannot use a (value of type int) as b value in assignment: int does not implement b
x.c:1: warning: odd
      1 | x
        | ^
too many errors

Generation 42 is still running. It is pid 4211.
`
	if got := body(t, h, "*/*"); got != want {
		t.Errorf("text:\n%s\nwant\n%s", got, want)
	}
	contains(t, body(t, p.BuildFailed(failedBuild(p.app), nil), ""), "No app is running behind it.\n")
	contains(t, body(t, h, "text/markdown"), "## build failed: 2 errors\n\n    main.go:5:2: undefined: usre\n", "          1 | x\n")

	var got buildJSON
	if err := json.Unmarshal([]byte(body(t, h, "application/json")), &got); err != nil {
		t.Fatal(err)
	}
	if got.Kind != "build" || got.Error != "undefined: usre" || got.Generation != 43 || got.TookMS != 190 || len(got.Diagnostics) != 3 ||
		got.Running == nil || got.Running.Pid != 4211 || got.Diagnostics[0].File != filepath.Join(p.app.Root, "main.go") || got.Diagnostics[0].Rel != "main.go" {
		t.Errorf("json %+v", got)
	}

	html := body(t, h, "text/html")
	contains(t, html,
		"<title>build failed: undefined: usre</title>",
		`undefined: usre <span>and 1 more error</span></h1>`,
		"Generation 42 is still running. This page reloads by itself when the build passes.",
		`<noscript><meta http-equiv="refresh" content="2"></noscript>`,
		`<html lang="en" data-devrun-page>`,
		"not declared; did you mean user?",
		`href="vscode://file`+filepath.ToSlash(p.app.Root)+`/main.go:5:2"`,
		"The compiler stopped here",
		`<a class="fr warn"`,
		"serving as pid 4211",
	)
	lacks(t, html, slot)
}

func TestBuildWithoutMessages(t *testing.T) {
	p := New(testApp(t))
	h := p.BuildFailed(fault.Build{Generation: 1, Output: "go: something <odd>\n"}, nil)
	contains(t, body(t, h, "text/html"), "<h1>the build failed</h1>", "go: something &lt;odd&gt;", "What the go command said")
	contains(t, body(t, h, "*/*"), "go: something <odd>")
	contains(t, body(t, h, "application/json"), `"diagnostics": []`, `"running": null`)
}

func TestHeadline(t *testing.T) {
	p := New(testApp(t))
	diag := func(files ...string) fault.Build {
		var b fault.Build
		for _, f := range files {
			b.Diagnostics = append(b.Diagnostics, fault.Diagnostic{File: f, Rel: strings.TrimPrefix(f, "/"), Line: 1, Message: "first"})
		}
		return b
	}
	for want, b := range map[string]fault.Build{
		"<h1>first</h1>": diag("/a.go"),
		"<h1>first <span>and 1 more error in the same file</span></h1>": diag("/a.go", "/a.go"),
		"<h1>first <span>and 2 more errors in 2 files</span></h1>":      diag("/a.go", "/b.go", "/a.go"),
		"<h1>first <span>and 1 more error</span></h1>":                  diag("", ""),
	} {
		contains(t, body(t, p.BuildFailed(b, nil), "text/html"), want)
	}
}

func TestSnippet(t *testing.T) {
	app := testApp(t)
	n := 0
	app.Snippet = func(method string) string {
		n++
		return fmt.Sprintf(`<script src="/__devrun/reload.js" data-devrun="abc.%d %s" defer=""></script>`, n, method)
	}
	h := New(app).BuildFailed(failedBuild(app), nil)
	contains(t, body(t, h, "text/html"), `data-devrun="abc.1 GET"`)
	contains(t, body(t, h, "text/html"), `data-devrun="abc.2 GET"`)
	lacks(t, body(t, h, "*/*"), "reload.js")
}

// TestSourceIsOfTheBuild: the page shows what was compiled, not what is there when
// somebody looks.
func TestSourceIsOfTheBuild(t *testing.T) {
	app := testApp(t)
	p := New(app)
	h := p.BuildFailed(failedBuild(app), nil)
	write(t, filepath.Join(app.Root, "main.go"), "package secret\n")
	contains(t, body(t, h, "text/html"), "println(user)")
	lacks(t, body(t, h, "text/html"), "secret")

	b := failedBuild(app)
	b.At = time.Now().Add(-time.Hour)
	contains(t, body(t, p.BuildFailed(b, nil), "text/html"), "Source unavailable: main.go has changed since it was compiled.")
}

func TestLongPageIsSmall(t *testing.T) {
	suite.Long(t)
	dir := t.TempDir()
	long := strings.Repeat(`&<>"'`, 40)
	write(t, filepath.Join(dir, "main.go"), "package main\n"+strings.Repeat(`var x = "`+long+"\"\n", 600))
	p := New(App{Name: long, Root: dir})
	b := fault.Build{Generation: 1, At: time.Now(), Command: strings.Repeat(long, 500), Output: strings.Repeat(long, 500)}
	var lines []string
	trace := fault.Trace{Kind: "panic", Message: strings.Repeat(long, 500)}
	for i := range 1200 {
		b.Saved = append(b.Saved, long)
		b.Diagnostics = append(b.Diagnostics, fault.Diagnostic{
			File: filepath.Join(dir, "main.go"), Rel: fmt.Sprint(i%50, long), Line: 2 + i%590, Col: 30, Message: strings.Repeat(long, 10), Package: long})
		lines = append(lines, strings.Repeat(long, 10))
		g := fault.Goroutine{ID: i, State: long}
		for j := range 40 {
			g.Frames = append(g.Frames, fault.Frame{Func: strings.Repeat(long, 5) + fmt.Sprint(i, j), File: filepath.Join(dir, "main.go"), Line: 2 + (i*7+j)%590})
		}
		trace.Earlier = append(trace.Earlier, strings.Repeat(long, 10))
		if i < 60 {
			trace.Goroutines = append(trace.Goroutines, g)
		}
	}
	c := fault.Crash{At: time.Now(), Exit: fault.Exit{Code: 2, Stderr: lines}, Trace: trace}
	for name, h := range map[string]http.Handler{"build": p.BuildFailed(b, nil), "crash": p.Crashed(c, strings.Repeat(long, 500)), "exit": p.Crashed(fault.Crash{Exit: c.Exit}, "")} {
		html := body(t, h, "text/html")
		if len(html) >= maxPage {
			t.Errorf("%s: %d bytes of html, want less than %d", name, len(html), maxPage)
		}
	}

	// 240 ordinary errors are listed with their rest counted, not cut down.
	b = fault.Build{}
	for i := range 240 {
		b.Diagnostics = append(b.Diagnostics, fault.Diagnostic{File: filepath.Join(dir, "a.go"), Rel: "a.go", Line: i + 1, Message: fmt.Sprintf("undefined: n%d", i)})
	}
	html := body(t, p.BuildFailed(b, nil), "text/html")
	if n := strings.Count(html, "<article "); n != 100 {
		t.Errorf("%d articles, want 100", n)
	}
	contains(t, html, "140 more are in the compiler output")
}

func TestAssets(t *testing.T) {
	ask := func(method, url string, header ...string) *http.Response {
		r := httptest.NewRequest(method, url, nil)
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		Assets().ServeHTTP(w, r)
		return w.Result()
	}
	for url, mime := range map[string]string{cssURL: "text/css; charset=utf-8", jsURL: "text/javascript; charset=utf-8"} {
		resp := ask("GET", url)
		if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != mime || !strings.Contains(resp.Header.Get("Cache-Control"), "immutable") ||
			resp.Header.Get("X-Content-Type-Options") != "nosniff" || resp.Header.Get("Cross-Origin-Resource-Policy") != "same-origin" {
			t.Errorf("%s: %d %v", url, resp.StatusCode, resp.Header)
		}
		path, _, _ := strings.Cut(url, "?")
		for _, other := range []string{path, path + "?v=0000"} {
			if c := ask("GET", other).Header.Get("Cache-Control"); c != "no-cache" {
				t.Errorf("%s: Cache-Control %q", other, c)
			}
		}
		if resp := ask("GET", path, "If-None-Match", resp.Header.Get("ETag")); resp.StatusCode != 304 {
			t.Errorf("%s: not modified gives %d", path, resp.StatusCode)
		}
		if resp := ask("HEAD", url); resp.StatusCode != 200 || resp.ContentLength <= 0 {
			t.Errorf("HEAD %s: %d, %d bytes", url, resp.StatusCode, resp.ContentLength)
		}
		if resp := ask("POST", url); resp.StatusCode != 405 {
			t.Errorf("POST %s: %d", url, resp.StatusCode)
		}
	}
	for _, path := range []string{"/__devrun/page.html", "/__devrun/", "/__devrun/../assets.go", "/page.css"} {
		if resp := ask("GET", path); resp.StatusCode != 404 {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
	if len(css) > 20<<10 || len(js) > 6<<10 {
		t.Errorf("css is %d bytes, js %d", len(css), len(js))
	}
}
