package fault

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/*.txt anew from testdata/crash")

// summary is a Trace in few enough lines to be read in a table: the message, and
// of each goroutine its state and the functions of package main.
func summary(t Trace) string {
	var b strings.Builder
	for _, m := range t.Earlier {
		fmt.Fprintf(&b, "earlier %q\n", m)
	}
	fmt.Fprintf(&b, "%s %q\n", t.Kind, t.Message)
	for _, g := range t.Goroutines {
		if g.ID != t.Goroutines[0].ID && !slices.ContainsFunc(g.Frames, func(f Frame) bool { return strings.HasPrefix(f.Func, "main.") }) {
			continue
		}
		fmt.Fprintf(&b, "[%s]", g.State)
		run := ""
		for _, f := range g.Frames {
			text := f.Func
			if strings.HasPrefix(f.Func, "main.") {
				text = fmt.Sprintf("%s:%s", strings.TrimPrefix(f.Func, "main."), filepath.Base(f.File))
			} else if f.Func != "panic" && f.Func != "example.com/crash/lib.Call" {
				text = "lib"
			}
			if f.Elided != 0 {
				fmt.Fprintf(&b, " elided")
			}
			if text != run {
				fmt.Fprintf(&b, " %s", text)
			}
			run = text
		}
		if g.CreatedBy != nil {
			fmt.Fprintf(&b, " < %s", strings.TrimPrefix(g.CreatedBy.Func, "main."))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

const nilMessage = `"runtime error: invalid memory address or nil pointer dereference"`

// reports says what is to be read out of testdata/<name>.txt.
var reports = map[string]string{
	"nil":        `panic ` + nilMessage + "\n[running] fail:main.go main:main.go\n",
	"string":     `panic "no such thing"` + "\n[running] init.func1:main.go main:main.go\n",
	"error":      `panic "my error\nsecond line\n\nfourth line"` + "\n[running] init.func2:main.go main:main.go\n",
	"word":       `panic "main.word(\"a\nb\")"` + "\n[running] init.func3:main.go main:main.go\n",
	"nilvalue":   `panic "panic called with nil argument"` + "\n[running] init.func6:main.go main:main.go\n",
	"hostile":    "earlier \"x\"\n" + `panic "not this\n\ngoroutine 1 [running]:\nmain.fake()\n\t/etc/passwd:1 +0x1"` + "\n[running] init.func7:main.go main:main.go\n",
	"suffix":     `panic "value that ends in [recovered]"` + "\n[running] init.func8:main.go main:main.go\n",
	"empty":      `panic ""` + "\n[running] init.func9:main.go main:main.go\n",
	"repanicked": `panic ` + nilMessage + "\n[running] init.func10.1:main.go caught.func1:main.go panic fail:main.go caught:main.go init.func10:main.go main:main.go\n",
	"wrapped": `earlier ` + nilMessage + "\n" + `panic "wrapped: runtime error: invalid memory address or nil pointer dereference\nwith more"` + "\n" +
		"[running] init.func11.1:main.go caught.func1:main.go panic fail:main.go caught:main.go init.func11:main.go main:main.go\n",
	"deferred": "earlier \"first\\nof two\"\npanic \"second\"\n[running] init.func12.1:main.go panic init.func12:main.go main:main.go\n",
	"three": `earlier ` + nilMessage + "\nearlier \"second\"\npanic \"third\"\n" +
		"[running] init.func13.1:main.go panic init.func13.2:main.go caught.func1:main.go panic fail:main.go caught:main.go init.func13:main.go main:main.go\n",
	"generic":    `panic ` + nilMessage + "\n[running] fail:main.go (*box[...]).open:main.go init.func14:main.go main:main.go\n",
	"library":    `panic ` + nilMessage + "\n[running] fail:main.go example.com/crash/lib.Call init.func15:main.go main:main.go\n",
	"inlined":    `panic ` + nilMessage + "\n[running] (*user).rename:main.go init.func16:main.go main:main.go\n",
	"deadlock":   `fatal error "all goroutines are asleep - deadlock!"` + "\n[sync.Mutex.Lock] lib init.func17:main.go main:main.go\n",
	"unlock":     `fatal error "sync: unlock of unlocked mutex"` + "\n[running] lib init.func18:main.go main:main.go\n",
	"overflow":   `fatal error "stack overflow"` + "\n[running] deeper:main.go elided init.func19:main.go main:main.go lib\n",
	"logged":     `panic ` + nilMessage + "\n[running] fail:main.go init.func20:main.go main:main.go\n",
	"quit":       `signal "SIGQUIT: quit"` + "\n[running] lib signal:main.go init.func23:main.go main:main.go lib\n",
	"maps":       `fatal error "concurrent map writes"` + "\n[running] lib maps.func1:main.go < maps\n",
	"goroutine":  `panic ` + nilMessage + "\n[running] fail:main.go < init.func25\n",
	"labels":     `panic ` + nilMessage + "\n[running] fail:main.go labels:main.go main:main.go\n",
	"goexit":     `panic "after goexit"` + "\n[running] init.func26.1:main.go lib init.func26:main.go main:main.go\n",
	"memory":     `fatal error "runtime: out of memory"` + "\n[running] lib memory:main.go main:main.go lib\n",
	"directive":  `panic ` + nilMessage + "\n[running] fail:main.go directive:a b:7 +0x1.tmpl main:main.go\n",
	"allwaiting": `panic ` + nilMessage + "\n[running] fail:main.go waiting:main.go main:main.go\n" + strings.Repeat("[select (no cases)] waiting.func1:main.go < waiting\n", 3),
	"fatal":      " \"\"\n",
}

func TestParseTrace(t *testing.T) {
	if *update {
		write(t)
	}
	for name, want := range reports {
		t.Run(name, func(t *testing.T) {
			lines := kept(t, name)
			got := ParseTrace(lines)
			if s := summary(got); s != want {
				t.Errorf("got\n%swant\n%s", s, want)
			}
			for i := range lines { // as a Windows program, or a terminal, would print it
				lines[i] += "\r"
			}
			if s := summary(ParseTrace(lines)); s != want {
				t.Errorf("with CR: got\n%swant\n%s", s, want)
			}
		})
	}
}

func TestParseTraceDetails(t *testing.T) {
	trace := ParseTrace(kept(t, "labels"))
	want := map[string]string{"devrun": `GET /a?b=c "d" ]: {e}`, "nl": "a\nb"}
	if got := trace.Goroutines[0].Labels; len(got) != 2 || got["devrun"] != want["devrun"] || got["nl"] != want["nl"] {
		t.Errorf("labels %q, want %q", got, want)
	}
	if !strings.HasPrefix(trace.Signal, "SIGSEGV: segmentation violation code=") || strings.HasSuffix(trace.Signal, "]") {
		t.Errorf("signal %q", trace.Signal)
	}

	trace = ParseTrace(kept(t, "maps"))
	g := trace.Goroutines[0]
	if g.ID < 2 || g.Creator != 1 || g.CreatedBy.Line == 0 || !strings.HasSuffix(g.CreatedBy.File, "main.go") {
		t.Errorf("created by %+v in goroutine %d", g.CreatedBy, g.Creator)
	}

	trace = ParseTrace(kept(t, "directive"))
	if f := trace.Goroutines[0].Frames[1]; f.File != "/home/dev/a b:7 +0x1.tmpl" || f.Line != 3 {
		t.Errorf("frame %+v", f)
	}

	trace = ParseTrace(kept(t, "overflow"))
	for _, f := range trace.Goroutines[0].Frames {
		if strings.HasPrefix(f.Func, "runtime.throw") {
			t.Error("the runtime's own stack is taken for the goroutine's")
		}
	}

	for _, text := range []string{
		"panic: no trace",
		"fatal error: no trace\n\nexit status 2",
		"goroutine 1 [running]:\nmain.main()\n\t/a.go:1 +0x1", // a stack that a recovery middleware logged
		"SIGSEGV: only words\n\ngoroutine 1 [running]:\nmain.main()\n\t/a.go:1 +0x1",
		"\tpanic: x\n\ngoroutine 1 [running]:\nmain.main()\n\t/a.go:1 +0x1",
	} {
		if got := ParseTrace(strings.Split(text, "\n")); got.Kind != "" || got.Goroutines != nil {
			t.Errorf("%q gives %+v", text, got)
		}
	}

	if lines := kept(t, "logged"); !strings.HasPrefix(lines[ParseTrace(lines).Start], "panic: runtime error") {
		t.Errorf("the report starts at %q", lines[ParseTrace(lines).Start])
	}

	// A report whose head was pushed out, or whose tail never came, gives what is left.
	whole := kept(t, "library")
	for n := range whole {
		ParseTrace(whole[n:])
		ParseTrace(whole[:n])
	}
	if got := ParseTrace(whole[:len(whole)-3]); len(got.Goroutines) != 1 || len(got.Goroutines[0].Frames) != 2 {
		t.Errorf("cut short: %+v", got)
	}
}

// TestParseTraceLive holds the kept texts against the runtime that is installed.
func TestParseTraceLive(t *testing.T) {
	binary := program(t)
	for _, name := range []string{"nil", "wrapped", "hostile", "maps", "overflow", "deadlock", "logged"} {
		t.Run(name, func(t *testing.T) {
			if got := summary(ParseTrace(crash(t, binary, name))); got != reports[name] {
				t.Errorf("got\n%swant\n%s", got, reports[name])
			}
		})
	}
}

func FuzzParseTrace(f *testing.F) {
	names, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(names) == 0 {
		f.Fatalf("%d texts: %v", len(names), err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		trace := ParseTrace(strings.Split(text, "\n"))
		if trace.Kind == "" && trace.Goroutines != nil {
			t.Errorf("goroutines without a report: %+v", trace)
		}
		if trace.Kind != "" && len(trace.Goroutines) == 0 {
			t.Errorf("a report without goroutines: %+v", trace)
		}
	})
}

func kept(t *testing.T, name string) []string {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// write runs every case and keeps what it printed, with the directories of a
// machine that is nobody's.
func write(t *testing.T) {
	t.Helper()
	binary := program(t)
	dir, err := filepath.Abs("testdata/crash")
	if err != nil {
		t.Fatal(err)
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	neutral := strings.NewReplacer(dir, "/home/dev/crash", strings.TrimSpace(string(root)), "/usr/local/go")
	for name := range reports {
		text := neutral.Replace(strings.Join(crash(t, binary, name), "\n"))
		if err := os.WriteFile("testdata/"+name+".txt", []byte(text+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func program(t *testing.T) string {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("the crashing program kills itself by signals of Linux")
	}
	binary := filepath.Join(t.TempDir(), "crash")
	build := exec.Command("go", "build", "-o", binary, ".")
	build.Dir = "testdata/crash"
	build.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return binary
}

// crash returns what the program wrote to stderr before it died.
func crash(t *testing.T, binary, name string) []string {
	t.Helper()
	var stderr strings.Builder
	cmd := exec.Command(binary, name)
	cmd.Env = append(os.Environ(), "GODEBUG=tracebacklabels=1", "GOTRACEBACK=single")
	if name == "allwaiting" {
		cmd.Env = append(cmd.Env, "GOTRACEBACK=all")
	}
	cmd.Stderr = &stderr
	var exit *exec.ExitError
	if err := cmd.Run(); !errors.As(err, &exit) {
		t.Fatalf("%s did not die: %v", name, err)
	}
	return strings.Split(strings.TrimSuffix(stderr.String(), "\n"), "\n")
}
