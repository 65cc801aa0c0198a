//go:build linux

package attacks

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
	"devrun/devserver/suite/chrome"
)

var elements = strings.Fields("html head meta title link style script body header footer main nav aside section article div span p a b i em strong small code pre kbd samp " +
	"ul ol li dl dt dd h1 h2 h3 h4 details summary button form input label textarea output table thead tbody tr th td time template svg path circle rect use hr br var q s noscript dialog select option mark u")

var schemes = []string{"", "http", "https", "data", "vscode"}

// inert parses a page and shows that nothing in it acts but what is devrun's own.
func (s *site) inert(t *testing.T, what, text string) {
	t.Helper()
	for _, marker := range []string{"\u2028", "\x1b"} {
		if strings.Contains(text, marker) {
			t.Errorf("%s has %q in it", what, marker)
		}
	}
	root, err := html.ParseWithOptions(strings.NewReader(text), html.ParseOptionEnableScripting(false))
	if err != nil {
		t.Fatal(err)
	}
	for n := range root.Descendants() {
		if n.Type == html.CommentNode && strings.ContainsAny(n.Data, "<>") {
			t.Errorf("%s has the comment %q", what, n.Data)
		}
		if n.Type != html.ElementNode {
			continue
		}
		if !slices.Contains(elements, n.Data) {
			t.Errorf("%s has an element %s %v", what, n.Data, n.Attr)
		}
		attr := map[string]string{}
		for _, a := range n.Attr {
			attr[a.Key] = a.Val
			if strings.HasPrefix(a.Key, "on") || a.Key == "srcdoc" || a.Key == "style" {
				t.Errorf("%s has %s=%q on %s", what, a.Key, a.Val, n.Data)
			}
			if a.Key == "href" || a.Key == "src" || a.Key == "action" {
				u, err := url.Parse(a.Val)
				if err != nil || !slices.Contains(schemes, u.Scheme) || u.Scheme == "data" && !strings.HasPrefix(a.Val, "data:,") && !strings.HasPrefix(a.Val, "data:image/") {
					t.Errorf("%s leads to %q: %v", what, a.Val, err)
				} else if strings.HasPrefix(u.Scheme, "http") && u.Hostname() != "127.0.0.1" && u.Hostname() != "localhost" {
					t.Errorf("%s leads to %q", what, a.Val)
				}
			}
		}
		switch {
		case n.Data == "script" && attr["nonce"] == "" && !strings.HasPrefix(attr["src"], "/__devrun/") && attr["type"] != "application/json" && n.FirstChild != nil && strings.Contains(n.FirstChild.Data, "alert("):
			t.Errorf("%s has a script %q", what, n.FirstChild.Data)
		case n.Data == "a" && attr["target"] != "" && !strings.Contains(attr["rel"], "noopener"):
			t.Errorf("%s opens %q without noopener", what, attr["href"])
		}
	}
}

// inertAt looks at all forms of a failure's page, and returns them.
func (s *site) inertAt(t *testing.T, path string) map[string]string {
	t.Helper()
	all := s.shown(t, path)
	for as, body := range all {
		if strings.HasSuffix(as, "html") {
			s.inert(t, path+" as "+as, body)
		} else if strings.Contains(body, "\x1b") {
			t.Errorf("%s as %s has an escape", path, as)
		}
	}
	return all
}

// Markup in the text of a panic is text on every page.
func markupInText(t *testing.T, s *site) {
	for _, text := range []string{
		"</script><img src=x onerror=alert(1)>-->\u2028", "</title></pre></code></textarea><svg onload=alert(1)>", `"><iframe srcdoc="<script>alert(1)</script>">`, "--><script>alert(1)</script><!--", "{{.App}} ${alert(1)} <!--snippet-->",
		"``` \n<img src=x onerror=alert(1)>\n[x](javascript:alert(1))",
	} {
		path := "/says?text=" + url.QueryEscape(text)
		var f failure
		if err := json.Unmarshal([]byte(s.inertAt(t, path)["application/json"]), &f); err != nil || !strings.Contains(f.Error, text[:6]) {
			t.Errorf("%q became %q: %v", text, f.Error, err)
		}
	}
	s.fresh(t)
}

