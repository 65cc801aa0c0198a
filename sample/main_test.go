package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"devrun/devserver/suite"
)

// The tests run the binary that a user runs, over HTTP, on both databases.

// buildFlags are those of the tests themselves, as far as they matter.
var buildFlags []string

// binary is microblog, built once for all tests.
var binary string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "microblog-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "microblog")
	if runtime.GOOS == "windows" {
		binary += ".exe"
	}
	if err := goBuild(binary, ".", buildFlags...); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer stopPostgres()
	defer stopDevruns()
	return m.Run()
}

func goBuild(to, pkg string, flags ...string) error {
	out, err := exec.Command("go", append(append([]string{"build", "-o", to}, flags...), pkg)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("go build %s: %w\n%s", pkg, err, out)
	}
	return nil
}

// matches wants text to have what the pattern says.
func matches(text, pattern string) error {
	if !regexp.MustCompile(pattern).MatchString(text) {
		return fmt.Errorf("%s is not in\n%s", pattern, tail(text))
	}
	return nil
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

// server is a microblog at work.
type server struct {
	t       *testing.T
	command []string
	dir     string // where it runs
	url     string
	db      database

	cmd  *exec.Cmd
	log  *output
	done chan struct{} // closed when it has ended
}

// start runs microblog in a directory of its own, in production unless env says
// otherwise, and waits until it answers.
func start(t *testing.T, db database, env ...string) *server {
	t.Helper()
	if db.shared != nil {
		if len(env) > 0 {
			t.Fatalf("%q is not for a microblog that tests share", env)
		}
		s := *db.shared
		s.t, s.db = t, db
		return &s
	}
	s := &server{t: t, dir: t.TempDir(), db: db, command: []string{binary}}
	s.run(env)
	return s
}

func (s *server) run(env []string) {
	s.t.Helper()
	s.launch(env)
	s.settle()
}

// settle waits until a server that was launched answers.
func (s *server) settle() {
	s.t.Helper()
	if !s.answers() {
		s.t.Fatalf("microblog did not start:\n%s", s.log)
	}
}

func (s *server) launch(env []string) {
	s.t.Helper()
	s.begin(env)
	cmd, done := s.cmd, s.done
	s.t.Cleanup(func() { s.stop(cmd, done) })
}

// begin starts it, for somebody else to end.
func (s *server) begin(env []string) {
	s.t.Helper()
	port := suite.FreePort(s.t)
	s.url = fmt.Sprintf("http://127.0.0.1:%d", port)
	s.cmd, s.log, s.done = exec.Command(s.command[0], s.command[1:]...), &output{}, make(chan struct{})
	s.cmd.Dir = s.dir
	s.cmd.Env = append(cleanEnv(), "APP_ENV=production", "SECRET_KEY=for the test", "DATABASE_URL="+s.db.url, "PORT="+strconv.Itoa(port))
	s.cmd.Env = append(s.cmd.Env, env...)
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	cmd, done := s.cmd, s.done
	go func() {
		cmd.Wait()
		close(done)
	}()
}

// stop ends a microblog as an administrator does.
func (s *server) stop(cmd *exec.Cmd, done chan struct{}) {
	interrupt(cmd.Process)
	select {
	case <-done:
	case <-time.After(suite.Patience):
		cmd.Process.Kill()
		<-done
		s.t.Errorf("microblog did not end within %v", suite.Patience)
	}
	if s.t.Failed() {
		s.t.Logf("microblog printed:\n%s", tail(s.log.String()))
	}
	if strings.Contains(s.log.String(), "DATA RACE") {
		s.t.Error("a data race")
	}
}

// tail is the end of a long text.
func tail(text string) string {
	const most = 4000
	if len(text) > most {
		return "…" + text[len(text)-most:]
	}
	return text
}

// answers reports whether the server answers, at the latest when it has ended.
func (s *server) answers() (ok bool) {
	s.t.Helper()
	suite.Until(s.t, "microblog answers", func() error {
		select {
		case <-s.done:
			return nil
		default:
		}
		resp, err := http.Get(s.url + "/static/app.css")
		if err == nil {
			resp.Body.Close()
			ok = resp.StatusCode == http.StatusOK
		}
		return err
	})
	return ok
}

// cleanEnv is the environment without what configures microblog.
func cleanEnv() []string {
	var env []string
	for _, e := range os.Environ() {
		name, _, _ := strings.Cut(e, "=")
		switch name {
		case "MICROBLOG_ENV", "APP_ENV", "FLASK_ENV", "HOST", "PORT", "SECRET_KEY", "DATABASE_URL", "LOG_LEVEL", "MICROBLOG_BUG", "ADMINS":
			continue
		}
		if strings.HasPrefix(name, "MAIL_") || strings.HasPrefix(name, "DEVRUN_") {
			continue
		}
		env = append(env, e)
	}
	return env
}
