//go:build linux

package attacks

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
)

// wrong is not the PIN, and differs from it in one digit only, counted from 0.
func wrong(pin string, digit int) string {
	b := []byte(strings.ReplaceAll(pin, "-", ""))
	b[digit] = '0' + (b[digit]-'0'+1)%10
	return string(b)
}

// newPIN asks for one as a person does, in the terminal.
func (s *site) newPIN() {
	s.T.Helper()
	s.Types("p")
	suite.Until(s.T, "a new PIN is on the screen", func() error {
		text := s.Stderr.String()
		text = text[strings.LastIndex(text, "console PIN ")+len("console PIN "):]
		pin, _, _ := strings.Cut(text, "\n")
		if len(pin) != 11 || pin == s.pin {
			return fmt.Errorf("it is %q", pin)
		}
		s.pin = pin
		return nil
	})
}

// guess tries a PIN and returns the status and the attempts that are left.
func (s *site) guess(t *testing.T, pin string) (status, left int) {
	t.Helper()
	status, a, err := s.ask("unlock", map[string]string{"pin": pin})
	if err != nil {
		t.Fatal(err)
	}
	left = -1
	if a.Left != nil {
		left = *a.Left
	}
	return status, left
}

// After ten wrong PINs the right one is refused, too, until there is a new one.
func guessTen(t *testing.T, s *site) {
	s.newPIN()
	for i := range 10 {
		if status, left := s.guess(t, wrong(s.pin, i%9)); status != 403 || left != 9-i {
			t.Errorf("wrong PIN %d: %d, %d left", i+1, status, left)
		}
	}
	if status, _ := s.guess(t, s.pin); status != 429 {
		t.Errorf("the right one after ten wrong ones: %d", status)
	}
	s.Says(`^devrun: .*wrong PINs?.*`)
	s.newPIN()
	if status, _ := s.guess(t, s.pin); status != 200 {
		t.Errorf("the new PIN: %d", status)
	}
}

// guesses sends n PINs from many connections at once, with the right one in the
// middle, and returns how many were compared and how many were taken.
func (s *site) guesses(t *testing.T, n, at int) (compared, taken int) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 200}, Timeout: suite.Patience}
	defer client.CloseIdleConnections()
	var next, wrongs, rights, locked atomic.Int64
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				pin := wrong(s.pin, int(i)%9)
				if int(i) == at {
					pin = s.pin
				}
				req, err := http.NewRequest("POST", s.own+"/api/unlock", strings.NewReader(`{"pin":"`+pin+`"}`))
				if err != nil {
					t.Error(err)
					return
				}
				for name, value := range map[string]string{"Content-Type": "application/json", "X-Devrun": "1", "Origin": s.own} {
					req.Header.Set(name, value)
				}
				resp, err := client.Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				switch resp.StatusCode {
				case 200:
					rights.Add(1)
				case 403:
					wrongs.Add(1)
				case 429:
					locked.Add(1)
				default:
					t.Errorf("a guess is answered with %s", resp.Status)
				}
			}
		})
	}
	wg.Wait()
	if sum := wrongs.Load() + rights.Load() + locked.Load(); sum != int64(n) {
		t.Errorf("%d of %d guesses were answered", sum, n)
	}
	return int(wrongs.Load() + rights.Load()), int(rights.Load())
}

// Of any number of guesses at once ten are compared. The others wait for nothing,
// so they leave nothing behind.
func guessMany(t *testing.T, s *site) {
	before := files(t, s.Cmd.Process.Pid)
	for _, n := range []int{100, 10_000} {
		s.newPIN()
		if compared, taken := s.guesses(t, n, n/2); compared > 10+taken || taken > 1 || n == 10_000 && taken > 0 {
			t.Errorf("of %d guesses %d were compared and %d taken", n, compared, taken)
		}
	}
	suite.Until(t, "the connections are gone", func() error {
		if now := files(t, s.Cmd.Process.Pid); now > before+20 {
			return fmt.Errorf("%d files are open, %d were", now, before)
		}
		return nil
	})
}

