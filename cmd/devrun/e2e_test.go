package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// The end-to-end tests run the devrun that a user runs, on copies of the app
// in testdata/app, with real files, processes and sockets.

// patience is how long a fact may take to come true. It is long because the
// machine may be busy; nothing waits for it when all is well.
const patience = 60 * time.Second

// eventually waits until check returns nil and fails with its last error
// otherwise.
func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not after %v: %v", what, patience, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// output is what a process printed, safe to read while it does.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// binary builds devrun once for all tests.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "e2e-devrun-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "devrun")
	out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
})

func devrunBinary(t testing.TB) string {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// rig is one devrun at work on one copy of the app.
type rig struct {
	t    *testing.T
	dir  string
	port int
	env  []string
	args []string

	cmd            *exec.Cmd
	change         func(*exec.Cmd) // applied to cmd before it starts
	stdout, stderr output
	ended          chan struct{} // closed when devrun is gone
}

// newRig copies the app to a directory of its own. Nothing runs yet.
func newRig(t *testing.T, mode string) *rig {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "app")
	if err := os.CopyFS(dir, os.DirFS("testdata/app")); err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, dir: dir, port: freePort(t), ended: make(chan struct{})}
	if mode == "poll" {
		r.args = append(r.args, "--poll", "20ms")
	}
	return r
}

