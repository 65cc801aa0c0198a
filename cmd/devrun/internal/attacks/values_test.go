//go:build linux

package attacks

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
)

type listedFailure struct {
	ID, Error, URI, Gone string
	Generation           int
}

// listed are the failures that are kept, the newest first.
func (s *site) listed(t *testing.T) []listedFailure {
	t.Helper()
	_, body, err := e2e.Ask("GET", s.own+"/", nil, "Accept", "application/json")
	var l struct{ Failures []listedFailure }
	if err == nil {
		err = json.Unmarshal([]byte(body), &l)
	}
	if err != nil || len(l.Failures) == 0 {
		t.Fatalf("%v\n%s", err, body)
	}
	return l.Failures
}

// small shows that a page, on both addresses, is below 1 MB.
func (s *site) small(t *testing.T, path string) {
	t.Helper()
	resp, page, err := e2e.Ask("GET", s.URL(path), nil, "Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document")
	if err != nil || resp.StatusCode != 500 || len(page) > 1<<20 {
		t.Errorf("%s: %v %v, %d bytes", path, resp, err, len(page))
	}
	for _, a := range s.send(t, s.get("/failures/"+s.newest(t))) {
		if a.StatusCode != 200 || len(a.body) > 1<<20 {
			t.Errorf("%s on devrun's own address: %d, %d bytes", path, a.StatusCode, len(a.body))
		}
	}
}

// A variable of any size makes a page of bounded size. A quarter of a gigabyte of
// text stands for one: no more than its head is read.
func giantValues(t *testing.T, s *site) {
	f := fails(t, s.Rig, "/giant")
	for name, length := range map[string]int64{"text": 256 << 20, "numbers": 32 << 20, "table": 1 << 20, "array": 1 << 16} {
		v := f.of(t, "main.giant", name)
		if v.Len == nil || *v.Len != length || v.Cut == 0 && v.More == 0 {
			t.Errorf("%s is not said to be cut: %.500s", name, fmt.Sprintf("%+v", v))
		}
	}
	if v := f.of(t, "main.giant", "sparse"); v.More != 0 || len(v.Children) != 0 {
		t.Errorf("sparse is %+v", v)
	}
	for _, a := range s.send(t, s.get("/failures/"+f.ID)) {
		if a.StatusCode != 200 || len(a.body) > 1<<20 || !strings.Contains(a.body, "268435456") && !strings.Contains(a.body, "268,435,456") && !strings.Contains(a.body, "256 M") {
			t.Errorf("the page, %d bytes, does not say how long the text is", len(a.body))
		}
	}
	// All forms are made of the same values, which the JSON has shown to be cut.
	if _, body, err := failureAt(s.own + "/failures/" + f.ID); err != nil || len(body) > 1<<20 {
		t.Errorf("%d bytes %v", len(body), err)
	}
}

// Values that hold themselves are shown to a bounded depth, and the cycle is marked.
func recursion(t *testing.T, s *site) {
	s.small(t, "/recursion")
	f := fails(t, s.Rig, "/recursion")
	for _, name := range []string{"self", "one", "slice", "table", "forest", "lost", "pointer"} {
		if v := f.of(t, "main.recursion", name); !cyclic(v) {
			t.Errorf("%s has no mark of a cycle: %+v", name, v)
		}
	}
	if v := f.of(t, "main.recursion", "list"); depth(v) > 20 {
		t.Errorf("a list is shown %d deep", depth(v))
	}
	s.fresh(t)
}

func cyclic(v value) bool {
	if v.Cycle != "" {
		return true
	}
	for _, c := range v.Children {
		if cyclic(c) {
			return true
		}
	}
	return false
}

func depth(v value) int {
	deepest := 0
	for _, c := range v.Children {
		deepest = max(deepest, depth(c))
	}
	return deepest + 1
}

// No method of the app is called to show a value.
func evilMethods(t *testing.T, s *site) {
	pid := s.AppPid()
	s.small(t, "/methods")
	f := fails(t, s.Rig, "/methods")
	if v := f.of(t, "main.methods", "exits"); !strings.Contains(fmt.Sprint(v), "exit") {
		t.Errorf("the fields of an evil value are not shown: %+v", v)
	}
	if _, body := s.Get("/called"); body != "0\n" {
		t.Errorf("methods were called to show a value: %s", body)
	}
	if _, err := os.Stat(filepath.Join(s.Dir, "written")); err == nil {
		t.Error("a method has written a file")
	}
	// The message of what was raised is made by its own method, as the runtime does.
	for _, of := range []string{"panics", "blocks"} {
		if f := fails(t, s.Rig, "/value?of="+of); f.Type == "" || f.frame("main.init.0.func3") < 0 && len(f.Frames) == 0 {
			t.Errorf("of a panic whose Error %s the page says %+v", of, f)
		}
	}
	if s.AppPid() != pid {
		t.Error("the app has died")
	}
	s.fresh(t)
}

