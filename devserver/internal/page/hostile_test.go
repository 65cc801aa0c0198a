package page

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"devrun/devserver/internal/fault"
)

// payloads are what an app, a dependency, a file name or a request may try.
var payloads = []string{
	`</script><img src=x onerror=alert(1)>-->` + "\u2028",
	`</title><svg onload=alert(1)>`,
	`"><img src=x onerror=alert(1)>`,
	`' onmouseover=alert(1) x='`,
	`</pre></code></style><style>*{display:none}</style>`,
	`<!--snippet-->`, slot + `<script>alert(1)</script>`,
	`--><script>alert(1)</script><!--`,
	`{{.App}} {{"<b>"}} ${alert(1)}`,
	`javascript:alert(1)`,
	"\x1b]0;owned\x07\x1b[2J\x1b[31mred\x1b[0m\x1b]8;;http://evil.test\x07link\x1b]8;;\x07\x1b]52;c;Zm9v\x07",
	"a\r\nSet-Cookie: x=1\r\n\r\n<script>alert(1)</script>",
	"``` \n```\n# heading <img src=x>\n[x](javascript:alert(1))",
	"\u202e\u2066reversed\u2069 \ufeff zero\u200bwidth \x00 \x7f \x9b2J",
	"\xff\xfe not utf-8 \xed\xa0\x80",
	"&lt;img src=x&gt; &#x3c;",
}

// hostilePages are all pages with the payload in every text that is not devrun's.
func hostilePages(app App, x string) map[string]http.Handler {
	app.Name, app.Version, app.Go = x, x, x
	p := New(app)
	own := filepath.Join(app.Root, "main.go")
	odd := filepath.Join(app.Root, strings.ReplaceAll(x, "/", "-")+".go")
	running := &Running{Generation: 1, Pid: 2, Built: time.Unix(0, 0)}
	diags := []fault.Diagnostic{
		{File: own, Rel: x, Line: 5, Col: 2, Message: x, Package: x},
		{File: odd, Rel: x + "2", Line: 1, Col: 1, Message: "cannot use " + x + " (value): " + x, Package: x},
		{File: x, Rel: x + "3", Line: 3, Message: "undefined: " + x},
		{Package: x, Message: x + " and\n" + x},
	}
	frames := []fault.Frame{
		{Func: x, File: own, Line: 5}, {Func: "panic", File: x, Line: 1},
		{Func: "main.(*" + x + ")." + x, File: odd, Line: 5}, {Func: "lib/" + x + "." + x, File: "/lib/" + x, Line: 5},
	}
	g := fault.Goroutine{ID: 7, State: x, Labels: map[string]string{x: x}, Frames: frames, CreatedBy: &frames[0], Creator: 1}
	trace := fault.Trace{Kind: "panic", Message: x, Earlier: []string{x}, Signal: x, Goroutines: []fault.Goroutine{g, g, {ID: 9, State: x, Frames: frames[2:]}}}
	stderr := slices.Repeat([]string{x}, 40)
	return map[string]http.Handler{
		"build":   p.BuildFailed(fault.Build{Saved: []string{x}, Command: x, Output: x, Diagnostics: diags}, running),
		"output":  p.BuildFailed(fault.Build{Output: "x" + x}, nil),
		"crash":   p.Crashed(fault.Crash{Exit: fault.Exit{Code: 2, Stderr: stderr}, Trace: trace}, "h"+x),
		"exit":    p.Crashed(fault.Crash{Exit: fault.Exit{Code: -1, Signal: x, Stderr: stderr}}, "h"+x),
		"status":  p.Crashed(fault.Crash{Exit: fault.Exit{Code: 3, Stderr: stderr}}, "h"+x),
		"waiting": p.Waiting(time.Now(), x),
		"away":    p.Failed(hostileFailures(app, x)[0], places["away"]),
		"home":    p.Failed(hostileFailures(app, x)[0], places["home"]),
		"unread":  p.Failed(hostileFailures(app, x)[1], places["home"]),
		"kept":    p.Overview(hostileFailures(app, x), hostileSaves(x), State{Doing: "serving", Generation: 1, Pid: 2, URLs: []string{"http://localhost:1"}}),
		"missing": p.Missing(2, State{Doing: x}),
	}
}

