//go:build linux

package failures

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
)

// list is the overview for programs.
type list struct {
	Generation int
	Failures   []struct {
		ID, How, Error, Method, URI, At, Gone string
		Generation                            int
	}
}

func listed(t *testing.T, r *e2e.Rig) (l list) {
	t.Helper()
	_, body, err := ask(e2e.Client, console(t, r)+"/", "Accept", "application/json")
	if err == nil {
		err = json.Unmarshal([]byte(body), &l)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, body)
	}
	return l
}

// The app goes on serving while a failure is looked at, also one whose variables
// are not read yet.
func TestLongMeanwhile(t *testing.T) {
	suite.Long(t)
	t.Parallel()
	r := plain(t).Start()
	stop := e2e.Hammer(r.URL("/ok"), 5*time.Millisecond)
	first := fails(r, "/ways/nil") // has the debugger linked
	// Its variables may be read when it is too late for its answer.
	suite.Until(t, "the first failure has its variables", func() error {
		_, f, _, err := asked(e2e.Client, first.Console)
		if err == nil && !f.Values.Here {
			err = errors.New(f.Values.Why)
		}
		if err == nil && f.root().of("id") != "17" {
			err = errors.New("id is " + f.root().of("id"))
		}
		return err
	})
	for _, w := range ways {
		fails(r, w.path)
	}
	for range 200 {
		if status, body := r.Get("/ok"); status != 200 || !strings.HasPrefix(body, "ok ") {
			t.Fatalf("%d %q", status, body)
		}
	}
	if n, failed := stop(); len(failed) > 0 || n == 0 {
		t.Errorf("%d of %d requests failed: %q", len(failed), n, failed)
	}
}

// A restart ends the parked goroutines, and what was read of them stays.
func TestLongRestart(t *testing.T) {
	suite.Long(t)
	t.Parallel()
	s := e2e.NewScreenOn(plain(t)).Start()
	warm(t, e2e.Client, s.URL("/ways/nil"))
	f := fails(s.Rig, "/ways/index")
	c := unlocked(t, s)
	s.Replace("ways.go", `const version = "v1"`, `const version = "v2"`)
	s.Served("v2")
	status, said := c.ask("eval", f.ID, 0, "at")
	if status != http.StatusGone || said.Code != "gone" || !strings.Contains(said.Error, "process has ended") || !strings.HasSuffix(said.Error, ".") {
		t.Errorf("evaluated in a process that is gone: %d %+v", status, said)
	}
	_, again, _, err := asked(e2e.Client, f.Console)
	if err != nil || !again.Values.Here || again.root().of("scores") != f.root().of("scores") || again.root().of("at") != "6" || !strings.Contains(again.Gone, "ended") {
		t.Errorf("%v, %+v", err, again)
	}
	next := fails(s.Rig, "/ways/division")
	l := listed(t, s.Rig)
	if len(l.Failures) < 3 || l.Generation != 2 {
		t.Fatalf("%+v", l)
	}
	now, before := l.Failures[0], l.Failures[1]
	if now.ID != next.ID || now.Generation != 2 || now.Gone != "" || now.Method+" "+now.URI != "GET /ways/division" || !strings.Contains(now.Error, "divide by zero") || now.At == "" {
		t.Errorf("the list has %+v", now)
	}
	if before.ID != f.ID || before.Generation != 1 || before.Gone == "" || before.URI != "/ways/index" || before.At != fmt.Sprintf("ways.go:%d", f.root().Line) {
		t.Errorf("the list has %+v", before)
	}
	// In the terminal, too, and for people.
	_, page, err := ask(e2e.Client, console(t, s.Rig)+"/", navigation...)
	for _, want := range []string{"GET /ways/division", "GET /ways/index", "generation 1", "generation 2", "integer divide by zero", "/failures/" + f.ID} {
		if err != nil || !strings.Contains(page, want) {
			t.Errorf("the list has no %q: %v", want, err)
		}
	}
}

// The last fifty failures are kept, and an older one is said to be gone.
func TestLongFifty(t *testing.T) {
	suite.Long(t)
	t.Parallel()
	r := plain(t).Start()
	warm(t, e2e.Client, r.URL("/ways/nil"))
	first := fails(r, "/ways/index?n=-1")
	for n := range 50 {
		if f := fails(r, fmt.Sprint("/ways/index?n=", n)); !f.Values.Here {
			t.Errorf("failure %d: %s", n, f.Values.Why)
		}
	}
	var l list
	suite.Until(t, "ten are parked", func() error { // the oldest takes a moment to go
		l = listed(t, r)
		parked := 0
		for _, f := range l.Failures {
			if f.Gone == "" {
				parked++
			}
		}
		if parked != 10 {
			return fmt.Errorf("%d are", parked)
		}
		return nil
	})
	if len(l.Failures) != 50 || l.Failures[0].URI != "/ways/index?n=49" || l.Failures[49].URI != "/ways/index?n=0" {
		t.Errorf("%d are kept, of %q to %q", len(l.Failures), l.Failures[0].URI, l.Failures[len(l.Failures)-1].URI)
	}
	resp, body, err := ask(e2e.Client, first.Console)
	if err != nil || resp.StatusCode != 404 || !strings.Contains(body, "not kept any more") {
		t.Errorf("%v %v %s", resp, err, body)
	}
	_, last, _, err := asked(e2e.Client, console(t, r)+"/failures/"+l.Failures[49].ID)
	if err != nil || !last.Values.Here || last.root().of("label") != `"ababab"` || last.Gone == "" {
		t.Errorf("%v %+v", err, last)
	}
}

// With the race detector, which moves and instruments much, a failure has the same
// page.
func TestLongRace(t *testing.T) {
	suite.Long(t)
	t.Parallel()
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("NOT TESTED: the race detector needs gcc")
	}
	r := plain(t).Prebuild("-race").Start("--race")
	warm(t, e2e.Client, r.URL("/ways/nil"))
	testWays(t, e2e.Client, r.URL(""), r.Dir+"/ways.go", "panic")
	if s := r.Stderr.String() + r.Stdout.String(); strings.Contains(s, "DATA RACE") || strings.Contains(s, "checkptr") {
		t.Error("the race detector has found something")
	}
}