// A chain of errors without end, or one that panics, is cut, and the page says so.
func brokenChains(t *testing.T, s *site) {
	for of, want := range map[string]string{"self": "self", "two": "two", "deep": "deep", "wide": "branch 1", "panics": "unwraps badly", "nil": "beside nil"} {
		f, body, err := failureAt(s.URL("/chain?of=" + of))
		if err != nil || len(body) > 1<<20 || f.Chain == nil || !strings.Contains(body, want) {
			t.Errorf("%s: %d bytes, %v, chain %+v", of, len(body), err, f.Chain)
			continue
		}
		if n := links(*f.Chain); n > 500 {
			t.Errorf("%s has %d links", of, n)
		}
		if of == "self" || of == "two" || of == "deep" || of == "wide" || of == "panics" {
			if !noted(*f.Chain) {
				t.Errorf("%s is not said to be cut: %.2000s", of, body)
			}
		}
	}
	s.small(t, "/chain?of=wide")
	s.small(t, "/chain?of=deep")
	s.fresh(t)
}

func links(c chained) int {
	n := 1
	for _, cause := range c.Causes {
		n += links(cause)
	}
	return n
}

func noted(c chained) bool {
	if c.Note != "" {
		return true
	}
	for _, cause := range c.Causes {
		if noted(cause) {
			return true
		}
	}
	return false
}

// An overflow, a deep stack, many goroutines and each way to crash have their page,
// and what net/http lets go is no failure. A server's goroutines are never all
// asleep: one waits for the network, and so does the hook from the first moment on. A
// panic of a package's init is that of a start that fails.
func stackExtremes(t *testing.T, s *site) {
	before := len(s.listed(t))
	if resp, _, err := e2e.Ask("GET", s.URL("/abort"), nil); err == nil && resp.StatusCode != 502 {
		t.Errorf("ErrAbortHandler is answered with %s", resp.Status)
	}
	if resp, body, err := e2e.Ask("GET", s.URL("/goexit"), nil); err == nil && strings.Contains(body, "failures/") {
		t.Errorf("Goexit is answered with %s %s", resp.Status, body)
	}
	if now := s.listed(t); len(now) != before && now[0].URI != "/fail" {
		t.Errorf("what was let go is listed: %+v", now[0])
	}
	s.small(t, "/deep")
	if f := fails(t, s.Rig, "/deep"); len(f.Frames) > 500 || f.Error != "deep down" {
		t.Errorf("%d frames of %s", len(f.Frames), f.Error)
	}
	if f := fails(t, s.Rig, "/crowd"); f.Error != "in a crowd" {
		t.Errorf("%+v", f)
	}
	s.fresh(t)
	s.honest(t)
	for by, want := range map[string]string{"overflow": "stack overflow", "goroutine": "in a goroutine", "locked": "unlock of unlocked mutex", "map": "concurrent map", "address": "fatal error: fault"} {
		pid := s.AppPid()
		e2e.Ask("GET", s.URL("/crash?by="+by), nil) // its answer may be anything
		e2e.Gone(t, pid)
		s.crashed(t, want)
		s.Types("r")
		s.Served("v1")
	}
	s.Write("panic-in-init", "")
	s.Types("r")
	s.crashed(t, "in an init")
	if err := os.Remove(filepath.Join(s.Dir, "panic-in-init")); err != nil {
		t.Fatal(err)
	}
	s.Types("r")
	s.Served("v1")
	s.again(t)
}

// crashed waits for the page of a process that has died, in a size that a browser
// can show.
func (s *site) crashed(t *testing.T, want string) {
	t.Helper()
	suite.Until(t, "the page of the crash says "+want, func() error {
		resp, body, err := e2e.Ask("GET", s.URL("/"), nil, "Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document")
		switch {
		case err != nil:
			return err
		case !strings.Contains(body, want):
			return fmt.Errorf("%d %.1000s", resp.StatusCode, body)
		case len(body) > 1<<20:
			return errors.New("it is too large")
		}
		s.inert(t, "the page of a crash", body)
		return nil
	})
}
