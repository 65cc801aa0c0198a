//go:build linux

package e2e

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"devrun/devserver"
	"devrun/devserver/suite"
)

// Output is what a process printed, safe to read while it does.
type Output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// Cases is a table of what devrun does.
type Cases []struct {
	Name string
	Test func(t *testing.T)
}

// Run tests them side by side.
func (c Cases) Run(t *testing.T) {
	// Of tests that wait for their turn the last one gets it first. Here it is to be
	// the table's first, where those are that take longest.
	for _, one := range slices.Backward(c) {
		t.Run(one.Name, func(t *testing.T) {
			t.Parallel()
			one.Test(t)
		})
	}
}

// Behaviours is a table of what devrun does in more than one mode.
type Behaviours []struct {
	Name string
	Test func(t *testing.T, mode string)
}

// Run tests each behaviour in each of the modes, side by side.
func (b Behaviours) Run(t *testing.T, modes ...string) {
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			cases := make(Cases, len(b))
			for i, one := range b {
				cases[i].Name, cases[i].Test = one.Name, func(t *testing.T) { one.Test(t, mode) }
			}
			cases.Run(t)
		})
	}
}

// Rig is one devrun at work on one copy of the app.
type Rig struct {
	T     *testing.T
	Dir   string   // the app's
	Cache string   // what devrun keeps
	Port  int      // what the app asks for and devrun has
	Env   []string // besides what every devrun gets
	args  []string

	Cmd            *exec.Cmd
	Change         func(*exec.Cmd) // applied to Cmd before it starts
	Stdout, Stderr Output
	Ended          chan struct{} // closed when devrun is gone
}

// New copies the app to a directory of its own. Nothing runs yet. The mode is
// "notify" or "poll", the way in which devrun will learn of changes.
func New(t *testing.T, mode string) *Rig { t.Helper(); return NewOf(t, mode, App(t)) }

// NewOf is New with another app, which is all that is in these directories. Without
// any the directory is yet to be filled.
func NewOf(t *testing.T, mode string, dirs ...string) *Rig {
	t.Helper()
	dir := filepath.Join(place(t, dirs), "app")
	for _, d := range dirs {
		if err := os.CopyFS(dir, os.DirFS(d)); err != nil {
			t.Fatal(err)
		}
	}
	r := &Rig{T: t, Dir: dir, Port: suite.FreePort(t), Ended: make(chan struct{})}
	r.cache()
	if mode == "poll" {
		r.args = append(r.args, "--poll", "20ms")
	}
	return r
}

// place is an empty directory that is this test's until it ends. It has the same name
// whenever the app of these directories runs alone.
func place(t testing.TB, dirs []string) string {
	t.Helper()
	base, err := kept()
	if err != nil {
		t.Fatal(err)
	}
	id := sha256.Sum256([]byte(strings.Join(dirs, "\x00")))
	for n := 1; ; n++ {
		dir := filepath.Join(base, fmt.Sprintf("%x.%d", id[:6], n))
		free := take(t, dir)
		if free == nil {
			continue
		}
		t.Cleanup(free)
		remove := func() {
			if err := os.RemoveAll(dir); err != nil {
				t.Error(err)
			}
		}
		remove() // left by tests that were killed
		t.Cleanup(remove)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		return dir
	}
}

// take has a name for this test alone among all that run, until free is called or the
// process ends. It is nil if another test has the name.
func take(t testing.TB, name string) (free func()) {
	t.Helper()
	l, err := net.Listen("unix", "@devrun-e2e-"+name)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() { l.Close() }
}

// environ is what devrun gets: the test's own environment, without what would
// change devrun's ways.
func (r *Rig) environ() []string {
	var env []string
	for _, e := range os.Environ() {
		name, _, _ := strings.Cut(e, "=")
		if strings.HasPrefix(name, "DEVRUN_") || name == "APP_ENV" || name == "FLASK_ENV" || name == "HOST" || name == "PORT" || name == "NO_COLOR" {
			continue
		}
		env = append(env, e)
	}
	return append(append(env, "APP_ENV=development", "HOST=127.0.0.1", "PORT="+strconv.Itoa(r.Port)), r.Env...)
}

