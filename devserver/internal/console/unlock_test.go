package console

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"devrun/devserver/suite"
)

// guess sends one PIN and returns the status and what was left.
func (s *site) guess(pin string) (status int, body string) {
	s.t.Helper()
	resp, body := s.send(s.post("/api/unlock", `{"pin":"`+pin+`"}`, "-Authorization"))
	return resp.StatusCode, body
}

// wrongPIN is not the PIN, and differs from it in the last digit only.
func (s *site) wrongPIN() string {
	pin := []byte(s.console.PIN())
	pin[len(pin)-1] = '0' + (pin[len(pin)-1]-'0'+1)%10
	return string(pin)
}

func TestPIN(t *testing.T) {
	s := newSite(t)
	pin := s.console.PIN()
	if len(pin) != 11 || pin[3] != '-' || pin[7] != '-' || strings.Trim(strings.ReplaceAll(pin, "-", ""), "0123456789") != "" {
		t.Fatalf("the PIN is %q", pin)
	}
	if other := s.console.NewPIN(); other == pin || other != s.console.PIN() {
		t.Errorf("the PINs %s and %s, now %s", pin, other, s.console.PIN())
	}
	if status, _ := s.guess(pin); status != 403 {
		t.Errorf("the old PIN got %d", status)
	}
	for _, form := range []string{"%s-%s-%s", "%s%s%s", "%s %s %s", " %s - %s%s "} {
		parts := strings.Split(s.console.PIN(), "-")
		if status, body := s.guess(fmt.Sprintf(form, parts[0], parts[1], parts[2])); status != 200 {
			t.Errorf("%q: %d %s", form, status, body)
		}
	}
	// All digits are drawn in all places, a leading zero too.
	seen := map[string]bool{}
	for range 2000 {
		for i, digit := range randomDigits() {
			seen[fmt.Sprint(i, string(digit))] = true
		}
	}
	if len(seen) != 90 {
		t.Errorf("%d of 90 digits in places", len(seen))
	}
	s.honest()
}

// Attacks 14, 16 and 17.
func TestGuessingOneByOne(t *testing.T) {
	s := newSite(t)
	for i := range maxAttempts - 1 {
		if status, body := s.guess(s.wrongPIN()); status != 403 || !strings.Contains(body, fmt.Sprintf(`"left":%d`, maxAttempts-1-i)) {
			t.Fatalf("attempt %d: %d %s", i+1, status, body)
		}
	}
	// A success in between, or what is no attempt, gives none back and takes none.
	s.unlock()
	for range 300 {
		s.send(s.post("/api/eval", bodies["/api/eval"], "Authorization: Bearer "+strings.Repeat("A", 43)))
	}
	if n := s.locked.Load(); n != 0 {
		t.Errorf("said to be locked %d times with an attempt left", n)
	}
	if status, body := s.guess(s.wrongPIN()); status != 403 || !strings.Contains(body, `"left":0`) {
		t.Errorf("the last attempt: %d %s", status, body)
	}
	for range 3 {
		if status, body := s.guess(s.console.PIN()); status != 429 || !strings.Contains(body, `"code":"locked"`) {
			t.Errorf("the right PIN after that: %d %s", status, body)
		}
	}
	if n := s.locked.Load(); n != 1 {
		t.Errorf("said to be locked %d times, want 1", n)
	}
	if resp, body := s.send(s.post("/api/eval", bodies["/api/eval"], "-Authorization")); resp.StatusCode != 403 || !strings.Contains(body, `"code":"locked"`) {
		t.Errorf("a stranger to a locked console: %d %s", resp.StatusCode, body)
	}
	s.honest() // whoever is in stays in

	old := s.token
	s.console.NewPIN()
	if status, _ := s.guess(s.wrongPIN()); status != 403 {
		t.Errorf("a wrong PIN after a new one: %d", status)
	}
	s.token = s.unlock()
	s.honest()
	s.token = old
	s.honest()
	for range maxAttempts {
		s.guess(s.wrongPIN())
	}
	if n := s.locked.Load(); n != 2 {
		t.Errorf("said to be locked %d times, want 2", n)
	}
}

