//go:build linux

package attacks

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
)

// A hostile .env file that is saved while the app runs changes nothing: the app goes
// on with the values that it has.
func dotenvBombs(t *testing.T, s *site) {
	path := filepath.Join(s.Dir, ".env")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	pid := s.AppPid()
	billion := "A0=laughs\n"
	for i := range 60 {
		billion += fmt.Sprintf("A%d=${A%d}${A%d}\n", i+1, i, i)
	}
	// What is no file comes after what is one: the two are told apart by their bytes.
	next := filepath.Join(s.Dir, "next")
	file := func(text string) func() { return func() { must(os.WriteFile(next, []byte(text), 0o600)) } }
	for _, bomb := range []struct {
		what string
		make func()
		says string
	}{
		{"1 GB", func() { file("A=1\n")(); must(os.Truncate(next, 1<<30)) }, `.env: is longer than 1 MB`},
		{"unclosed quote", file("A=1\nB=\"open\nC=2\n"), `.env line 2: unclosed quote`},
		{"10^6 lines", file(strings.Repeat("A=1\n", 1_000_000)), `.env: is longer than 1 MB`},
		{"billion laughs", file(billion), `.env line \d+: the values grow to more than 1 MB`},
		{"directory", func() { must(os.Mkdir(next, 0o700)) }, `.env: is a directory`},
		{"nul", file("A=1\n\nB=a\x00b\n"), `.env line 3: a NUL byte in it`},
		{"pipe", func() { must(syscall.Mkfifo(next, 0o600)) }, `.env: is not a regular file`},
		{"bare return", file("A=1\rB=2\n"), `.env line 1: a carriage return`},
		{"device", func() { must(os.Symlink("/dev/zero", next)) }, `.env: is not a regular file`},
	} {
		line := regexp.MustCompile(`(?m)^devrun: .*` + bomb.says)
		before := len(line.FindAllString(s.Stderr.String(), -1))
		bomb.make()
		if err := unix.Renameat2(unix.AT_FDCWD, next, unix.AT_FDCWD, path, unix.RENAME_EXCHANGE); errors.Is(err, fs.ErrNotExist) {
			must(os.Rename(next, path)) // there is none yet
		} else {
			must(err)
			must(os.RemoveAll(next))
		}
		suite.Until(t, bomb.what+" is refused", func() error {
			if n := len(line.FindAllString(s.Stderr.String(), -1)); n <= before {
				return errors.New("nothing is said of it")
			}
			return nil
		})
		if now := s.AppPid(); now != pid {
			t.Errorf("%s: the app was replaced", bomb.what)
		}
		s.honest(t)
	}
	must(os.Remove(path))
	// What is odd and no bomb: text is text, and what reaches further than the app is
	// said. A link out of the project is the developer's own.
	target := filepath.Join(t.TempDir(), "elsewhere")
	must(os.WriteFile(target, []byte("\ufeffVICTIM_A=$(touch pwned)\r\nVICTIM_B=`touch pwned`\r\nVICTIM_C=${VICTIM_D}\r\nVICTIM_D=${VICTIM_C}\r\nLD_PRELOAD=/nonexistent.so\r\nGOFLAGS=-mod=mod\r\nPATH="+os.Getenv("PATH")+"\r\nBASH_ENV=/nonexistent\r\n"), 0o600))
	must(os.Symlink(target, path))
	s.NewPid(pid)
	_, env := s.Get("/env")
	for _, want := range []string{"VICTIM_A=$(touch pwned)\n", "VICTIM_B=`touch pwned`\n"} {
		if !strings.Contains(env, want) {
			t.Errorf("the app has no %q in\n%s", want, env)
		}
	}
	if _, err := os.Lstat(filepath.Join(s.Dir, "pwned")); err == nil {
		t.Error("a value was run")
	}
	for _, name := range []string{"LD_PRELOAD", "BASH_ENV"} { // the other two are set in the test's own environment, or may be
		s.Says(`^devrun: \.env line \d+ sets ` + name + `, which every program that devrun starts inherits`)
	}
	pid = s.AppPid()
	must(os.Remove(path))
	s.NewPid(pid)
	s.again(t)
}

