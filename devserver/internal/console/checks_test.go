package console

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// honest proves that the developer is served, by a page and by an evaluation.
func (s *site) honest() {
	s.t.Helper()
	resp, body := s.send(s.get("/failures/f1", "Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "-X-Devrun", "-Authorization"))
	if resp.StatusCode != 200 || body != pageText {
		s.t.Fatalf("the honest reader got %d %s", resp.StatusCode, body)
	}
	before := s.calls.Load()
	resp, body = s.send(s.post("/api/eval", bodies["/api/eval"]))
	if resp.StatusCode != 200 || !strings.Contains(body, local) || s.calls.Load() != before+1 {
		s.t.Fatalf("the honest evaluation got %d %s", resp.StatusCode, body)
	}
}

// refused sends an attack and checks that every answer is a refusal which gives
// nothing away, and that nothing has happened. The honest requests at the end of
// each attack are those before the next.
func (s *site) refused(request string, statuses ...int) {
	s.t.Helper()
	defer s.honest()
	calls, shown, left := s.calls.Load(), s.shown.Load(), s.console.pin.left()
	answers := s.exchange(request, 10)
	if len(answers) == 0 && !slices.Contains(statuses, 0) {
		s.t.Errorf("no answer")
	}
	for _, a := range answers {
		if !slices.Contains(statuses, a.StatusCode) {
			s.t.Errorf("status %d %s, want %v", a.StatusCode, a.body, statuses)
		}
		s.bare(a)
	}
	if n := s.calls.Load() - calls; n != 0 {
		s.t.Errorf("the backend was called %d times", n)
	}
	if n := s.shown.Load() - shown; n != 0 {
		s.t.Errorf("pages were shown %d times", n)
	}
	if n := s.console.pin.left(); n != left {
		s.t.Errorf("the attack used up attempts: %d were left, now %d", left, n)
	}
}

// bare checks that an answer which refuses holds nothing but the refusal.
func (s *site) bare(a answer) {
	s.t.Helper()
	for _, secret := range []string{s.console.PIN(), strings.ReplaceAll(s.console.PIN(), "-", ""), s.token, s.wait, pageText, local, "root:"} {
		if secret != "" && strings.Contains(a.body, secret) {
			s.t.Errorf("the answer gives away %q", secret)
		}
	}
	for name := range a.Header {
		if strings.HasPrefix(name, "Access-Control-") || name == "Location" || name == "Set-Cookie" {
			s.t.Errorf("the answer has %s", name)
		}
	}
	// What net/http itself refuses, because it is no HTTP, has no word of ours.
	if !strings.HasPrefix(a.Header.Get("Content-Type"), "application/json") && slices.Contains([]int{400, 417, 431, 501, 505}, a.StatusCode) {
		return
	}
	checkHeaders(s.t, a.Header)
	if a.Header.Get("Content-Type") != "application/json; charset=utf-8" || a.Request.Method != "HEAD" && !strings.HasPrefix(a.body, `{"error":"`) {
		s.t.Errorf("the refusal is %s %q", a.Header.Get("Content-Type"), a.body)
	}
}

func checkHeaders(t *testing.T, h http.Header) {
	t.Helper()
	for name, want := range map[string]string{
		"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin",
		"Cross-Origin-Opener-Policy": "same-origin", "X-Frame-Options": "DENY", "Cache-Control": "no-store", "X-Robots-Tag": "noindex",
	} {
		if got := h.Values(name); len(got) != 1 || got[0] != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if csp := h.Values("Content-Security-Policy"); len(csp) != 1 || !strings.HasPrefix(csp[0], "default-src 'none'") {
		t.Errorf("Content-Security-Policy is %q", csp)
	}
}
