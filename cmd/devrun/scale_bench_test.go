//go:build linux

package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"devrun/devserver/suite"
)

// BenchmarkScale is what devrun costs where there is much of something. Memory is
// the resident set in MB; "ready" is taken when the app has just become ready and no
// debug information is read.
//
//	go test ./cmd/devrun -run '^$' -bench Scale -benchtime 5x -timeout 1h
//	go test ./cmd/devrun -run '^$' -bench Scale/streams -benchtime 1x -timeout 2h -streamed 1h
func BenchmarkScale(b *testing.B) {
	b.Run("packages-10", func(b *testing.B) { scalePackages(b, 10) })
	b.Run("packages-2000", func(b *testing.B) { scalePackages(b, 2000) })
	b.Run("checkout-5000", func(b *testing.B) { scaleCheckout(b, 5000) })
	b.Run("tabs-500", func(b *testing.B) { scaleTabs(b, 500) })
	b.Run("held-10000", func(b *testing.B) { scaleHeld(b, 10_000) })
	b.Run("ignored-200000", func(b *testing.B) { scaleIgnored(b, 200_000) })
	b.Run(fmt.Sprintf("streams-10-of-%.0fs", streamed.Seconds()), func(b *testing.B) { scaleStreams(b, 10, *streamed) })
}

var streamed = flag.Duration("streamed", 20*time.Second, "how long the streams of BenchmarkScale last")

