package main

import (
	"fmt"
	"net/http"
	"regexp"
)

func init() {
	handlers["/markup"] = markup
	handlers["/xss"] = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, pivot)
	}
	handlers["/imitation"] = func(w http.ResponseWriter, r *http.Request) {
		for name, value := range map[string]string{
			"X-Devrun-Failure": "1", "X-Devrun-Console": "http://evil.test", "Content-Type": "text/html; charset=utf-8", "X-Frame-Options": "ALLOWALL",
		} {
			w.Header().Set(name, value)
		}
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprint(w, `<!doctype html><html><body class="page" data-kind="failure"><div class="con"><a href="http://evil.test/failures/x">console</a></div><script src="/__devrun/failure.js"></script></body></html>`)
	}
	handlers["/page"] = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, `<!doctype html><html><head><title>page</title></head><body class="page" data-kind="failure"><!--snippet--><p>text</p></body></html>`)
	}
}

type größe[T any] struct{ Länge, ſcript T }

// markup has locals that are markup wherever a program can put it.
func markup(w http.ResponseWriter, r *http.Request) {
	byName := map[string]int{"<svg onload=alert(1)>": 1, "</script><script>alert(2)</script>": 2}
	bytes := []byte("<img src=x onerror=alert(3)>")
	pattern := regexp.MustCompile(`<img src=x onerror=alert\(4\)>`)
	generic := größe[map[string]struct {
		A int `json:"<b onclick=alert(5)>"`
	}]{}
	channel := make(chan struct {
		B string `x:"</script><i onclick=alert(6)>"`
	}, 1)
	anonymous := func() string { return "<u onclick=alert(7)>" }
	var held any = byName
	panic(fmt.Sprint("</title><img src=x onerror=alert(8)>", len(byName), len(bytes), pattern != nil, generic.ſcript, len(channel), anonymous(), held != nil))
}

// pivot is a page of the app with somebody else's script in it, which wants what
// the page of a failure has.
const pivot = `<!doctype html><html><head><title>pivot</title><link rel="icon" href="data:,"></head><body><script>
const got = {};
(async () => {
  const own = decodeURIComponent(location.hash.slice(1));
  const text = async (name, url, options) => {
    try { const r = await fetch(url, options); got[name] = r.type + " " + r.status + " " + await r.text(); } catch (e) { got[name] = "error " + e; }
  };
  await text("html", "/fail", {headers: {Accept: "text/html"}});
  await text("json", "/fail", {headers: {Accept: "application/json"}});
  await text("list", own + "/");
  await text("blind", own + "/", {mode: "no-cors", credentials: "include"});
  const words = (got.json.match(/failures\/(\w+)/) || [])[1] || "none";
  await text("eval", own + "/api/eval", {method: "POST", credentials: "include", headers: {"Content-Type": "application/json", "X-Devrun": "1"}, body: JSON.stringify({failure: words, frame: 0, src: "effects.Add(1)"})});
  await text("simple", own + "/api/eval", {method: "POST", mode: "no-cors", credentials: "include", headers: {"Content-Type": "text/plain"}, body: JSON.stringify({failure: words, frame: 0, src: "effects.Add(1)"})});
  for (const [name, url] of [["frame", "/fail"], ["console", own + "/"]]) {
    await new Promise((done) => {
      const f = document.createElement("iframe");
      f.onload = f.onerror = () => { try { got[name] = f.contentDocument ? f.contentDocument.documentElement.outerHTML : "nothing to read"; } catch (e) { got[name] = "error " + e; } done(); };
      f.src = url;
      document.body.append(f);
    });
  }
  document.title = "done";
})();
</script></body></html>`