// Markup in a variable, or in an answer of the console, is text.
func markupInValues(t *testing.T, s *site) {
	page := s.inertAt(t, "/markup")["own text/html"]
	for _, shown := range []string{"&lt;svg onload=alert(1)&gt;", "größe", "Länge"} {
		if !strings.Contains(page, shown) {
			t.Errorf("the page does not have %q", shown)
		}
	}
	s.fresh(t)
	// The console's answers are data, and its page makes text of them.
	status, a, err := s.eval("`<img src=x onerror=alert(1)>`")
	if err != nil || status != 200 || a.Text != `"<img src=x onerror=alert(1)>"` {
		t.Errorf("%d %+v %v", status, a, err)
	}
	p := e2e.NewTab(t, chrome.Whole(t), s.own+"/failures/"+s.ID)
	p.Do(`window.alert = () => { document.title = "owned" }`)
	p.Becomes(`document.querySelector(".con").dataset.state`, "^locked$")
	p.Type("#pin", s.pin)
	p.Enter()
	p.Becomes(`document.querySelector(".con").dataset.state`, "^open$")
	p.Type("#expr", "`<img src=x onerror=alert(1)>`")
	p.Enter()
	p.Becomes(`document.querySelector(".log > li:last-child .out").textContent`, "onerror=alert")
	if n := p.Eval(`document.querySelectorAll(".log img").length + document.title`); !strings.HasPrefix(n, "0") || strings.Contains(n, "owned") {
		t.Errorf("an answer became %s", n)
	}
}

// Markup in any part of a request is text on its page.
func markupInRequest(t *testing.T, s *site) {
	const x = "<script>alert(1)</script>"
	text := s.request("POST /says?text=a&"+x+"=%3Cscript%3E"+x+" HTTP/1.1", "<b onclick=alert(1)>="+x, []string{
		fmt.Sprint("Host: localhost:", s.Port), "Accept: text/html", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "User-Agent: " + x, "Referer: http://" + x, "Cookie: a=" + x, "X-Any: \"><img src=x onerror=alert(1)>",
		"Content-Type: application/x-www-form-urlencoded", "Content-Length: 46", "Connection: close",
	})
	boundary := "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"<img src=x onerror=alert(1)>.txt\"\r\n\r\n" + x + "\r\n--x--\r\n"
	upload := s.request("POST /says?text=b HTTP/1.1", boundary, []string{
		fmt.Sprint("Host: localhost:", s.Port), "Accept: text/html", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "Content-Type: multipart/form-data; boundary=x", fmt.Sprint("Content-Length: ", len(boundary)), "Connection: close",
	})
	for _, request := range []string{text, upload} {
		answers := s.sendApp(t, request)
		if len(answers) != 1 || answers[0].StatusCode != 500 || !strings.Contains(answers[0].body, "<title>") {
			t.Fatalf("%v", answers)
		}
		s.inert(t, "the page of a hostile request", answers[0].body)
		for _, a := range s.send(t, s.get("/failures/"+s.newest(t))) {
			s.inert(t, "the whole page of a hostile request", a.body)
		}
	}
	for _, line := range []string{"<B> /fail HTTP/1.1", "GET /" + x + " HTTP/1.1", "GET /%3Cscript%3E HTTP/1.1"} {
		for _, a := range s.sendApp(t, strings.Replace(text, "POST /says?text=a&"+x+"=%3Cscript%3E"+x+" HTTP/1.1", line, 1)) {
			if strings.Contains(a.body, x) && strings.Contains(a.Header.Get("Content-Type"), "html") {
				t.Errorf("%s is answered with %s", line, a.body)
			}
		}
	}
	for _, a := range s.send(t, s.get("/")) {
		s.inert(t, "the list", a.body)
	}
}

// Markup in the names of files and directories is text, on the pages of failures and
// of a failed build.
func markupInNames(t *testing.T, _ *site) {
	r := newRig(t)
	dir := filepath.Join(filepath.Dir(r.Dir), `a"><img src=x onerror=alert(1)>`)
	if err := os.Rename(r.Dir, dir); err != nil {
		t.Fatal(err)
	}
	r.Dir = dir
	r.Write("x'onmouseover=alert(1).go", "package main\n\nimport \"net/http\"\n\nfunc init() {\n\thandlers[\"/odd\"] = func(w http.ResponseWriter, r *http.Request) { panic(\"in an odd file\") }\n}\n")
	s := launch(r).open()
	s.honest(t)
	page := s.inertAt(t, "/odd")["own text/html"]
	if !strings.Contains(page, "onmouseover") || !strings.Contains(page, "vscode://file/") {
		t.Errorf("the page does not name the file:\n%.2000s", page)
	}
	s.fresh(t)
	s.honest(t)
	s.Write("x'onmouseover=alert(1).go", "package main\n\n//line <script>alert(1)</script>:1\nvar _ int = `<img src=x onerror=alert(2)>`\n")
	s.Says(`^devrun: build failed`)
	resp, body, err := e2e.Ask("GET", s.URL("/"), nil, "Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document")
	if err != nil || resp.StatusCode == 200 || !strings.Contains(body, "&lt;img src=x") {
		t.Fatalf("%v %v %.2000s", resp, err, body)
	}
	s.inert(t, "the page of a failed build", body)
}

