//go:build linux

package microblog

import (
	"context"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"devrun/cmd/devrun/internal/rig"
)

// TestEditsUnderLoad edits microblog while somebody uses it: every request is
// answered, none asks to log in again, and each start is one line of the log.
func TestEditsUnderLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("builds microblog again and again")
	}
	t.Parallel()
	const edits = 10
	r := rig.NewOf(t, "notify")
	r.Dir = copyOfModule(t)
	r.Env = append(r.Env, "SECRET_KEY=load", "DATABASE_URL=sqlite:///load.db") // within what devrun watches
	r.Launch("./sample")
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	susan := &http.Client{Jar: jar, Timeout: 2 * rig.Patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	post := func(path string, fields url.Values) error {
		resp, err := susan.PostForm(r.URL(path), fields)
		if err != nil {
			return err
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusFound {
			return fmt.Errorf("POST %s: %s", path, resp.Status)
		}
		return nil
	}
	rig.Eventually(t, "susan is registered", func() error {
		return post("/register", url.Values{"username": {"susan"}, "email": {"susan@example.com"}, "password": {"cat"}, "password2": {"cat"}})
	})
	if err := post("/login", url.Values{"username": {"susan"}, "password": {"cat"}}); err != nil {
		t.Fatal(err)
	}

	ctx, stop := context.WithCancel(t.Context())
	var using sync.WaitGroup
	asked := 0
	using.Go(func() {
		for tick := time.NewTicker(200 * time.Millisecond); ; {
			select {
			case <-ctx.Done():
				tick.Stop()
				return
			case <-tick.C:
			}
			resp, err := susan.Get(r.URL("/index"))
			if err != nil {
				t.Errorf("request %d: %v", asked, err)
				continue
			}
			resp.Body.Close()
			if asked++; resp.StatusCode != http.StatusOK {
				t.Errorf("request %d: %s", asked, resp.Status)
			}
		}
	})
	started := func(n int) string { return fmt.Sprintf("msg=\"Microblog startup %d\"\n", n) }
	printed := func() string { return r.Stdout.String() + r.Stderr.String() }
	last := `"Microblog startup"`
	for n := range edits {
		next := fmt.Sprintf("%q", fmt.Sprint("Microblog startup ", n))
		r.Replace("sample/main.go", last, next)
		rig.Eventually(t, "the edit runs", func() error {
			if !strings.Contains(printed(), started(n)) {
				return fmt.Errorf("no start says %s", next)
			}
			return nil
		})
		last = next
	}
	stop()
	using.Wait()
	if asked == 0 {
		t.Error("nobody asked for anything")
	}
	for n := range edits {
		if got := strings.Count(printed(), started(n)); got != 1 {
			t.Errorf("edit %d started %d times", n, got)
		}
	}
	if got := strings.Count(printed(), "Microblog startup"); got != edits+1 {
		t.Errorf("%d starts for %d edits", got, edits)
	}
}

// copyOfModule is a module with nothing but the sample, to be edited.
func copyOfModule(t *testing.T) string {
	t.Helper()
	root := filepath.Join(t.TempDir(), "devrun")
	if err := os.CopyFS(filepath.Join(root, "sample"), os.DirFS(rig.Path(t, "sample"))); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		b, err := os.ReadFile(rig.Path(t, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}
