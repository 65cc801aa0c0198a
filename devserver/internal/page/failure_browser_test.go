package page

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"

	"devrun/devserver/suite"
)

// shoot keeps a picture of the page where DEVRUN_SHOTS names a directory.
func (b *tab) shoot(name string, width, height int64) {
	b.t.Helper()
	dir := os.Getenv("DEVRUN_SHOTS")
	if dir == "" {
		return
	}
	b.do(chromedp.EmulateViewport(width, height))
	png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Fatal(err)
	}
	write(b.t, filepath.Join(dir, name+".png"), string(png))
}

// key presses a key that a field acts on before it would write anything.
func (b *tab) key(name string) {
	b.t.Helper()
	b.eval(`document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key: '` + name + `', bubbles: true, cancelable: true }))`)
}

// api stands for devrun: it knows one PIN and answers what the tests ask.
type api struct {
	mu    sync.Mutex
	calls []string
	wrong int
	gone  bool
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var in struct {
		Pin, Src, Failure string
		Frame, Pos        int
		Path              []any
		From              int
		Part              string
	}
	type m = map[string]any
	answer := func(status int, v any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v)
	}
	if strings.HasSuffix(r.URL.Path, "/state") && r.Method == "GET" && r.Header.Get("X-Devrun") == "1" {
		state := m{"values": true, "gone": "", "dot": "ok", "label": "serving", "words": "generation 42 · pid 4211"}
		if a.gone {
			state["gone"], state["dot"], state["label"], state["words"] = "Generation 43 took its place.", "work", "building", "generation 43"
		}
		answer(200, state)
		return
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || r.Method != "POST" || r.Header.Get("X-Devrun") != "1" || r.Header.Get("Content-Type") != "application/json" {
		answer(400, map[string]any{"error": "bad request"})
		return
	}
	what := strings.TrimPrefix(r.URL.Path, "/api/")
	a.calls = append(a.calls, fmt.Sprint(what, " ", in.Part, in.Src, in.Frame, in.Path, in.From))
	switch {
	case what == "unlock" && a.wrong >= 2:
		answer(429, m{"error": "locked"})
	case what == "unlock" && in.Pin == "123456789":
		answer(200, m{"token": "tok"})
	case what == "unlock":
		a.wrong++
		answer(403, m{"left": 10 - a.wrong})
	case r.Header.Get("Authorization") != "Bearer tok":
		answer(401, m{"error": "locked"})
	case a.gone:
		answer(410, m{"error": "Generation 43 took its place."})
	case what == "eval" && strings.HasPrefix(in.Src, "panic"):
		answer(200, m{"panic": "no user with id 99", "took_ms": 2.8})
	case what == "eval" && strings.HasPrefix(in.Src, "bad"):
		answer(200, m{"error": "undefined: bad <b>", "took_ms": 0.1})
	case what == "eval" && in.Src == "x = 1":
		answer(200, m{"text": "", "type": "", "took_ms": 0.1})
	case what == "eval" && in.Src == "user2":
		answer(200, m{"text": "&main.User{ID: 1}", "type": "*main.User", "kind": "pointer", "children": []m{{"type": "main.User", "kind": "struct", "children": []m{{"name": "ID", "type": "int", "kind": "number", "text": "1"}, {"name": "_", "type": "int", "text": "0"}}}}})
	case what == "eval":
		answer(200, m{"text": `{"a": "<img src=x>"}`, "type": "map[string]string", "took_ms": 0.42, "children": []m{{"name": `"a"`, "type": "string", "kind": "string", "text": `"<img src=x onerror=alert(1)>"`}}})
	case what == "more" && fmt.Sprint(in.Path) == "[5 1]":
		answer(200, m{"kind": "string", "text": `"` + strings.Repeat("winter ", 300) + `"`})
	case what == "more" && in.From == 0:
		answer(200, m{"kind": "map", "more": 1, "children": []m{{"name": `"a"`, "type": "string", "kind": "string", "text": `"1"`}, {"name": `"b"`, "type": "[]int", "kind": "slice", "text": "len 9 cap 9 […]", "more": 9}}})
	case what == "more":
		answer(200, m{"kind": "map", "children": []m{{"name": `"c"`, "type": "string", "kind": "string", "redacted": true}}})
	case what == "field":
		answer(200, m{"text": "tok-tok-<b>"})
	case what == "complete" && in.Src == "us":
		answer(200, m{"items": []m{{"name": "user", "type": "*main.User"}}, "from": 0})
	case what == "complete":
		answer(200, m{"items": []m{{"name": "AboutMe", "type": "string"}, {"name": "ID", "type": "int"}, {"name": "LastSeen", "type": "time.Time"}}, "from": 5})
	case what == "reveal":
		answer(200, m{"text": `"tok-tok-tok-17"`, "kind": "string"})
	case what == "release":
		answer(200, m{})
	default:
		answer(404, m{"error": "no such thing"})
	}
}

