//go:build linux

package failures

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
)

// measured is devrun on a terminal with the app on net/http alone, its debugger
// linked.
type measured struct {
	b      *testing.B
	url    string
	client *http.Client
	shown  e2e.Output
	dir    string
	pid    int // of devrun
}

func measure(b *testing.B, app string) *measured {
	b.Helper()
	dir := filepath.Join(b.TempDir(), "app")
	if err := os.CopyFS(dir, os.DirFS(e2e.Path(b, own+app))); err != nil {
		b.Fatal(err)
	}
	port := suite.FreePort(b)
	m := &measured{b: b, dir: dir, url: fmt.Sprintf("http://127.0.0.1:%d", port), client: &http.Client{Timeout: suite.Patience}}
	cmd := exec.Command(e2e.Binary(b))
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "APP_ENV=development", "HOST=127.0.0.1", fmt.Sprint("PORT=", port))
	terminal, err := pty.Start(cmd)
	if err != nil {
		b.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		io.Copy(&m.shown, terminal) // until devrun has ended
	}()
	b.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
		<-read
		terminal.Close()
	})
	m.pid = cmd.Process.Pid
	suite.Until(m.b, "the app answers", func() error {
		_, body, err := ask(m.client, m.url+"/version")
		if err == nil && body != "v1\n" {
			err = errors.New(body)
		}
		return err
	})
	return m
}

// profile is a failure with its variables.
func (m *measured) profile() failure {
	m.b.Helper()
	return m.whole(func() failure {
		_, f, _, err := asked(m.client, m.url+"/profile?name=nobody")
		if err != nil {
			m.b.Fatal(err)
		}
		return f
	})
}

// whole asks until a failure comes with its variables.
func (m *measured) whole(ask func() failure) (f failure) {
	m.b.Helper()
	suite.Until(m.b, "the failure has its variables", func() error {
		if f = ask(); !f.Values.Here {
			return errors.New(f.Values.Why)
		}
		return nil
	})
	return f
}

// edit makes generation n and waits until it serves.
func (m *measured) edit(n int) {
	m.b.Helper()
	file := filepath.Join(m.dir, "main.go")
	text, err := os.ReadFile(file)
	if err == nil {
		text = regexp.MustCompile(`const version = "v\d+"`).ReplaceAll(text, fmt.Appendf(nil, `const version = "v%d"`, n))
		err = os.WriteFile(file, text, 0o666)
	}
	if err != nil {
		m.b.Fatal(err)
	}
	suite.Until(m.b, "the save is served", func() error {
		_, body, err := ask(m.client, m.url+"/version")
		if err == nil && body != fmt.Sprintf("v%d\n", n) {
			err = errors.New(body)
		}
		return err
	})
}

func median(all []float64) float64 {
	all = slices.Sorted(slices.Values(all))
	return all[len(all)/2]
}

func reportLoad(b *testing.B) {
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		var one float64
		fmt.Sscan(string(load), &one)
		b.ReportMetric(one, "load")
	}
}

// medians runs f until the benchmark has had enough and reports the median in ms.
func medians(b *testing.B, f func()) {
	var took []float64
	for b.Loop() {
		start := time.Now()
		f()
		took = append(took, float64(time.Since(start).Microseconds())/1000)
	}
	b.ReportMetric(0, "ns/op")
	slices.Sort(took)
	b.ReportMetric(took[len(took)/2], "median-ms")
	b.ReportMetric(took[len(took)*95/100], "p95-ms")
	reportLoad(b)
}

// BenchmarkFailurePage is from a request to the last byte of the page that says
// why it failed, with all variables.
func BenchmarkFailurePage(b *testing.B) {
	m := measure(b, "nethttp")
	m.profile()
	for _, as := range []struct{ name, accept, want string }{
		{"text", "text/plain", "words []string"}, {"json", "application/json", `"words"`}, {"html", "text/html", "<b>words</b>"},
	} {
		b.Run(as.name, func(b *testing.B) {
			size := 0
			medians(b, func() {
				_, body, err := ask(m.client, m.url+"/profile?name=nobody", "Accept", as.accept, "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document")
				if err != nil || !strings.Contains(body, as.want) {
					b.Fatalf("%v\n%s", err, body)
				}
				size = len(body)
			})
			b.ReportMetric(float64(size)/1024, "kB")
		})
	}
}

