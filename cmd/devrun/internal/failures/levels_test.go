//go:build linux

package failures

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
)

// TestLongLevels: what a page can show depends on what devrun may do, and the page
// says so in one line when that is not all.
func TestLongLevels(t *testing.T) {
	suite.Long(t)
	for _, level := range []struct {
		name      string
		secretive bool   // the app's memory is closed to devrun
		says      string // the line begins so, "" for none
		because   string // is in it
	}{
		{"devrun reads the memory", false, "", ""},
		{"the hook reads the memory", true, "The variables are read by devrun's hook in the app, because devrun itself may not read its memory", "permission denied"},
	} {
		t.Run(level.name, func(t *testing.T) {
			t.Parallel()
			withoutTracing(t)
			r := leveled(t)
			if level.secretive {
				r.Env = append(r.Env, "SECRETIVE=1")
			}
			s := e2e.NewScreenOn(r).Start()
			warm(t, e2e.Client, s.URL("/ways/nil"))
			testWays(t, e2e.Client, s.URL(""), filepath.Join(s.Dir, "ways.go"), "panic")

			f := fails(s.Rig, "/ways/index")
			c := unlocked(t, s)
			shown := f.rootAt()
			for _, q := range [][2]string{
				{"scores[1:]", "[]float64{2.25, 4}"},
				{"at + len(scores)", "9"},
				{"strings.ToUpper(label)", `"ABABAB"`},
				{"scores[at]", "panic: runtime error: index out of range [6] with length 3"},
			} {
				if got := c.eval(f.ID, shown, q[0]); got != q[1] {
					t.Errorf("%s is %s, want %s", q[0], got, q[1])
				}
			}

			_, text, err := ask(e2e.Client, s.URL("/ways/index"))
			if err != nil {
				t.Fatal(err)
			}
			_, html, err := ask(e2e.Client, s.URL("/ways/index"), navigation...)
			if err != nil {
				t.Fatal(err)
			}
			for form, got := range map[string]string{"the data": f.Values.Way, "the text": text, "the page": strings.ReplaceAll(html, "&#39;", "'")} {
				want := 1
				if level.says == "" {
					want = 0
				}
				if n := strings.Count(got, "The variables are read"); n != want || !strings.Contains(got, level.says) || !strings.Contains(got, level.because) {
					t.Errorf("%s says it %d times:\n%s", form, n, got)
				}
			}
			// A script of the app's is told nothing of it.
			if _, f, body, err := asked(e2e.Client, s.URL("/ways/index"), "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Sec-Fetch-Site", "same-origin"); err != nil || f.Values.Way != "" {
				t.Errorf("to a script: %v\n%s", err, body)
			}
			if status, body := s.Get("/ok"); status != 200 || !strings.HasPrefix(body, "ok ") {
				t.Errorf("afterwards: %d %q", status, body)
			}
		})
	}
	t.Run("there is no hook", func(t *testing.T) {
		t.Parallel()
		r := leveled(t)
		r.Write("zz_devrun.go", "package main\n") // the name that the hook needs
		r.Launch()
		serving := r.Says(`^devrun: serving http://localhost:\d+`)
		fmt.Sscanf(serving, "devrun: serving http://localhost:%d", &r.Port) // the app has the other
		r.Served("v1")
		testUnhooked(t, r)
		if resp, _, err := ask(e2e.Client, r.URL("/end")); err == nil && resp.StatusCode < 500 {
			t.Errorf("the app lives: %s", resp.Status)
		}
		end := line(t, filepath.Join(r.Dir, "levels.go"), "END")
		want := []string{
			"the app ends at 17", "main.end",
			"The app runs without devrun's hook, so a failure shows only what the app wrote to stderr: ",
			"zz_devrun.go exists, and devrun needs the name.",
		}
		for _, accept := range []string{"text/html", "text/plain", "application/json"} {
			where := fmt.Sprintf("levels.go:%d", end)
			if accept == "application/json" {
				where = fmt.Sprintf(`"line": %d,`, end)
			}

			suite.Until(t, "the page as "+accept, func() error {
				_, body, err := ask(e2e.Client, r.URL("/ok"), "Accept", accept)
				if err != nil {
					return err
				}
				body = strings.NewReplacer("&#39;", "'", `\u0026`, "&").Replace(body)
				for _, w := range append(want, where) {
					if !strings.Contains(body, w) {
						return fmt.Errorf("no %q in\n%s", w, body)
					}
				}
				return nil
			})
		}
	})
}

