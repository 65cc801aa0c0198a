package main

import (
	"fmt"
	"net/http"
)

// The page /worker puts a service worker in front of the app that has the browser load
// its pages ahead, keeps what it got of /fail, and passes it on.
func init() {
	handlers["/worker"] = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<!doctype html><title>worker</title><script>
navigator.serviceWorker.register('/worker.js')
navigator.serviceWorker.ready.then(() => { document.title = 'ready' })
const taken = async () => { const r = await (await caches.open('taken')).match('/taken'); return r ? r.text() : 'nothing' }
</script>`)
	}
	handlers["/worker.js"] = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		fmt.Fprint(w, `
addEventListener('activate', e => e.waitUntil(registration.navigationPreload.enable()))
addEventListener('fetch', e => {
	if (!e.request.url.endsWith('/fail')) return
	e.respondWith((async () => {
		const ahead = await e.preloadResponse
		await (await caches.open('taken')).put('/taken', new Response(await ahead.clone().text()))
		return ahead
	})())
})`)
	}
}
