//go:build linux

// Package direct has the end-to-end tests of saves that are built without the go
// command.
package direct

import (
	"archive/zip"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
)

func TestMain(m *testing.M) { e2e.Main(m) }

// direct waits until a save is built without the go command, and without a question
// to it: what the app consists of is asked in the background, and a save may come
// before the answer.
func direct(r *e2e.Rig, save func(version string)) {
	r.T.Helper()
	n := 1
	suite.Until(r.T, "a save is built without the go command", func() error {
		n++
		v := fmt.Sprintf("v%d", n)
		before := r.Point()
		save(v)
		r.Served(v)
		if out := r.Stderr.String()[before:]; !strings.Contains(out, "· compile ") {
			return fmt.Errorf("devrun says %s", out)
		}
		return nil
	})
}

// TestFast: a save is built without the go command, unless more than the content of
// files has changed; how devrun learns of it makes no difference here.
func TestFast(t *testing.T) {
	t.Parallel()
	r := e2e.New(t, "notify").Start("-v").Hurry()
	direct(r, r.SetVersion)
	r.Says(`^devrun: built with go build: the go command has not been asked yet`)
	r.Says(`^devrun: watch \d+ · compile \d+ · link \d+ · stop \d+ · start \d+ · ready \d+ ms$`)
	// What the go command decides is left to it, and known afterwards.
	before := r.Point()
	r.Write("more.go", "package main\n\nfunc init() { more = true }\n\nvar more bool\n")
	r.Says(`^devrun: built with go build: a file was added or removed in `)
	r.SaysAfter(before, `· build .* · ready `)
	direct(r, func(v string) { r.SetVersion("m" + v); r.Served("m" + v); r.SetVersion(v) })
	// What changes nothing in the program does not end it.
	_, pid := r.Get("/pid")
	r.Write("more.go", r.Read("more.go")+"// The end.\n")
	r.Says(`^devrun: no change in the program, still running$`)
	if _, now := r.Get("/pid"); now != pid {
		t.Errorf("the app is %s, was %s", now, pid)
	}
	before = r.Point()
	r.SetVersion("last")
	r.Served("last")
	r.SaysAfter(before, ` · ready `)
	compareOverview(r)
	// What the app is not made of is named with the reason.
	for name, why := range map[string]string{
		"notes.txt":     "the app has not opened it",
		"more_test.go":  "a test is no part of the app",
		"tool/tool.go":  "the app does not import its package",
		"more_plan9.go": "its name or constraints leave it out of the build",
	} {
		r.Write(name, "package main\n")
		r.Says(`^devrun: ` + regexp.QuoteMeta(name) + ` saved, ignored: ` + why + `$`)
	}
}

// compareOverview compares devrun's page with what it has said of the saves.
func compareOverview(r *e2e.Rig) {
	r.T.Helper()
	var said []string // newest first
	for _, line := range phaseLine.FindAllStringSubmatch(r.Stderr.String(), -1) {
		said = slices.Insert(said, 0, line[1])
	}
	body := r.Overview("application/json")
	var page struct {
		Generation int
		Saves      []struct {
			Files         []string
			Generation    int
			Outcome, Note string
			Phases        []struct {
				Name   string
				TookMS int `json:"took_ms"`
			}
		}
	}
	if err := json.Unmarshal([]byte(body), &page); err != nil {
		r.T.Fatalf("%v\n%s", err, body)
	}
	var shown, full []string
	gen := page.Generation + 1
	for _, s := range page.Saves {
		var parts []string
		for _, p := range s.Phases {
			parts = append(parts, fmt.Sprintf("%s %d", p.Name, p.TookMS))
		}
		line := strings.Join(parts, " · ")
		if s.Generation >= gen {
			r.T.Errorf("generation %d comes after %d: %+v", s.Generation, gen, s)
		}
		gen = s.Generation
		if s.Outcome == "unchanged" {
			shown = append(shown, line)
			continue
		}
		if !strings.Contains(line, "ready") {
			continue // a newer one has taken its place
		}
		shown = append(shown, line)
		want := "direct"
		if !strings.Contains(line, "link") {
			want = "go build"
		}
		if s.Outcome != want || (s.Note != "") != (want == "go build") {
			r.T.Errorf("%s is shown as %+v", line, s)
		}
		if strings.HasPrefix(s.Note, "a file was added or removed in ") && slices.Contains(s.Files, "more.go") {
			full = append(full, line)
		}
	}
	if !slices.Equal(shown, said) {
		r.T.Errorf("the page has\n%s\nwant what devrun has said\n%s", strings.Join(shown, "\n"), strings.Join(said, "\n"))
	}
	if len(full) == 0 {
		r.T.Errorf("the page does not say why more.go was built with go build:\n%s", body)
	}
}

var phaseLine = regexp.MustCompile(`(?m)^devrun: (watch \d.*) ms$`)

