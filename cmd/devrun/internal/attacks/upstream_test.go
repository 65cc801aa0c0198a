//go:build linux

package attacks

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
)

// The app cannot report a failure of anything but itself. What the app forges is no
// more than what it could fail with: a failure of its own, with texts of its own. It
// is the only one that is heard, by a socket that it inherits and that nobody else
// can open.
func forgeReports(t *testing.T, s *site) {
	forge := func(body string) {
		t.Helper()
		resp, said, err := e2e.Ask("POST", s.URL("/forge"), strings.NewReader(body))
		if err != nil || resp.StatusCode != 200 || !strings.HasPrefix(said, "forged on ") && !strings.Contains(said, "broken pipe") {
			t.Fatalf("nothing was forged: %v %v %s", resp, err, said)
		}
	}
	const x = `</script><img src=x onerror=alert(1)>`
	failure := map[string]any{"kind": "failed", "id": "forged", "failure": map[string]any{
		"id": "forged", "how": "panic", "type": x, "text": x + "\x1b]52;c;QQ==\x07", "goroutine": 1, "request": map[string]any{"method": x, "uri": "/" + x, "host": "evil.test"},
		"frames": []any{map[string]any{"func": x, "file": "/etc/passwd", "line": 1}, map[string]any{"func": "main.fail", "file": s.Dir + "/.env.victim", "line": 1}},
	}}
	report, err := json.Marshal(failure)
	if err != nil {
		t.Fatal(err)
	}
	before := len(s.Written.String())
	s.Write(".env.victim", "HUNTER2=deny-list\n")
	forge(string(report) + "\n")
	var id string
	suite.Until(t, "the forged failure is listed", func() error {
		for _, f := range s.listed(t) {
			if strings.Contains(f.Error, "onerror") {
				id = f.ID
				return nil
			}
		}
		return errors.New("not yet")
	})
	for _, a := range s.send(t, s.get("/failures/"+id)) {
		s.inert(t, "a forged failure", a.body)
		s.bare(t, "a forged failure", a)
		if strings.Contains(a.body, "deny-list") {
			t.Error("a forged failure shows a file")
		}
	}
	if written := s.Written.String()[before:]; strings.Contains(written, "\x1b]52") {
		t.Error("a forged failure reaches the terminal")
	}
	// Nothing that can be said sets the PIN, or makes anybody trusted.
	forge(`{"kind":"unlock","pin":"000000000"}` + "\n" + `{"kind":"trust","token":"AAAA"}` + "\n" + `{"kind":"eval","expr":{}}` + "\n" + `{"kind":"notice","text":"\u001b]52;c;QQ==\u0007a forged notice"}` + "\n")
	s.Says(`a forged notice`)
	if strings.Contains(s.Written.String()[before:], "\x1b]52") {
		t.Error("a forged notice reaches the terminal")
	}
	if status, _ := s.guess(t, "000000000"); status != 403 {
		t.Errorf("a forged PIN: %d", status)
	}
	if status, _ := s.guess(t, s.pin); status != 200 {
		t.Errorf("the PIN: %d", status)
	}
	s.honest(t)
	// An address that the app wants is opened on loopback, whatever it says.
	port := suite.FreePort(t)
	forge(fmt.Sprintf(`{"kind":"listening","network":"tcp4","wanted":"0.0.0.0:%d","addr":"127.0.0.1:%d"}`+"\n", port, port+1))
	suite.Until(t, "the forged address is open", func() error {
		if !slices.Contains(listeners(t, s.Cmd.Process.Pid), fmt.Sprint("127.0.0.1:", port)) {
			return fmt.Errorf("%q", listeners(t, s.Cmd.Process.Pid))
		}
		return nil
	})
	for _, l := range listeners(t, s.Cmd.Process.Pid) {
		if !strings.HasPrefix(l, "127.0.0.1:") && !strings.HasPrefix(l, "[::1]:") {
			t.Errorf("devrun listens on %s", l)
		}
	}
	// What is no message ends the channel, and nothing else.
	for _, garbage := range []string{"\xff\xfe no json\n", "{\"kind\":\n", strings.Repeat("x", 2<<20) + "\n", strings.Repeat(`{"kind":"hello"}`+"\n", 20_000)} {
		forge(garbage)
		served(t, s.Rig)
		pid := s.AppPid()
		s.Types("r")
		s.NewPid(pid)
	}
	suite.Until(t, "the forged address goes with the process", func() error {
		if all := listeners(t, s.Cmd.Process.Pid); slices.Contains(all, fmt.Sprint("127.0.0.1:", port)) {
			return fmt.Errorf("%q", all)
		}
		return nil
	})
	s.again(t)
}

