package page

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"devrun/devserver/internal/fault"
)

var update = flag.Bool("update", false, "write the golden files anew")

const handlersSource = `package main

import (
	"errors"
	"net/http"
	"time"
)

type App struct{ users store }

// editProfile shows the profile form and, on POST, saves it.
func (a *App) editProfile(w http.ResponseWriter, r *http.Request) {
	id := a.sessions.UserID(r)
	token := r.PostFormValue("csrf_token")
	form := profileForm{
		Username: r.PostFormValue("username"),
		AboutMe:  r.PostFormValue("about_me"),
	}
	seen := time.Now().UTC()
	user, err := a.users.ByID(r.Context(), id)
	if errors.Is(err, ErrNotFound) {
		a.notFound(w, r)
		return
	}
	problems := form.validate(token)
	tags := hashtags(form.AboutMe)

	user.AboutMe = form.AboutMe
	user.LastSeen = seen
	if len(problems) > 0 {
		a.render(w, r, "edit_profile.html", page{Form: form, Problems: problems})
		return
	}
	if err := a.users.Save(r.Context(), user, tags); err != nil {
		a.fail(w, r, err)
		return
	}
	http.Redirect(w, r, "/user/"+user.Username, http.StatusFound)
}

// requireLogin sends anonymous visitors to the login page.
func (a *App) requireLogin(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if a.sessions.UserID(r) == 0 {
			return
		}
		next(w, r)
	}
}
`

func lineOf(t testing.TB, source, part string) int {
	t.Helper()
	before, _, ok := strings.Cut(source, part)
	if !ok {
		t.Fatalf("%q is not in the source", part)
	}
	return strings.Count(before, "\n") + 1
}

func str(name, text string) fault.Value {
	return fault.Value{Name: name, Type: "string", Kind: fault.String, Text: fmt.Sprintf("%q", text), Len: int64(len(text))}
}

func num(name string, n int) fault.Value {
	return fault.Value{Name: name, Type: "int", Kind: fault.Number, Text: fmt.Sprint(n), Len: -1}
}

func structOf(name, typ, text string, fields ...fault.Value) fault.Value {
	return fault.Value{Name: name, Type: typ, Kind: fault.Struct, Text: text, Children: fields, Len: -1}
}

func ptr(name, typ string, to *fault.Value) fault.Value {
	if to == nil {
		return fault.Value{Name: name, Type: typ, Kind: fault.Pointer, Text: "nil", Nil: true, Len: -1}
	}
	return fault.Value{Name: name, Type: typ, Kind: fault.Pointer, Text: "&" + to.Text, Children: []fault.Value{*to}, Len: -1}
}

func iface(name, typ string, holds fault.Value) fault.Value {
	return fault.Value{Name: name, Type: typ, Kind: fault.Interface, Text: holds.Type + " " + holds.Text, Children: []fault.Value{holds}, Len: -1}
}

// failedApp is an app with the source above.
func failedApp(t testing.TB) App {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "handlers.go"), handlersSource)
	return App{Name: "microblog", Version: "0.1.0", Go: "go1.26.8 linux/amd64", Root: dir}
}

