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

	"devrun/cmd/devrun/internal/rig"
)

// measured is devrun on a terminal with the app on net/http alone, its debugger
// linked.
type measured struct {
	b      *testing.B
	url    string
	client *http.Client
	shown  rig.Output
}

func measure(b *testing.B) *measured {
	b.Helper()
	dir := filepath.Join(b.TempDir(), "app")
	for _, d := range []string{"plain", "ways"} {
		if err := os.CopyFS(dir, os.DirFS(rig.Path(b, own+d))); err != nil {
			b.Fatal(err)
		}
	}
	port := rig.FreePort(b)
	m := &measured{b: b, url: fmt.Sprintf("http://127.0.0.1:%d", port), client: &http.Client{Timeout: rig.Patience}}
	cmd := exec.Command(rig.Binary(b))
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
	m.wait(func() error {
		_, f, _, err := asked(m.client, m.url+"/profile?name=nobody")
		if err == nil && !f.Values.Here {
			err = errors.New(f.Values.Why)
		}
		return err
	})
	return m
}

func (m *measured) wait(check func() error) {
	m.b.Helper()
	deadline := time.Now().Add(rig.Patience)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			m.b.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
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
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		var one float64
		fmt.Sscan(string(load), &one)
		b.ReportMetric(one, "load")
	}
}

// BenchmarkFailurePage is from a request to the last byte of the page that says
// why it failed, with all variables.
func BenchmarkFailurePage(b *testing.B) {
	m := measure(b)
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
	m := measure(b)
	_, f, _, err := asked(m.client, m.url+"/profile?name=nobody")
	if err != nil {
		b.Fatal(err)
	}
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
	m.wait(func() error {
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
