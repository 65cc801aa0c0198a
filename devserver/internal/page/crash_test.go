package page

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"devrun/devserver/internal/fault"
	"devrun/devserver/internal/srctree"
)

// kept is a crash from the texts that the trace parser is tested with; root is
// where its source is.
func kept(t *testing.T, name string) (c fault.Crash, app App) {
	t.Helper()
	dir, err := filepath.Abs("../fault/testdata")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, name+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	app = App{Name: "crash", Root: filepath.Join(dir, "crash")}
	lines := strings.Split(strings.TrimSpace(strings.ReplaceAll(string(text), "/home/dev/crash", app.Root)), "\n")
	return fault.Crash{
		Generation: 42, At: time.Now(),
		Exit:  fault.Exit{Pid: 3987, Code: 2, Stderr: lines},
		Trace: fault.ParseTrace(lines),
	}, app
}

// current is the call that the page shows first.
func current(html string) string {
	_, after, _ := strings.Cut(html, `aria-current="true">`)
	row, _, _ := strings.Cut(after, "</small>")
	return strings.NewReplacer("<code>", "", "</code>", "", "<i>", "", "</i>", "", "<b>", "|", "</b>", "", "<small>", " ").Replace(row)
}

func TestCrashPage(t *testing.T) {
	for name, test := range map[string]struct {
		current string
		why     string
		parts   []string
	}{
		"nil":        {"main.|fail main.go:", "Goroutine 1 panicked on line %d of <code>main.go</code>. Nothing recovered it, so the Go runtime ended the process.", []string{"<h1><span>panic:</span> runtime error: invalid memory"}},
		"error":      {"main.|init.func2 main.go:", "", []string{"<h1><span>panic:</span> my error\nsecond line\n\nfourth line</h1>", "<title>panic: my error</title>"}},
		"repanicked": {"main.|fail main.go:", "Goroutine 1 panicked on line %d of <code>main.go</code>. Nothing recovered it", []string{`<a class="fr bad"`}},
		"wrapped":    {"main.|fail main.go:", "Goroutine 1 panicked first on line %d of <code>main.go</code>. While that was handled, the panic above was raised", []string{"Before that", "panic: runtime error: invalid memory address"}},
		"library":    {"main.|fail main.go:", "Goroutine 1 panicked on line", []string{"example.com/crash/lib.</i><b>Call"}},
		"unlock":     {"main.|init.func18 main.go:", "Goroutine 1 reached a state that Go cannot continue from in <code>sync.(*Mutex).Unlock</code>, called on line %d of <code>main.go</code>.", nil},
		"maps":       {"main.|maps.func1 main.go:", "was about to write a map on line %d of <code>main.go</code>. It found another write under way. The Go runtime ends the process here; <code>recover</code> cannot stop it.", []string{"started by goroutine 1", "1 library frame: internal/runtime/maps"}},
		"deadlock":   {"main.|init.func17 main.go:", "Every goroutine was waiting, so none could continue.", []string{"4 library frames: internal/sync, sync"}},
		"overflow":   {"main.|deeper main.go:", "The stack of goroutine 1 grew past the limit. <code>main.deeper</code> is on it 96 times and more.", []string{"this call 49 times more", "frames left out by the runtime", "Stderr up to the crash"}},
		"memory":     {"main.|memory main.go:", "The system gave the Go runtime no more memory.", nil},
		"quit":       {"main.|signal main.go:", "The process got a signal that Go does not turn into a panic", []string{"<h1>SIGQUIT: quit</h1>"}},
		"generic":    {"main.|fail main.go:", "", []string{"<i>main.(*box[...]).</i><b>open</b>"}},
		"allwaiting": {"main.|fail main.go:", "", []string{"3 other goroutines</summary>", "<h3>3 goroutines, select (no cases)</h3>"}},
		"hostile":    {"main.|init.func7 main.go:", "", []string{"<h1><span>panic:</span> not this\n\ngoroutine 1 [running]:\nmain.fake()"}},
	} {
		t.Run(name, func(t *testing.T) {
			c, app := kept(t, name)
			html := body(t, New(app).Crashed(c, ""), "text/html")
			got := current(html)
			if !strings.HasPrefix(got, test.current) {
				t.Errorf("the page shows %q first, want %q", got, test.current)
			}
			var line int
			if _, err := fmt.Sscanf(got[strings.LastIndex(got, ":")+1:], "%d", &line); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(test.why, "%d") {
				test.why = fmt.Sprintf(test.why, line)
			}
			contains(t, html, append(test.parts, test.why, fmt.Sprintf(`<span class="l bad" data-n="%d">`, line), "This page reloads by itself after the next save.")...)
			if n := strings.Count(html, ` aria-current="true"`); n != 1 {
				t.Errorf("%d current rows", n)
			}
			if n := strings.Count(html, `class="panel on"`); n != 1 {
				t.Errorf("%d panels are on", n)
			}
		})
	}
}