// BenchmarkEval is one expression asked of the console.
func BenchmarkEval(b *testing.B) {
	m := measure(b, "nethttp")
	f := m.profile()
	shown := regexp.MustCompile(`console PIN \x1b\[[0-9;]*m(\d{3}-\d{3}-\d{3})`)
	origin := f.Console[:strings.Index(f.Console, "/failures/")]
	token := ""
	post := func(what string, body any) (a answered) {
		data, err := json.Marshal(body)
		if err != nil {
			b.Fatal(err)
		}
		req, err := http.NewRequest("POST", origin+"/api/"+what, bytes.NewReader(data))
		if err != nil {
			b.Fatal(err)
		}
		for name, value := range map[string]string{"Content-Type": "application/json", "X-Devrun": "1", "Origin": origin, "Authorization": "Bearer " + token} {
			req.Header.Set(name, value)
		}
		resp, err := m.client.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		defer resp.Body.Close()
		if err := json.NewDecoder(resp.Body).Decode(&a); err != nil || resp.StatusCode != http.StatusOK {
			b.Fatalf("%s: %d %+v %v", what, resp.StatusCode, a, err)
		}
		return a
	}
	suite.Until(m.b, "the console is unlocked", func() error {
		found := shown.FindStringSubmatch(m.shown.String())
		if found == nil {
			return errors.New("no PIN: " + m.shown.String())
		}
		token = post("unlock", map[string]string{"pin": found[1]}).Token
		return nil
	})
	eval := func(src string) answered {
		return post("eval", map[string]any{"failure": f.ID, "frame": 1, "src": src})
	}
	eval("1") // has the packages checked
	for _, q := range []struct{ name, src, want string }{
		{"pure", "len(langs) + 40", "42"},
		{"call", `strings.ToUpper(name)`, `"NOBODY"`},
	} {
		b.Run(q.name, func(b *testing.B) {
			medians(b, func() {
				if a := eval(q.src); a.Text != q.want {
					b.Fatalf("%s is %+v", q.src, cmp.Or(a.Error, a.Panic, a.Text))
				}
			})
		})
	}
}

// BenchmarkStall is how long others wait at most while failures are read: rounds
// of two seconds in which one client asks for a small answer every millisecond,
// and another every 100 ms for one that fails, or in turn for one that does not.
// Reported are the medians over the rounds of the longest wait, and of how much
// longer it is in a round with failures than in the one beside it.
//
//	go test ./cmd/devrun/internal/failures -run '^$' -bench Stall -benchtime 15x
func BenchmarkStall(b *testing.B) {
	m := measure(b, "nethttp")
	m.profile()
	round := func(path string) (longest float64) {
		stop := time.Now().Add(2 * time.Second)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for time.Now().Before(stop) {
				if _, _, err := ask(m.client, m.url+path, "Accept", "application/json"); err != nil {
					b.Error(err)
				}
				time.Sleep(100 * time.Millisecond)
			}
		}()
		for time.Now().Before(stop) {
			start := time.Now()
			if _, body, err := ask(m.client, m.url+"/ok"); err != nil || !strings.HasPrefix(body, "ok ") {
				b.Fatal(err, body)
			}
			longest = max(longest, float64(time.Since(start).Microseconds())/1000)
			time.Sleep(time.Millisecond)
		}
		<-done
		return longest
	}
	var with, without, more []float64
	for b.Loop() {
		o, w := round("/version"), round("/profile?name=nobody")
		without, with, more = append(without, o), append(with, w), append(more, w-o)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(without), "without-ms")
	b.ReportMetric(median(with), "with-ms")
	b.ReportMetric(median(more), "more-ms")
	reportLoad(b)
}

// BenchmarkLarge is an app of 26 MB or more, a database driver in it, that fails
// a dozen calls deep. Warm is as BenchmarkFailurePage; cold is from the request
// that fails as soon as a new generation serves to the variables of all its
// frames, the link with debug information and its reading included.
//
//	go test ./cmd/devrun/internal/failures -run '^$' -bench Large -benchtime 9x
func BenchmarkLarge(b *testing.B) {
	m := measure(b, "large")
	deep := func() (f failure) {
		_, f, _, err := asked(m.client, m.url+"/deep")
		if err != nil {
			b.Fatal(err)
		}
		return f
	}
	check := func(f failure) {
		for depth := range 11 {
			if got, want := f.Frames[depth].of("key"), fmt.Sprintf(`"row %d"`, depth); got != want {
				b.Fatalf("frame %d has key %s, not %s", depth, got, want)
			}
		}
	}
	m.whole(func() failure { return deep() })
	b.Run("warm", func(b *testing.B) {
		frames := 0
		medians(b, func() {
			f := deep()
			check(f)
			frames = len(f.Frames)
		})
		b.ReportMetric(float64(frames), "frames")
	})
	generation := 1
	b.Run("cold", func(b *testing.B) {
		var took []float64
		for b.Loop() {
			generation++
			m.edit(generation)
			start := time.Now()
			first := deep()
			f := m.whole(func() failure {
				_, f, _, err := asked(m.client, first.Console)
				if err != nil {
					b.Fatal(err)
				}
				return f
			})
			took = append(took, float64(time.Since(start).Microseconds())/1000)
			check(f)
		}
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(median(took), "median-ms")
		reportLoad(b)
	})
}