// hostileFailures are failures with the payload in every text.
func hostileFailures(app App, x string) []fault.Failure {
	own := filepath.Join(app.Root, "main.go")
	odd := filepath.Join(app.Root, strings.ReplaceAll(x, "/", "-")+".go")
	field := []fault.Field{{Name: x, Values: []string{x, x}}, {Name: "Cookie", Values: []string{"a=b"}}}
	leaf := fault.Value{Name: x, Type: x, Kind: fault.String, Text: x, Len: 5, Cut: 3}
	vars := []fault.Value{
		{Name: "x", Type: x, Kind: fault.Struct, Text: x, Children: []fault.Value{leaf, {Name: x + "p", Kind: fault.Pointer, Nil: true}}, Len: -1, More: 3, Line: 5},
		{Name: x + "1", Type: "error", Kind: fault.Interface, Text: x, Children: []fault.Value{{Name: x, Type: x, Kind: fault.Struct, Text: x}}},
		{Name: x + "2", Type: x, Kind: fault.Kind(x), Text: x, Captured: true}, {Name: x + "3", Type: x, Cycle: x}, {Name: x + "4", Type: x, Unreadable: x}, {Name: "password", Type: "string", Kind: fault.String, Text: "hunter2hunter2"},
	}
	f := fault.Failure{
		ID: x, Generation: 3, How: fault.Panicked, Type: x, Message: "m" + x, Goroutine: 7, Pid: 2, Values: fault.Values{Here: true}, Notes: []string{x},
		Error:   &fault.Error{Type: x, Text: "e" + x, Note: x, Causes: []fault.Error{{Type: x, Text: "c" + x, Causes: []fault.Error{{Type: x, Text: "j" + x}, {Text: "j" + x}}}}},
		Panics:  []fault.Error{{Type: x, Text: x}},
		Request: fault.Request{Method: x, URI: "/" + x, Proto: x, Host: x, Remote: x, Route: x, TLS: true, Header: field, Form: field[:1]},
		Calls: []fault.Call{
			{Frame: fault.Frame{Func: x, File: own, Line: 5}, Vars: vars}, {Frame: fault.Frame{Func: "main.(*" + x + ")." + x, File: odd, Line: 5}, Why: "w" + x, Optimised: true},
			{Frame: fault.Frame{Func: "lib/" + x + "." + x, File: "/lib/" + x, Line: 5}, Vars: vars},
		},
		CreatedBy:  &fault.Frame{Func: x, File: own, Line: 5},
		Production: fault.Response{Status: 502, Header: field, Body: "b" + x, Size: 7},
	}
	g := f
	g.How, g.Gone, g.Values = fault.Recovered, "g"+x, fault.Values{Why: "w" + x}
	g.Cause = fault.Cause{
		Why: []fault.Prose{{{Text: "w" + x}, {Text: x, Code: true}}}, Col: 1, End: 4, Note: x, Var: x, ErrorOf: x,
		Sets: []fault.Set{{Var: 0, Line: 3}, {Var: 99, Line: 3}, {Call: 99, Line: 3}},
	}
	return []fault.Failure{explained(app, f), g}
}

// hostileSaves are saves with the payload in every text.
func hostileSaves(x string) []Save {
	phases := []Phase{{"watch", time.Millisecond}, {"build", time.Second}}
	return []Save{
		{At: time.Unix(0, 0), Files: []string{x}, Generation: 3, Outcome: SaveNotBuilt, Note: x, Phases: phases},
		{At: time.Unix(0, 0), Files: slices.Repeat([]string{x}, 30), Outcome: SaveStyle, Note: x, Phases: phases[:1]},
	}
}

// hostileApp has the payload in the source that is shown as well, and in the
// name of its directory where the file system takes it.
func hostileApp(t *testing.T, x string) App {
	t.Helper()
	root := filepath.Join(t.TempDir(), strings.Trim(strings.ReplaceAll(x, "/", "-"), " ."))
	if os.Mkdir(root, 0o777) != nil { // NUL, or a file system that wants UTF-8
		root = t.TempDir()
	}
	line := strings.NewReplacer("\n", "", "\r", "").Replace(x)
	write(t, filepath.Join(root, "main.go"), "package main\n\nfunc main() {\n\t// "+line+"\n\tx = \""+line+"\"\n}\n")
	return App{Root: root}
}

// skeleton is the elements and the names of their attributes; the text and the
// values are for check.
func skeleton(t *testing.T, text string, check func(n *html.Node)) string {
	t.Helper()
	root, err := html.ParseWithOptions(strings.NewReader(text), html.ParseOptionEnableScripting(false))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for n := range root.Descendants() {
		switch n.Type {
		case html.ElementNode:
			names := []string{n.Data}
			for _, a := range n.Attr {
				names = append(names, a.Key)
			}
			slices.Sort(names[1:])
			b.WriteString("<" + strings.Join(names, " ") + ">\n")
			check(n)
		case html.CommentNode:
			b.WriteString("<!-- -->\n")
		}
	}
	return b.String()
}

