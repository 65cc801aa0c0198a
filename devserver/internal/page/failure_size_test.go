package page

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"devrun/devserver/internal/cause"
	"devrun/devserver/internal/fault"
	"devrun/devserver/internal/srctree"
	"devrun/devserver/suite"
)

// vast is a failure in which everything is too much.
func vast(app App) fault.Failure {
	long := strings.Repeat(`&<>"'`, 300)
	var tree func(depth int) []fault.Value
	tree = func(depth int) []fault.Value {
		var out []fault.Value
		for i := range 6 {
			v := fault.Value{Name: fmt.Sprint(long, i), Type: long, Kind: fault.Struct, Text: strings.Repeat(long, 20), More: 1 << 40}
			if depth < 5 {
				v.Children = tree(depth + 1)
			}
			out = append(out, v)
		}
		return out
	}
	deep := fault.Value{Name: "deep", Kind: fault.Pointer, Text: "&…"}
	for range 5000 {
		deep = fault.Value{Name: "deep", Kind: fault.Pointer, Text: "&…", Children: []fault.Value{deep}}
	}
	chain := fault.Error{Text: long}
	for range 5000 {
		chain = fault.Error{Type: long, Text: long, Causes: []fault.Error{chain}}
	}
	var wide fault.Error
	for range 5000 {
		wide.Causes = append(wide.Causes, fault.Error{Type: long, Text: long})
	}
	f := fault.Failure{ID: long, At: time.Now(), How: fault.Panicked, Type: long, Message: strings.Repeat(long, 500), Error: &chain, Values: fault.Values{Here: true}}
	f.Panics = append(f.Panics, wide, chain)
	fields := []fault.Field{}
	for i := range 5000 {
		fields = append(fields, fault.Field{Name: fmt.Sprint(long, i), Values: []string{long, long, long, long, long, long, long, long}})
	}
	f.Request = fault.Request{Method: long, URI: "/" + strings.Repeat(long, 50), Header: fields, Form: fields, Host: long, Remote: long, Route: long}
	f.Production = fault.Response{Status: 599, Header: fields, Body: strings.Repeat(long, 500)}
	vars := append(tree(0), deep)
	for i := range 2000 {
		f.Calls = append(f.Calls, fault.Call{Frame: fault.Frame{Func: "main." + long + fmt.Sprint(i), File: filepath.Join(app.Root, "main.go"), Line: 2 + i%590}, Vars: vars})
		f.Notes = append(f.Notes, long)
		f.Cause.Sets = append(f.Cause.Sets, fault.Set{Call: i, Var: i % len(vars), Line: 2 + i%590})
	}
	f.Cause.Note, f.Cause.Col, f.Cause.End = strings.Repeat(long, 500), 1, 1<<30
	f.Cause.Why = slices.Repeat([]fault.Prose{fault.Say("%s "+long, strings.Repeat(long, 100))}, 3)
	return f
}

func TestLongFailureIsSmall(t *testing.T) {
	suite.Long(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "main.go"), "package main\n"+strings.Repeat("var x = \""+strings.Repeat(`&<>'`, 100)+"\"\n", 600))
	app := App{Name: "x", Root: dir}
	f := vast(app)
	for name, at := range places {
		h := New(app).Failed(f, at)
		for accept, most := range map[string]int{"text/html": maxPage, "*/*": 16 << 10, "text/markdown": 256 << 10, "application/json": 8 << 20} {
			text := asks(h, "Accept", accept).Body.String()
			if len(text) >= most {
				t.Errorf("%s %s: %d bytes, want less than %d", name, accept, len(text), most)
			}
			if n := strings.Count(text, "\n"); accept == "*/*" && n > 40 {
				t.Errorf("%d lines of text", n)
			}
		}
	}
	var list []fault.Failure
	for range 60 {
		list = append(list, f)
	}
	var saves []Save
	for range 25 {
		saves = append(saves, hostileSaves(strings.Repeat(`&<>'"`, 1000))...)
	}
	if n := len(asks(New(app).Overview(list, saves, State{Doing: strings.Repeat("x", 5000)}), "Accept", "text/html").Body.String()); n >= maxPage {
		t.Errorf("%d bytes of list", n)
	}

	// An ordinary one is shown in full.
	app = failedApp(t)
	html := asks(New(app).Failed(explained(app, panicked(t, app)), places["away"]), navigation...).Body.String()
	t.Logf("an ordinary page away is %d bytes", len(html))
	lacks(t, html, "more variable", "not shown here")
}

// explained is f with its cause, as it is when its page is made.
func explained(app App, f fault.Failure) fault.Failure {
	f.Cause = cause.Explain(f, srctree.New(app.Root, app.Modules)).Cause
	return f
}

