//go:build linux

package failures

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
)

// With --pages=off whoever asks gets what the app gives, a cut connection too, and
// devrun's own pages have it all the same.
func TestPagesOff(t *testing.T) {
	t.Parallel()
	r, under, alone := answering(t, "--pages=off")
	if _, err := under.get("GET /panic", navigation...); err == nil { // before there is debug information
		t.Error("an answer to a panic")
	}
	suite.Until(t, "variables are read", func() error {
		g, err := under.get("GET /text")
		if err != nil {
			return err
		}
		if f := g.names(t, r, "/text"); !f.Values.Here {
			return errors.New(f.Values.Why)
		}
		return nil
	})
	for _, who := range askers {
		for _, path := range []string{"/json", "/recovered", "/text"} {
			g, err := under.get("GET "+path, who.header...)
			theirs, err2 := alone.get("GET "+path, who.header...)
			if err != nil || err2 != nil || g.String() != theirs.String() {
				t.Errorf("%s GET %s: %v %v\nis   %v\nwant %v", who.name, path, err, err2, g, theirs)
			}
			g.names(t, r, who.name+" "+path)
		}
		for _, a := range []app{under, under.overH2(t)} {
			for _, path := range []string{"/panic", "/both", "/rethrown"} {
				if g, err := a.get("GET "+path, who.header...); err == nil {
					t.Errorf("%s GET %s: an answer to a panic: %v", who.name, path, g)
				}
			}
		}
	}
	l := listed(t, r)
	if len(l.Failures) != 50 {
		t.Errorf("%d are kept", len(l.Failures))
	}
	parked := 0
	for _, f := range l.Failures {
		if f.Gone == "" && f.How == "panic" {
			parked++
		}
	}
	if parked == 0 {
		t.Errorf("no panic is parked: %+v", l.Failures)
	}
	r.Says(`panic in GET /panic`)

	// What does not build has its page all the same.
	r.Replace("main.go", `const version = "v1"`, `const version = v1`)
	suite.Until(t, "the page of the build", func() error {
		g, err := under.get("GET /version", navigation...)
		if err == nil && (g.status != 500 || !strings.Contains(g.body, "undefined: v1")) {
			err = fmt.Errorf("%v", g)
		}
		return err
	})
}

// The same without the hook, when devrun knows of a panic by what net/http logs.
func TestLongPagesOffUnhooked(t *testing.T) {
	suite.Long(t)
	t.Parallel()
	r := e2e.NewOf(t, "notify", e2e.Path(t, own+"answers"))
	r.Write("zz_devrun.go", "package main\n") // the name that the hook needs
	r.Launch("--pages=off")
	serving := r.Says(`^devrun: serving http://localhost:\d+`)
	fmt.Sscanf(serving, "devrun: serving http://localhost:%d", &r.Port) // the app has the other
	r.Served("v1")
	for range 2 {
		if resp, body, err := ask(e2e.Client, r.URL("/panic"), navigation...); err == nil {
			t.Errorf("an answer to a panic: %s %s", resp.Status, body)
		}
	}
	r.Says(`panic in GET /panic`)
	if l := listed(t, r); len(l.Failures) != 2 || l.Failures[0].URI != "/panic" {
		t.Errorf("%+v", l.Failures)
	}
	if resp, body, err := ask(e2e.Client, r.URL("/text"), navigation...); err != nil || resp.StatusCode != 500 || body != "no such table\n" {
		t.Errorf("%v %v %s", err, resp, body)
	}
}
