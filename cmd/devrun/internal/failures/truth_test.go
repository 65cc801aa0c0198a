//go:build linux

package failures

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
)

// TestLongTruth: while the collector runs all the time, what a page shows of
// variables that nothing uses any more is what they were, at once and later.
// What a note on the page calls doubtful is not counted.
func TestLongTruth(t *testing.T) {
	suite.Long(t)
	t.Parallel()
	t.Run("this toolchain", func(t *testing.T) {
		t.Parallel()
		testTruth(t, "")
	})
	t.Run("older", func(t *testing.T) {
		t.Parallel()
		const older = "go1.25.14"
		get := exec.Command("go", "version")
		get.Env = append(os.Environ(), "GOTOOLCHAIN="+older)
		if out, err := get.CombinedOutput(); err != nil {
			t.Skipf("NOT TESTED, needs the network to get %s: %v\n%s", older, err, out)
		}
		testTruth(t, older)
	})
}

func testTruth(t *testing.T, toolchain string) {
	r := e2e.NewOf(t, "notify", e2e.Path(t, own+"churn"))
	version := "go"
	if toolchain != "" {
		r.Env, version = append(r.Env, "GOTOOLCHAIN="+toolchain), toolchain
	}
	s := e2e.NewScreenOn(r.Prebuild())
	s.Launch()
	suite.Until(t, "the app answers", func() error {
		_, body, err := e2e.Ask("GET", s.URL("/version"), nil)
		if err == nil && !strings.HasPrefix(body, version) {
			err = errors.New(body)
		}
		return err
	})
	warm(t, e2e.Client, s.URL("/deep?n=1"))
	c := unlocked(t, s)
	first, began := collections(s.Rig), time.Now()

	const most, enough = 200, 60
	var all []failure
	doubtful, wrong := 0, 0
	for n := range most {
		if n >= enough && time.Since(began) > 15*time.Second {
			break
		}
		f := fails(s.Rig, fmt.Sprint("/deep?n=", 1000*n))
		all = append(all, f)
		if !f.Values.Here {
			wrong++
			t.Errorf("failure %d: %s", n, f.Values.Why)
			continue
		}
		if len(f.Notes) > 0 {
			doubtful++
			continue
		}
		for depth := range 4 {
			if bad := differs(f, depth, 1000*n); bad != "" {
				wrong++
				t.Errorf("failure %d, call %d: %s", n, depth, bad)
			}
		}
	}
	gcs := collections(s.Rig) - first
	rate := float64(gcs) / time.Since(began).Seconds()
	if len(all)-doubtful < 10 || gcs < len(all) {
		t.Errorf("of %d failures %d are doubtful, the collector ran %d times: nothing is proved", len(all), doubtful, gcs)
	}

	// Those that are still parked are looked at again, from inside.
	const look = "fmt.Sprint(*pointer, text, list, table, held, *inner, *array[0], *boxes[1], whole.S, whole.P.N, err)"
	again := 0
	for i, f := range all[len(all)-10:] {
		n := 1000 * (len(all) - 10 + i)
		if len(f.Notes) > 0 {
			continue
		}
		for depth := range 4 {
			want := strconv.Quote(fmt.Sprintf("{%d p%d}text%d[%d %d %d] map[n:%d] {%d h%d} %d %d {%d b}text%d%d error %d", n, n, n, n, n+1, n+2, n, n, n, n+1, n, n+1, n, n, n))
			again++
			if got := c.eval(f.ID, depth, look); got != want {
				wrong++
				t.Errorf("failure %d, call %d, again:\n got %s\nwant %s", n/1000, depth, got, want)
			}
			// The app keeps a pointer into a stack that others soon push out.
			if got, want := c.eval(f.ID, depth, "lent = append(lent, pointer)"), ""; got != want {
				t.Errorf("failure %d, call %d, lent: %s", n/1000, depth, got)
			}
		}
	}
	_, lent := s.Get("/version")
	// Many at once, each with its own values.
	var wg sync.WaitGroup
	for client := range 8 {
		wg.Go(func() {
			for i := range 5 {
				n := 1_000_000 + 100*client + i
				_, f, _, err := asked(e2e.Client, s.URL(fmt.Sprint("/deep?n=", n)))
				if err != nil || !f.Values.Here {
					t.Errorf("one of many at once: %v %+v", err, f.Values)
					continue
				}
				for depth := range 4 {
					if bad := differs(f, depth, n); bad != "" && len(f.Notes) == 0 {
						t.Errorf("failure %d of many at once, call %d: %s", n, depth, bad)
					}
				}
			}
		})
	}
	wg.Wait()
	suite.Until(t, "the collector has looked at all of it", func() error {
		if now := collections(s.Rig); now < first+gcs+200 {
			return fmt.Errorf("%d times", now)
		}
		return nil
	})
	if _, now := s.Get("/version"); now != lent {
		t.Errorf("the app is not the one of the beginning any more: %q, then %q", lent, now)
	}
	t.Logf("app %s: %d failures, %d calls looked at again, %d wrong, %d doubtful, %.0f collections a second", strings.TrimSpace(lent), len(all), again, wrong, doubtful, rate)
}

// collections are how often the app's collector has run.
func collections(r *e2e.Rig) int {
	r.T.Helper()
	_, body := r.Get("/gcs")
	n, err := strconv.Atoi(strings.TrimSpace(body))
	if err != nil {
		r.T.Fatal(err)
	}
	return n
}

// differs says what is wrong in one call of deep.
func differs(f failure, depth, n int) string {
	if len(f.Frames) <= depth || f.Frames[depth].Func != "main.deep" {
		return fmt.Sprintf("no such call: %+v", f)
	}
	for name, want := range map[string]string{
		"n":       fmt.Sprint(n),
		"depth":   fmt.Sprint(depth),
		"pointer": fmt.Sprintf(`&{N: %d, Text: "p%d"}`, n, n),
		"text":    fmt.Sprintf(`"text%d"`, n),
		"list":    fmt.Sprintf("len 3 cap 3 [%d, %d, %d]", n, n+1, n+2),
		"table":   fmt.Sprintf(`len 1 {"n": %d}`, n),
		"held":    fmt.Sprintf(`main.box{N: %d, Text: "h%d"}`, n, n),
		"inner":   fmt.Sprintf("&%d", n+1),
		"array":   fmt.Sprintf("[&%d, nil]", n),
		"boxes":   fmt.Sprintf(`len 2 cap 2 [&{N: %d, Text: "a"}, &{N: %d, Text: "b"}]`, n, n+1),
		"whole":   fmt.Sprintf(`{P: &{N: %d, Text: "p%d"}, S: "text%d"}`, n, n, n),
		"err":     fmt.Sprintf(`&errors.errorString{s: "error %d"}`, n),
	} {
		if got := f.Frames[depth].of(name); got != want {
			return fmt.Sprintf("%s is %s, want %s", name, got, want)
		}
	}
	return ""
}