// panicked is the failure that the design shows.
func panicked(t testing.TB, app App) fault.Failure {
	t.Helper()
	at := func(part string, name string) fault.Frame {
		return fault.Frame{Func: name, File: filepath.Join(app.Root, "handlers.go"), Line: lineOf(t, handlersSource, part)}
	}
	lib := func(name, file string, line int) fault.Call {
		return fault.Call{Frame: fault.Frame{Func: name, File: "/usr/local/go/src/" + file, Line: line}}
	}
	decl := func(v fault.Value, part string) fault.Value {
		v.Line = lineOf(t, handlersSource, part)
		return v
	}
	param := func(v fault.Value) fault.Value {
		v.Param = true
		return decl(v, "func (a *App) editProfile")
	}
	cfg := structOf("cfg", "main.Config", `{Addr: ":8080", SecretKey: "hunter2hunter2", DSN: "postgres://blog:s3cret@db/blog"}`,
		str("Addr", ":8080"), str("SecretKey", "hunter2hunter2"), str("Database", "postgres://blog:s3cret@db/blog"))
	sessions := structOf("sessions", "main.sessions", `{key: len 4 cap 4 [1, 2, 3, 4], maxAge: 8760h0m0s}`,
		fault.Value{Name: "key", Type: "[]uint8", Kind: fault.Slice, Text: "len 4 cap 4 [1, 2, 3, 4]", Len: 4, Cap: 4}, num("maxAge", 31536000))
	store := structOf("", "main.store", "{db: *sql.DB 0x2a41c0008d0}", fault.Value{Name: "db", Type: "*sql.DB", Kind: fault.Pointer, Text: "0x2a41c0008d0", Len: -1})
	users := iface("users", "main.Users", ptr("", "*main.store", &store))
	self := structOf("", "main.App", `{name: "microblog", cfg: {…}, users: *main.store}`, str("name", "microblog"), cfg, users, sessions)
	form := structOf("form", "main.profileForm", `{Username: "susan", AboutMe: "Hiker, reader…"}`,
		str("Username", "susan"), fault.Value{Name: "AboutMe", Type: "string", Kind: fault.String, Text: `"Hiker, reader, occasional baker. Started this #go blog after a long winter in Tromsø and…"`, Len: 18432, Cut: 18344})
	locked := structOf("", "sqlite.Error", `{msg: "database is locked (5)", code: 5}`, str("msg", "database is locked (5)"), num("code", 5))
	queryErr := structOf("", "fmt.wrapError", `{msg: "query users: database is locked (5)"}`, str("msg", "query users: database is locked (5)"), iface("err", "error", locked))
	done := structOf("", "errors.errorString", `{s: "sql: transaction has already been committed or rolled back"}`, str("s", "sql: transaction has already been committed or rolled back"))
	list := fault.Value{Name: "errs", Type: "[]error", Kind: fault.Slice, Text: "len 2 cap 2 […]", Len: 2, Cap: 2,
		Children: []fault.Value{iface("0", "error", ptr("", "*fmt.wrapError", &queryErr)), iface("1", "error", ptr("", "*errors.errorString", &done))}}
	joined := structOf("", "errors.joinError", "{errs: …}", list)
	loadErr := structOf("", "fmt.wrapError", `{msg: "load user 17: query users: database is locked (5)\nsql: transaction has already been committed or rolled back"}`,
		str("msg", "load user 17: query users: database is locked (5)\nsql: transaction has already been committed or rolled back"),
		iface("err", "error", ptr("", "*errors.joinError", &joined)))
	request := structOf("", "http.Request", `{Method: "POST", URL: "/edit_profile"}`, str("Method", "POST"))
	seen := structOf("seen", "time.Time", "2026-11-22 17:41:10.220114 UTC")
	tags := fault.Value{Name: "tags", Type: "[]string", Kind: fault.Slice, Text: `len 3 cap 4 ["go", "winter", "fjellrev"]`, Len: 3, Cap: 4,
		Children: []fault.Value{str("0", "go"), str("1", "winter"), str("2", "fjellrev")}}
	problems := fault.Value{Name: "problems", Type: "map[string]string", Kind: fault.Map, Text: `len 4 {"about_me": "Field must be…", …}`, Len: 4, More: 3,
		Children: []fault.Value{str(`"about_me"`, "Field must be between 0 and 140 characters long.")}}
	return fault.Failure{
		ID: "4f1c", Generation: 42, At: time.Now(), How: fault.Panicked, Type: "runtime.errorString",
		Message:   "runtime error: invalid memory address or nil pointer dereference",
		Goroutine: 34, Pid: 4211, Values: fault.Values{Here: true},
		Request: fault.Request{
			Method: "POST", URI: "/edit_profile?token=0123456789abcdef&x=1", Proto: "HTTP/1.1", Host: "localhost:8080", Remote: "127.0.0.1:52614", Route: "POST /edit_profile",
			Header: []fault.Field{{Name: "Accept", Values: []string{"text/html"}}, {Name: "Authorization", Values: []string{"Bearer abcdefgh12345678"}}, {Name: "Cookie", Values: []string{"session=c2Vzc2lvbjE3; theme=dark"}}},
			Form:   []fault.Field{{Name: "csrf_token", Values: []string{"tok-tok-tok-17"}}, {Name: "username", Values: []string{"susan"}}},
		},
		Calls: []fault.Call{
			{Frame: at("user.AboutMe = form.AboutMe", "main.(*App).editProfile"), Vars: []fault.Value{
				param(ptr("a", "*main.App", &self)), param(iface("w", "http.ResponseWriter", structOf("", "*http.response", "{…}"))), param(ptr("r", "*http.Request", &request)),
				decl(num("id", 17), "id :="), decl(str("token", "tok-tok-tok-17"), "token :="), decl(form, "form :="), decl(seen, "seen :="),
				decl(ptr("user", "*main.User", nil), "user, err :="), decl(iface("err", "error", ptr("", "*fmt.wrapError", &loadErr)), "user, err :="),
				decl(problems, "problems :="), decl(tags, "tags :="),
			}},
			lib("net/http.HandlerFunc.ServeHTTP", "net/http/server.go", 2322),
			{Frame: at("next(w, r)", "main.(*App).requireLogin.func1"), Vars: []fault.Value{ptr("a", "*main.App", nil), {Name: "next", Type: "http.HandlerFunc", Kind: fault.Func, Text: "main.(*App).editProfile-fm", Len: -1, Captured: true}}},
			lib("net/http.HandlerFunc.ServeHTTP", "net/http/server.go", 2322),
			lib("net/http.serverHandler.ServeHTTP", "net/http/server.go", 3340),
		},
		CreatedBy: &fault.Frame{Func: "net/http.(*Server).Serve", File: "/usr/local/go/src/net/http/server.go", Line: 3454},
	}
}

