//go:build linux

package mail

import (
	"cmp"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
	"devrun/devserver/suite/chrome"
)

// TestLongBrowser: the mailbox is open when mail comes, and a mail is read in all its
// parts, does no harm, and is deleted.
func TestLongBrowser(t *testing.T) {
	suite.Long(t)
	t.Parallel()
	b := chrome.Start(t)
	r := mailer(t).Start("--smtp")
	own := console(t, r)
	shots := cmp.Or(os.Getenv("DEVRUN_SHOTS"), t.TempDir())

	// Whoever is asked for something by a mail.
	var asked atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer elsewhere.Close()
	if _, _, err := e2e.Ask("GET", elsewhere.URL, nil); err != nil || asked.Swap(0) != 1 {
		t.Fatalf("nobody would notice: %v", err)
	}

	p := e2e.NewTab(t, b, own+"/mail/")
	p.Becomes(e2e.BodyText, `No mail has come since devrun started\. What the app sends to localhost:\d+ shows up here\.`)
	send(t, r, "From: Microblog <no-reply@example.test>\nSubject: Welcome\n\nCongratulations, you are now a registered user!\n")
	p.Becomes(e2e.BodyText, `(?s)1 unread of 1.*Welcome.*Congratulations`)
	p.Becomes(`document.title`, `^Mail \(1\)`)
	send(t, r, strings.NewReplacer("MAIN", filepath.Join(r.Dir, "main.go"), "http://localhost:1", elsewhere.URL).Replace(full))
	p.Becomes(`document.querySelectorAll(".mail.new").length`, "^2$")

	// To the newest by keyboard; what it says is text.
	p.Act(chromedp.KeyEvent("j"))
	p.Becomes(`document.activeElement.querySelector("b").textContent`, `alert\(1\)`)
	p.Enter()
	p.Becomes(`location.pathname`, `^/mail/\w+$`)
	p.Becomes(e2e.BodyText, `(?s)1 unread of 2.*Jürgen.*Exception on / \[GET\]`)
	p.Becomes(`[...document.querySelectorAll("pre a")].map((a) => a.href).join()`, `^vscode://file/.*/main\.go:12:1,http://example\.test/reset\?a=1$`)
	for _, theme := range []string{"light", "dark"} {
		p.Do(`document.documentElement.dataset.theme = "` + theme + `"`)
		p.Shoot(filepath.Join(shots, "mail-"+theme+".png"), 1440, 900)
		p.Shoot(filepath.Join(shots, "mail-phone-"+theme+".png"), 390, 1200)
	}
	p.Becomes(`document.documentElement.scrollWidth <= innerWidth`, "^true$")
	p.Act(chromedp.EmulateViewport(1280, 900))

	// The html is shown, with its own image and style, and can do nothing else.
	p.Act(chromedp.Click(`.tabs a[href$="/html"]`))
	p.Becomes(e2e.BodyText, `3 remote images were not loaded\.`)
	p.Becomes(`document.readyState`, "^complete$") // the frame, too
	p.Shoot(filepath.Join(shots, "mail-html.png"), 1440, 900)
	p.Act(chromedp.EmulateViewport(1280, 900))
	// A link in it covers all of it here, and leads nowhere.
	p.Act(chromedp.MouseClickXY(640, 450))
	frame := e2e.NewTab(t, b, p.Eval(`document.querySelector("iframe").src`))
	frame.Becomes(`getComputedStyle(document.querySelector("h1")).color`, `^rgb\(1, 2, 3\)$`)
	frame.Becomes(`document.getElementById("logo").naturalWidth`, `^1$`)
	frame.Becomes(`self.origin`, `^null$`)
	p.Becomes(`document.querySelector("iframe").contentDocument`, `^null$`)
	p.Becomes(`typeof hacked`, `^undefined$`)

	// The list goes on being live, on this page too; then the mail goes.
	send(t, r, "Subject: third\n\n")
	p.Becomes(`document.querySelector(".mail.new b").textContent`, `third$`)
	p.Act(chromedp.Click(`[data-delete]`))
	p.Becomes(`location.pathname`, `^/mail/$`)
	p.Becomes(`[...document.querySelectorAll(".mail b")].map((e) => e.textContent.replace("unread: ", "")).join()`, `^third,Welcome$`)
	p.Act(chromedp.Click(`[data-clear]`))
	p.Becomes(e2e.BodyText, `No mail has come`)
	if n := asked.Load(); n != 0 {
		t.Errorf("mails have asked for %d things", n)
	}
	for _, said := range p.Said() {
		if !regexp.MustCompile(`Content Security Policy|Blocked script execution|sandbox`).MatchString(said) {
			t.Errorf("the browser says %s", said)
		}
	}

	// A mail that somebody else deletes leaves its page for the list.
	send(t, r, "Subject: fourth\n\n")
	p.Becomes(`document.querySelectorAll(".mail").length`, "^1$")
	p.Act(chromedp.Click(`.mail`))
	p.Becomes(`location.pathname`, `^/mail/\w+$`)
	resp, _, err := e2e.Ask("POST", own+"/mail/delete", strings.NewReader(`{"all":true}`), "Origin", own, "Content-Type", "application/json", "X-Devrun", "1")
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("%v %v", resp, err)
	}
	p.Becomes(`location.pathname`, `^/mail/$`)
}