// devrun listens on loopback unless --host says otherwise, and the console always
// does.
func wideBind(t *testing.T, s *site) {
	// Without being asked devrun is on loopback, on both families.
	console := strings.TrimPrefix(s.own, "http://")
	want := []string{fmt.Sprint("127.0.0.1:", s.Port), console, fmt.Sprint("[::1]:", s.Port)}
	got := listeners(t, s.Cmd.Process.Pid)
	if slices.Sort(want); !slices.Equal(slices.Sorted(slices.Values(got)), want) && !slices.Equal(slices.Sorted(slices.Values(got)), want[:2]) {
		t.Errorf("devrun listens on %q, want %q", got, want)
	}
	host := outside(t)
	if c, err := net.Dial("tcp", net.JoinHostPort(host, fmt.Sprint(s.Port))); err == nil {
		c.Close()
		t.Error("devrun is reached from outside")
	}
	w := s.wide(t)
	w.Says(`bound to 0\.0\.0\.0, everyone on this network can reach http://[\d.]+:\d+`)
	for _, l := range listeners(t, w.Cmd.Process.Pid) {
		if _, port, _ := net.SplitHostPort(l); port != fmt.Sprint(w.Port) && l != strings.TrimPrefix(w.own, "http://") {
			t.Errorf("with --host devrun listens on %s", l)
		}
	}
	w.honest(t)
	for _, c := range []struct {
		name string
		env  []string
		args []string
		wide bool
	}{
		{"::", nil, []string{"--host", "::"}, true},
		{"an address", []string{"DEVRUN_HOST=" + host}, nil, true},
		{"what the app wants", []string{"HOST=0.0.0.0"}, nil, false},
	} {
		r := newRig(t)
		r.Dir, r.Env = w.Dir, append(r.Env, c.env...)
		r.Launch(c.args...)
		r.Served("v1")
		own := strings.TrimPrefix(consoleOf(r), "http://")
		if !strings.HasPrefix(own, "127.0.0.1:") || !slices.Contains(listeners(t, r.Cmd.Process.Pid), own) {
			t.Errorf("%s: the console is at %s of %q", c.name, own, listeners(t, r.Cmd.Process.Pid))
		}
		if said := strings.Contains(r.Stderr.String(), "everyone on this network can reach http://"); said != c.wide {
			t.Errorf("%s: that it is wide is said: %v", c.name, said)
		}
		conn, err := net.Dial("tcp", net.JoinHostPort(host, fmt.Sprint(r.Port)))
		if (err == nil) != c.wide {
			t.Errorf("%s: from outside %v", c.name, err)
		}
		if err == nil {
			conn.Close()
		}
		served(t, r)
		r.Cmd.Process.Signal(syscall.SIGTERM)
		r.Exit()
	}
}

// What comes through a tunnel sees no page of devrun's. A tunnel ends at this
// machine, so its peer is local; its name is not.
func tunnel(t *testing.T, s *site) {
	for _, host := range []string{"abc123.ngrok-free.app", "xyz-3000.app.github.dev", "abc.trycloudflare.com"} {
		for _, path := range []string{"/fail", "/__devrun/page.js", "/__devrun/events"} {
			text := s.get(path, "Host: "+host, "X-Forwarded-For: 203.0.113.9", "X-Forwarded-Host: "+host, "X-Forwarded-Proto: https")
			answers := s.sendApp(t, text)
			s.unmoved(t, forbidden, text, answers)
			for _, a := range answers {
				if !strings.Contains(a.body, "--host") {
					t.Errorf("%s: %s", host, a.body)
				}
			}
		}
		s.refused(t, forbidden, s.everywhere("Host: "+host, "-Origin", "X-Forwarded-For: 203.0.113.9")...)
	}
	s.fresh(t)
}

// launchProduction starts devrun in production, as it is without being told anything
// but what other tools call production.
func launchProduction(t *testing.T) *e2e.Rig {
	t.Helper()
	r := newRig(t)
	r.Env = append(r.Env, "APP_ENV=", "GO_ENV=production", "NODE_ENV=production")
	r.Launch()
	return r
}

// production is the devrun that runs there.
func (s *site) production(t *testing.T) *e2e.Rig {
	t.Helper()
	r, before := s.prod, s.prod.T
	r.T = t
	t.Cleanup(func() { r.T = before })
	r.Served("v1")
	return r
}

