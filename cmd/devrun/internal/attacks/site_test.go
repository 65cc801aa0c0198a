//go:build linux

package attacks

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"devrun/cmd/devrun/internal/rig"
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
	*rig.Screen
	own   string // devrun's own origin
	pin   string
	token string
	failure

	more *site    // see wide
	prod *rig.Rig // see production
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
func newRig(t *testing.T, dirs ...string) *rig.Rig {
	t.Helper()
	paths := []string{rig.Path(t, fixtures+"app")}
	for _, d := range dirs {
		paths = append(paths, rig.Path(t, fixtures+d))
	}
	r := rig.NewOf(t, "notify", paths...)
	r.Env = append(r.Env, "APP_SECRET=hunter2-environment")
	return r
}

// launch starts a devrun on a terminal and waits for nothing.
func launch(r *rig.Rig, args ...string) *site {
	r.T.Helper()
	s := &site{Screen: rig.NewScreenOn(r)}
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

func consoleOf(r *rig.Rig) string {
	r.T.Helper()
	return strings.TrimPrefix(r.Says(`^devrun: overview http://127\.0\.0\.1:\d+`), "devrun: overview ")
}

// warm waits until the variables of a failure are read.
func warm(t testing.TB, r *rig.Rig, path string) {
	t.Helper()
	rig.Eventually(t, "variables are read", func() error {
		f, _, err := failureAt(r.URL(path))
		if err == nil && !f.Values.Here {
			err = errors.New(f.Values.Why)
		}
		return err
	})
}

func failureAt(url string, header ...string) (f failure, body string, err error) {
	resp, body, err := rig.Ask("GET", url, nil, append([]string{"Accept", "application/json"}, header...)...)
	if err != nil {
		return f, body, err
	}
	if err := json.Unmarshal([]byte(body), &f); err != nil || f.Kind != "failure" {
		return f, body, fmt.Errorf("GET %s: %d, no failure (%w):\n%s", url, resp.StatusCode, err, body)
	}
	return f, body, nil
}

// fails makes a request that fails.
func fails(t *testing.T, r *rig.Rig, path string, header ...string) failure {
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
	resp, text, err := rig.Ask("POST", s.own+"/api/"+what, bytes.NewReader(b),
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

func served(t *testing.T, r *rig.Rig) {
	t.Helper()
	resp, body, err := rig.Ask("GET", r.URL("/ok"), nil)
	if err != nil || resp.StatusCode != 200 || body != "ok\n" {
		t.Fatalf("the honest visitor of the app got %v %q %v", resp, body, err)
	}
}

// request is the text of a request. A change is "Name: value" to set a header,
// "+Name: value" for another one, "-Name" to leave it out; PORT is that of the
// console.
func (s *site) request(line, body string, header []string, changes ...string) string {
	port := s.own[strings.LastIndexByte(s.own, ':')+1:]
	lines := slices.Clone(header)
	drop := func(name string) {
		lines = slices.DeleteFunc(lines, func(l string) bool { return strings.EqualFold(l[:strings.IndexByte(l, ':')], name) })
	}
	for _, c := range changes {
		switch c[0] {
		case '-':
			drop(c[1:])
		case '+':
			lines = append(lines, c[1:])
		default:
			drop(c[:strings.IndexByte(c, ':')])
			lines = append(lines, c)
		}
	}
	return line + "\r\n" + strings.ReplaceAll(strings.Join(lines, "\r\n"), "PORT", port) + "\r\n\r\n" + body
}

// post is an honest question, but for the changes.
func (s *site) post(path, body string, changes ...string) string {
	return s.request("POST "+path+" HTTP/1.1", body, []string{
		"Host: 127.0.0.1:PORT", "Origin: http://127.0.0.1:PORT", "Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty",
		"Content-Type: application/json", "X-Devrun: 1", "Authorization: Bearer " + s.token, fmt.Sprint("Content-Length: ", len(body)), "Connection: close",
	}, changes...)
}

// get is a person who opens an address, but for the changes.
func (s *site) get(path string, changes ...string) string {
	return s.request("GET "+path+" HTTP/1.1", "", []string{
		"Host: 127.0.0.1:PORT", "Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document", "Accept: text/html", "Connection: close",
	}, changes...)
}

// questions are the bodies of what can be asked; each would have an effect.
func (s *site) questions() map[string]string {
	q := func(format string) string { return fmt.Sprintf(format, s.ID, s.frame("main.fail")) }
	return map[string]string{
		"/api/eval":     q(`{"failure":%q,"frame":%d,"src":"effects.Add(1)"}`),
		"/api/complete": q(`{"failure":%q,"frame":%d,"src":"loc","pos":3}`),
		"/api/reveal":   fmt.Sprintf(`{"failure":%q,"frame":%d,"path":[%d]}`, s.ID, s.frame("main.fail"), s.variable("main.fail", "local")),
		"/api/release":  fmt.Sprintf(`{"failure":%q}`, s.ID),
		"/api/unlock":   fmt.Sprintf(`{"pin":%q}`, s.pin),
	}
}

// readable are the addresses that show something.
func (s *site) readable() []string {
	return []string{"/", "/failures/" + s.ID, "/api/failures/" + s.ID + "/state", "/__devrun/page.css", "/__devrun/page.js", "/__devrun/failure.js"}
}

// everywhere is a change to all requests that are otherwise honest.
func (s *site) everywhere(changes ...string) (all []string) {
	for path, body := range s.questions() {
		all = append(all, s.post(path, body, changes...))
	}
	for _, path := range s.readable() {
		all = append(all, s.get(path, changes...))
	}
	return all
}

type answer struct {
	*http.Response
	body string
}

// send sends text to the console and returns all answers until it closes.
func (s *site) send(t *testing.T, text string) []answer {
	t.Helper()
	return exchange(t, strings.TrimPrefix(s.own, "http://"), text)
}

// quiet is how long one who keeps the connection may take for another answer.
const quiet = 3 * time.Second

// sendApp sends text to the app's address.
func (s *site) sendApp(t *testing.T, text string) []answer {
	t.Helper()
	return exchange(t, fmt.Sprint("127.0.0.1:", s.Port), text)
}

func exchange(t *testing.T, addr, text string) (all []answer) {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, rig.Patience)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(rig.Patience))
	method, _, _ := strings.Cut(text, " ")
	go io.WriteString(c, text) // who refuses need not read it to its end
	for r := bufio.NewReader(c); ; {
		resp, err := http.ReadResponse(r, &http.Request{Method: method})
		if err != nil {
			return all // it is closed, or what comes is no HTTP
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return append(all, answer{resp, string(body)})
		}
		all = append(all, answer{resp, string(body)})
		if !resp.Close && resp.StatusCode >= 200 {
			c.SetReadDeadline(time.Now().Add(quiet))
		}
	}
}

// refused sends attacks to the console; each answer is one of these statuses, 0
// being none at all, and gives nothing away.
func (s *site) refused(t *testing.T, statuses []int, attacks ...string) {
	t.Helper()
	if len(attacks) == 0 {
		t.Error("no attack")
	}
	for _, text := range attacks {
		s.unmoved(t, statuses, text, s.send(t, text))
	}
}

func (s *site) unmoved(t *testing.T, statuses []int, text string, answers []answer) {
	t.Helper()
	if len(answers) == 0 && !slices.Contains(statuses, 0) {
		t.Errorf("no answer to\n%.1500s", text)
	}
	for _, a := range answers {
		if !slices.Contains(statuses, a.StatusCode) {
			t.Errorf("status %d, want one of %v, for\n%.1500s\n\n%.300s", a.StatusCode, statuses, text, a.body)
		}
		s.bare(t, text, a)
	}
}

// bare shows that an answer gives nothing away.
func (s *site) bare(t *testing.T, text string, a answer) {
	t.Helper()
	for _, secret := range []string{localValue, sourceLine, s.pin, strings.ReplaceAll(s.pin, "-", ""), s.token, "root:x:"} {
		if strings.Contains(a.body, secret) {
			t.Errorf("%q is given away to\n%.1500s", secret, text)
		}
	}
	for name := range a.Header {
		if strings.HasPrefix(name, "Access-Control-") || name == "Location" || name == "Set-Cookie" {
			t.Errorf("%s is answered to\n%.1500s", name, text)
		}
	}
}