func TestFailureBrowser(t *testing.T) {
	app := failedApp(t)
	f := explained(app, panicked(t, app))
	p := New(app)
	unread := f
	unread.Values.Here, unread.Values.Why = false, "Debug information is still being linked"
	var once sync.Mutex
	asked := 0
	api := &api{}
	gone := f
	gone.Gone = "Generation 43 took its place at 17:44:02."
	hostile := hostileFailures(app, strings.Join(payloads, " "))
	state := places["home"].State
	state.URLs = []string{"http://localhost:8080"}
	b := newTab(t, map[string]http.Handler{
		"/away": p.Failed(f, Place{Away: true, ConsoleURL: "http://127.0.0.1:1/failures/4f1c"}),
		"/home": p.Failed(f, places["home"]), "/gone": p.Failed(gone, places["home"]),
		"/list": p.Overview(nil, nil, State{Doing: "building", Generation: 41}), "/missing": p.Missing(3, state),
		"/kept":         p.Overview(append(hostileFailures(app, "x"), f), someSaves(), state),
		"/hostile/away": p.Failed(hostile[0], Place{Away: true}), "/hostile/home": p.Failed(hostile[0], places["home"]),
		"/hostile/kept": p.Overview(hostile, hostileSaves(strings.Join(payloads, " ")), state),
		"/unread": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			once.Lock()
			defer once.Unlock()
			if asked++; asked < 3 {
				p.Failed(unread, places["home"]).ServeHTTP(w, r)
				return
			}
			p.Failed(f, places["home"]).ServeHTTP(w, r)
		}),
		"/api/": api,
	})

	for _, path := range []string{"/away", "/home"} {
		t.Run("walk "+path, func(t *testing.T) {
			b.t = t
			b.open(path)
			b.until(currentRow, "#f0 f0")
			b.until(`getComputedStyle(document.querySelector('.row')).display`, "grid")
			b.press("j")
			b.until(currentRow, "#f2 f2")
			b.until(`[...document.querySelectorAll('.panel')].filter((p) => p.offsetParent).length`, "1")
			b.press("k")
			b.until(currentRow, "#f0 f0")
			b.press("n")
			b.until("[...document.querySelectorAll('.rail .fold')].every((d) => d.open)", "true")
			b.press("e")
			b.until("opened.join()", fmt.Sprintf("vscode://file%s/handlers.go:%d:2", filepath.ToSlash(app.Root), lineOf(t, handlersSource, "user.AboutMe =")))
			b.press("c")
			b.until("copied.join().slice(0, 8)", "## panic")
			b.press("?")
			b.until("document.querySelector('#help').open", "true")
			b.do(chromedp.Click(`#help [data-close]`))
			// A tree opens by its row, also by the keyboard.
			b.eval(`document.querySelectorAll('.tree details').forEach((d) => { d.open = false; })`)
			b.do(chromedp.Click(`.panel.on .tree summary`))
			b.until(`document.querySelector('.panel.on .tree details').open`, "true")
			b.press("\r")
			b.until(`document.querySelector('.panel.on .tree details').open`, "false")
			b.until(`(() => {
				const mark = document.querySelector('.panel.on u'), row = document.querySelector('.panel.on .at'), range = document.createRange();
				const text = row.firstChild, at = text.data.indexOf('^');
				range.setStart(text, at); range.setEnd(text, text.data.lastIndexOf('^') + 1);
				const a = mark.getBoundingClientRect(), b = range.getBoundingClientRect();
				return Math.abs(a.left - b.left) < 1 && Math.abs(a.right - b.right) < 1 && b.top >= a.top + 5;
			})()`, "true")
			// Every control has a name.
			b.until(`[...document.querySelectorAll('button, a, input, textarea, summary')].filter((x) => !(x.textContent.trim() || x.getAttribute('aria-label') || document.querySelector('label[for="' + x.id + '"]'))).length`, "0")
			b.until(`(() => { const ids = [...document.querySelectorAll('[id]')].map((x) => x.id); return ids.length - new Set(ids).size; })()`, "0")
		})
	}

	t.Run("console", func(t *testing.T) {
		b.t = t
		b.open("/home")
		con := "document.querySelector('.con').dataset.state"
		b.until(con, "locked")
		b.press("`")
		b.until("document.activeElement.id", "pin")
		b.press("1\r")
		b.until("document.querySelector('#pin-say').textContent", "The PIN has nine digits.")
		b.press("23456780\r")
		b.until(con+" + document.querySelector('#pin-say').textContent.slice(0, 37)", "wrongThat is not the PIN. 9 attempts left;")
		b.shoot("wrong-pin-light", 1440, 1600)
		b.do(chromedp.Click(`[data-reveal="4"]`))
		b.press("123-456-789\r")
		b.until(con, "open")
		// What was asked for before the PIN comes now.
		b.until(`document.querySelectorAll('.panel.on .hid').length < document.querySelectorAll('.hid').length && [...document.querySelectorAll('.panel.on .v')].some((v) => v.textContent === '"tok-tok-tok-17"')`, "true")
		// What is cut is shown, and what is masked in the request.
		b.do(chromedp.Click(`[data-rest="5.1"]`))
		b.until(`[...document.querySelectorAll('.panel.on .v > .long')].map((v) => v.textContent.length + getComputedStyle(v).overflowY).join()`, "2102auto")
		b.eval(`document.querySelector('[data-rest="9"]').closest('details').firstChild.setAttribute('data-test', '')`)
		b.eval(`document.querySelector('[data-rest="9"]').closest('details').open = true`)
		b.eval(`document.querySelector('[data-rest="9"]').click()`)
		list := `[...document.querySelector('.panel.on .tree li:has(> details > summary[data-test]) ul').children].map((li) => li.textContent).join('|')`
		b.until(list, `"a"string"1"|"b"[]intlen 9 cap 9 […]and 9 moreshow|and 1 moreshow`)
		b.until("document.activeElement.textContent", `"a"string"1"`) // not lost with the button
		b.eval(`document.querySelector('.panel.on li:has(> details > summary[data-test]) > details > ul > li:last-child button').click()`)
		b.until(list, `"a"string"1"|"b"[]intlen 9 cap 9 […]and 9 moreshow|"c"stringredactedshow`)
		b.eval(`document.querySelector('#request').open = true`)
		b.do(chromedp.Click(`[data-field="form"]`))
		b.until(`document.querySelector('#request').textContent.includes('tok-tok-<b>') + document.activeElement.textContent`, "truetok-tok-<b>")
		b.eval("document.querySelector('#expr').focus()")
		b.press("form.validate(token)")
		b.key("Enter")
		b.until("document.querySelectorAll('.log > li').length", "1")
		b.until("document.querySelector('.log .in time').textContent", "0.4 ms")
		b.until(`document.querySelector('.log .out > span').textContent + document.querySelectorAll('.log img').length`, `{"a": "<img src=x>"}0`)
		b.press("panic()")
		b.key("Enter")
		b.until("document.querySelector('.log li:last-child .out').className + document.querySelector('.log li:last-child .out').textContent.slice(0, 26)", "out nopanic: no user with id 99I")
		b.press("bad")
		b.key("Enter")
		b.until("document.querySelector('.log > li:last-child .out').textContent", "undefined: bad <b>")
		b.press("x = 1")
		b.key("Enter")
		b.until("document.querySelector('.log > li:last-child .out').textContent", "done")
		b.press("user2")
		b.key("Enter")
		b.until("document.querySelector('.log > li:last-child .tree')?.textContent", "IDint1") // of the struct itself
		b.until("document.querySelector('#expr').value", "")
		b.key("ArrowUp")
		b.key("ArrowUp")
		b.key("ArrowUp")
		b.until("document.querySelector('#expr').value", "bad")
		b.key("ArrowUp")
		b.until("document.querySelector('#expr').value", "panic()")
		b.key("ArrowDown")
		b.until("document.querySelector('#expr').value", "bad")
		b.eval("document.querySelector('#expr').value = ''")
		b.press("us")
		const completions = "performance.getEntriesByType('resource').filter((e) => e.name.endsWith('/api/complete')).length"
		b.until(completions, "0")
		b.eval(`(() => {
			const line = document.activeElement;
			line.dispatchEvent(new KeyboardEvent('keydown', { key: 'Tab' }));
			line.setSelectionRange(0, 0); // before there is an answer
		})()`)
		b.until(completions, "1")
		b.eval("document.activeElement.setSelectionRange(2, 2)")
		b.key("Tab")
		b.until("document.querySelector('#expr').value", "user")
		b.press(".")
		b.key("Tab")
		b.until("document.querySelectorAll('#offers li').length + (document.querySelector('#offers [aria-selected=true]') || {}).textContent", "3AboutMestring")
		b.eval("document.querySelector('#console').scrollIntoView()")
		b.shoot("console-light", 1440, 1800)
		b.key("ArrowDown")
		b.key("Enter")
		b.until("document.querySelector('#expr').value + document.querySelector('#offers').hidden", "user.IDtrue")
		b.do(chromedp.KeyEvent("\r", chromedp.KeyModifiers(8)))
		b.until("document.querySelector('#expr').rows + document.querySelector('#expr').value", "2user.ID\n")
		b.eval(`document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key: 'l', ctrlKey: true, bubbles: true, cancelable: true }))`)
		b.until("document.querySelectorAll('.log li').length", "0")
		b.do(chromedp.Click(`.fr[href="#f2"]`))
		b.until("document.querySelector('.ask label').textContent", "requireLogin.func1 ›")
		b.do(chromedp.Click("#goroutine summary"), chromedp.Click("[data-release]"))
		b.until(con, "ended")
		b.open("/home")
		b.until(con, "open") // the tab has the token
		b.until("!!document.querySelector('[data-rest]') + document.querySelector('[data-goroutine]').textContent", "true34, parked")
		api.mu.Lock()
		api.gone = true
		api.mu.Unlock()
		// Nobody does anything: the page follows.
		b.until(con+" + document.querySelector('[data-ended]').textContent", "endedGeneration 43 took its place.")
		b.until("document.querySelector('[data-goroutine]').textContent + document.querySelector('[data-parked]').textContent + document.querySelector('[data-stays]').textContent", "34, goneGeneration 43 took its place.")
		b.until("document.querySelector('.dot').className + document.querySelector('.bar .end > span').textContent", "dot workgeneration 43")
		b.until("document.querySelectorAll('[data-rest], [data-field], [data-reveal], [data-release]').length", "0")
		b.eval("sessionStorage.clear()")
		b.open("/gone")
		b.until(con, "ended")
		b.open("/home")
		guess := func() {
			b.eval("document.querySelector('#pin').value = '111-111-111'")
			b.do(chromedp.Click(".pin button"))
		}
		guess()
		b.until("document.querySelector('#pin-say').textContent.slice(0, 37)", "That is not the PIN. 8 attempts left;")
		guess()
		b.until(con, "out")
		b.shoot("locked-out-light", 1440, 1600)
	})

	t.Run("variables come later", func(t *testing.T) {
		b.t = t
		once.Lock()
		asked = 0
		once.Unlock()
		b.open("/unread")
		b.until("!!document.querySelector('.tree')", "true")
	})

	t.Run("list", func(t *testing.T) {
		b.t = t
		b.open("/kept")
		b.press("j")
		b.until("document.activeElement === document.querySelectorAll('.item')[0]", "true")
		b.press("j")
		b.until("document.activeElement === document.querySelectorAll('.item')[1]", "true")
		b.press("k")
		b.until("document.activeElement === document.querySelectorAll('.item')[0]", "true")
		b.shoot("list-light", 1440, 900)
		b.shoot("list-phone-light", 390, 844)
	})

	t.Run("saves", func(t *testing.T) {
		b.t = t
		b.open("/kept")
		const row = `document.querySelectorAll('.save')[1]`
		b.until(`[...`+row+`.querySelectorAll('rect')].map((r) => Math.round(100 * r.getBoundingClientRect().width / r.closest('svg').getBoundingClientRect().width)).join()`, "0,16,9,2,3,3")
		b.until(`new Set([...`+row+`.querySelectorAll('rect')].map((r) => getComputedStyle(r).fill)).size`, "6")
		b.until(`new Set([...document.querySelectorAll('.save > summary')].flatMap((s) => ['.file', '.how', 'svg', '.took'].map((c) => c + s.querySelector(c).getBoundingClientRect().left))).size`, "4")
		// Text in a bar stays in its segment, where there is least room too.
		for _, width := range []int64{320, 961, 1440} {
			b.do(chromedp.EmulateViewport(width, 800))
			b.until(`[...document.querySelectorAll('.bars text')].filter((x) => x.getBoundingClientRect().width > x.previousElementSibling.getBoundingClientRect().width).map((x) => x.textContent).join()`, "")
		}
		b.do(chromedp.Click(`.save:nth-of-type(2) summary`))
		b.until(row+`.open + `+row+`.querySelector(':scope > div').innerText`, "truegeneration 41: watch 4 ms, compile 212 ms, link 118 ms, stop 22 ms, start 41 ms, ready 37 ms")
		b.press("\r")
		b.until(row+`.open`, "false")
		b.shoot("saves-light", 1440, 1400)
	})

	t.Run("widths", func(t *testing.T) {
		b.t = t
		for _, path := range []string{"/away", "/home", "/list", "/kept", "/missing", "/gone", "/hostile/away", "/hostile/home", "/hostile/kept"} {
			b.open(path)
			b.eval("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
			for _, width := range []int64{320, 390, 768, 1024, 1440, 3840} {
				b.do(chromedp.EmulateViewport(width, 800))
				if got := b.eval("document.documentElement.scrollWidth"); got != fmt.Sprint(width) {
					t.Errorf("%s is %s px wide in %d", path, got, width)
				}
			}
		}
	})
	if os.Getenv("DEVRUN_SHOTS") != "" {
		for _, scheme := range []string{"light", "dark"} {
			for _, path := range []string{"home", "away"} {
				b.t = t
				b.do(chromedp.EmulateViewport(1440, 900))
				b.open("/" + path)
				b.eval("document.documentElement.dataset.theme = '" + scheme + "'")
				b.shoot(path+"-"+scheme, 1440, 900)
				b.shoot(path+"-long-"+scheme, 1440, 2400)
				b.shoot(path+"-phone-"+scheme, 390, 1600)
				b.eval("document.querySelectorAll('.drawer').forEach((d) => { d.open = true; })")
				b.shoot(path+"-open-"+scheme, 1440, 3600)
			}
		}
		b.open("/list")
		b.shoot("empty-light", 1440, 900)
		b.open("/missing")
		b.shoot("missing-light", 1440, 900)
	}
	b.t = t
	b.clean()
}

