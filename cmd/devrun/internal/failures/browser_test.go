//go:build linux

package failures

import (
	"cmp"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
	"devrun/devserver/suite/chrome"
)

// TestLongBrowser: a person reads a request that failed, from the page on the app's
// address to the page that comes when the bug is mended.
func TestLongBrowser(t *testing.T) {
	suite.Long(t)
	t.Parallel()
	b := chrome.Start(t)
	s := e2e.NewScreenOn(plain(t)).Start()
	warm(t, e2e.Client, s.URL("/ways/nil"))
	own := console(t, s.Rig)
	shots := cmp.Or(os.Getenv("DEVRUN_SHOTS"), t.TempDir())
	shoot := func(p *e2e.Tab, name string) {
		for _, theme := range []string{"light", "dark"} {
			p.Do(`document.documentElement.dataset.theme = "` + theme + `"`)
			p.Shoot(filepath.Join(shots, name+"-"+theme+".png"), 1440, 1400)
			p.Shoot(filepath.Join(shots, name+"-phone-"+theme+".png"), 390, 1400)
		}
		p.Act(chromedp.EmulateViewport(1280, 900))
	}

	// The page on the app's own address, which stays open.
	app := e2e.NewTab(t, b, s.URL("/profile?name=nobody"))
	app.Becomes(e2e.BodyText, `(?s)invalid memory address.*u is nil.*heading.*main\.go:\d+.*"Hello"`)
	app.Becomes(`self.origin`, `^null$`)
	shoot(app, "app")

	// From another one like it to the console.
	p := e2e.NewTab(t, b, s.URL("/profile?name=nobody"))
	p.Becomes(`document.querySelector(".con a").href`, `^`+regexp.QuoteMeta(own)+`/failures/\w+$`)
	p.Act(chromedp.Click(`.acts [data-copy]`))
	p.Becomes(`document.querySelector(".toast").textContent`, "Copied as Markdown")
	p.Act(chromedp.Click(`.con a`))
	p.Becomes(`location.origin`, `^`+regexp.QuoteMeta(own)+`$`)

	const state, label = `document.querySelector(".con").dataset.state`, `document.querySelector(".ask label").textContent`
	p.Becomes(label, `^heading ›$`)
	p.Act(chromedp.Click(`.fr[href="#f1"]`))
	p.Becomes(label, `^profile ›$`)
	p.Becomes(`document.querySelector(".panel.on").innerText`, `(?s)langs.*\[\]string.*"go"`)

	p.Becomes(state, "^locked$")
	right := pin(s)
	wrong := "111-111-111"
	if wrong == right {
		wrong = "222-222-222"
	}
	p.Type("#pin", wrong)
	p.Enter()
	p.Becomes(`document.querySelector("#pin-say").textContent`, "not the PIN. 9 attempts left")
	p.Becomes(state, "^wrong$")
	p.Do(`document.querySelector("#pin").value = ""`)
	p.Type("#pin", right)
	p.Enter()
	p.Becomes(state, "^open$")

	p.Do(`document.querySelectorAll(".panel.on .tree details").forEach((d) => { d.open = false; })`)
	p.Act(chromedp.Click(`.panel.on .tree summary`))
	p.Becomes(`document.querySelector(".panel.on .tree details").open`, "true")
	p.Becomes(`document.querySelector(".panel.on .tree details ul").innerText.length > 0`, "true")

	said := func(src, want string) {
		t.Helper()
		before := p.Eval(`document.querySelectorAll(".log > li").length`)
		p.Type("#expr", src)
		p.Enter()
		p.Becomes(`document.querySelectorAll(".log > li").length != `+before+` && !!document.querySelector(".log > li:last-child .out .t, .log > li:last-child .out.no")`, "true")
		p.Becomes(`document.querySelector(".log > li:last-child .out").textContent`, want)
	}
	said("name", `^"nobody"`)
	said(`name + strings.Repeat("!", 2)`, `^"nobody!!"`)
	said("langs[7]", `^panic: runtime error: index out of range`)
	said("nothing", `undefined: nothing`)
	said(`name = "ada"`, ``)
	said("name", `^"ada"`)
	said(`s.greeting = "Welcome"`, ``)
	s.Answers("/greeting", "Welcome")
	said(`s.users["susan"]`, `Susan`)
	p.Do(`document.querySelector("#console").scrollIntoView({block: "end"})`)
	shoot(p, "console")

	// What was copied on the other page.
	p.Do(`document.querySelector("#expr").focus()`)
	p.Paste()
	p.Becomes(`document.querySelector("#expr").value`, `(?s)^## panic\n\n    runtime error: invalid memory address.*main\.heading`)
	p.Do(`document.querySelector("#expr").value = ""`)

	list := e2e.NewTab(t, b, own+"/")
	list.Becomes(e2e.BodyText, `(?s)invalid memory address.*GET /profile\?name=nobody.*generation 1`)
	shoot(list, "list")

	// The bug is mended: the page of the request goes by itself, the console says
	// why it has nothing to say any more.
	s.Replace("main.go", `u := s.users[name]`, "u := s.users[strings.Replace(name, `nobody`, `susan`, 1)]")
	app.Becomes(e2e.BodyText, `^Hello Susan$`)
	p.Type("#expr", "name")
	p.Enter()
	p.Becomes(state, "^ended$")
	p.Becomes(`document.querySelector("[data-ended]").textContent`, "process has ended")
	shoot(p, "ended")

	for name, tab := range map[string]*e2e.Tab{"app": app, "console": p, "list": list} {
		for _, line := range tab.Said() {
			// The failing answer, a wrong PIN and a question too late have such a status.
			if !strings.Contains(line, "the server responded with a status of") {
				t.Errorf("the console of %s says %s", name, line)
			}
		}
		for _, url := range tab.Asked() {
			if !slices.ContainsFunc([]string{s.URL("/"), own + "/", "data:"}, func(prefix string) bool { return strings.HasPrefix(url, prefix) }) {
				t.Errorf("%s asks for %s", name, url)
			}
		}
		if len(tab.Asked()) == 0 {
			t.Errorf("no request of %s was seen", name)
		}
	}
}
