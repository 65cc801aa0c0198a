//go:build linux

package attacks

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
)

const fixtures = "cmd/devrun/internal/attacks/testdata/"

// What only those may see who are let in: a value and a line of the source.
const (
	localValue = "winterwinterwinter"
	sourceLine = "a line of the source"
)

// site is a devrun on a terminal with an app that fails, somebody who is trusted,
// and a failure that can be asked.
type site struct {
	*e2e.Screen
	own   string // devrun's own origin
	pin   string
	token string
	failure

	more *site    // see wide
	prod *e2e.Rig // see production
}

// failure is the form of the page for programs.
type failure struct {
	Kind, How, Error, Type, ID, Console string
	Chain                               *chained
	Frames                              []frame
	Request                             *struct {
		URI          string
		Header, Form []struct {
			Name   string
			Values []string
		}
	}
	Values struct {
		Here bool
		Why  string
	}
	Gone  string
	Notes []string
}

type chained struct {
	Type, Text, Note string
	Causes           []chained
}

type frame struct {
	Func, File, Rel string
	Line            int
	App             bool
	Vars            []value
}

type value struct {
	Name, Type, Text, Cycle, Unreadable string
	Children                            []value
	More, Cut                           int64
	Len                                 *int64
	Redacted                            bool
}

// newRig is a devrun that has not been started, with the app of these directories.
func newRig(t *testing.T, dirs ...string) *e2e.Rig {
	t.Helper()
	paths := []string{e2e.Path(t, fixtures+"app")}
	for _, d := range dirs {
		paths = append(paths, e2e.Path(t, fixtures+d))
	}
	r := e2e.NewOf(t, "notify", paths...)
	r.Env = append(r.Env, "APP_SECRET=hunter2-environment")
	return r
}

// launch starts a devrun on a terminal and waits for nothing.
func launch(r *e2e.Rig, args ...string) *site {
	r.T.Helper()
	s := &site{Screen: e2e.NewScreenOn(r)}
	s.Launch(args...)
	return s
}

// open waits until devrun reads variables, and enters the PIN.
func (s *site) open() *site {
	t := s.T
	t.Helper()
	s.Served("v1")
	s.own = consoleOf(s.Rig)
	s.pin = strings.TrimPrefix(s.Says(`^devrun: console PIN \d{3}-\d{3}-\d{3}`), "devrun: console PIN ")
	status, token := s.unlock(s.pin)
	if status != 200 {
		t.Fatalf("the PIN %s is not taken: %d", s.pin, status)
	}
	s.token = token
	s.again(t)
	return s
}

// wide is another devrun, which everyone in the network reaches.
func (s *site) wide(t *testing.T) *site {
	t.Helper()
	w := s.more
	t.Cleanup(w.as(t))
	if w.token == "" {
		w.open()
	}
	w.fresh(t)
	return w
}

// again is what comes after a start of the app.
func (s *site) again(t *testing.T) {
	t.Helper()
	warm(t, s.Rig, "/fail")
	s.fresh(t)
}

// restart is what a person does with a key.
func (s *site) restart(t *testing.T) {
	t.Helper()
	pid := s.AppPid()
	s.Types("r")
	s.NewPid(pid)
	s.again(t)
}

// as makes t the test that fails for what the site waits for.
func (s *site) as(t *testing.T) (back func()) {
	before := s.Rig.T
	s.Rig.T = t
	return func() { s.Rig.T = before }
}

func consoleOf(r *e2e.Rig) string {
	r.T.Helper()
	return strings.TrimPrefix(r.Says(`^devrun: overview http://127\.0\.0\.1:\d+`), "devrun: overview ")
}

// warm waits until the variables of a failure are read.
func warm(t testing.TB, r *e2e.Rig, path string) {
	t.Helper()
	suite.Until(t, "variables are read", func() error {
		f, _, err := failureAt(r.URL(path))
		if err == nil && !f.Values.Here {
			err = errors.New(f.Values.Why)
		}
		return err
	})
}

