//go:build linux

package failures

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"devrun/cmd/devrun/internal/e2e"
)

// trusted is a client of devrun's own origin that has unlocked the console.
type trusted struct {
	t     testing.TB
	own   string
	token string
}

// answered is what comes back.
type answered struct {
	Text, Type, Kind, Panic, Error, Code, Token string
	Left                                        *int
	Children                                    []value
}

var pinShown = `^devrun: console PIN \d{3}-\d{3}-\d{3}`

// pin is the PIN on the screen.
func pin(s *e2e.Screen) string {
	s.T.Helper()
	return strings.TrimPrefix(s.Says(pinShown), "devrun: console PIN ")
}

// unlocked enters the PIN.
func unlocked(t testing.TB, s *e2e.Screen) trusted {
	t.Helper()
	c := trusted{t: t, own: console(s.T, s.Rig)}
	status, a := c.post("unlock", map[string]any{"pin": pin(s)})
	if status != http.StatusOK || a.Token == "" {
		t.Fatalf("unlock: %d %+v", status, a)
	}
	c.token = a.Token
	return c
}

func (c trusted) post(what string, body any) (status int, a answered) {
	c.t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		c.t.Fatal(err)
	}
	header := []string{"Content-Type", "application/json", "X-Devrun", "1", "Origin", c.own}
	if c.token != "" {
		header = append(header, "Authorization", "Bearer "+c.token)
	}
	resp, text, err := e2e.Ask("POST", c.own+"/api/"+what, strings.NewReader(string(b)), header...)
	if err == nil {
		err = json.Unmarshal([]byte(text), &a)
	}
	if err != nil {
		c.t.Fatalf("%s: %v\n%s", what, err, text)
	}
	return resp.StatusCode, a
}

// ask asks a frame of a failure something.
func (c trusted) ask(what, failure string, frame int, src string) (int, answered) {
	c.t.Helper()
	return c.post(what, map[string]any{"failure": failure, "frame": frame, "src": src})
}

// eval wants an answer in one line.
func (c trusted) eval(failure string, frame int, src string) string {
	c.t.Helper()
	status, a := c.ask("eval", failure, frame, src)
	switch {
	case status != http.StatusOK:
		c.t.Errorf("%s: %d %+v", src, status, a)
	case a.Panic != "":
		return "panic: " + a.Panic
	case a.Error != "":
		return "error: " + a.Error
	}
	return a.Text
}

// TestConsole: Go is evaluated in the frames of a request that has failed, in the
// process that goes on.
func TestConsole(t *testing.T) {
	t.Parallel()
	s := e2e.NewScreenOn(plain(t)).Start()
	warm(t, e2e.Client, s.URL("/profile?name=nobody"))
	f := fails(s.Rig, "/profile?name=nobody")
	c := trusted{t: t, own: console(t, s.Rig)}
	if status, a := c.ask("eval", f.ID, 0, "name"); status != http.StatusForbidden || a.Code != "pin" {
		t.Errorf("without the PIN: %d %+v", status, a)
	}
	if status, a := c.post("unlock", map[string]any{"pin": "000000000"}); status != http.StatusForbidden || a.Left == nil || *a.Left != 9 {
		t.Errorf("with a wrong PIN: %d %+v", status, a)
	}
	c = unlocked(t, s)
	for _, q := range [][2]string{
		{"name", `"nobody"`},
		{"len(langs) + 40", "42"},
		{"u == nil", "true"},
		{`s.users["susan"].Name`, `"Susan"`},
		{"langs[5]", "panic: runtime error: index out of range [5] with length 2"},
		{"s.visits.Add(0) >= 0", "true"},
		{`x := strings.ToUpper("a")`, ""},
	} {
		got := c.eval(f.ID, 1, q[0])
		if q[1] != "" && got != q[1] {
			t.Errorf("%s is %s, want %s", q[0], got, q[1])
		}
	}
	if got := c.eval(f.ID, 1, "nothing"); !strings.HasPrefix(got, "error: ") || !strings.Contains(got, "undefined: nothing") {
		t.Errorf("nothing is %s", got)
	}
	// What is assigned stays, and what all requests share has it.
	c.eval(f.ID, 1, `name = "ada"`)
	if got := c.eval(f.ID, 1, "name"); got != `"ada"` {
		t.Errorf("name is %s after it was assigned", got)
	}
	c.eval(f.ID, 1, `s.greeting = "Welcome"`)
	s.Answers("/greeting", "Welcome")
	c.eval(f.ID, 1, `s.users["nobody"] = &user{2, "Nobody", nil}`)
	if status, body := s.Get("/profile?name=nobody"); status != 200 || !strings.Contains(body, "<h1>Welcome Nobody</h1>") {
		t.Errorf("%d %s", status, body)
	}
	if status, a := c.post("release", map[string]any{"failure": f.ID}); status != http.StatusOK {
		t.Errorf("release: %d %+v", status, a)
	}
	if status, a := c.ask("eval", f.ID, 0, "name"); status != http.StatusGone || a.Error == "" {
		t.Errorf("after the release: %d %+v", status, a)
	}
}
