//go:build linux

package failures

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"devrun/cmd/devrun/internal/e2e"
)

// In production a request that fails is net/http's own business, and has no page.
func TestProduction(t *testing.T) {
	t.Parallel()
	r := plain(t)
	r.Env = append(r.Env, "APP_ENV=production")
	r.LaunchWith(func(c *exec.Cmd) {
		c.Env = slices.DeleteFunc(c.Env, func(e string) bool { return e == "APP_ENV=development" })
	})
	r.Served("v1")
	if resp, body, err := ask(e2e.Client, r.URL("/ways/nil"), navigation...); err == nil {
		t.Errorf("a panic is answered: %s %q", resp.Status, body)
	}
	resp, body, err := ask(e2e.Client, r.URL("/ways/status"), navigation...)
	if err != nil || resp.StatusCode != 503 || body != "no such table: users\n3 map[4:four]\n" {
		t.Fatalf("%v %v %q", err, resp, body)
	}
	for name := range resp.Header {
		if !slices.Contains([]string{"Connection", "Content-Length", "Content-Type", "Date", "X-Content-Type-Options"}, name) {
			t.Errorf("a header %s: %v", name, resp.Header[name])
		}
	}
	if status, body := r.Get("/ok"); status != 200 || !strings.HasPrefix(body, "ok ") {
		t.Errorf("after the panic: %d %q", status, body)
	}
	if s := r.Stderr.String(); strings.Count(s, "http: panic serving") != 1 || strings.Contains(s, "PIN") || strings.Contains(s, "zz_devrun") {
		t.Errorf("it says\n%s", s)
	}
}