// An app that imitates devrun's answers gets no secret into its page, and does not say
// where a failure is. Its scripts get the imitation, as any answer of its own.
func imitatePage(t *testing.T, s *site) {
	for i, header := range [][]string{{"Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, {"Accept", "text/html"}, {"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"}} {
		script := i == 2
		for _, path := range []string{"/imitation", "/page"} {
			resp, body, err := e2e.Ask("GET", s.URL(path), nil, header...)
			if err != nil {
				t.Fatal(err)
			}
			for name, values := range resp.Header {
				ours := path == "/imitation" && name == "X-Devrun-Failure" && len(values) == 1 && strings.HasPrefix(values[0], s.own+"/failures/")
				if strings.HasPrefix(name, "X-Devrun-") && !ours {
					t.Errorf("%s: %s is passed on: %q", path, name, values)
				}
			}
			for _, secret := range []string{s.token, s.pin, s.ID, s.own + "/api"} {
				if strings.Contains(body, secret) {
					t.Errorf("%s has got %s", path, secret)
				}
			}
			switch {
			case path == "/page" && (resp.StatusCode != 200 || strings.Contains(body, s.own) || strings.Count(body, "<script") > 1 || !strings.Contains(body, "<!--snippet-->")):
				t.Errorf("a page of the app became\n%s", body)
			case path == "/imitation" && script:
				if resp.StatusCode != 500 || resp.Header.Get("X-Frame-Options") != "ALLOWALL" || !strings.Contains(body, "http://evil.test/failures/x") {
					t.Errorf("the app's own answer became %v\n%.2000s", resp.Header, body)
				}
			case path == "/imitation" && (resp.StatusCode != 500 || resp.Header.Get("X-Frame-Options") != "DENY" || resp.Header.Get("X-Content-Type-Options") != "nosniff"):
				t.Errorf("an imitation became %v\n%.2000s", resp.Header, body)
			case path == "/imitation" && strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html"):
				s.inert(t, "the page of an imitation", body) // leads nowhere else, too
			case path == "/imitation":
				t.Errorf("an imitation became %s", resp.Header.Get("Content-Type"))
			}
		}
	}
	s.fresh(t)
}

// nobody is the id of another user.
const nobody = 65534

// as another user of this machine, who may run these programs.
func byNobody(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("NOT TESTED: what another user of this machine can do; only root becomes one")
	}
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("NOT TESTED: what another user of this machine can do: %v", err)
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// Another user of the machine, who is a local peer, is told nothing by the console.
// What the app answers him he has, and of a request of his that fails the page.
func otherUser(t *testing.T, s *site) {
	if out, err := byNobody(t, "curl", "-sS", s.URL("/ok")); err != nil || out != "ok\n" {
		t.Fatalf("another user cannot do anything here: %v %s", err, out)
	}
	for path, body := range s.questions() {
		if path == "/api/unlock" {
			continue
		}
		out, err := byNobody(t, "curl", "-sS", "-H", "Content-Type: application/json", "-H", "X-Devrun: 1", "-H", "Origin: "+s.own, "-d", body, s.own+path)
		if err != nil || !strings.Contains(out, "only the user who runs it") {
			t.Errorf("%s for another user: %v %s", path, err, out)
		}
	}
	for _, page := range []string{s.own + "/", s.own + "/failures/" + s.ID} {
		if out, err := byNobody(t, "curl", "-sS", "-A", "Mozilla/5.0", "-H", "Accept: text/html", page); err != nil || !strings.Contains(out, "only the user who runs it") {
			t.Errorf("%s for another user: %v %s", page, err, out)
		}
	}
	// Nor does it take his word when he is gone before he can be told apart.
	s.newPIN()
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(s.own, "http://"))
	unlock := strings.ReplaceAll(strings.ReplaceAll(s.post("/api/unlock", fmt.Sprintf(`{"pin":%q}`, wrong(s.pin, 0)), "-Connection"), "\r", `\r`), "\n", `\n`)
	for range 10 {
		if out, err := byNobody(t, "bash", "-c", fmt.Sprintf("exec 3<>/dev/tcp/127.0.0.1/%s; printf '%%b' '%s' >&3", port, unlock)); err != nil {
			t.Fatalf("%v %s", err, out)
		}
	}
	if status, left := s.guess(t, wrong(s.pin, 1)); status != 403 || left != 9 {
		t.Errorf("after what another user sent and did not wait for: %d, %d attempts left", status, left)
	}
	dir := s.private(t)
	pids := []int{s.Cmd.Process.Pid, s.AppPid()}
	for _, pid := range pids {
		for _, file := range []string{"environ", "mem", "maps", "fd", "cwd/"} {
			if out, err := byNobody(t, "ls", fmt.Sprintf("/proc/%d/%s", pid, file)); err == nil && strings.HasSuffix(file, "d") {
				t.Errorf("another user lists %s of %d: %s", file, pid, out)
			}
			if file != "fd" && file != "cwd/" {
				if out, err := byNobody(t, "cat", fmt.Sprintf("/proc/%d/%s", pid, file)); err == nil && out != "" {
					t.Errorf("another user reads %s of %d", file, pid)
				}
			}
		}
		if out, err := byNobody(t, "cat", fmt.Sprintf("/proc/%d/cmdline", pid)); err != nil || strings.Contains(out, s.pin) || strings.Contains(out, s.token) {
			t.Errorf("the arguments of %d: %v %q", pid, err, out)
		}
	}
	if out, err := byNobody(t, "ls", dir); err == nil {
		t.Errorf("another user lists %s: %s", dir, out)
	}
	// No debugger and no channel is open to anybody: devrun listens where it says so.
	console := strings.TrimPrefix(s.own, "http://")
	for _, l := range listeners(t, s.Cmd.Process.Pid) {
		if l != console && l != fmt.Sprint("127.0.0.1:", s.Port) && l != fmt.Sprint("[::1]:", s.Port) {
			t.Errorf("devrun listens on %s", l)
		}
	}
	table, err := os.ReadFile("/proc/net/unix")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(table), "\n") {
		if f := strings.Fields(line); len(f) > 7 && strings.Contains(f[7], "devrun") && !strings.Contains(f[7], "devrun-e2e-") && path.Base(f[7]) != door {
			t.Errorf("a socket has the name %s", f[7])
		}
	}
	// The door to the app's own processes is closed to another user, and a program that
	// is none of them is sent away without a word.
	doors, err := filepath.Glob(filepath.Join(s.Cache, "apps", "*", door))
	if err != nil || len(doors) != 1 {
		t.Fatalf("doors: %v %v", doors, err)
	}
	if out, err := byNobody(t, "ls", doors[0]); err == nil {
		t.Errorf("another user gets to the door: %s", out)
	}
	c, err := net.Dial("unix", doors[0])
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(suite.Patience))
	if said, err := io.ReadAll(c); err != nil || len(said) > 0 {
		t.Errorf("a program that is not of the app is told %q, %v", said, err)
	}
}