// In production no address, page or header of devrun's is there, and the app is
// devrun's own process.
func productionRuns(t *testing.T, s *site) {
	r := s.production(t)
	served(t, r)
	paths := []string{"/?__debugger__=yes&cmd=resource&f=debugger.js", "/console", "/__devrun/", "/__devrun/page.css", "/__devrun/page.js", "/__devrun/failure.js", "/__devrun/reload.js", "/__devrun/worker.js", "/__devrun/events", "/api/eval", "/api/unlock", "/failures/x", "/wait/x"}
	for _, path := range paths {
		for _, method := range []string{"GET", "POST"} {
			resp, body, err := e2e.Ask(method, r.URL(path), nil, "X-Devrun", "1", "Accept", "text/html")
			if err != nil || resp.StatusCode != 404 || body != "404 page not found\n" {
				t.Errorf("%s %s: %v %v %s", method, path, resp, err, body)
			}
		}
	}
	if resp, body, err := e2e.Ask("GET", r.URL("/fail"), nil, "Accept", "text/html"); err == nil {
		t.Errorf("a panic is answered: %s %s", resp.Status, body)
	}
	resp, body, err := e2e.Ask("GET", r.URL("/header?text=x"), nil, "Accept", "text/html")
	if err != nil || resp.StatusCode != 500 || body != "" {
		t.Fatal(resp, body, err)
	}
	for name := range resp.Header {
		if !slices.Contains([]string{"Connection", "Content-Length", "Date", "X-Text"}, name) {
			t.Errorf("a header %s: %v", name, resp.Header[name])
		}
	}
	if resp, body, err := e2e.Ask("GET", r.URL("/page"), nil, "Accept", "text/html"); err != nil || resp.StatusCode != 200 || strings.Contains(body, "<script") {
		t.Errorf("%v %v %s", resp, err, body)
	}
	if pid := r.AppPid(); pid != r.Cmd.Process.Pid {
		t.Errorf("the app is process %d, devrun %d", pid, r.Cmd.Process.Pid)
	}
	if got := listeners(t, r.Cmd.Process.Pid); len(got) != 1 || got[0] != fmt.Sprint("127.0.0.1:", r.Port) {
		t.Errorf("it listens on %q", got)
	}
	r.Says(`running in production`)
	served(t, r)
}

// A binary of production has no flag, symbol or text of devrun's.
func productionBinary(t *testing.T, s *site) {
	r := s.production(t)
	served(t, r)
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", r.Cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	info, err := exec.Command("go", "version", "-m", exe).Output()
	if err != nil {
		t.Fatal(err)
	}
	_, info, _ = bytes.Cut(info, []byte("\n")) // the first line is the file's own name
	for _, bad := range []string{"devrun", "delve", "-gcflags", "-tags", "-overlay", "checklinkname"} {
		if bytes.Contains(info, []byte(bad)) {
			t.Errorf("the build info has %s:\n%s", bad, info)
		}
	}
	symbols, err := exec.Command("go", "tool", "nm", exe).Output()
	if err != nil {
		t.Fatal(err)
	}
	if m := regexp.MustCompile(`(?i)\S*(devrun|delve)\S*`).Find(symbols); m != nil {
		t.Errorf("a symbol %s", m)
	}
	if !bytes.Contains(symbols, []byte("main.fail")) {
		t.Errorf("%s has no symbols to look at", exe)
	}
	text, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"DEVRUN_", "__devrun/reload", "zz_devrun", "console PIN"} {
		if bytes.Contains(text, []byte(bad)) {
			t.Errorf("the binary has the text %q", bad)
		}
	}
	served(t, r)
}

// Development is refused where a platform's variable says that this is production,
// and without a terminal there is no console. Development is chosen by APP_ENV, which
// is a flag that nobody sets by mistake: with it CI and what other tools call
// production do not count, for tests run there. Root is what containers of developers
// run as.
func misuse(t *testing.T, s *site) {
	w := s.wide(t)
	r := newRig(t)
	r.Dir, r.Env = w.Dir, append(r.Env, "CI=true", "GO_ENV=production", "NODE_ENV=production")
	r.Start()
	served(t, r)
	r.Says(`console off: stderr is not a terminal`)
	own := consoleOf(r)
	for what, pin := range map[string]string{"unlock": `{"pin":"000000000"}`, "eval": `{"failure":"x","frame":0,"src":"1"}`} {
		resp, body, err := e2e.Ask("POST", own+"/api/"+what, strings.NewReader(pin), "Content-Type", "application/json", "X-Devrun", "1", "Origin", own)
		if err != nil || resp.StatusCode != 403 || !strings.Contains(body, `"off"`) {
			t.Errorf("%s without a terminal: %v %v %s", what, resp, err, body)
		}
	}
	if strings.Contains(r.Stderr.String(), "console PIN") {
		t.Error("a PIN is in a log")
	}
	served(t, r)
	for _, env := range [][]string{{"KUBERNETES_SERVICE_HOST=10.0.0.1"}, {"DYNO=web.1"}, {"APP_ENV=staging"}, {"DEVRUN_CONSOLE=always"}} {
		r := newRig(t)
		r.Dir, r.Env = w.Dir, append(r.Env, env...)
		r.Launch()
		if status := r.Exit(); status != 2 {
			t.Errorf("%v: exit status %d", env, status)
		}
		r.Says(regexp.QuoteMeta(strings.SplitN(env[0], "=", 2)[0]))
	}
	w.honest(t)
}
