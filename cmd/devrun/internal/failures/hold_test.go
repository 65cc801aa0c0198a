//go:build linux

package failures

import (
	"net/http"
	"strings"
	"testing"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
)

// A handler that answers with a 5xx by itself is parked where it does so, if that is
// asked for, and has its page meanwhile.
func TestLongHeldStatus(t *testing.T) {
	suite.Long(t)
	t.Parallel()
	s := e2e.NewScreenOn(plain(t)).Start("--park", "2,5xx")
	warm(t, e2e.Client, s.URL("/ways/nil"))
	f := fails(s.Rig, "/ways/status")
	if f.How != "status" || f.Gone != "" || f.root().of("tries") != "3" || f.Production == nil || f.Production.Status != 503 {
		t.Errorf("%+v", f)
	}
	c := unlocked(t, s)
	if said := c.eval(f.ID, f.rootAt(), "tries * len(table)"); said != "15" {
		t.Errorf("evaluated where a 503 is written: %s", said)
	}
	if status, said := c.post("release", map[string]any{"failure": f.ID}); status != http.StatusOK {
		t.Errorf("%d %+v", status, said)
	}
	if status, said := c.ask("eval", f.ID, f.rootAt(), "tries"); status != http.StatusGone {
		t.Errorf("after it was let go: %d %+v", status, said)
	}
	if status, body := s.Get("/ok"); status != 200 || !strings.HasPrefix(body, "ok ") {
		t.Errorf("%d %s", status, body)
	}
}

// A handler that answers with a 5xx goes on unless it is asked to stay, and the page
// says how to keep it.
func TestLongStatusGoesOn(t *testing.T) {
	suite.Long(t)
	t.Parallel()
	r := plain(t).Start()
	warm(t, e2e.Client, r.URL("/ways/nil"))
	if f := fails(r, "/ways/status"); !strings.Contains(f.Gone, "--park=10,5xx") || f.root().of("tries") != "3" || f.Production == nil || f.Production.Status != 503 {
		t.Errorf("%+v", f)
	}
}