var allowed = map[string][]string{
	"html": {"lang", "data-devrun-page", "data-wait", "data-resend"}, "head": {}, "meta": {"charset", "name", "content", "http-equiv"}, "noscript": {},
	"title": {}, "link": {"rel", "href"}, "script": {"src", "defer"}, "body": {}, "header": {"class"}, "main": {"class", "id"},
	"div": {"tabindex", "class", "role", "hidden", "data-stack", "aria-live", "id", "data-failure", "data-waiting", "data-state", "data-parked"}, "p": {"class", "id", "role", "data-stays"}, "i": {"class", "role", "aria-label"},
	"span": {"class", "data-n", "aria-hidden", "data-ended", "data-goroutine"}, "b": {}, "u": {}, "small": {}, "code": {"class"}, "kbd": {"class"},
	"button": {"class", "id", "type", "title", "data-help", "data-copy", "data-copy-from", "data-close", "aria-label", "aria-pressed", "data-more", "data-reload", "data-reveal", "data-frame", "data-release", "data-again", "data-rest", "data-from", "data-all", "data-field", "data-path"},
	"time":   {"datetime"}, "h1": {}, "h2": {"id"}, "h3": {},
	"a":   {"class", "href", "rel", "aria-current", "data-editor"},
	"nav": {"class", "aria-label"}, "article": {"class", "id", "aria-labelledby", "aria-label", "data-frame", "data-func"}, "section": {"class", "id", "aria-label", "aria-labelledby"},
	"em": {"class"}, "ol": {"class", "role", "aria-live", "aria-label", "tabindex"}, "style": {}, "form": {"class"}, "label": {"class", "for"},
	"input":    {"id", "inputmode", "autocomplete", "maxlength", "placeholder", "aria-describedby"},
	"textarea": {"id", "rows", "autocomplete", "autocapitalize", "spellcheck", "placeholder", "role", "aria-expanded", "aria-autocomplete", "aria-controls"},
	"pre":      {"class", "id", "tabindex", "role", "aria-label", "aria-labelledby"},
	"details":  {"class", "open", "id"}, "summary": {"class"}, "ul": {"class", "id", "role", "aria-label", "hidden"}, "li": {"class"}, "footer": {"class"},
	"svg": {"class", "role", "aria-label"}, "rect": {"class", "x", "width", "height"}, "text": {"x", "y"}, "line": {"x1", "x2", "y1", "y2"},
	"table": {"class"}, "tbody": {}, "tr": {}, "th": {"scope"}, "td": {},
	"dialog": {"id", "aria-labelledby"}, "dl": {"class"}, "dt": {}, "dd": {},
}

// TestHostileHTML: whatever is in the data, the page has the elements and the
// attributes that it has with harmless data, and no address but those it may have.
func TestHostileHTML(t *testing.T) {
	for i, x := range payloads {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			app := hostileApp(t, x)
			harmless := hostilePages(App{Root: app.Root}, "harmless")
			for kind, h := range hostilePages(app, x) {
				check := func(n *html.Node) {
					names, ok := allowed[n.Data]
					if !ok {
						t.Errorf("%s: element %s", kind, n.Data)
					}
					for _, a := range n.Attr {
						if !slices.Contains(names, a.Key) {
							t.Errorf("%s: attribute %s of %s", kind, a.Key, n.Data)
						}
						if a.Key == "href" || a.Key == "src" {
							checkAddress(t, n, a.Val)
						}
					}
					if n.Data == "script" && n.FirstChild != nil && n.FirstChild.Data != awayScript || n.Data == "style" && n.FirstChild.Data != string(css) {
						t.Errorf("%s: inline script", kind)
					}
				}
				got := shape(skeleton(t, body(t, h, "text/html"), check))
				want := shape(skeleton(t, body(t, harmless[kind], "text/html"), func(*html.Node) {}))
				// A field or variable with such a name is left out, as it should.
				if named := strings.Contains(x, "Set-Cookie") && slices.Contains([]string{"away", "home", "unread"}, kind); got != want && !named {
					t.Errorf("%s: elements\n%s\nwant\n%s", kind, got, want)
				}
			}
		})
	}
}

// shape leaves out what depends on the data by design: the pieces of highlighted
// source and of long names, links to an editor, which only real paths get, and
// whether more lines of a message follow the first.
func shape(skeleton string) string {
	var keep []string
	for _, line := range strings.Split(skeleton, "\n") {
		switch line {
		case "<span>", "<span class>", "<span class data-n>", "<span aria-hidden class data-n>", "<u>", "<code>",
			"<a class data-editor href rel>", "<a class href rel>", "<kbd class>", "<div class>", "<p class>",
			"<pre class>", "<pre aria-label class role tabindex>":
		default:
			keep = append(keep, line)
		}
	}
	return strings.Join(keep, "\n")
}