// door is the name of the socket at which processes of the app ask for a channel.
const door = ".devrun.sock"

// private is the directory of devrun's binaries.
func (s *site) private(t *testing.T) string {
	t.Helper()
	return privateIn(t, os.TempDir(), s.Cmd.Process.Pid)
}

func privateIn(t *testing.T, tmp string, pid int) string {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(tmp, fmt.Sprintf("devrun-%d-*", pid)))
	if err != nil || len(dirs) != 1 {
		t.Fatalf("devrun's directories: %v %v", dirs, err)
	}
	return dirs[0]
}

// listeners are the addresses on which a process accepts connections.
func listeners(t *testing.T, pid int) (all []string) {
	t.Helper()
	sockets := map[string]bool{}
	fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if target, err := os.Readlink(fd); err == nil {
			sockets[target] = true
		}
	}
	out, err := exec.Command("ss", "-Hlnte").Output()
	if err != nil {
		t.Skipf("NOT TESTED: where devrun listens: %v", err)
	}
	for line := range bytes.Lines(out) {
		f := strings.Fields(string(line))
		for _, field := range f {
			if ino, ok := strings.CutPrefix(field, "ino:"); ok && sockets["socket:["+ino+"]"] && len(f) > 3 {
				all = append(all, f[3])
			}
		}
	}
	if len(all) == 0 {
		t.Fatalf("process %d listens nowhere", pid)
	}
	return all
}