// TestFailureWithout: what is missing is said.
func TestFailureWithout(t *testing.T) {
	app := failedApp(t)
	full := panicked(t, app)
	page := func(change func(f *fault.Failure), at Place) (int, string) {
		f := full
		f.Calls = append([]fault.Call{}, full.Calls...)
		change(&f)
		w := asks(New(app).Failed(explained(app, f), at), navigation...)
		return w.Code, w.Body.String()
	}
	_, html := page(func(f *fault.Failure) {
		f.Values = fault.Values{Why: "Debug information is still being linked"}
		for i := range f.Calls {
			f.Calls[i].Vars = nil
		}
	}, places["home"])
	contains(t, html, "No variables yet. Debug information is still being linked.", "data-waiting")
	lacks(t, html, "is nil on line", `<ul class="tree">`)

	for at, console := range map[string]string{
		"home": `data-state="ended"`,
		"away": "<b>No console.</b> Nothing is kept.",
	} {
		_, html = page(func(f *fault.Failure) {
			f.Values, f.Gone = fault.Values{Why: "There is no hook."}, "Nothing is kept."
			for i := range f.Calls {
				f.Calls[i].Vars = nil
			}
		}, places[at])
		contains(t, html, console, "Nothing is kept.", `<p class="none">There is no hook.</p>`)
		lacks(t, html, "No variables yet", "They will be on the page", "data-waiting", "has its own address")
		if n := strings.Count(html, "There is no hook."); n != 1 {
			t.Errorf("%s: said %d times", at, n)
		}
	}

	_, html = page(func(f *fault.Failure) { f.Calls, f.CreatedBy = nil, nil }, places["home"])
	contains(t, html, "None of these calls has a file on this machine")

	_, html = page(func(f *fault.Failure) { f.Gone = "Generation 43 took its place at 17:44:02." }, places["home"])
	contains(t, html, `data-state="ended"`, "Generation 43 took its place at 17:44:02.")
	lacks(t, html, "data-release", "data-reveal=")

	_, html = page(func(f *fault.Failure) { f.Notes = []string{"A collection ran during this request."} }, places["away"])
	contains(t, html, "A collection ran during this request.")

	code, html := page(func(f *fault.Failure) {
		f.How, f.Type, f.Message, f.Gone = fault.Status, "", "cannot load\n", "This request has finished."
		f.Production = fault.Response{Status: 503, Header: []fault.Field{{Name: "Content-Type", Values: []string{"text/plain"}}}, Body: "cannot load\n", Size: 12}
	}, places["away"])
	line := lineOf(t, handlersSource, "user.AboutMe =")
	contains(t, html, `<span class="tag bad">503</span>`, "<h1>cannot load</h1>", fmt.Sprintf("<code>handlers.go:%d</code> wrote this response; <code>err</code> was not nil.", line),
		"503 Service Unavailable, 12 bytes", ", finished", "as they were at the answer")
	if code != http.StatusServiceUnavailable {
		t.Errorf("status %d", code)
	}

	_, html = page(func(f *fault.Failure) {
		f.How, f.Message, f.Type = fault.Recovered, "load: no rows", "*fmt.wrapError"
		f.Error = &fault.Error{Type: "*fmt.wrapError", Text: "load: no rows", Causes: []fault.Error{{Type: "*errors.errorString", Text: "no rows"}}}
		f.Production.Started, f.Production.Status, f.Production.Size = true, 200, 2048
	}, places["home"])
	contains(t, html, "recovered by the app", "It is caused by <code>no rows</code>, an error of type <code>*errors.errorString</code>.", "the connection is cut after 2 kB", "<p>load</p>", "<i>caused by</i> no rows")
}

func TestFailureList(t *testing.T) {
	app := failedApp(t)
	p := New(app)
	f := panicked(t, app)
	f.ID = "a/b?c"
	state := State{Doing: "serving", Generation: 42, Pid: 4211, Since: time.Now(), URLs: []string{"http://localhost:8080"}}
	h := p.Overview([]fault.Failure{f}, nil, state)
	line := lineOf(t, handlersSource, "user.AboutMe =")
	contains(t, asks(h, "Accept", "text/html").Body.String(), `href="/failures/a%2Fb%3Fc"`, "invalid memory address", fmt.Sprintf("POST /edit_profile?token=[redacted]&amp;x=1, handlers.go:%d, parked", line),
		"generation 42", `<span class="tag good">serving</span>`, `href="http://localhost:8080"`)
	contains(t, asks(h).Body.String(), "microblog: serving, generation 42 · pid 4211\n", "panic: runtime error: invalid")
	contains(t, asks(h, "Accept", "application/json").Body.String(), `"kind": "failures"`, `"id": "a/b?c"`)
	f.Message = "no user has the key hunter2hunter2" // a secret because a variable says so
	for _, accept := range []string{"text/html", "application/json", "text/markdown", "*/*"} {
		text := asks(p.Overview([]fault.Failure{f}, nil, state), "Accept", accept).Body.String()
		contains(t, text, "no user has the key [redacted]")
		lacks(t, text, "hunter2")
	}
	contains(t, asks(p.Overview(nil, nil, State{Doing: "building"}), "Accept", "text/html").Body.String(), "No request has failed since devrun started.", `<i class="dot work"`)
	if w := asks(p.Missing(1, state), "Accept", "text/html"); w.Code != 404 || !strings.Contains(w.Body.String(), "This failure is not kept any more.") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	for _, bad := range []string{"javascript:alert(1)", "//evil.test/x", "http://evil.test", `/\evil.test`} {
		if got := local(bad); got != "" {
			t.Errorf("%s is a neighbour: %s", bad, got)
		}
		if bad != "http://evil.test" && originOf(bad) != "" {
			t.Errorf("%s has an origin", bad)
		}
	}
	for _, bad := range []string{"http://a;b/", "http://a b/", "http://u:p@a/", "http://a,b/", "ftp://a/", ""} {
		if got := awayPolicy(bad); !strings.Contains(got, "connect-src 'none';") {
			t.Errorf("%s gives %s", bad, got)
		}
	}
}

// TestCauseChanged: what was not compiled proves nothing.
func TestCauseChanged(t *testing.T) {
	app := failedApp(t)
	f := panicked(t, app)
	f.At = time.Now().Add(-time.Hour)
	html := asks(New(app).Failed(explained(app, f), Place{Away: true}), navigation...).Body.String()
	contains(t, html, "Source unavailable: handlers.go has changed since it was compiled.", "<b>user</b>")
	lacks(t, html, "is nil on line", `class="l bad`, `<p class="why">`)
}