// An edit in the module cache, which is taken to be immutable, is found out: a save
// is built with what was there before, the link for the debugger shows it, and the
// app becomes the one that go build makes.
func TestLongHonestBinary(t *testing.T) {
	suite.Long(t)
	t.Parallel()
	r := e2e.New(t, "notify")
	base := filepath.Dir(r.Dir)
	cache := filepath.Join(base, "modcache")
	proxy(t, filepath.Join(base, "proxy"), "example.test/dep", "v1.0.0", map[string]string{
		"go.mod": "module example.test/dep\n\ngo 1.25\n", "dep.go": "package dep\n\nfunc Name() string { return \"first\" }\n",
	})
	r.Env = append(r.Env, "GOPROXY=file://"+filepath.Join(base, "proxy"), "GONOSUMDB=example.test", "GOMODCACHE="+cache, "GOFLAGS=")
	get := exec.Command("go", "get", "-modcacherw", "example.test/dep@v1.0.0")
	get.Dir, get.Env = r.Dir, append(os.Environ(), r.Env...)
	if out, err := get.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	r.Write("dep.go", "package main\n\nimport (\n\t\"fmt\"\n\t\"net/http\"\n\n\t\"example.test/dep\"\n)\n\nfunc withDep(h http.Handler) http.Handler {\n\tmux := http.NewServeMux()\n\tmux.Handle(\"/\", h)\n\tmux.HandleFunc(\"/dep\", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, dep.Name()) })\n\treturn mux\n}\n")
	r.Write("main.go", strings.Replace(r.Read("main.go"), "web.Handler(version)", "withDep(web.Handler(version))", 1))
	r.Start("-v").Hurry()
	r.Answers("/dep", "first")
	direct(r, r.SetVersion)
	r.Says(`built with go build: `)

	file := filepath.Join(cache, "example.test", "dep@v1.0.0", "dep.go")
	if err := os.WriteFile(file, []byte("package dep\n\nfunc Name() string { return \"other\" }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	r.SetVersion("w1")
	r.Served("w1")
	r.Says(`^devrun: a binary that was compiled directly is not what go build makes: section \S+ at 0x[0-9a-f]+, in \S+ \(go\S+, linux/\w+\)$`)
	r.Says(`please report the line above`)
	r.Answers("/dep", "other")
	r.SetVersion("w2")
	r.Served("w2")
	r.Says(`^devrun: built with go build: a binary that was compiled directly is not`)
}

// TestLongWarmStart: a run of devrun begins with the binary of the run before it, if
// nothing has changed since, and the first save needs no go command either.
func TestLongWarmStart(t *testing.T) {
	suite.Long(t)
	t.Parallel()
	first := e2e.New(t, "notify").Start().Hurry()
	kept := filepath.Join(first.Cache, "warm", "*", "app.json")
	written := func() (at time.Time) {
		if files, err := filepath.Glob(kept); err == nil && len(files) == 1 {
			if fi, err := os.Stat(files[0]); err == nil {
				at = fi.ModTime()
			}
		}
		return at
	}
	keeps := func(since time.Time) {
		t.Helper()
		suite.Until(t, "the app is kept", func() error {
			if at := written(); !at.After(since) {
				return fmt.Errorf("it was at %v", at)
			}
			return nil
		})
	}
	keeps(time.Time{})
	run := func(before *e2e.Rig) *e2e.Rig {
		t.Helper()
		before.Cmd.Process.Signal(os.Interrupt)
		before.Exit()
		r := &e2e.Rig{T: t, Dir: first.Dir, Port: first.Port, Env: first.Env, Ended: make(chan struct{})}
		r.Launch("-v")
		return r.Hurry()
	}
	second := run(first)
	second.Served("v1")
	second.Says(`^devrun: unchanged since the last run, its binary is used$`)
	since := written()
	second.SetVersion("v2")
	second.Served("v2")
	second.Says(`^devrun: watch \d+ · compile \d+ · link \d+ · `)
	if out := second.Stderr.String(); strings.Contains(out, "built with go build") {
		t.Errorf("devrun says %s", out)
	}
	keeps(since)
	third := run(second)
	third.Served("v2")
	third.Says(`^devrun: unchanged since the last run, its binary is used$`)
	third.Cmd.Process.Signal(os.Interrupt)
	third.Exit()
	third.SetVersion("v3")
	fourth := run(third)
	fourth.Served("v3")
	fourth.Says(`^devrun: build cache not used: files have changed$`)
}

// TestLongLinkAhead: a linker waits for the next save, and for nothing else.
func TestLongLinkAhead(t *testing.T) {
	suite.Long(t)
	t.Parallel()
	r := e2e.New(t, "notify").Start("-v").Hurry()
	waiting := func(not int) (pid int) {
		t.Helper()
		suite.Until(t, "a linker waits", func() error {
			pids := e2e.Waiting(r.Cmd.Process.Pid)
			if len(pids) != 1 || pids[0] == not {
				return fmt.Errorf("there are %v after %d; devrun says %s", pids, not, r.Stderr.String())
			}
			pid = pids[0]
			return nil
		})
		return pid
	}
	first := waiting(0)
	r.Says(`^devrun: prelinking is on$`)
	for i := range 3 {
		v := fmt.Sprintf("v%d", i+2)
		r.SetVersion(v)
		r.Served(v)
		e2e.Gone(t, first)
		first = waiting(first)
	}
	// One that does not live until then is none the less a save.
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	r.SetVersion("last")
	r.Served("last")
	r.Says(`^devrun: prelinking is off: devrun's linker has failed \(signal: killed\)$`)
	r.Cmd.Process.Signal(os.Interrupt)
	r.Exit()

	second := e2e.New(t, "notify").Start().Hurry()
	suite.Until(t, "a linker waits", func() error {
		if pids := e2e.Waiting(second.Cmd.Process.Pid); len(pids) == 1 {
			first = pids[0]
			return nil
		}
		return errors.New("there is none")
	})
	second.Cmd.Process.Kill() // without a chance to tidy up
	e2e.Gone(t, first)
}

// proxy writes a module as the go command finds it at a GOPROXY.
func proxy(t *testing.T, dir, path, version string, files map[string]string) {
	t.Helper()
	at := filepath.Join(dir, filepath.FromSlash(path), "@v")
	if err := os.MkdirAll(at, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{".info": fmt.Sprintf(`{"Version": %q}`, version), ".mod": files["go.mod"]} {
		if err := os.WriteFile(filepath.Join(at, version+name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Create(filepath.Join(at, version+".zip"))
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	for name, text := range files {
		w, err := z.Create(path + "@" + version + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