var places = map[string]Place{
	"away": {Away: true, ConsoleURL: "http://127.0.0.1:41873/failures/4f1c", WaitURL: "http://127.0.0.1:41873/wait/4f1c"},
	"home": {Kept: 3, Previous: "/failures/1", Next: "/failures/2", State: State{Doing: "serving", Generation: 42, Pid: 4211}},
}

// asks serves a request with these headers.
func asks(h http.Handler, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", "/edit_profile", nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

var navigation = []string{"Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "same-origin"}

func TestFailurePage(t *testing.T) {
	app := failedApp(t)
	f := explained(app, panicked(t, app))
	p := New(app)
	line := lineOf(t, handlersSource, "user.AboutMe =")
	set := lineOf(t, handlersSource, "user, err :=")
	for name, at := range places {
		t.Run(name, func(t *testing.T) {
			w := asks(p.Failed(f, at), navigation...)
			html := w.Body.String()
			contains(t, html,
				`<h1><span>runtime error:</span> invalid memory address or nil pointer dereference</h1>`,
				fmt.Sprintf(`<code>user</code> is nil on line %d. It was set on line %d by <code>a.users.ByID</code>, which also returned an error: <code>err</code> is not nil.`, line, set),
				`<b>POST</b> /edit_profile?token=[redacted]&amp;x=1`,
				fmt.Sprintf(`<span class="l bad" data-n="%d"><span class="vh">failing line: </span>	<u>user</u>.AboutMe = form.AboutMe`, line),
				"	^^^^ user is nil\n",
				`<em class="no">user = nil</em><em>err = *fmt.wrapError</em>`, `<em>id = 17</em>`,
				"On the failing line", "Errors that are not nil", "Receiver, parameters and other locals",
				`1 library frame: net/http`, `2 library frames: net/http`,
				`Error chain of <code>err</code>`, "load user 17", "2 errors joined", "5 errors, outermost first",
				"88 of 18,432 bytes", "net/http.(*Server).", "postgres://blog:[redacted]@db/blog",
				"handlers.go:"+fmt.Sprint(line),
			)
			lacks(t, html, "tok-tok-tok", "hunter2", "s3cret", "c2Vzc2lvbjE3", "abcdefgh12345678", "0123456789abcdef", "[1, 2, 3, 4]", slot)
			if len(html) >= maxPage {
				t.Errorf("%d bytes", len(html))
			}
			if want := map[string]int{"away": 500, "home": 200}[name]; w.Code != want {
				t.Errorf("status %d, want %d", w.Code, want)
			}
			csp := w.Header().Get("Content-Security-Policy")
			switch name {
			case "away":
				contains(t, html, "<style>", `href="http://127.0.0.1:41873/failures/4f1c">Open this failure at 127.0.0.1:41873`, "<!--\npanic: runtime error", `data-wait="http://127.0.0.1:41873/wait/4f1c"`)
				lacks(t, html, `<link rel="stylesheet"`, `<script src`, `class="pin"`)
				contains(t, csp, "sandbox allow-scripts", "default-src 'none'", "connect-src http://127.0.0.1:41873;", "'sha256-")
				lacks(t, csp, "unsafe", "'self'", "allow-same-origin")
			case "home":
				contains(t, html, cssURL, jsURL, failureURL, `data-reveal="4"`, `data-state="locked"`, `href="/failures/1" rel="prev"`, `Failures <span class="n0">3`, "Let it go")
				lacks(t, html, "data-wait", "<style>")
				if csp != policy {
					t.Errorf("policy %q", csp)
				}
			}
		})
	}
}

// TestWhoSees: what a script, a frame or an old browser gets.
func TestWhoSees(t *testing.T) {
	for _, test := range []struct {
		away   bool
		header []string
		want   bool
	}{
		{true, nil, true},
		{true, []string{"User-Agent", "curl/8"}, true},
		{true, []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, true},
		{true, []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "cross-site"}, true},
		{true, []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Origin", "http://localhost:8080"}, true},
		{true, []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, false},
		{true, []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "frame"}, false},
		{true, []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "embed"}, false},
		{true, []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "object"}, false},
		{true, []string{"Sec-Fetch-Mode", "navigate"}, false},
		{true, []string{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"}, false},
		{true, []string{"Sec-Fetch-Mode", "same-origin", "Sec-Fetch-Dest", "empty"}, false},
		{true, []string{"Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "script"}, false},
		{true, []string{"Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "document"}, false},
		{true, []string{"Sec-Fetch-Mode", "websocket"}, false},
		{true, []string{"Sec-Fetch-Dest", "document"}, false},
		{true, []string{"Sec-Fetch-Site", "none"}, false},
		{true, []string{"Sec-Fetch-Mode", ""}, false},
		{true, []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Service-Worker-Navigation-Preload", "true"}, false},
		{true, []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Service-Worker-Navigation-Preload", ""}, false},
		{true, []string{"Service-Worker-Navigation-Preload", "1"}, false},
		{true, []string{"User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"}, false},
		{true, []string{"User-Agent", "curl/8", "Accept-Language", "de"}, false},
		{true, []string{"User-Agent", "", "Accept-Language", ""}, false},
		{true, []string{"Referer", "http://192.168.1.2:8080/"}, false},
		{true, []string{"Upgrade-Insecure-Requests", "1"}, false},
		{true, []string{"Accept-Encoding", "gzip, deflate", "Cookie", "a=b", "Connection", "keep-alive", "Pragma", "no-cache"}, true},
		{true, []string{"X-Requested-With", "XMLHttpRequest"}, false},
		{true, []string{"Origin", "http://192.168.1.2:8080"}, false},
		{false, nil, true},
		{false, []string{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"}, true},
	} {
		h := http.Header{}
		for i := 0; i < len(test.header); i += 2 {
			h.Set(test.header[i], test.header[i+1])
		}
		if got := seesAll(test.away, h); got != test.want {
			t.Errorf("away %t %v: %t, want %t", test.away, test.header, got, test.want)
		}
	}

	app := failedApp(t)
	h := New(app).Failed(explained(app, panicked(t, app)), places["away"])
	for _, accept := range []string{"text/html", "application/json", "text/markdown", "*/*"} {
		w := asks(h, "Accept", accept, "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Sec-Fetch-Site", "same-origin")
		text := w.Body.String()
		contains(t, text, "invalid memory address", "editProfile", "handlers.go")
		lacks(t, text, "susan", "edit_profile", "Tromsø", "form.AboutMe", "8080", "load user 17", ":52614")
		if accept != "text/markdown" {
			contains(t, text, "http://127.0.0.1:41873/failures/4f1c")
		}
		if w.Code != 500 {
			t.Errorf("%s: status %d", accept, w.Code)
		}
		contains(t, asks(h, "Accept", accept).Body.String(), "user is nil")
	}
}

// TestFailureAnswers: in which form who asks gets a failure on the app's address, and that
// the answer names it; on devrun's own the reader is there already.
func TestFailureAnswers(t *testing.T) {
	app := failedApp(t)
	f := explained(app, panicked(t, app))
	for _, test := range []struct {
		accept         string
		person, script string // type of the answer
		named          bool
	}{
		{"*/*", "text/plain; charset=utf-8", "text/plain; charset=utf-8", false},
		{"text/html, */*", "text/html; charset=utf-8", "text/plain; charset=utf-8", false},
		{"application/json", "application/json", "application/json", false},
		{"application/vnd.api+json", "application/json", "application/json", false},
		{"application/vnd.devrun+json", ownJSON, ownJSON, true},
		{"application/json, application/vnd.devrun+json", ownJSON, ownJSON, true},
		{"application/vnd.devrun+json;q=0, application/json", "application/json", "application/json", false},
		{"text/markdown", "text/markdown; charset=utf-8", "text/markdown; charset=utf-8", true},
		{"text/markdown, application/json", "application/json", "application/json", false},
	} {
		h := http.Header{"Accept": {test.accept}}
		if got := ByName(h); got != test.named {
			t.Errorf("%s: by name %t", test.accept, got)
		}
		for name, at := range places {
			for script, want := range map[bool]string{false: test.person, true: test.script} {
				at.Script = script && at.Away
				if !at.Away {
					want = test.person
				}
				w := asks(New(app).Failed(f, at), "Accept", test.accept)
				if got := w.Header().Get("Content-Type"); got != want {
					t.Errorf("%s, %s, script %t: %s, want %s", name, test.accept, script, got, want)
				}
				if got := w.Header().Get("X-Devrun-Failure"); got != at.ConsoleURL {
					t.Errorf("%s: the answer names %q", name, got)
				}
				if want == ownJSON && !json.Valid(w.Body.Bytes()) {
					t.Errorf("no JSON: %s", w.Body)
				}
			}
		}
	}
}

// TestFailureForms holds the forms for terminals and programs to their texts.
func TestFailureForms(t *testing.T) {
	app := failedApp(t)
	f := panicked(t, app)
	f.At = time.Now().Add(time.Hour) // the source is older in every time zone
	h := New(app).Failed(explained(app, f), places["away"])
	for name, accept := range map[string]string{"failure.txt": "*/*", "failure.md": "text/markdown", "failure.json": "application/json"} {
		got := asks(h, "Accept", accept).Body.String()
		got = strings.NewReplacer(app.Root, "/home/dev/microblog", f.At.Format(time.RFC3339Nano), "2026-11-22T17:41:10+01:00").Replace(got)
		golden(t, name, got)
		if n := strings.Count(got, "\n"); accept == "*/*" && n > 40 {
			t.Errorf("%d lines of text", n)
		}
	}
	var got failureJSON
	if err := json.Unmarshal(asks(h, "Accept", "application/json").Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Kind != "failure" || len(got.Frames) != 5 || !got.Frames[0].App || got.Frames[1].App || !got.Values.Here {
		t.Errorf("json %+v", got)
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o777); err != nil {
			t.Fatal(err)
		}
		write(t, path, got)
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s:\n%s\nwant\n%s", name, got, want)
	}
}