// Attack 15: the right PIN is among ten thousand that are sent at once.
func TestGuessingAtOnce(t *testing.T) {
	s := newSite(t)
	s.honest()
	descriptors := func() int {
		entries, _ := os.ReadDir("/proc/self/fd")
		return len(entries)
	}
	goroutines, files := runtime.NumGoroutine(), descriptors()
	const guesses, at, workers = 10_000, 5_000, 200
	guess := func(pin string) string {
		return s.post("/api/unlock", `{"pin":"`+pin+`"}`, "-Authorization", "Connection: keep-alive")
	}
	hopeless, hidden := guess(s.wrongPIN()), guess(s.console.PIN())
	var next, compared, let, refused, most atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			conn := s.dial()
			defer conn.Close()
			for reader := bufio.NewReader(conn); ; {
				i := next.Add(1)
				if i > guesses {
					return
				}
				request := hopeless
				if i == at {
					request = hidden
				}
				io.WriteString(conn, request)
				resp, err := http.ReadResponse(reader, nil)
				if err != nil {
					t.Error(err)
					return
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				switch resp.StatusCode {
				case 200:
					let.Add(1)
				case 403:
					compared.Add(1)
				case 429:
					refused.Add(1)
				}
				most.Store(max(most.Load(), int64(runtime.NumGoroutine())))
			}
		})
	}
	wg.Wait()
	if compared.Load() != maxAttempts || let.Load() != 0 || refused.Load() != guesses-maxAttempts {
		t.Errorf("%d compared, %d let in, %d refused at once", compared.Load(), let.Load(), refused.Load())
	}
	if n := s.locked.Load(); n != 1 {
		t.Errorf("said to be locked %d times", n)
	}
	if n := most.Load(); n > int64(goroutines)+6*workers {
		t.Errorf("%d goroutines for %d clients: some sleep", n, workers)
	}
	suite.Until(t, "goroutines and descriptors are given back", func() error {
		if g, f := runtime.NumGoroutine(), descriptors(); g > goroutines+2 || f > files+2 {
			return fmt.Errorf("%d goroutines, were %d; %d descriptors, were %d", g, goroutines, f, files)
		}
		return nil
	})
	s.honest()
}

// Attack 15 without a network between: all that compare do so at one time.
func TestAttemptsAreTakenFirst(t *testing.T) {
	p := newPIN()
	var compared, last atomic.Int64
	var wg sync.WaitGroup
	start := make(chan struct{})
	for range 1000 {
		wg.Go(func() {
			<-start
			v, _, l := p.try("no PIN")
			if v != locked {
				compared.Add(1)
			}
			if l {
				last.Add(1)
			}
		})
	}
	close(start)
	wg.Wait()
	if compared.Load() != maxAttempts || last.Load() != 1 || p.left() != 0 {
		t.Errorf("%d compared, %d times the last, %d left", compared.Load(), last.Load(), p.left())
	}
	// An attempt at an old PIN gives nothing back to the new one.
	p.renew()
	digits := strings.ReplaceAll(p.shown(), "-", "")
	if v, left, _ := p.try(digits); v != right || left != maxAttempts {
		t.Errorf("the right PIN: %v, %d left", v, left)
	}
}

// Attack 12: what is asked for makes no difference to whoever is not trusted.
func TestStrangersLearnNothing(t *testing.T) {
	s := newSite(t)
	answers := map[string]bool{}
	for _, id := range []string{failure, "nothing", "gone", "../x", ""} {
		for _, token := range []string{"-Authorization", "Authorization: Bearer " + strings.Repeat("A", 43), "Authorization: Bearer " + s.token[:42]} {
			resp, body := s.send(s.post("/api/eval", `{"failure":"`+id+`","frame":0,"src":"1"}`, token))
			answers[fmt.Sprint(resp.StatusCode, body)] = true
			if isWord(id) {
				resp, body = s.send(s.post("/api/field", `{"failure":"`+id+`","part":"form","path":[0]}`, token))
				answers[fmt.Sprint(resp.StatusCode, body)] = true
			}
		}
	}
	if len(answers) != 1 {
		t.Errorf("different answers: %v", answers)
	}
	if n := s.calls.Load(); n != 0 {
		t.Errorf("the backend was called %d times", n)
	}
	s.honest()
}