// Launch starts devrun and does not wait for anything.
func (r *Rig) Launch(args ...string) {
	r.T.Helper()
	r.Cmd = exec.Command(Binary(r.T), append(r.args, args...)...)
	r.Cmd.Dir, r.Cmd.Env = r.Dir, r.environ()
	r.Cmd.Stdout, r.Cmd.Stderr = &r.Stdout, &r.Stderr
	r.Cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	r.Cmd.WaitDelay = 5 * time.Second
	if r.Change != nil {
		r.Change(r.Cmd)
	}
	if err := r.Cmd.Start(); err != nil {
		r.T.Fatal(err)
	}
	go func() {
		r.Cmd.Wait()
		close(r.Ended)
	}()
	r.T.Cleanup(func() {
		if r.T.Failed() {
			r.T.Logf("devrun's stderr:\n%s\nstdout:\n%s", r.Stderr.String(), r.Stdout.String())
		}
		r.Cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-r.Ended:
		case <-time.After(20 * time.Second):
			r.Cmd.Process.Kill()
			<-r.Ended
			r.T.Error("devrun did not stop within 20 s of SIGTERM")
		}
	})
}

// LaunchWith launches devrun after its command was changed.
func (r *Rig) LaunchWith(change func(*exec.Cmd), args ...string) {
	r.T.Helper()
	r.Change = change
	r.Launch(args...)
}

// Start launches devrun and waits until the app answers.
func (r *Rig) Start(args ...string) *Rig {
	r.T.Helper()
	r.Launch(args...)
	r.Served("v1")
	return r
}

// Prebuild builds the app with the go command and no limit of time: what another
// toolchain or the race detector makes of the standard library takes minutes on an
// empty cache.
func (r *Rig) Prebuild(flags ...string) *Rig {
	r.T.Helper()
	prebuilding.Lock() // who comes second finds it done
	defer prebuilding.Unlock()
	cmd := exec.CommandContext(r.T.Context(), "go", slices.Concat([]string{"build", "-o", os.DevNull}, flags, []string{"."})...)
	cmd.Dir, cmd.Env = r.Dir, append(os.Environ(), r.Env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		r.T.Fatalf("%v\n%s", err, out)
	}
	return r
}

var prebuilding sync.Mutex

// Exit waits until devrun is gone and returns its exit status.
func (r *Rig) Exit() int {
	r.T.Helper()
	select {
	case <-r.Ended:
	case <-time.After(suite.Patience):
		r.T.Fatalf("devrun still runs after %v", suite.Patience)
	}
	return r.Cmd.ProcessState.ExitCode()
}

// cache gives devrun a cache directory of its own, and the go command the usual one.
// What devrun keeps of apps is forgotten with the rig; what is the same for all apps is
// the user's.
func (r *Rig) cache() {
	r.T.Helper()
	home := r.T.TempDir()
	r.Cache = filepath.Join(home, "devrun")
	gocache, err := goCache()
	if err != nil {
		r.T.Fatal(err)
	}
	r.Env = []string{"XDG_CACHE_HOME=" + home, "GOCACHE=" + gocache}
	if err := os.Mkdir(r.Cache, 0o700); err != nil {
		r.T.Fatal(err)
	}
	for _, name := range []string{"keep", "linkers"} {
		shared, err := devserver.CacheDir(name)
		if err == nil {
			err = os.Symlink(shared, filepath.Join(r.Cache, name))
		}
		if err != nil {
			r.T.Fatal(err)
		}
	}
}

var goCache = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("go", "env", "GOCACHE").Output()
	return strings.TrimSpace(string(out)), err
})