// testUnhooked looks at handlers that panic in an app of which devrun has only what
// net/http logs.
func testUnhooked(t *testing.T, r *e2e.Rig) {
	t.Helper()
	at := fmt.Sprintf("ways.go:%d", line(t, filepath.Join(r.Dir, "ways.go"), "INDEX"))
	const says = "index out of range [6] with length 3"
	unhooked := "The app runs without devrun's hook, so a failure shows only what the app wrote to stderr: " +
		filepath.Join(r.Dir, "zz_devrun.go") + " exists, and devrun needs the name."
	plain := strings.NewReplacer("&#39;", "'")
	for as, header := range map[string][]string{"html": navigation, "text": {"Accept", "text/plain"}} {
		resp, body, err := ask(e2e.Client, r.URL("/ways/index?q=asked-for"), header...)
		if err != nil {
			t.Fatal(err)
		}
		body = plain.Replace(body)
		for _, want := range []string{says, at, "indexError", "asked-for"} {
			if !strings.Contains(body, want) {
				t.Errorf("no %q in the %s:\n%s", want, as, body)
			}
		}
		if n := strings.Count(body, unhooked); resp.StatusCode != 500 || n != 1 {
			t.Errorf("%d, the %s says %d times why there is no more:\n%s", resp.StatusCode, as, n, body)
		}
	}
	f := fails(r, "/ways/index")
	if root := f.root(); f.How != "panic" || !strings.Contains(f.Error, says) || fmt.Sprintf("%s:%d", root.Rel, root.Line) != at || root.Func != "main.indexError" || root.Vars != nil {
		t.Errorf("%s %q at %+v", f.How, f.Error, root)
	}
	if f.Values.Here || f.Values.Why != unhooked || f.Gone == "" || f.Production.Status != 0 || f.Request == nil {
		t.Errorf("values %+v, gone %q, request %+v", f.Values, f.Gone, f.Request)
	}
	// A script of the app's is told no more than that it failed.
	if _, f, body, err := asked(e2e.Client, r.URL("/ways/index?q=asked-for"), "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Sec-Fetch-Site", "same-origin"); err != nil || f.Request != nil || strings.Contains(body, "asked-for") {
		t.Errorf("to a script: %v\n%s", err, body)
	}
	resp, err := e2e.Client.Post(r.URL("/post"), "application/x-www-form-urlencoded", strings.NewReader("name=susan"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp.StatusCode != 500 || err != nil || !strings.Contains(string(b), "posted susan") {
		t.Errorf("POST: %s %v\n%s", resp.Status, err, b)
	}
	if _, n := r.Get("/posts"); n != "1" {
		t.Errorf("the handler ran %s times", n)
	}
	if status, body := r.Get("/ok"); status != 200 || !strings.HasPrefix(body, "ok ") {
		t.Errorf("afterwards: %d %q", status, body)
	}

	// On devrun's own address it is listed, and has a page without a console.
	own := console(t, r)
	_, body, err := ask(e2e.Client, own+"/", "Accept", "text/plain")
	if err != nil || strings.Count(body, says) < 4 || !strings.Contains(body, at) || strings.Contains(body, "parked") {
		t.Errorf("overview: %v\n%s", err, body)
	}
	_, body, err = ask(e2e.Client, own+"/failures/"+f.ID, "Accept", "text/html")
	if body = plain.Replace(body); err != nil || strings.Count(body, unhooked) != 1 || !strings.Contains(body, f.Gone) || !strings.Contains(body, `data-state="ended"`) {
		t.Errorf("its own page: %v\n%s", err, body)
	}
	r.Says(`panic in GET /ways/index`)

	// Of many at once each is told of its own, over connections that are used again.
	var wg sync.WaitGroup
	for i := range 8 {
		client := &http.Client{Transport: &http.Transport{}, Timeout: suite.Patience}
		defer client.CloseIdleConnections()
		wg.Go(func() {
			for n := range 5 {
				if _, _, err := ask(client, r.URL("/ok")); err != nil {
					t.Error(err)
				}
				id := 100*i + n
				status, f, body, err := asked(client, r.URL(fmt.Sprintf("/ways/chain/%d", id)))
				if want := fmt.Sprintf("show profile: select %d: no such user", id); err != nil || status != 500 || f.Error != want || f.root().Func != "main.chain" {
					t.Errorf("%d: %v %d\n%s", id, err, status, body)
				}
			}
		})
	}
	wg.Wait()
}

// leveled is a rig with an app that can close its memory, and end.
func leveled(t *testing.T) *e2e.Rig {
	t.Helper()
	return e2e.NewOf(t, "notify", e2e.Path(t, own+"nethttp"), e2e.Path(t, own+"levels"))
}

// withoutTracing makes what the test starts from now on a user's like any other,
// as far as other processes' memory is concerned: root may read what is closed.
// The thread is the test's own, and ends with it.
func withoutTracing(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		return // nobody else has the capability
	}
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_SYS_PTRACE, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
}