// files is how many files a process has open.
func files(t *testing.T, pid int) int {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// Who is let in stays in while others use up the attempts, and a new PIN lets in
// again.
func lockOut(t *testing.T, s *site) {
	s.newPIN()
	for i := range 10 {
		s.guess(t, wrong(s.pin, i%9))
	}
	if status, _ := s.guess(t, s.pin); status != 429 {
		t.Errorf("locked out, and answered %d", status)
	}
	if status, a, err := s.eval("count"); err != nil || status != 200 || a.Text != "0" {
		t.Errorf("who is trusted is locked out as well: %d %+v %v", status, a, err)
	}
	s.newPIN()
	if status, token := s.unlock(s.pin); status != 200 || token == "" {
		t.Errorf("the new PIN: %d", status)
	}
}

// Neither a right PIN, nor forged tokens, nor a restart of the app gives attempts
// back.
func resetCounter(t *testing.T, s *site) {
	s.newPIN()
	// A right PIN is no attempt, and gives none back.
	for i := range 3 {
		if status, left := s.guess(t, wrong(s.pin, i)); status != 403 || left != 9-i {
			t.Errorf("wrong PIN %d: %d, %d left", i+1, status, left)
		}
		if status, _ := s.guess(t, s.pin); status != 200 {
			t.Errorf("the right one: %d", status)
		}
	}
	// Forged tokens are none, however many.
	for i := range 300 {
		s.refused(t, forbidden, s.post("/api/eval", s.questions()["/api/eval"], fmt.Sprintf("Authorization: Bearer %043d", i)))
	}
	s.restart(t)
	if status, left := s.guess(t, wrong(s.pin, 4)); status != 403 || left != 6 {
		t.Errorf("after a restart of the app: %d, %d left", status, left)
	}
	s.newPIN()
}

// The time of a refusal says nothing of the PIN. That ten comparisons are all that
// ever happen with a PIN is what keeps it from being measured, and attack 15 shows
// it: 2,000 of them cannot be had. So the times of refusals are compared, which may
// differ by no more than they vary.
func measurePIN(t *testing.T, s *site) {
	var times [2][]time.Duration
	for range 3 {
		s.newPIN()
		for i := range 9 {
			digit := 8 * (i % 2) // the first is wrong, or all before the last are right
			pin := wrong(s.pin, digit)
			began := time.Now()
			s.guess(t, pin)
			times[i%2] = append(times[i%2], time.Since(began))
		}
	}
	s.newPIN()
	first, last := spread(times[0]), spread(times[1])
	if gap := (first.median - last.median).Abs(); gap > 10*max(first.width, last.width, time.Millisecond) {
		t.Errorf("a wrong first digit takes %v, a wrong last one %v", first, last)
	}
	digits := strings.ReplaceAll(s.pin, "-", "")
	_, env := s.Get("/env")
	for what, text := range map[string]string{"the app's environment": env, "devrun's arguments": read(t, s.Cmd.Process.Pid, "cmdline"), "devrun's environment": read(t, s.Cmd.Process.Pid, "environ"), "the app's arguments": read(t, s.AppPid(), "cmdline")} {
		if strings.Contains(text, s.pin) || strings.Contains(text, digits) || strings.Contains(text, s.token) {
			t.Errorf("the PIN or the token is in %s", what)
		}
	}
	for _, path := range s.readable() {
		for _, a := range s.send(t, s.get(path)) {
			if strings.Contains(a.body, s.pin) || strings.Contains(a.body, digits) || strings.Contains(a.body, s.token) {
				t.Errorf("the PIN or the token is in %s", path)
			}
		}
	}
}

type spreadOf struct{ median, width time.Duration }

// spread is the median and the distance between the quartiles.
func spread(times []time.Duration) spreadOf {
	slices.Sort(times)
	n := len(times)
	return spreadOf{times[n/2], times[3*n/4] - times[n/4]}
}

func read(t *testing.T, pid int, name string) string {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A forged or foreign token opens nothing, and no cookie does. What stands for a
// cookie is the token of a page.
func forgeTrust(t *testing.T, s *site) {
	eval := s.questions()["/api/eval"]
	half := s.token[20:] + s.token[:20]
	for _, token := range []string{"99999999999|" + s.token, half, strings.Repeat("A", 8<<10), strings.ToLower(s.token), s.token + "|99999999999"} {
		s.refused(t, forbidden, s.post("/api/eval", eval, "Authorization: Bearer "+token))
	}
	for _, cookie := range []string{"devrun_token=" + s.token, "__wzd0123456789=99999999999|000000000000", "devrun_token=" + s.token + "; devrun_token=x", "Authorization=Bearer " + s.token} {
		s.refused(t, forbidden, s.post("/api/eval", eval, "-Authorization", "Cookie: "+cookie))
	}
	// What another run has given, of another project, counts nowhere else.
	other := s.wide(t)
	s.refused(t, forbidden, s.post("/api/eval", eval, "Authorization: Bearer "+other.token))
	other.refused(t, forbidden, other.post("/api/eval", other.questions()["/api/eval"], "Authorization: Bearer "+s.token))
	s.newPIN() // whatever was guessed before
	if status, _ := s.guess(t, other.pin); status != 403 {
		t.Errorf("the PIN of another run: %d", status)
	}
	other.honest(t)
	s.newPIN()
}

// devrun has no cookie whose attributes could be wrong, and takes none: the token
// is kept by the page on devrun's own origin.
func noCookies(t *testing.T, s *site) {
	requests := s.everywhere()
	requests = slices.DeleteFunc(requests, func(r string) bool {
		return strings.HasPrefix(r, "POST /api/release") || strings.HasPrefix(r, "POST /api/eval")
	})
	for _, text := range requests {
		answers := s.send(t, text)
		if len(answers) != 1 || answers[0].StatusCode != 200 && !strings.Contains(text, "/state") {
			t.Errorf("%v for\n%s", answers, text)
		}
		for _, a := range answers {
			if cookies := a.Header.Values("Set-Cookie"); len(cookies) > 0 {
				t.Errorf("a cookie is set: %q by\n%s", cookies, text)
			}
		}
	}
	for _, path := range []string{"/fail", "/page", "/__devrun/page.js"} {
		for _, a := range s.sendApp(t, s.get(path, fmt.Sprint("Host: localhost:", s.Port))) {
			if cookies := a.Header.Values("Set-Cookie"); len(cookies) > 0 {
				t.Errorf("a cookie is set: %q by %s", cookies, path)
			}
		}
	}
}

// The app is sent none of devrun's cookies, and all of its own.
func cookiesOfTheApp(t *testing.T, s *site) {
	resp, body, err := e2e.Ask("GET", s.URL("/echo"), nil, "Cookie", "a=1; devrun_session=secret; DEVRUN_x=secret; b=2", "X-Devrun-Token", "secret")
	if err != nil || resp.StatusCode != 200 {
		t.Fatal(resp, err)
	}
	if strings.Contains(body, "secret") || !strings.Contains(body, `"a=1; b=2"`) {
		t.Errorf("the app is sent %s", body)
	}
	if got := resp.Header["Set-Cookie"]; len(got) != 1 || got[0] != "app=own" || resp.Header.Get("X-Devrun-Token") != "" {
		t.Errorf("the app has set %v", resp.Header)
	}
}