// TestSandbox: the page on the app's address works under its own policy, and no
// script of the app can read it.
func TestSandbox(t *testing.T) {
	app := failedApp(t)
	p := New(app)
	var mu sync.Mutex
	waiting := map[string]chan struct{}{} // by path
	devrun := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := make(chan struct{})
		mu.Lock()
		waiting[r.URL.Path] = c
		mu.Unlock()
		select {
		case <-c:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(devrun.Close)
	served := 0
	page := func(served *int, post bool) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			*served++
			mu.Unlock()
			f, wait := panicked(t, app), "/wait/form"
			if !post {
				f.Request.Method, wait = "GET", "/wait/page"
			}
			p.Failed(f, Place{Away: true, ConsoleURL: devrun.URL + "/failures/4f1c", WaitURL: devrun.URL + wait}).ServeHTTP(w, r)
		})
	}
	posted := 0
	b := newTab(t, map[string]http.Handler{
		"/panic": page(&served, false), "/form": page(&posted, true),
		"/app": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, `<!doctype html><link rel="icon" href="data:image/svg+xml,"><title>app</title><p class="toast">the app</p>`)
		}),
	})
	b.also = devrun.URL
	count := func(n *int) string {
		mu.Lock()
		defer mu.Unlock()
		return fmt.Sprint(*n)
	}
	b.open("/panic")
	b.until(`document.documentElement.classList.contains('js') + ' ' + getComputedStyle(document.querySelector('.bar .wrap')).display`, "true flex")
	b.until("self.origin", "null")
	b.until(currentRow, "#f0 f0")
	b.until("(() => { try { return localStorage.length; } catch (e) { return e.name; } })()", "SecurityError")
	wake := func(path string) {
		t.Helper()
		suite.Until(t, "somebody waits at "+path, func() error {
			mu.Lock()
			c := waiting[path]
			delete(waiting, path)
			mu.Unlock()
			if c == nil {
				return errors.New("nobody does")
			}
			close(c)
			return nil
		})
	}
	wake("/wait/page") // a newer generation is served
	suite.Until(t, "the page is loaded again", func() error {
		if n := count(&served); n != "2" {
			return errors.New("loaded " + n + " times")
		}
		return nil
	})
	b.until("(({type, loadEventEnd}) => type + (loadEventEnd > 0))(performance.getEntriesByType('navigation')[0])", "reloadtrue")

	b.open("/form")
	b.until("document.querySelector('#again').hidden", "true")
	b.until("document.querySelector('#broken').hidden", "true")
	wake("/wait/form/broken") // a save does not compile
	b.until("document.querySelector('#broken').offsetHeight > 0", "true")
	wake("/wait/form/whole")
	b.until("document.querySelector('#broken').hidden", "true")
	wake("/wait/form")
	b.until("document.querySelector('#again').offsetHeight > 0", "true")
	if got := count(&posted); got != "1" {
		t.Errorf("the form was sent %s times", got)
	}
	b.clean()

	// A script of the app opens the failing page, and frames and fetches it.
	b.open("/app")
	b.do(chromedp.Click("body"))
	b.eval(`(() => { window.opened2 = window.open('/panic'); })()`)
	b.until(`(() => { try { return opened2.document.body.innerHTML.length > 0 && opened2.location.href !== 'about:blank' ? 'read' : 'wait'; } catch (e) { return e.name; } })()`, "SecurityError")
	b.eval(`fetch('/panic').then((r) => r.text()).then((s) => { window.fetched = s; })`)
	b.until("typeof fetched", "string")
	if got := b.eval("fetched"); !strings.Contains(got, "invalid memory address") || strings.Contains(got, "susan") || strings.Contains(got, "edit_profile") {
		t.Errorf("a script fetches %s", got)
	}
	b.eval(`(() => { const i = document.createElement('iframe'); i.src = '/panic'; i.id = 'framed'; document.body.append(i); })()`)
	b.until(`(() => { try { const d = framed.contentDocument; return d && d.location.href === 'about:blank' ? 'wait' : String(d); } catch (e) { return e.name; } })()`, "null")
}
