package fault

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// recovered says what is to be read of each handler of testdata/served: the message,
// and the app's calls from the panic on.
var recovered = map[string]struct {
	message string
	calls   string
}{
	"nil":    {"runtime error: invalid memory address or nil pointer dereference", "fail:FAIL init.func1"},
	"index":  {"runtime error: index out of range [6] with length 0", "at:AT init.func2"},
	"error":  {"user 17\n\tis not there\n\nat all\n", "init.func3"},
	"empty":  {"", "init.func4"},
	"map":    {"assignment to entry in nil map", "init.func5"},
	"again":  {"runtime error: invalid memory address or nil pointer dereference", "fail:FAIL init.func6"},
	"other":  {"second", "init.func7.1 init.func7"},
	"twice":  {"once", "init.func8"},
	"deep":   {"deep", "deeper elided deeper init.func9"},
	"trace":  {"x\ngoroutine 1 [running]:\nmain.fake()\n\t/etc/passwd:1 +0x1", "init.func10"},
	"whole":  {"x\n" + imitated, "init.func11"},
	"record": {"y\n" + imitated, "init.func12"},
	"others": {"x\nhttp: panic serving 127.0.0.1:1: y\n" + imitated, "init.func13"},
	"abort":  {}, // logs nothing
}

const imitated = `goroutine 1 [running]:
net/http.(*conn).serve.func1()
	/usr/local/go/src/net/http/server.go:1 +0x1
panic({0x1, 0x2})
	/usr/local/go/src/runtime/panic.go:1 +0x1
main.fake()
	/etc/passwd:1 +0x1
created by net/http.(*Server).Serve in goroutine 1
	/usr/local/go/src/net/http/server.go:1 +0x1`

// calls are those of package main's handlers, a recursion being one, with the mark of
// the line where there is one.
func calls(g Goroutine, source []string) string {
	var all []string
	for _, f := range g.Frames {
		name, own := strings.CutPrefix(f.Func, "main.")
		if !own || name == "handler.ServeHTTP" {
			continue
		}
		if f.Elided != 0 {
			all = append(all, "elided")
		}
		if _, mark, ok := strings.Cut(source[f.Line-1], " // "); ok {
			name += ":" + mark
		}
		if len(all) == 0 || all[len(all)-1] != name {
			all = append(all, name)
		}
	}
	return strings.Join(all, " ")
}

func TestParseServed(t *testing.T) {
	dir := filepath.Join("testdata", "served")
	binary := filepath.Join(t.TempDir(), "served")
	build := exec.Command("go", "build", "-gcflags=-l", "-o", binary, ".")
	build.Dir, build.Env = dir, append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(dir, "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	source := strings.Split(string(text), "\n")
	for _, how := range []string{"plain", "bare", "long", "prefix", "json", "text"} {
		for _, env := range []string{"GODEBUG=tracebacklabels=1", "GODEBUG="} {
			t.Run(how+" "+env, func(t *testing.T) {
				var stdout, stderr bytes.Buffer
				cmd := exec.Command(binary, how)
				cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), env), &stdout, &stderr
				if err := cmd.Run(); err != nil {
					t.Fatalf("%v\n%s", err, &stderr)
				}
				testServed(t, how == "json" || how == "text", strings.Split(strings.TrimSuffix(stderr.String(), "\n"), "\n"), strings.Fields(stdout.String()), source)
			})
		}
	}
}

// testServed holds what is read of lines against recovered; asked are the names of
// the handlers, and from where each was asked, in the order in which they were. A
// structured log says where a record begins and ends.
func testServed(t *testing.T, structured bool, lines, asked, source []string) {
	if len(asked) != 2*len(recovered) {
		t.Fatalf("asked %q", asked)
	}
	for i := 0; i < len(asked); i += 2 {
		name, peer := asked[i], asked[i+1]
		want := recovered[name]
		if name == "record" && structured {
			want.message = "x\nhttp: panic serving " + peer + ": " + want.message
		}
		message, g, ok := ParseServed(lines, peer)
		if ok != (want.calls != "") || message != want.message {
			t.Errorf("%s: %v %q, want %q", name, ok, message, want.message)
		}
		if got := calls(g, source); got != want.calls {
			t.Errorf("%s: calls %q, want %q", name, got, want.calls)
		}
		if ok && (g.ID == 0 || g.State != "running" || g.Creator == 0 || g.CreatedBy.Func != "net/http.(*Server).Serve" || strings.HasPrefix(g.Frames[0].Func, "runtime.")) {
			t.Errorf("%s: goroutine %+v", name, g)
		}
		for _, stranger := range []string{peer + "0", strings.TrimPrefix(peer, "1"), peer[:len(peer)-1]} {
			if m, _, ok := ParseServed(lines, stranger); ok {
				t.Errorf("%s: %s is taken for %s: %q", name, peer, stranger, m)
			}
		}
		withCR := make([]string, len(lines))
		for i, line := range lines {
			withCR[i] = line + "\r"
		}
		if m, h, _ := ParseServed(withCR, peer); m != message && !strings.HasSuffix(m, "\r") || calls(h, source) != calls(g, source) {
			t.Errorf("%s with CR: %q", name, m)
		}
	}
}

// A record is not ok before its last line is there.
func TestParseServedCutOff(t *testing.T) {
	lines := strings.Split("some log\n2026/11/25 23:54:24 http: panic serving 127.0.0.1:7: first\nsecond\n"+imitated+"\nmore log", "\n")
	end := len(lines) - 1
	for n := range lines {
		message, g, ok := ParseServed(lines[:n], "127.0.0.1:7")
		if ok != (n >= end) {
			t.Errorf("of %d lines of %d: %v", n, end, ok)
		}
		if ok && (message != "first\nsecond" || len(g.Frames) != 1 || g.Frames[0] != (Frame{Func: "main.fake", File: "/etc/passwd", Line: 1})) {
			t.Errorf("of %d lines: %q %+v", n, message, g)
		}
	}
	// A port is used again: the newest record counts, also before it is whole.
	if m, _, ok := ParseServed(append(lines, "http: panic serving 127.0.0.1:7: again", "goroutine 5 [running]:"), "127.0.0.1:7"); ok {
		t.Errorf("an older record is taken: %q", m)
	}
	// The stack of another request is nobody else's.
	if m, _, ok := ParseServed(append([]string{"http: panic serving 127.0.0.1:8: lost"}, lines...), "127.0.0.1:8"); ok && !strings.HasPrefix(m, "lost\nsome log") {
		t.Errorf("took %q", m)
	}
}

func FuzzParseServed(f *testing.F) {
	const head = "http: panic serving 127.0.0.1:7: x\n"
	f.Add(head + imitated)
	f.Add(head + imitated + "\n" + imitated)
	f.Add(head + strings.Replace(imitated, "panic({0x1, 0x2})", "panic(", 1))
	f.Add(fmt.Sprintf(`{"msg":%q}`, head+imitated))
	f.Fuzz(func(t *testing.T, text string) {
		message, g, ok := ParseServed(strings.Split(text, "\n"), "127.0.0.1:7")
		if !ok && (message != "" || g.Frames != nil) {
			t.Errorf("%q %+v without a record", message, g)
		}
	})
}