func failureAt(url string, header ...string) (f failure, body string, err error) {
	resp, body, err := e2e.Ask("GET", url, nil, append([]string{"Accept", "application/json"}, header...)...)
	if err != nil {
		return f, body, err
	}
	if err := json.Unmarshal([]byte(body), &f); err != nil || f.Kind != "failure" {
		return f, body, fmt.Errorf("GET %s: %d, no failure (%w):\n%s", url, resp.StatusCode, err, body)
	}
	return f, body, nil
}

// fails makes a request that fails.
func fails(t *testing.T, r *e2e.Rig, path string, header ...string) failure {
	t.Helper()
	f, _, err := failureAt(r.URL(path), header...)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// fresh makes the failure that is asked a new one.
func (s *site) fresh(t *testing.T) {
	t.Helper()
	s.failure = fails(t, s.Rig, "/fail")
	if !s.Values.Here || s.frame("main.fail") < 0 {
		t.Fatalf("%s: %+v", s.Values.Why, s.Frames)
	}
}

// frame is the number of a function's frame, -1 if there is none.
func (f failure) frame(name string) int {
	return slices.IndexFunc(f.Frames, func(fr frame) bool { return fr.Func == name })
}

// variable is the number of a variable in a function's frame, -1 if there is none.
func (f failure) variable(function, name string) int {
	at := f.frame(function)
	if at < 0 {
		return -1
	}
	return slices.IndexFunc(f.Frames[at].Vars, func(v value) bool { return v.Name == name })
}

// of is a variable of a function.
func (f failure) of(t *testing.T, function, name string) value {
	t.Helper()
	i := f.variable(function, name)
	if i < 0 {
		t.Fatalf("no %s in %s: %+v", name, function, f.Frames)
	}
	return f.Frames[f.frame(function)].Vars[i]
}

// answered is what the console says.
type answered struct {
	Text, Type, Panic, Error, Code, Token string
	Left                                  *int
}

func (s *site) ask(what string, body any) (status int, a answered, err error) {
	b, err := json.Marshal(body)
	if err != nil {
		return 0, a, err
	}
	resp, text, err := e2e.Ask("POST", s.own+"/api/"+what, bytes.NewReader(b),
		"Content-Type", "application/json", "X-Devrun", "1", "Origin", s.own, "Authorization", "Bearer "+s.token)
	if err != nil {
		return 0, a, err
	}
	return resp.StatusCode, a, json.Unmarshal([]byte(text), &a)
}

func (s *site) unlock(pin string) (status int, token string) {
	s.T.Helper()
	status, a, err := s.ask("unlock", map[string]string{"pin": pin})
	if err != nil {
		s.T.Fatal(err)
	}
	return status, a.Token
}

// eval asks the frame of the failure that the app made on purpose.
func (s *site) eval(src string) (status int, a answered, err error) {
	return s.ask("eval", map[string]any{"failure": s.ID, "frame": s.frame("main.fail"), "src": src})
}

// honest proves that a developer is served: the app, the page of a failure, and
// the console. No attack had an effect.
func (s *site) honest(t *testing.T) {
	t.Helper()
	served(t, s.Rig)
	for _, a := range s.send(t, s.get("/failures/"+s.ID)) {
		if a.StatusCode != 200 || !strings.Contains(a.body, localValue) || !strings.Contains(a.body, sourceLine) {
			t.Fatalf("the honest reader got %d:\n%.2000s", a.StatusCode, a.body)
		}
	}
	if status, a, err := s.eval("local"); err != nil || status != 200 || a.Text != strconv.Quote(localValue) {
		t.Fatalf("the honest evaluation got %d %+v %v", status, a, err)
	}
	if _, body := s.Get("/effects"); body != "0\n" {
		t.Fatalf("an attack was evaluated: %s", body)
	}
}

func served(t *testing.T, r *e2e.Rig) {
	t.Helper()
	resp, body, err := e2e.Ask("GET", r.URL("/ok"), nil)
	if err != nil || resp.StatusCode != 200 || body != "ok\n" {
		t.Fatalf("the honest visitor of the app got %v %q %v", resp, body, err)
	}
}
