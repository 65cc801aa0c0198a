// Package e2e is what the end-to-end tests beside it have in common: it runs
// the devrun that a user runs, on copies of the app in testdata/app, with real
// files, processes and sockets. It is for tests and no part of devrun.
//
// Rigs do not disturb each other, also not those of other test binaries: each
// has a directory and ports of its own. Nothing outlives a test: its devrun is
// stopped, what was built for it goes with the test binary, and a process that
// is left fails the binary. What a test waits for has to come true within
// [suite.Patience], however busy the machine is; no test waits that long when all is
// well.
package e2e

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/lockedfile"

	"devrun/devserver"
	"devrun/devserver/suite"
)

// Main runs the tests of a package as [Tests] does and ends the process. It is
// for TestMain.
func Main(m *testing.M) { os.Exit(Tests{m}.Run()) }

// Tests are a package's tests that use rigs.
type Tests struct{ *testing.M }

// Run runs the tests, as many at a time as there are processors, and half of that in
// the short suite, unless -parallel says otherwise: the go command tests other packages
// at the same time, and a devrun that waits for a processor does meanwhile what it has
// left for a rest. Afterwards it removes what was built, and fails if a process is left.
func (t Tests) Run() int {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	dir, err := os.MkdirTemp("", "devrun-e2e-")
	if err == nil && !given {
		n := runtime.GOMAXPROCS(0)
		if !suite.IsLong() {
			n = max(1, n/2)
		}
		err = flag.Set("test.parallel", strconv.Itoa(n))
	}
	if err == nil {
		err = os.Setenv(mark, strconv.Itoa(os.Getpid()))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	builtIn = dir
	// What the test binary ignores, as under nohup, devrun would ignore as well: what
	// it hears and lets be is not passed on.
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGHUP} {
		if signal.Ignored(s) {
			signal.Notify(make(chan os.Signal, 1), s)
		}
	}
	code := t.M.Run()
	if names := left(); len(names) > 0 {
		fmt.Fprintf(os.Stderr, "FAIL: the tests left processes: %s\n", strings.Join(names, ", "))
		code = max(code, 1)
	}
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = max(code, 1)
	}
	return code
}

// mark is the variable by which all processes of a test binary are known,
// whatever becomes of their parents.
const mark = "E2E_TEST_PID"

// left returns the processes of this test binary that do not end by
// themselves soon. Where there is no /proc it knows of none.
func left() (names []string) {
	entry := append([]byte(mark+"="+strconv.Itoa(os.Getpid())), 0)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		names = nil
		environs, err := filepath.Glob("/proc/[0-9]*/environ")
		if err != nil {
			return []string{err.Error()}
		}
		for _, f := range environs {
			if env, err := os.ReadFile(f); err != nil || !bytes.Contains(env, entry) {
				continue // gone, or not this user's
			}
			dir := filepath.Dir(f)
			args, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
			names = append(names, filepath.Base(dir)+" "+strings.TrimSpace(strings.ReplaceAll(string(args), "\x00", " ")))
		}
		if len(names) == 0 || time.Now().After(deadline) {
			return names
		}
	}
}

var builtIn string // what Build makes

// Build builds a command as the go command finds it in dir, and with these
// flags. The binary stays until the tests end.
func Build(dir, name, pkg string, flags ...string) (string, error) {
	if builtIn == "" {
		return "", fmt.Errorf("build %s: TestMain does not call e2e.Main", name)
	}
	path := filepath.Join(builtIn, name)
	return path, build(dir, path, pkg, flags...)
}

func build(dir, path, pkg string, flags ...string) error {
	cmd := exec.Command("go", append(append([]string{"build", "-o", path}, flags...), pkg)...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", filepath.Base(path), err, out)
	}
	return nil
}

// module is the directory of the module that is tested.
var module = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("find the module: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
})

// App returns the directory of the app that rigs have copies of.
func App(t testing.TB) string { t.Helper(); return Path(t, "cmd/devrun/internal/e2e/testdata/app") }

// Path is where something of the module that is tested is.
func Path(t testing.TB, name string) string {
	t.Helper()
	dir, err := module()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, name)
}

// devrun is built once for all packages of a `go test`, and once for each test binary
// that something else runs. Each has a copy, which no later build replaces.
var devrun = sync.OnceValues(func() (string, error) {
	dir, err := module()
	if err != nil {
		return "", err
	}
	base, err := kept()
	if err != nil {
		return "", err
	}
	id := sha256.Sum256([]byte(dir))
	shared := filepath.Join(base, fmt.Sprintf("devrun-%x", id[:6]))
	unlock, err := lockedfile.MutexAt(shared + ".lock").Lock()
	if err != nil {
		return "", err
	}
	defer unlock()
	run := testRun()
	if last, err := os.ReadFile(shared + ".run"); run == "" || err != nil || string(last) != run {
		if err := build(dir, shared, "./cmd/devrun"); err != nil {
			return "", err
		}
		if err := os.WriteFile(shared+".run", []byte(run), 0o600); err != nil {
			return "", err
		}
	}
	text, err := os.ReadFile(shared)
	if err != nil {
		return "", err
	}
	path := filepath.Join(builtIn, "devrun")
	return path, os.WriteFile(path, text, 0o755)
})

// testRun is the directory that the `go test` which runs this has for itself, "" if
// something else does.
func testRun() string {
	work := filepath.Dir(filepath.Dir(os.Args[0]))
	if !strings.HasPrefix(filepath.Base(work), "go-build") {
		return ""
	}
	return work
}

// kept is a directory of this user's that stays when the tests have ended, so that
// nothing is compiled for each run anew: the go command knows what it has compiled by
// the path of its source.
var kept = sync.OnceValues(func() (string, error) { return devserver.CacheDir("e2e") })

// Binary returns devrun's path.
func Binary(t testing.TB) string {
	t.Helper()
	path, err := devrun()
	if err != nil {
		t.Fatal(err)
	}
	return path
}