// scalePackages is a module of n packages, of which the app needs all. A save is
// one of the file of main.
func scalePackages(b *testing.B, n int) {
	a := newBenchApp(b, "", func(version string, port int) map[string]string {
		files := onePackage(version, port)
		for i := range n {
			next := ""
			if i%100 > 0 { // chains of 100
				next = fmt.Sprintf("import _ \"example.test/bench/p%d\"\n", i-1)
			}
			files[fmt.Sprintf("p%d/p.go", i)] = fmt.Sprintf("package p%d\n\n%s\nvar V = %d\n", i, next, i)
		}
		var all strings.Builder
		for i := range n {
			if i%100 == 99 || i == n-1 {
				fmt.Fprintf(&all, "\t_ \"example.test/bench/p%d\"\n", i)
			}
		}
		files["all.go"] = "package main\n\nimport (\n" + all.String() + ")\n"
		return files
	})
	build := func() time.Duration {
		b.Helper()
		start := time.Now()
		cmd := exec.Command("go", "build", "-o", "bench", ".")
		cmd.Dir = a.dir
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
		return time.Since(start)
	}
	byHand, start := build(), time.Now()
	a.devrun("-v")
	a.waitEvery("v0", seldom)
	first, memory, descriptors := time.Since(start), a.resident(), a.descriptors()
	v := a.settle()
	before := len(a.out.String())
	var took, plain []float64
	for b.Loop() {
		v++
		a.rest()
		start := time.Now()
		a.write(fmt.Sprintf("v%d", v))
		a.wait(fmt.Sprintf("v%d", v))
		took = append(took, ms(time.Since(start)))
		a.rest()
		plain = append(plain, ms(build()))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(byHand.Seconds(), "first-go-build-s")
	b.ReportMetric(first.Seconds(), "first-answer-s")
	b.ReportMetric(median(plain), "go-build-ms")
	b.ReportMetric(median(took), "save-ms")
	b.ReportMetric(memory, "ready-MB")
	b.ReportMetric(float64(descriptors), "descriptors")
	b.ReportMetric(a.resident(), "rss-MB")
	b.Logf("%s; load %s", timeline(a.out.String()[before:]), load(b))
}

// scaleCheckout goes back and forth between two branches that differ in each of n
// files of 50 packages.
func scaleCheckout(b *testing.B, n int) {
	source := func(version string, port int) map[string]string {
		files := onePackage(version, port)
		var all strings.Builder
		for i := range 50 {
			fmt.Fprintf(&all, "\t_ \"example.test/bench/p%d\"\n", i)
		}
		files["all.go"] = "package main\n\nimport (\n" + all.String() + ")\n"
		for i := range n {
			files[fmt.Sprintf("p%d/f%d.go", i%50, i)] = fmt.Sprintf("package p%d\n\n// V%d is of %s.\nvar V%d = %q\n", i%50, i, version, i, version)
		}
		return files
	}
	a := newBenchApp(b, "", source)
	git := func(args ...string) {
		b.Helper()
		cmd := exec.Command("git", append([]string{"-c", "user.name=x", "-c", "user.email=x@example.test"}, args...)...)
		cmd.Dir = a.dir
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("git %s: %v\n%s", args[0], err, out)
		}
	}
	git("init", "-q", "-b", "v0")
	git("add", ".")
	git("commit", "-qm", "v0")
	git("checkout", "-qb", "v1")
	a.write("v1")
	git("commit", "-qam", "v1")
	git("checkout", "-q", "v0")
	a.devrun("-v")
	a.wait("v0")
	memory := a.resident()
	var took, plain []float64
	before := len(a.out.String())
	at := 0
	for b.Loop() {
		a.rest()
		at = 1 - at
		branch := fmt.Sprintf("v%d", at)
		git("checkout", "-q", branch)
		start := time.Now()
		a.wait(branch)
		took = append(took, ms(time.Since(start)))
		a.rest()
		start = time.Now()
		build := exec.Command("go", "build", "-o", "bench", ".")
		build.Dir = a.dir
		if out, err := build.CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
		plain = append(plain, ms(time.Since(start)))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(memory, "ready-MB")
	b.ReportMetric(median(took), "checkout-ms")
	b.ReportMetric(median(plain), "go-build-ms")
	said := a.out.String()[before:]
	b.ReportMetric(took[0], "first-checkout-ms") // to files that were never built
	b.ReportMetric(plain[0], "first-go-build-ms")
	b.ReportMetric(float64(strings.Count(said, "built in"))/float64(len(took)), "builds/checkout")
	b.ReportMetric(a.resident(), "rss-MB")
	b.Logf("%s; load %s", timeline(said), load(b))
}

// scaleTabs has n open pages wait for news, and saves a stylesheet.
func scaleTabs(b *testing.B, n int) {
	a := newBenchApp(b, "", onePackage)
	style := filepath.Join(a.dir, "app.css")
	if err := os.WriteFile(style, []byte("p { color: red }"), 0o644); err != nil {
		b.Fatal(err)
	}
	a.devrun()
	a.wait("v0")
	a.rest()
	memory, descriptors := a.resident(), a.descriptors()
	var told atomic.Int64
	var open sync.WaitGroup
	for range n {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", a.port))
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { conn.Close() })
		fmt.Fprintf(conn, "GET /__devrun/events HTTP/1.1\r\nHost: localhost:%d\r\nSec-Fetch-Site: same-origin\r\n\r\n", a.port)
		open.Add(1)
		go func() {
			hello := false
			for lines := bufio.NewScanner(conn); lines.Scan(); {
				switch text := lines.Text(); {
				case strings.Contains(text, `"css"`):
					told.Add(1)
				case !hello && strings.HasPrefix(text, "data:"):
					hello = true
					open.Done()
				}
			}
		}()
	}
	open.Wait()
	memoryEach, descriptorsEach := (a.resident()-memory)*1024/float64(n), float64(a.descriptors()-descriptors)/float64(n)
	var took []float64
	for i := 0; b.Loop(); i++ {
		told.Store(0)
		start := time.Now()
		if err := os.WriteFile(style, fmt.Appendf(nil, "p { color: rgb(%d, 0, 0) }", i), 0o644); err != nil {
			b.Fatal(err)
		}
		suite.Until(b, "all know of the stylesheet", func() error {
			if now := told.Load(); now < int64(n) {
				return fmt.Errorf("%d do", now)
			}
			return nil
		})
		took = append(took, ms(time.Since(start)))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(memoryEach, "kB/tab")
	b.ReportMetric(descriptorsEach, "descriptors/tab")
	b.ReportMetric(median(took), "save-to-all-ms")
}

// scaleHeld has n requests come while the app is being replaced by one that takes
// five seconds to start.
func scaleHeld(b *testing.B, n int) {
	a := newBenchApp(b, "", func(version string, port int) map[string]string {
		files := onePackage(version, port)
		if version != "v0" {
			files["main.go"] = strings.Replace(files["main.go"], "func main() {\n", "func main() {\n\ttime.Sleep(5 * time.Second)\n", 1)
			files["main.go"] = strings.Replace(files["main.go"], "import (\n", "import (\n\t\"time\"\n", 1)
		}
		return files
	})
	a.devrun()
	a.wait("v0")
	a.rest()
	memory := a.resident()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 2 * time.Minute}
	var held, failed, v float64
	for b.Loop() {
		v++
		version := fmt.Sprintf("v%.0f", v)
		a.write(version)
		suite.Until(b, "devrun builds", func() error {
			if out := a.out.String(); strings.Count(out, "main.go saved") < int(v) {
				return errors.New(out)
			}
			return nil
		})
		var answers sync.WaitGroup
		var wrong atomic.Int64
		var first atomic.Value
		for range n {
			answers.Go(func() {
				resp, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/version", a.port))
				if err == nil && resp.StatusCode != http.StatusOK {
					body, _ := io.ReadAll(resp.Body)
					err = fmt.Errorf("%s: %s", resp.Status, body)
				}
				if resp != nil {
					resp.Body.Close()
				}
				if err != nil {
					wrong.Add(1)
					first.CompareAndSwap(nil, err.Error())
				}
			})
		}
		done := make(chan struct{})
		go func() { answers.Wait(); close(done) }()
		for waiting := true; waiting; {
			held = max(held, a.resident()-memory)
			select {
			case <-done:
				waiting = false
			case <-time.After(20 * time.Millisecond):
			}
		}
		if wrong.Load() > 0 {
			b.Logf("%d requests failed: %v", wrong.Load(), first.Load())
		}
		failed += float64(wrong.Load())
		a.wait(version)
		a.rest()
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(held*1024/float64(n), "kB/request")
	b.ReportMetric(failed, "failed")
}

// scaleIgnored starts an app that was built before, in turns with n files beside it
// that git ignores and without them.
func scaleIgnored(b *testing.B, n int) {
	bare, full := newBenchApp(b, "", onePackage), newBenchApp(b, "", onePackage)
	for i := range n {
		dir := filepath.Join(full.dir, "assets", fmt.Sprint(i/1000))
		if i%1000 == 0 {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				b.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.js", i)), nil, 0o644); err != nil {
			b.Fatal(err)
		}
	}
	for _, a := range []*benchApp{bare, full} {
		if err := os.WriteFile(filepath.Join(a.dir, ".gitignore"), []byte("/assets/\n"), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	var memory, watches [2]float64
	start := func(i int, a *benchApp) float64 {
		began := time.Now()
		a.devrun()
		a.wait("v0")
		took := ms(time.Since(began))
		a.rest()
		memory[i], watches[i] = a.resident(), float64(a.watches())
		a.stop(os.Interrupt)
		return took
	}
	start(0, bare) // build
	start(1, full)
	var without, with []float64
	for b.Loop() {
		without = append(without, start(0, bare))
		with = append(with, start(1, full))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(without), "start-without-ms")
	b.ReportMetric(median(with), "start-ms")
	b.ReportMetric(median(with)/median(without), "ratio")
	b.ReportMetric(memory[1]-memory[0], "MB-more")
	b.ReportMetric(watches[1]-watches[0], "watches-more")
	b.Logf("load %s", load(b))
}

// scaleStreams has n requests receive an event a second for a long time.
func scaleStreams(b *testing.B, n int, length time.Duration) {
	a := newBenchApp(b, "", func(version string, port int) map[string]string {
		files := onePackage(version, port)
		files["stream.go"] = `package main

import (
	"fmt"
	"net/http"
	"time"
)

func init() {
	http.HandleFunc("/stream", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for tick := time.NewTicker(time.Second); ; {
			fmt.Fprintf(w, "data: %d\n\n", time.Now().UnixMicro())
			w.(http.Flusher).Flush()
			select {
			case <-tick.C:
			case <-r.Context().Done():
				return
			}
		}
	})
}
`
		return files
	})
	a.devrun()
	a.wait("v0")
	a.rest()
	client := &http.Client{}
	var events, late, opened, grown, cpu float64
	for b.Loop() {
		memory := a.resident()
		end := time.Now().Add(length)
		var mu sync.Mutex
		var open, reading sync.WaitGroup
		open.Add(n)
		for range n {
			reading.Go(func() {
				resp, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/stream", a.port))
				open.Done()
				if err != nil {
					b.Error(err)
					return
				}
				defer resp.Body.Close()
				lines := bufio.NewScanner(resp.Body)
				for time.Now().Before(end) {
					if !lines.Scan() {
						b.Errorf("a stream ended: %v", lines.Err())
						return
					}
					var sent int64
					if _, err := fmt.Sscanf(lines.Text(), "data: %d", &sent); err == nil {
						mu.Lock()
						events++
						late = max(late, ms(time.Since(time.UnixMicro(sent))))
						mu.Unlock()
					}
				}
			})
		}
		open.Wait()
		began, used := a.resident(), usedBy(b, a.cmd.Process.Pid)
		reading.Wait()
		opened = (began - memory) * 1024 / float64(n)
		grown = (a.resident() - began) * 1024 / float64(n)
		cpu = 100 * float64(usedBy(b, a.cmd.Process.Pid)-used) / float64(length)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(events/float64(b.N)/float64(n), "events/stream")
	b.ReportMetric(late, "latest-ms")
	b.ReportMetric(opened, "kB/stream")
	b.ReportMetric(grown, "kB-more-at-end/stream")
	b.ReportMetric(cpu, "cpu-%")
	b.Logf("load %s", load(b))
}

// settle saves until devrun builds by itself, and returns the version.
func (a *benchApp) settle() (version int) {
	a.b.Helper()
	suite.Until(a.b, "devrun builds a save by itself", func() error {
		a.rest() // it is being found out how
		version++
		a.write(fmt.Sprintf("v%d", version))
		a.wait(fmt.Sprintf("v%d", version))
		if out := a.out.String(); !strings.Contains(out, " · compile ") {
			return errors.New(out)
		}
		return nil
	})
	return version
}

// resident is devrun's memory in MB.
func (a *benchApp) resident() float64 {
	a.b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", a.cmd.Process.Pid))
	if err != nil {
		a.b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kB := 0.0
	if _, err := fmt.Sscan(rest, &kB); err != nil {
		a.b.Fatal(err)
	}
	return kB / 1024
}

// watches is how many directories the kernel tells devrun of.
func (a *benchApp) watches() (n int) {
	a.b.Helper()
	all, err := filepath.Glob(fmt.Sprintf("/proc/%d/fdinfo/*", a.cmd.Process.Pid))
	if err != nil {
		a.b.Fatal(err)
	}
	for _, name := range all {
		if text, err := os.ReadFile(name); err == nil {
			n += strings.Count(string(text), "inotify wd:")
		}
	}
	return n
}

func (a *benchApp) descriptors() int {
	a.b.Helper()
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", a.cmd.Process.Pid))
	if err != nil {
		a.b.Fatal(err)
	}
	return len(open)
}