func checkAddress(t *testing.T, n *html.Node, address string) {
	t.Helper()
	rel := ""
	for _, a := range n.Attr {
		if a.Key == "rel" {
			rel = a.Val
		}
	}
	switch {
	case n.Data == "link" && rel == "icon" && strings.HasPrefix(address, "data:image/svg+xml,<svg"):
	case n.Data == "link" && (address == cssURL || address == savesCSSURL), n.Data == "script" && (address == jsURL || address == failureURL):
	case n.Data == "a" && (address == "/" || address == "/failures/1" || address == "/failures/2" || address == "http://localhost:1" || address == places["away"].ConsoleURL):
	case n.Data == "a" && strings.HasPrefix(address, "/failures/") && !strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("<>\"'`\\?#", r) }):
	case n.Data == "a" && address == "/#failures":
	case n.Data == "a" && strings.HasPrefix(address, "#") && !strings.ContainsAny(address[1:], "<>\"'#:"):
	case n.Data == "a" && strings.HasPrefix(address, "vscode://file/") && rel == "noopener noreferrer":
		rest := strings.TrimPrefix(address, "vscode://file/")
		if strings.ContainsFunc(rest, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("<>\"'`\\#?&", r) }) {
			t.Errorf("editor link %q is not encoded", address)
		}
		if _, err := url.Parse(address); err != nil {
			t.Error(err)
		}
	default:
		t.Errorf("address %q of %s", address, n.Data)
	}
}

// TestHostileForms: no form for terminals has a character that a terminal acts on,
// Markdown is all code but for devrun's own heading, and JSON is JSON.
func TestHostileForms(t *testing.T) {
	for i, x := range payloads {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			for kind, h := range hostilePages(hostileApp(t, x), x) {
				for _, accept := range []string{"*/*", "text/markdown", "text/html"} {
					text := body(t, h, accept)
					if i := strings.IndexFunc(text, hidden); i >= 0 {
						t.Errorf("%s %s: %q is left", kind, accept, text[i:min(len(text), i+20)])
					}
					if text != strings.ToValidUTF8(text, "") {
						t.Errorf("%s %s: not UTF-8", kind, accept)
					}
				}
				for _, line := range strings.Split(body(t, h, "text/markdown"), "\n") {
					if line != "" && !strings.HasPrefix(line, "    ") && !strings.HasPrefix(line, "## ") {
						t.Errorf("%s: markdown line %q", kind, line)
					}
				}
				raw := body(t, h, "application/json")
				if !json.Valid([]byte(raw)) || strings.ContainsAny(raw, "<>\x1b\r\x00\u2028") {
					t.Errorf("%s: json %s", kind, raw)
				}
			}
		})
	}
}

// TestRequestIsNotShown: nothing of a request gets into a page or its header.
func TestRequestIsNotShown(t *testing.T) {
	app := testApp(t)
	pages := hostilePages(app, "harmless")
	for kind, h := range pages {
		if kind == "waiting" || kind == "away" {
			continue // tells the time, or depends on who asks: see TestWhoSees
		}
		for _, accept := range []string{"text/html", "application/json", "text/markdown", "*/*"} {
			plain := get(h, "GET", accept)
			for _, x := range payloads {
				r := httptest.NewRequest("GET", "/", strings.NewReader(x))
				r.URL.Path, r.URL.RawQuery, r.RequestURI, r.Host = "/"+x, x, "/%0d%0aSet-Cookie:x=1?next="+x, x
				for _, name := range []string{"User-Agent", "Referer", "Cookie", "X-Forwarded-Host", "Origin", x} {
					r.Header[name] = []string{x}
				}
				r.Header.Set("Accept", accept)
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				if got := w.Body.String(); got != body(t, h, accept) {
					t.Errorf("%s %s: the body changes with the request", kind, accept)
				}
				if got, want := fmt.Sprint(w.Header()), fmt.Sprint(plain.Header); got != want {
					t.Errorf("%s %s: header\n%s\nwant\n%s", kind, accept, got, want)
				}
			}
		}
	}
}

// TestHostileHeaders: no data gets into a header.
func TestHostileHeaders(t *testing.T) {
	for _, x := range payloads {
		app := testApp(t)
		harmless := hostilePages(app, "harmless")
		for kind, h := range hostilePages(app, x) {
			got, want := get(h, "GET", "text/html").Header, get(harmless[kind], "GET", "text/html").Header
			got.Del("Content-Length")
			want.Del("Content-Length")
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s: header %v, want %v", kind, got, want)
			}
		}
	}
}