// What others have put where devrun keeps its binaries is left alone, and nobody
// else can look at them, whatever the umask; what a run that was killed has left is
// removed by the next one.
func temporaryFiles(t *testing.T, _ *site) {
	tmp := t.TempDir()
	at := func(name string) string { return filepath.Join(tmp, name) }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Mkdir(at("precious"), 0o755))
	must(os.WriteFile(at("precious/file"), []byte("x"), 0o644))
	const dead = 4_194_303 // above what this system gives out
	must(os.Symlink(at("precious"), at(fmt.Sprintf("devrun-%d-link", dead))))
	must(os.Mkdir(at(fmt.Sprintf("devrun-%d-other", dead)), 0o755))
	must(os.WriteFile(at(fmt.Sprintf("devrun-%d-other/file", dead)), []byte("x"), 0o644))
	must(os.Mkdir(at(fmt.Sprintf("devrun-%d-own", dead)), 0o700))
	root := os.Getuid() == 0
	if root {
		must(os.Chown(at(fmt.Sprintf("devrun-%d-other", dead)), nobody, nobody))
	} else {
		t.Log("NOT TESTED: directories of another user; only root makes one")
	}
	loose := func(c *exec.Cmd) {
		c.Env = append(c.Env, "TMPDIR="+tmp)
		c.Args = append([]string{"sh", "-c", `umask 000; exec "$0" "$@"`}, append([]string{c.Path}, c.Args[1:]...)...)
		c.Path = "/bin/sh"
	}
	r := newRig(t)
	r.LaunchWith(loose)
	r.Served("v1")
	served(t, r)
	if _, err := os.Stat(at("precious/file")); err != nil {
		t.Error("what a link points to is removed")
	}
	if _, err := os.Stat(at(fmt.Sprintf("devrun-%d-other/file", dead))); root && err != nil {
		t.Error("what another user has made is removed")
	}
	if _, err := os.Stat(at(fmt.Sprintf("devrun-%d-own", dead))); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what a dead run has left is there: %v", err)
	}
	dir := privateIn(t, tmp, r.Cmd.Process.Pid)
	info, err := os.Lstat(dir)
	must(err)
	if info.Mode().Perm() != 0o700 || !info.IsDir() {
		t.Errorf("devrun's directory is %v", info.Mode())
	}
	pid := r.AppPid()
	must(r.Cmd.Process.Kill())
	<-r.Ended
	e2e.Gone(t, pid)
	if info, err := os.Lstat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("after a kill: %v %v", info, err)
	}
	again := newRig(t)
	again.Dir = r.Dir
	again.LaunchWith(loose)
	again.Served("v1")
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what the killed run has left is there: %v", err)
	}
	served(t, again)
	dir = privateIn(t, tmp, again.Cmd.Process.Pid)
	must(again.Cmd.Process.Signal(syscall.SIGTERM))
	again.Exit()
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after a stop there is %s: %v", dir, err)
	}
}