// No link leads to a script or to another host, and a setting of the editor that
// would is refused.
func hostileLinks(t *testing.T, s *site) {
	for _, at := range []string{"javascript:alert(1):1", "//host/share/x.go:1", "DIR/named/<script>alert(1)<!script>.go:1", "DIR/named/x'onmouseover=alert(1) .go:1"} {
		s.inertAt(t, claimed(t, at))
	}
	s.inertAt(t, "/says?text="+url.QueryEscape("see javascript:alert(1) and [it](javascript:alert(2)) and https://evil.test/ and vbscript:x"))
	for _, editor := range []string{"javascript:alert(1)//{file}", "javascript://{file}", "data:text/html,{file}", "file://{file}", "evil://{file}", "vscode://{line}", "JavaScript://%0aalert(1)//{file}"} {
		cmd := exec.Command(e2e.Binary(t))
		cmd.Dir = s.Dir
		cmd.Env = append(os.Environ(), "APP_ENV=development", "DEVRUN_EDITOR="+editor)
		out, err := cmd.CombinedOutput()
		if err == nil || cmd.ProcessState.ExitCode() != 2 || !strings.Contains(string(out), "DEVRUN_EDITOR") {
			t.Errorf("%s is taken: %v\n%s", editor, err, out)
		}
	}
	s.fresh(t)
}

// No address makes devrun start a program. devrun starts no editor: a page has links,
// which the browser hands on. So there is nothing to call, and the links are what can
// be attacked.
func startEditor(t *testing.T, s *site) {
	for _, path := range []string{"/__open-in-editor?file=main.go", "/__devrun/open-in-editor?file=main.go", "/open-url", "/api/open?file=main.go", "/__devrun/editor"} {
		s.refused(t, nothing, s.get(path, "Sec-Fetch-Site: same-origin"), s.post(path, `{"file":"main.go"}`))
		for _, a := range s.sendApp(t, s.get(path, fmt.Sprint("Host: localhost:", s.Port), "Sec-Fetch-Site: cross-site")) {
			if a.StatusCode != 404 && a.StatusCode != 403 {
				t.Errorf("%s: %d", path, a.StatusCode)
			}
		}
	}
	for _, at := range []string{"DIR/named/a;touch pwned;.go:1", "DIR/named/-rf.go:1", "DIR/named/$(touch pwned).go:1"} {
		for as, page := range s.inertAt(t, claimed(t, at)) {
			if i := strings.Index(page, "vscode://file/"); strings.HasSuffix(as, "html") && i >= 0 {
				link, _, _ := strings.Cut(page[i:], `"`)
				if strings.ContainsAny(link, " <>'`") || strings.Contains(link, "file/-") {
					t.Errorf("%s links to %s", at, link)
				}
			}
		}
	}
	for _, dir := range []string{s.Dir, filepath.Join(s.Dir, "named")} {
		if _, err := os.Lstat(filepath.Join(dir, "pwned")); err == nil {
			t.Error("the name of a file was run")
		}
	}
	app, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", s.AppPid()))
	if err != nil {
		t.Fatal(err)
	}
	suite.Until(t, "the app and its own tools are all that devrun has started", func() error {
		for _, child := range e2e.Children(s.Cmd.Process.Pid) {
			if child != strings.TrimSpace(string(app)) && !strings.HasPrefix(child, "go ") && child != "link" && child != "compile" {
				return fmt.Errorf("there is %s", child) // for a moment a child has devrun's own name
			}
		}
		return nil
	})
	s.fresh(t)
}

// What the app writes passes, with its colours, and nothing that a terminal obeys.
func escapes(t *testing.T, s *site) {
	const x = "\x1b]0;owned\x07\x1b[2J\x1b]8;;http://evil.test\x1b\\link\x1b]8;;\x1b\\\x1b]52;c;QQ==\x07\x1b[6n\x1bP$q\x1b\\\x9b2J"
	before := len(s.Written.String())
	fails(t, s.Rig, "/says?text="+url.QueryEscape("clear"+x))
	fails(t, s.Rig, "/says?text=in+the+path&"+url.QueryEscape(x))
	s.Says(`in the path`)
	s.fresh(t)
	s.Says(`\]52;c;QQ`)
	written := s.Written.String()[before:]
	for _, bad := range []string{"\x1b]0;", "\x1b[2J", "\x1b]52", "\x1b]8;;http://evil.test", "\x1b[6n", "\x1bP", "\x9b2J", "\x07"} {
		if strings.Contains(written, bad) {
			t.Errorf("the terminal is sent %q", bad)
		}
	}
}

// newest is the failure that came last.
func (s *site) newest(t *testing.T) string {
	t.Helper()
	return s.listed(t)[0].ID
}
