//go:build linux

package failures

import (
	"fmt"
	"html"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
)

// lost is a failure whose handler has returned, or was unwound, when the answer
// is written: a page for it can only say so.
type lost struct {
	path   string
	status int
	how    string
	says   string // in the message
	mark   string // of the line in ways.go, "" where no call of the app is left
	note   string // why there is no more
}

const noCalls = "None of the app's own calls is on the stack: what led to this has returned"

// frameworks are in testdata, each an app with the recovery that it brings, which
// has answered for a panic before net/http would: the page is that of the point of
// failure all the same.
var frameworks = []struct {
	name string
	ways []way
	lost []lost
}{
	{"chi", []way{templateError("page"), explicit}, []lost{
		{"/ways/timeout", http.StatusGatewayTimeout, "status", "504 Gateway Timeout, empty body", "", noCalls},
	}},
	{"gin", []way{templateError("page"), explicit,
		{"/ways/returned/-5", "ANSWER", "status", "show profile: select -5: no such user", "", map[string]string{
			"route": `"/ways/returned/:id"`, "count": "1", "text": `"show profile: select -5: no such user"`}},
		{"/ways/aborted", "ABORTED", "status", "500 Internal Server Error, empty body", "", map[string]string{
			"table": `"users"`, "tries": "3", "pending": `len 1 {4: "four"}`}},
	}, []lost{
		{"/ways/bare", http.StatusInternalServerError, "status", "500 Internal Server Error, empty body", "", noCalls},
	}},
	{"echo", []way{templateError("page.html"), explicit}, []lost{
		{"/ways/render", http.StatusInternalServerError, "status", "Internal Server Error", "", noCalls},
		{"/ways/returned/-5", http.StatusInternalServerError, "status", "Internal Server Error", "", noCalls},
		{"/ways/refused", http.StatusServiceUnavailable, "status", "the table is locked", "", noCalls},
		{"/ways/unwound", http.StatusInternalServerError, "status", "Internal Server Error", "", noCalls},
	}},
	{"gorilla", []way{templateError("page"), explicit,
		// What compresses has the rest of the answer until the handler has returned.
		{"/ways/partly/9", "PARTLY", "status", "can't evaluate field Missing", "", map[string]string{
			"id": "9", "title": `"Profile"`, "u": `{ID: 9, Name: "ada", Tags: len 1 cap 1 ["x"]}`}},
	}, nil},
	{"httprouter", []way{templateError("page"), explicit}, nil},
}

// With chi, gin, echo, gorilla and httprouter the page is that of the point of
// failure, though their recovery has answered before net/http would.
func TestLongFrameworks(t *testing.T) {
	suite.Long(t)
	t.Parallel()
	for _, fw := range frameworks {
		t.Run(fw.name, func(t *testing.T) {
			t.Parallel()
			r := framework(t, fw.name).Start()
			warm(t, e2e.Client, r.URL("/ways/nil"))
			for _, w := range append(panics[:len(panics):len(panics)], fw.ways...) {
				w.test(t, e2e.Client, r.URL(""), filepath.Join(r.Dir, "ways.go"), "recovered")
			}
			for _, l := range fw.lost {
				l.test(r)
			}
			switch fw.name {
			case "gorilla":
				f := fails(r, "/ways/partly/9", "Accept-Encoding", "identity")
				root := f.root()
				if root.Line != line(t, filepath.Join(r.Dir, "ways.go"), "PARTLY") || root.of("id") != "9" || root.of("title") != `"Profile"` || f.Production.Status != http.StatusOK {
					t.Errorf("without compression it is at %s:%d with %+v, production %+v", root.Rel, root.Line, root.Vars, f.Production)
				}
			case "gin":
				// An error of a template is not a failure of the request with gin: it has
				// only noted it, for its log.
				status, body := r.Get("/ways/render")
				if status != http.StatusOK || body != "<h1>ada</h1><p>" {
					t.Errorf("a template that c.HTML executes: %d %q", status, body)
				}
				suite.Until(t, "gin's log has the error", func() error {
					if out := r.Stdout.String(); !strings.Contains(out, "can't evaluate field Missing in type main.user\n") {
						return fmt.Errorf("%q", out)
					}
					return nil
				})
			}
		})
	}
}

// test looks at the answers for people and programs.
func (l lost) test(r *e2e.Rig) {
	t := r.T
	t.Helper()
	status, f, _, err := asked(e2e.Client, r.URL(l.path))
	if err != nil {
		t.Error(err)
		return
	}
	at := 0
	if l.mark != "" {
		at = line(t, filepath.Join(r.Dir, "ways.go"), l.mark)
	}
	if status != l.status || f.How != l.how || !strings.Contains(f.Error, l.says) {
		t.Errorf("%s: %d, %s %q", l.path, status, f.How, f.Error)
	}
	if root := f.root(); root.Line != at || len(root.Vars) > 0 {
		t.Errorf("%s: at %s:%d, want line %d; variables %+v", l.path, root.Rel, root.Line, at, root.Vars)
	}
	if said := strings.Join(append(f.Notes, f.Values.Why), "\n"); !strings.Contains(said, l.note) {
		t.Errorf("%s: it says %q, not %q", l.path, said, l.note)
	}
	_, page, err := ask(e2e.Client, r.URL(l.path), "Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document")
	if err != nil || !strings.Contains(html.UnescapeString(page), l.note) {
		t.Errorf("%s: %v, the page does not say %q:\n%s", l.path, err, l.note, page)
	}
}

// A framework that does not use net/http is served all the same. What it has
// recovered it answers for by itself, and another panic, which ends it, is a crash.
func TestLongFiber(t *testing.T) {
	suite.Long(t)
	t.Parallel()
	r := framework(t, "fiber").Start()
	if status, body := r.Get("/recovered"); status != http.StatusInternalServerError || body != "runtime error: invalid memory address or nil pointer dereference" {
		t.Errorf("fiber's own answer is %d %q", status, body)
	}
	r.Served("v1")
	_, _, _ = e2e.Ask("GET", r.URL("/nil"), nil)
	want := fmt.Sprintf("main.go:%d", line(t, filepath.Join(r.Dir, "main.go"), "GREET"))
	suite.Until(t, "the crash is a page", func() error {
		resp, body, err := ask(e2e.Client, r.URL("/version"))
		if err == nil && (resp.StatusCode < 500 || !strings.Contains(body, "nil pointer dereference") || !strings.Contains(body, want)) {
			err = fmt.Errorf("%s\n%s", resp.Status, body)
		}
		return err
	})
	r.Replace("main.go", "greet(nil)", `greet(&user{"susan"})`)
	r.Answers("/nil", "Hello susan")
}

// framework is a rig with an app of testdata, whose modules are on this machine;
// otherwise the test is skipped.
func framework(t *testing.T, name string) *e2e.Rig {
	t.Helper()
	dir := e2e.Path(t, own+name)
	get := exec.Command("go", "mod", "download")
	get.Dir = dir
	if out, err := get.CombinedOutput(); err != nil {
		t.Skipf("NOT TESTED, needs the network: %v\n%s", err, out)
	}
	return e2e.NewOf(t, "notify", dir)
}
