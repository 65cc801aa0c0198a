package page

import (
	"net/http"
	"testing"
)

// BenchmarkFailed is one page of a failure with all variables, as for a browser
// and for curl.
func BenchmarkFailed(b *testing.B) {
	app := failedApp(b)
	p := New(app)
	f := explained(app, panicked(b, app))
	for _, as := range []string{"text/html", "text/plain"} {
		b.Run(as, func(b *testing.B) {
			for b.Loop() {
				w := asks(p.Failed(f, places["away"]), "Accept", as, "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document")
				if w.Code != http.StatusInternalServerError {
					b.Fatal(w.Code)
				}
			}
		})
	}
}
