//go:build linux

package main

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"devrun/cmd/devrun/internal/rig"
)

// BenchmarkSaveToServed measures the time from a save to the first answer of
// the new version: with devrun, and with what one would do by hand, which is
// to build with plain `go build`, kill the old process and start the new one.
// The two take turns in one run, each polled every 5 ms. Reported are the
// medians in ms, their ratio, and devrun's requests that failed.
//
//	go test ./cmd/devrun -run '^$' -bench SaveToServed -benchtime 9x
func BenchmarkSaveToServed(b *testing.B) {
	for _, size := range []struct {
		name string
		deps string // of the app: Go source, "" for none
	}{
		{"small-7MB", ""},
		{"large-19MB", largeDeps},
	} {
		b.Run(size.name, func(b *testing.B) {
			plain, runner := newBenchApp(b, size.deps), newBenchApp(b, size.deps)
			plain.byHand("v0")
			runner.devrun()
			runner.wait("v0")
			var hand, dev []float64
			failed := 0
			for i := 0; b.Loop(); i++ {
				v := fmt.Sprintf("v%d", i+1)
				start := time.Now()
				plain.write(v)
				plain.byHand(v)
				hand = append(hand, float64(time.Since(start).Microseconds())/1000)
				runner.idle()
				start = time.Now()
				runner.write(v)
				failed += runner.wait(v)
				dev = append(dev, float64(time.Since(start).Microseconds())/1000)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(median(hand), "go-build-ms")
			b.ReportMetric(median(dev), "devrun-ms")
			b.ReportMetric(median(dev)/median(hand), "ratio")
			b.ReportMetric(float64(failed), "failed")
		})
	}
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}

// largeDeps makes an app of a size that real ones have, from modules that are
// there already. Templates keep the methods of all types that are reachable.
const largeDeps = `package main

import (
	"database/sql"
	"encoding/xml"
	"go/types"
	"html/template"
	"image/jpeg"
	"image/png"
	"net/rpc"
	"net/smtp"
	"os"

	"github.com/andybalholm/brotli"
	"github.com/chromedp/cdproto"
	"github.com/chromedp/chromedp"
	"github.com/klauspost/compress/zstd"
	"github.com/spf13/cobra"
	"golang.org/x/net/html"
)

func init() {
	if len(os.Args) > 100 {
		template.Must(template.New("").Parse("{{.}}")).Execute(os.Stdout, []any{
			sql.Open, xml.Unmarshal, types.NewChecker, jpeg.Decode, png.Decode, rpc.Dial, smtp.Dial, brotli.NewReader,
			cdproto.UnmarshalMessage, chromedp.Navigate, zstd.NewReader, &cobra.Command{}, html.Parse, &types.Checker{}, &sql.DB{},
		})
	}
}
`

// benchApp is one copy of an app that serves its version.
type benchApp struct {
	b    *testing.B
	dir  string
	port int
	cmd  *exec.Cmd
}

func newBenchApp(b *testing.B, deps string) *benchApp {
	a := &benchApp{b: b, dir: b.TempDir(), port: rig.FreePort(b)}
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		b.Fatal(err)
	}
	sum, err := os.ReadFile("../../go.sum")
	if err != nil {
		b.Fatal(err)
	}
	for name, text := range map[string]string{
		"go.mod":  strings.Replace(string(mod), "module devrun", "module example.test/bench", 1),
		"go.sum":  string(sum),
		"deps.go": cmp.Or(deps, "package main\n"),
	} {
		if err := os.WriteFile(filepath.Join(a.dir, name), []byte(text), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	a.write("v0")
	return a
}

func (a *benchApp) write(version string) {
	a.b.Helper()
	text := fmt.Sprintf(`package main

import (
	"fmt"
	"log"
	"net/http"
)

const version = %q

func main() {
	http.HandleFunc("/version", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, version) })
	log.Fatal(http.ListenAndServe("127.0.0.1:%d", nil))
}
`, version, a.port)
	if err := os.WriteFile(filepath.Join(a.dir, "main.go"), []byte(text), 0o644); err != nil {
		a.b.Fatal(err)
	}
}

func (a *benchApp) start(name string, args ...string) {
	a.b.Helper()
	a.cmd = exec.Command(name, args...)
	a.cmd.Dir, a.cmd.Env = a.dir, append(os.Environ(), "APP_ENV=development")
	if err := a.cmd.Start(); err != nil {
		a.b.Fatal(err)
	}
}

func (a *benchApp) stop(sig os.Signal) {
	if a.cmd != nil {
		a.cmd.Process.Signal(sig)
		a.cmd.Wait()
	}
}

// byHand builds, kills, starts and waits for the answer.
func (a *benchApp) byHand(version string) {
	a.b.Helper()
	build := exec.Command("go", "build", "-o", "bench", ".")
	build.Dir = a.dir
	if out, err := build.CombinedOutput(); err != nil {
		a.b.Fatalf("%v\n%s", err, out)
	}
	if a.cmd == nil {
		a.b.Cleanup(func() { a.stop(os.Kill) })
	}
	a.stop(os.Kill)
	a.start("./bench")
	a.wait(version)
}

func (a *benchApp) devrun() {
	a.start(rig.Binary(a.b))
	a.b.Cleanup(func() { a.stop(os.Interrupt) })
}

// wait polls every 5 ms until the version is served and returns how many
// requests failed after the app had answered once.
func (a *benchApp) wait(version string) (failed int) {
	a.b.Helper()
	url := fmt.Sprintf("http://127.0.0.1:%d/version", a.port)
	deadline := time.Now().Add(5 * time.Minute)
	last := ""
	for time.Now().Before(deadline) {
		resp, err := rig.Client.Get(url)
		if err != nil {
			failed++
			last = err.Error()
		} else {
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK || err != nil {
				failed++
			}
			last = string(body)
			if strings.TrimSpace(last) == version {
				return failed
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	a.b.Fatalf("%s was never served, the last answer was %q", version, last)
	return 0
}

// idle waits until devrun has no child but the app, so that what it does
// after a save is not counted to the next one.
func (a *benchApp) idle() {
	for len(rig.Children(a.cmd.Process.Pid)) > 1 {
		time.Sleep(5 * time.Millisecond)
	}
}

// BenchmarkStylesheet measures the time from the save of a stylesheet to its
// rules being in force in a page of a real browser.
//
//	go test ./cmd/devrun -run '^$' -bench Stylesheet -benchtime 20x
func BenchmarkStylesheet(b *testing.B) {
	chromium := rig.Browser(b)
	dir := filepath.Join(b.TempDir(), "app")
	if err := os.CopyFS(dir, os.DirFS(rig.App(b))); err != nil {
		b.Fatal(err)
	}
	port := rig.FreePort(b)
	cmd := exec.Command(rig.Binary(b))
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "APP_ENV=development", "HOST=127.0.0.1", fmt.Sprintf("PORT=%d", port))
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { cmd.Process.Signal(os.Interrupt); cmd.Wait() })
	url := fmt.Sprintf("http://127.0.0.1:%d/", port)
	for deadline := time.Now().Add(rig.Patience); ; time.Sleep(5 * time.Millisecond) {
		if resp, err := rig.Client.Get(url); err == nil {
			resp.Body.Close()
			break
		} else if time.Now().After(deadline) {
			b.Fatal(err)
		}
	}
	p := rig.NewTab(b, chromium, url)
	p.Becomes(rig.BodyText, "^v1 ")
	// The page takes the time itself: polling it from here would be slower
	// than what is measured.
	p.Do(`window.colour = "", window.at = 0;
		(function look() {
			const now = getComputedStyle(document.getElementById("version")).color;
			if (now !== colour) { colour = now; at = Date.now() }
			setTimeout(look, 1);
		})()`)
	var took []float64
	for i := 0; b.Loop(); i++ {
		colour := fmt.Sprintf("rgb(%d, %d, 9)", i/250%250, i%250)
		start := time.Now()
		if err := os.WriteFile(filepath.Join(dir, "static/app.css"), []byte("p { color: "+colour+" }"), 0o644); err != nil {
			b.Fatal(err)
		}
		p.Becomes("colour", strings.NewReplacer("(", `\(`, ")", `\)`).Replace(colour))
		at, err := strconv.ParseFloat(p.Eval("at"), 64)
		if err != nil {
			b.Fatal(err)
		}
		took = append(took, at-float64(start.UnixMicro())/1000)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(took), "save-to-style-ms")
	b.ReportMetric(slices.Max(took), "max-ms")
}

// BenchmarkIdle measures the share of a CPU that devrun takes while nothing
// happens, over a second for each iteration.
//
//	go test ./cmd/devrun -run '^$' -bench Idle -benchtime 10x
func BenchmarkIdle(b *testing.B) {
	a := newBenchApp(b, "")
	a.devrun()
	a.wait("v0")
	// The debug information is linked and read once a generation, which is no part
	// of doing nothing.
	rig.Eventually(b, "the debug information is being linked", func() error {
		if n := len(rig.Children(a.cmd.Process.Pid)); n < 2 {
			return fmt.Errorf("%d children", n)
		}
		return nil
	})
	a.idle()
	rig.Eventually(b, "devrun comes to rest", func() error {
		before := cpuTime(b, a.cmd.Process.Pid)
		time.Sleep(time.Second)
		if used := cpuTime(b, a.cmd.Process.Pid) - before; used > 20*time.Millisecond {
			return fmt.Errorf("it used %v in a second", used)
		}
		return nil
	})
	before, start := cpuTime(b, a.cmd.Process.Pid), time.Now()
	for b.Loop() {
		time.Sleep(time.Second)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(100*float64(cpuTime(b, a.cmd.Process.Pid)-before)/float64(time.Since(start)), "cpu-%")
}

// cpuTime is the processor time that a process has used, its threads' sum.
func cpuTime(b *testing.B, pid int) time.Duration {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(tasks) == 0 {
		b.Fatal("no schedstat: ", err)
	}
	var sum time.Duration
	for _, t := range tasks {
		text, err := os.ReadFile(t)
		if err != nil {
			continue
		}
		var ns int64
		if _, err := fmt.Sscan(string(text), &ns); err == nil {
			sum += time.Duration(ns)
		}
	}
	return sum
}