func TestCrashWithoutTrace(t *testing.T) {
	p := New(testApp(t))
	for name, test := range map[string]struct {
		exit  fault.Exit
		parts []string
	}{
		"status": {fault.Exit{Code: 1, Stderr: []string{"first", "listen tcp :8080: bind: \x1b[31maddress\x1b[0m already in use", ""}},
			[]string{"<h1>app exited, status 1</h1>", "there is no panic in what it printed last. Its last line on stderr was <code>listen tcp :8080: bind: address already in use</code>."}},
		"zero":    {fault.Exit{Code: 0}, []string{"<h1>app exited, status 0</h1>", "without an error: <code>main</code> returned, or <code>os.Exit(0)</code> was called.", "The app wrote nothing to stderr."}},
		"killed":  {fault.Exit{Code: -1, Signal: "killed", MaxRSS: 3_900_000_000}, []string{"<h1>app was killed (signal: killed)</h1>", "It had 3.9 GB in use; it may have run out of memory."}},
		"no size": {fault.Exit{Code: -1, Signal: "killed"}, []string{"Something outside ended it; it may have run out of memory."}},
		"unstarted": {fault.Exit{Code: -1, Stderr: []string{"fork/exec /tmp/x: permission denied"}},
			[]string{"<h1>app did not start</h1>", "The system did not run it: <code>fork/exec /tmp/x: permission denied</code>.", "<span>not started</span>"}},
		"signal": {fault.Exit{Code: -1, Signal: "terminated"}, []string{"<h1>app ended, signal: terminated</h1>"}},
	} {
		t.Run(name, func(t *testing.T) {
			html := body(t, p.Crashed(fault.Crash{At: time.Now(), Exit: test.exit}, "pid 3120 (other) has the port."), "text/html")
			contains(t, html, append(test.parts, "pid 3120 (other) has the port. This page reloads")...)
			lacks(t, html, `class="rail"`, "All frames")
		})
	}
}

func TestCrashOfARequest(t *testing.T) {
	c, app := kept(t, "maps")
	c.Trace.Goroutines[0].Labels = map[string]string{fault.RequestLabel: "GET /<b> #2 #17"}
	html := body(t, New(app).Crashed(c, ""), "text/html")
	contains(t, html, "The goroutine was started by <code>GET /&lt;b&gt; #2</code>.", "started by GET /&lt;b&gt; #2")
	lacks(t, html, "#17")
}

func TestCrashForms(t *testing.T) {
	c, app := kept(t, "wrapped")
	h := New(app).Crashed(c, "")
	text := body(t, h, "")
	contains(t, text, "crash crashed: exit status 2, pid 3987, ran 0 ms\n\npanic: runtime error: invalid memory address or nil pointer dereference\npanic: wrapped: ",
		"goroutine 1, running\n  main.init.func11.1  main.go:", "\n  + 1 library frame\n  main.fail  main.go:", "The next save starts it again.\n")
	contains(t, body(t, h, "text/markdown"), "## crash: exit status 2\n\n    panic: runtime error", "\n      main.fail  main.go:")
	var got crashJSON
	if err := json.Unmarshal([]byte(body(t, h, "application/json")), &got); err != nil {
		t.Fatal(err)
	}
	if got.Kind != "crash" || got.Exit.Status != 2 || got.Trace == nil || len(got.Trace.Earlier) != 1 || got.Stderr != nil ||
		!got.Trace.Goroutines[0].Frames[0].App || got.Trace.Goroutines[0].Frames[2].App || got.Trace.Goroutines[0].Frames[0].Rel != "main.go" {
		t.Errorf("json %+v", got)
	}

	// What the app logged stays on the html page; without a trace it is all there is.
	c, app = kept(t, "logged")
	for _, accept := range []string{"", "text/markdown", "application/json"} {
		lacks(t, body(t, New(app).Crashed(c, ""), accept), "17:22:02 INFO")
	}
	contains(t, body(t, New(app).Crashed(c, ""), "text/html"), "17:22:02 INFO")
	c.Trace = fault.Trace{}
	for _, accept := range []string{"", "text/markdown", "application/json"} {
		contains(t, body(t, New(app).Crashed(c, ""), accept), "17:22:02 INFO")
	}
}

func TestStderrTail(t *testing.T) {
	p := New(testApp(t))
	var lines []string
	for i := range 50 {
		lines = append(lines, fmt.Sprintf("line %02d \x1b[1mbold\x1b[0m \x1b[2J", i))
	}
	html := body(t, p.Crashed(fault.Crash{Exit: fault.Exit{Code: 1, Stderr: lines}}, ""), "text/html")
	contains(t, html, "Last 30 lines of stderr", "\">line 20 bold ␛[2J\nline 21", "All of stderr</b><span>50 lines", "\">line 00 bold")
}

func TestRepeats(t *testing.T) {
	calls := func(names string) []srctree.Frame {
		var out []srctree.Frame
		for _, n := range names {
			out = append(out, srctree.Frame{Frame: fault.Frame{Func: string(n), Line: 1}})
		}
		return out
	}
	for in, want := range map[string][2]int{"a|aaa": {1, 3}, "ab|abab": {2, 2}, "xab|ababa": {2, 2}, "ab|ab": {0, 0}, "a|bcd": {0, 0}, "a|": {0, 0}, "abc|abcabcabcd": {3, 3}} {
		done, next, _ := strings.Cut(in, "|")
		if period, times := repeats(calls(done), calls(next)); period != want[0] || times != want[1] {
			t.Errorf("%s: %d, %d times", in, period, times)
		}
	}
}
