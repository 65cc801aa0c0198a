package reload

import (
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"devrun/devserver/suite"
)

// A page that a service worker of the app keeps old says so in the console, and once in
// the terminal.
func TestServiceWorkerThatKeepsPagesOld(t *testing.T) {
	a := newApp(t)
	var mu sync.Mutex
	var notices []string
	a.hub.Notice = func(line string) {
		mu.Lock()
		defer mu.Unlock()
		notices = append(notices, line)
	}
	a.set("/sw.js", page{header: map[string]string{"Content-Type": "text/javascript"}, body: `
		onactivate = event => event.waitUntil(clients.claim())
		onfetch = event => event.respondWith((async () => {
			const cache = await caches.open('app'), hit = await cache.match(event.request)
			if (hit || event.request.method !== 'GET' || event.request.mode !== 'navigate') return hit ?? fetch(event.request)
			const answer = await fetch(event.request)
			await cache.put(event.request, answer.clone())
			return answer
		})())`})
	a.set("/", page{body: strings.Replace(form, "<body>", `<body><script>navigator.serviceWorker.register('/sw.js')</script>`, 1)})
	b := a.open("/")
	b.wait(`navigator.serviceWorker.controller?.state`, `"activated"`)
	b.goTo(a.server.URL + "/") // by which the worker has it
	b.hears()
	want := "devrun: this page stays old, because the app's service worker " + a.server.URL + "/sw.js answers it."
	for i, generation := range []int{2, 3} {
		a.swap(generation)
		suite.Until(t, "the console warns", func() error {
			b.mu.Lock()
			defer b.mu.Unlock()
			if len(b.warnings) != i+1 || !strings.Contains(b.warnings[i], want) {
				return fmt.Errorf("the console warns %q", b.warnings)
			}
			return nil
		})
		suite.Until(t, "devrun is told", func() error {
			if n := a.count("HEAD /__devrun/stale"); n != i+1 {
				return fmt.Errorf("it was told %d times", n)
			}
			return nil
		})
	}
	host := strings.TrimPrefix(a.server.URL, "http://")
	suite.Until(t, "the terminal says so", func() error {
		mu.Lock()
		defer mu.Unlock()
		if !slices.Equal(notices, []string{"the app's service worker answers pages of http://" + host + " and keeps them old: the browser's console says more"}) {
			return fmt.Errorf("it says %q", notices)
		}
		return nil
	})
}

// The terminal hears of a bounded number of hosts, of each once.
func TestStaleHosts(t *testing.T) {
	h := New("r1")
	n := 0
	h.Notice = func(string) { n++ }
	for i := range maxStale + 5 {
		for range 2 {
			r := httptest.NewRequest("HEAD", "/__devrun/stale", nil)
			r.Host = fmt.Sprintf("%d.localhost:8080", i)
			h.Handler().ServeHTTP(httptest.NewRecorder(), r)
		}
	}
	if n != maxStale {
		t.Errorf("%d lines", n)
	}
}
