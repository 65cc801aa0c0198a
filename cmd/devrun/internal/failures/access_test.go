//go:build linux

package failures

import (
	"strings"
	"testing"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
)

// navigation is what a browser sends when a person opens an address.
var navigation = []string{"Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "none"}

// TestLongAccess: on the app's address only a person and a client that is no browser
// are shown the variables.
func TestLongAccess(t *testing.T) {
	suite.Long(t)
	t.Parallel()
	r := plain(t).Start()
	warm(t, e2e.Client, r.URL("/ways/nil"))
	const path = "/ways/nil?q=asked-for"
	mark := "&#34;winter&#34;"

	for _, c := range []struct {
		name   string
		all    bool
		header []string
	}{
		{"a person", true, navigation[2:]},
		{"curl", true, nil},
		{"a script", false, []string{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Sec-Fetch-Site", "same-origin"}},
		{"a script of another site", false, []string{"Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "script", "Sec-Fetch-Site", "cross-site"}},
		{"a script in a browser that does not say so", false, []string{"Origin", r.URL("")}},
		{"an older script", false, []string{"X-Requested-With", "XMLHttpRequest"}},
		{"a frame", false, []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe", "Sec-Fetch-Site", "same-origin"}},
		{"an object", false, []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "object", "Sec-Fetch-Site", "same-origin"}},
	} {
		for _, as := range []string{"text/html", "application/json", "text/markdown", "text/plain"} {
			header := append([]string{"Accept", as}, c.header...)
			resp, body, err := ask(e2e.Client, r.URL(path), header...)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != 500 || !strings.Contains(body, "nil pointer dereference") || !strings.Contains(body, "nilDereference") {
				t.Errorf("%s as %s: %d without the message and the stack:\n%s", c.name, as, resp.StatusCode, body)
			}
			want, all := mark, c.all
			switch as {
			case "application/json":
				want = `"winter\"`
			case "text/markdown":
				want, all = "&nothing&", false // has no variables for anybody
			case "text/plain":
				want = `"winter"`
			}
			if got := strings.Contains(body, want); got != all {
				t.Errorf("%s as %s: variables %v", c.name, as, got)
			}
			if !c.all && (strings.Contains(body, "winter") || strings.Contains(body, "asked-for")) {
				t.Errorf("%s as %s is told too much:\n%s", c.name, as, body)
			}
			if h := resp.Header; h.Get("X-Frame-Options") != "DENY" || h.Get("Access-Control-Allow-Origin") != "" || !strings.HasPrefix(h.Get("Content-Security-Policy"), "sandbox ") {
				t.Errorf("%s as %s: header %v", c.name, as, h)
			}
		}
	}
}

// console is devrun's own origin, as the terminal names it.
func console(t *testing.T, r *e2e.Rig) string {
	t.Helper()
	return strings.TrimPrefix(r.Says(`^devrun: overview http://127\.0\.0\.1:\d+`), "devrun: overview ")
}
