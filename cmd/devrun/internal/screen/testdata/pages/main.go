// Command pages has pages that are hard to reload.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
	"sync/atomic"
)

const version = "v1"

var posts atomic.Int32 // forms that were sent to this process

// page serves a document of HTML that is XML, too. A header is a name and a value, which
// is not sent if it is empty.
func page(path, body string, header ...string) {
	http.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			posts.Add(1)
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		for i := 0; i < len(header); i += 2 {
			if w.Header().Set(header[i], header[i+1]); header[i+1] == "" {
				w.Header()[header[i]] = nil
			}
		}
		if tag := w.Header().Get("ETag"); tag != "" && r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		fmt.Fprintf(w, `<!DOCTYPE html><html xmlns="http://www.w3.org/1999/xhtml"><head><title>app</title><link rel="icon" href="data:,"/><link rel="stylesheet" href="/app.css"/></head>`+
			`<body><p id="v">%s %s</p>%s</body></html>`, r.Method, version, body)
	})
}

func main() {
	const form = `<form method="post"><button id="b">go</button></form>`
	page("/", `<div style="height: 4000px"></div>`)
	page("/dl", `<a id="b" href="/export.csv">export</a>`)
	page("/export.csv", "", "Content-Type", "text/csv", "Content-Disposition", "attachment; filename=export.csv")
	page("/post", form)
	page("/maxage", form, "Cache-Control", "public, max-age=3600")
	page("/etag", "", "Etag", `"fixed-1"`, "Cache-Control", "no-cache")
	page("/frames", `<iframe src="/inner"></iframe><iframe srcdoc="static"></iframe>`)
	page("/inner", form)
	page("/isolated", "", "Cross-Origin-Embedder-Policy", "require-corp", "Cross-Origin-Opener-Policy", "same-origin", "Cross-Origin-Resource-Policy", "same-origin")
	page("/trusted", form, "Content-Security-Policy", "default-src 'self'; img-src data:; require-trusted-types-for 'script'; trusted-types 'none'")
	page("/hashes", "", "Content-Security-Policy", "default-src 'none'; img-src data:; style-src 'self'; script-src 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' 'strict-dynamic'")
	page("/sandboxed", "", "Content-Security-Policy", "sandbox allow-scripts")
	page("/xhtml", "", "Content-Type", "application/xhtml+xml; charset=utf-8")
	page("/untyped", "", "Content-Type", "")
	page("/boosted", `<button id="b">next</button><script>
		b.onclick = async () => {
			const answer = await fetch('/boosted?next', { headers: { 'HX-Request': 'true' } })
			const next = new DOMParser().parseFromString(await answer.text(), 'text/html')
			document.body.innerHTML = next.body.innerHTML
			history.pushState({}, '', '/boosted?next')
		}</script>`)
	page("/app.css", "", "Content-Type", "text/css")
	http.HandleFunc("/version", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, version) })
	http.HandleFunc("/posts", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, posts.Load()) })
	page("/sw", `<script>navigator.serviceWorker.register('/sw.js')</script>`)
	http.HandleFunc("/sw.js", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		fmt.Fprint(w, `
			onactivate = event => event.waitUntil(clients.claim())
			onfetch = event => {
				if (new URL(event.request.url).pathname === '/sw') event.respondWith((async () => {
					const cache = await caches.open('app'), kept = await cache.match(event.request)
					const answer = fetch(event.request).then(a => { cache.put(event.request, a.clone()); return a })
					return kept ?? answer
				})())
			}`)
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil))
}