// freePort returns a port that nothing listens on now. It is taken from below
// the range that outgoing connections use, so that it stays free.
func freePort(t testing.TB) int {
	t.Helper()
	for range 1000 {
		port := 20000 + int(nextPort.Add(1))%10000
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

var nextPort atomic.Int64

func init() { nextPort.Store(int64(os.Getpid() * 37)) }

// environ is what devrun gets: the test's own environment, without what would
// change devrun's ways.
func (r *rig) environ() []string {
	var env []string
	for _, e := range os.Environ() {
		name, _, _ := strings.Cut(e, "=")
		if strings.HasPrefix(name, "DEVRUN_") || name == "APP_ENV" || name == "FLASK_ENV" || name == "HOST" || name == "PORT" || name == "NO_COLOR" {
			continue
		}
		env = append(env, e)
	}
	return append(append(env, "APP_ENV=development", "HOST=127.0.0.1", "PORT="+strconv.Itoa(r.port)), r.env...)
}

// launch starts devrun and does not wait for anything.
func (r *rig) launch(args ...string) {
	r.t.Helper()
	r.cmd = exec.Command(devrunBinary(r.t), append(r.args, args...)...)
	r.cmd.Dir, r.cmd.Env = r.dir, r.environ()
	r.cmd.Stdout, r.cmd.Stderr = &r.stdout, &r.stderr
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	r.cmd.WaitDelay = 5 * time.Second
	if r.change != nil {
		r.change(r.cmd)
	}
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	go func() {
		r.cmd.Wait()
		close(r.ended)
	}()
	r.t.Cleanup(func() {
		if r.t.Failed() {
			r.t.Logf("devrun's stderr:\n%s\nstdout:\n%s", r.stderr.String(), r.stdout.String())
		}
		r.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-r.ended:
		case <-time.After(20 * time.Second):
			r.cmd.Process.Kill()
			<-r.ended
			r.t.Error("devrun did not stop within 20 s of SIGTERM")
		}
	})
}

// start launches devrun and waits until the app answers.
func (r *rig) start(args ...string) *rig {
	r.t.Helper()
	r.launch(args...)
	r.served("v1")
	return r
}

// exit waits until devrun is gone and returns its exit status.
func (r *rig) exit() int {
	r.t.Helper()
	select {
	case <-r.ended:
	case <-time.After(patience):
		r.t.Fatalf("devrun still runs after %v", patience)
	}
	return r.cmd.ProcessState.ExitCode()
}

func (r *rig) url(path string) string { return fmt.Sprintf("http://127.0.0.1:%d%s", r.port, path) }

// client asks without keeping connections, as a new visitor would.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}

// ask sends a request, header values given as name, value pairs.
func ask(method, url string, body io.Reader, header ...string) (*http.Response, string, error) {
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		return nil, "", err
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp, string(b), err
}

// get asks the app through devrun and wants an answer.
func (r *rig) get(path string, header ...string) (int, string) {
	r.t.Helper()
	resp, body, err := ask("GET", r.url(path), nil, header...)
	if err != nil {
		r.t.Fatalf("GET %s: %v", path, err)
	}
	return resp.StatusCode, body
}

// served waits until the app of that version answers.
func (r *rig) served(version string) {
	r.t.Helper()
	r.answers("/version", version)
}

// answers waits until path answers 200 with a body that is want but for white
// space around it.
func (r *rig) answers(path, want string) {
	r.t.Helper()
	eventually(r.t, "GET "+path+" is "+want, func() error {
		select {
		case <-r.ended:
			r.t.Fatalf("devrun ended with %v", r.cmd.ProcessState)
		default:
		}
		resp, body, err := ask("GET", r.url(path), nil)
		if err != nil {
			return err
		}
		if resp.StatusCode != 200 || strings.TrimSpace(body) != want {
			return fmt.Errorf("%d %q", resp.StatusCode, body)
		}
		return nil
	})
}

// write saves a file below the app's directory, as an editor that truncates
// and writes does.
func (r *rig) write(name, text string) {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) read(name string) string {
	r.t.Helper()
	b, err := os.ReadFile(filepath.Join(r.dir, name))
	if err != nil {
		r.t.Fatal(err)
	}
	return string(b)
}

// replace edits a file; old must be in it.
func (r *rig) replace(name, old, new string) {
	r.t.Helper()
	text := r.read(name)
	if !strings.Contains(text, old) {
		r.t.Fatalf("%s has no %q", name, old)
	}
	r.write(name, strings.Replace(text, old, new, 1))
}

var versionLine = regexp.MustCompile(`const version = "\w+"`)

// source is main.go with another version.
func (r *rig) source(version string) string {
	return versionLine.ReplaceAllString(r.read("main.go"), fmt.Sprintf("const version = %q", version))
}

func (r *rig) setVersion(version string) { r.t.Helper(); r.write("main.go", r.source(version)) }

// builds counts the builds that were finished.
func (r *rig) builds() int { return strings.Count(r.stderr.String(), "devrun: built in ") }

// says waits for a line of devrun that matches.
func (r *rig) says(pattern string) string {
	r.t.Helper()
	re := regexp.MustCompile(`(?m)` + pattern)
	var found string
	eventually(r.t, "devrun says "+pattern, func() error {
		found = re.FindString(r.stderr.String())
		if found == "" {
			return errors.New("not yet")
		}
		return nil
	})
	return found
}

// appPid is the process that answers.
func (r *rig) appPid() int {
	r.t.Helper()
	_, body := r.get("/pid")
	pid, err := strconv.Atoi(strings.TrimSpace(body))
	if err != nil {
		r.t.Fatalf("GET /pid: %q", body)
	}
	return pid
}

// gone waits until no process has that id; a zombie is gone.
func gone(t *testing.T, pid int) {
	t.Helper()
	eventually(t, fmt.Sprintf("process %d is gone", pid), func() error {
		if running(pid) {
			return errors.New("it runs")
		}
		return nil
	})
}

func running(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
		return false
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	return !strings.HasPrefix(rest, "Z")
}

// quiet shows that nothing happens: it makes a change that must be seen,
// waits for it, and returns how many builds there were besides.
func (r *rig) quiet(before int, version string) int {
	r.t.Helper()
	r.setVersion(version)
	r.served(version)
	return r.builds() - before - 1
}

// hammer asks for path every few milliseconds until stop is called, which
// returns how many requests there were and which failed.
func hammer(url string, every time.Duration) (stop func() (n int, failed []string)) {
	ctx, cancel := context.WithCancel(context.Background())
	var mu sync.Mutex
	var n int
	var failed []string
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			wg.Go(func() {
				resp, body, err := ask("GET", url, nil)
				mu.Lock()
				defer mu.Unlock()
				n++
				switch {
				case err != nil:
					failed = append(failed, err.Error())
				case resp.StatusCode != 200:
					failed = append(failed, fmt.Sprintf("%d %q", resp.StatusCode, body))
				}
			})
		}
	})
	return func() (int, []string) {
		cancel()
		wg.Wait()
		return n, failed
	}
}
