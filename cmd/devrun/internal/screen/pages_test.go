//go:build linux

package screen

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite/chrome"
)

// version is what a page says of itself.
const version = `document.getElementById("v").textContent`

var pages = []struct {
	name, path string
	click      string // what is then seen, on a page with something to click on
	want       string // after the save, if not the new version
}{
	// A page that the browser may keep is not loaded old.
	{name: "kept by the browser", path: "/maxage"},
	// A page that says that it is unchanged is loaded anew all the same.
	{name: "an entity tag", path: "/etag"},
	// A page without a Content-Type is reloaded like any other.
	{name: "no type", path: "/untyped"},
	// A page of XML is reloaded.
	{name: "XHTML", path: "/xhtml"},
	// A page that shares nothing with other origins is reloaded.
	{name: "isolated", path: "/isolated"},
	// A page that lets no text become script is reloaded.
	{name: "trusted types", path: "/trusted"},
	// A page into which a script has put another is reloaded at the other's address.
	{name: "boosted", path: "/boosted", click: `location.search === "?next"`},
	// A download that was begun before delays no reload.
	{name: "after a download", path: "/dl", click: "true"},
	// A page whose frame answers a form is reloaded, and does not send it.
	{name: "a form in a frame", path: "/frames", click: `frames[0].document.body.innerText.startsWith("POST v1")`},
	// The answer to a form asks before the form is sent again.
	{name: "a form", path: "/post", click: version + ` === "POST v1"`, want: "^POST v1, newer$"},
	// A page whose policy lets no script in stays, and the terminal says so.
	{name: "hashes", path: "/hashes", want: "^GET v1$"},
	// A page in a sandbox stays, and the terminal says so.
	{name: "a sandbox", path: "/sandboxed", want: "^GET v1$"},
}

// TestPages: a save is on pages of every kind, and where it cannot be, something says so.
func TestPages(t *testing.T) {
	b := chrome.Start(t)
	r := e2e.NewOf(t, "notify", e2e.Path(t, "cmd/devrun/internal/screen/testdata/pages")).Start()
	tabs := make([]*e2e.Tab, len(pages))
	for i, page := range pages {
		p := e2e.NewTab(t, b, r.URL(page.path))
		p.Becomes(version, "^GET v1$")
		if page.click != "" {
			p.Do(`(document.getElementById("b") ?? frames[0].document.getElementById("b")).click()`)
			p.Becomes(page.click, "^true$")
		}
		tabs[i] = p
	}
	worker := e2e.NewTab(t, b, r.URL("/sw"))
	worker.Becomes(`navigator.serviceWorker.controller?.state`, "^activated$")
	worker.Act(chromedp.Reload())
	worker.Becomes(`performance.getEntriesByType("navigation")[0].workerStart > 0 && !!window[Symbol.for("devrun")]`, "^true$")

	r.SetVersion("v2")
	r.Served("v2")
	for i, page := range pages {
		t.Run(page.name, func(t *testing.T) {
			want := page.want
			if want == "" {
				want = "^GET v2$"
			}
			tabs[i].Becomes(version+` + (document.querySelector("devrun-bar") ? ", newer" : "")`, want)
		})
	}
	t.Run("a service worker", func(t *testing.T) {
		r.Says(`^devrun: the app's service worker answers pages of ` + strings.TrimSuffix(r.URL(""), "/") + ` and keeps them old`)
		if said := strings.Join(worker.Said(), "\n"); !strings.Contains(said, "this page stays old, because the app's service worker "+r.URL("/sw.js")) {
			t.Errorf("the console says %q", said)
		}
	})
	r.Says(`^devrun: no live reload on /hashes: its Content-Security-Policy allows no script from this origin$`)
	r.Says(`^devrun: no live reload on /sandboxed: its Content-Security-Policy sandbox needs both allow-scripts and allow-same-origin$`)
	r.Answers("/posts", "0")
}