func TestAskedForThePIN(t *testing.T) {
	s := newSite(t)
	s.honest()
	s.send(s.get("/failures/f1"))
	s.refused(s.post("/api/eval", bodies["/api/eval"], "-Authorization", "Origin: https://evil.test"), 403)
	if resp, body := s.send(s.get("/api/failures/f1/state", "-Authorization")); resp.StatusCode != 200 {
		t.Errorf("what a page asks by itself wants the PIN: %d %s", resp.StatusCode, body)
	}
	if n := s.asked.Load(); n != 0 {
		t.Errorf("asked for %d times by readers and other origins", n)
	}
	for range 20 {
		s.send(s.post("/api/eval", bodies["/api/eval"], "-Authorization"))
	}
	if n := s.asked.Load(); n != 1 {
		t.Errorf("asked for %d times in a row, want 1", n)
	}
	s.console.NewPIN()
	s.send(s.post("/api/eval", bodies["/api/eval"], "-Authorization"))
	if n := s.asked.Load(); n != 2 {
		t.Errorf("asked for %d times after a new PIN, want 2", n)
	}
	open := []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "Sec-Fetch-User: ?1", "-Authorization", "-X-Devrun"}
	s.console.NewPIN()
	s.send(s.get("/failures/f1", open...)) // there is a session somewhere: most likely here
	if n := s.asked.Load(); n != 2 {
		t.Errorf("asked for %d times by the page of a session, want 2", n)
	}
	s.console.trust.now = func() time.Time { return time.Now().Add(idleTrust + time.Hour) }
	s.send(s.get("/failures/f1", append(open, "Sec-Purpose: prefetch")...))
	s.send(s.get("/failures/f1", append(open, "-Sec-Fetch-User")...))
	s.send(s.get("/", open...))
	if n := s.asked.Load(); n != 2 {
		t.Errorf("asked for %d times by no person and by a page without a console, want 2", n)
	}
	s.send(s.get("/failures/f1", open...))
	if n := s.asked.Load(); n != 3 {
		t.Errorf("asked for %d times when a locked page was opened, want 3", n)
	}
}

// Attack 19: trust is in the server, and ends.
func TestTrustEnds(t *testing.T) {
	now := time.Now()
	tr := newTrust()
	tr.now = func() time.Time { return now }
	ask := func(token string) *http.Request {
		return &http.Request{Header: http.Header{"Authorization": {"Bearer " + token}}}
	}
	used := tr.grant()
	for range 3 {
		now = now.Add(idleTrust - time.Second)
		if !tr.holds(ask(used)) {
			t.Fatal("a session that is used ends")
		}
	}
	now = now.Add(idleTrust + time.Second)
	if tr.holds(ask(used)) {
		t.Error("an idle session does not end")
	}
	if len(tr.used) != 0 {
		t.Errorf("%d sessions are kept after their end", len(tr.used))
	}
	var tokens []string
	for range maxTrusted + 5 {
		now = now.Add(time.Second)
		tokens = append(tokens, tr.grant())
	}
	if len(tr.used) != maxTrusted {
		t.Errorf("%d sessions", len(tr.used))
	}
	for i, token := range tokens {
		if tr.holds(ask(token)) != (i >= 5) {
			t.Errorf("session %d of %d: %v", i, len(tokens), i < 5)
		}
	}
}

// Attack 62: without a terminal there is nobody who could read the PIN.
func TestOff(t *testing.T) {
	s := newSite(t, func(c *Config) { c.Enabled = false })
	if s.console.PIN() != "" || s.console.NewPIN() != "" {
		t.Error("a console that is off has a PIN")
	}
	for path, body := range bodies {
		if resp, body := s.send(s.post(path, body)); resp.StatusCode != 403 || !strings.Contains(body, `"code":"off"`) || !strings.Contains(body, "terminal") {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
	}
	if resp, body := s.send(s.get("/failures/f1")); resp.StatusCode != 200 || body != pageText {
		t.Errorf("a page: %d %s", resp.StatusCode, body)
	}
	if s.calls.Load() != 0 || s.asked.Load() != 0 {
		t.Errorf("%d calls, asked for %d times", s.calls.Load(), s.asked.Load())
	}
	// What the page itself tells goes on being told.
	if resp, body := s.send(s.get("/api/failures/f1/state")); resp.StatusCode != 200 {
		t.Errorf("the state: %d %s", resp.StatusCode, body)
	}
}
