//go:build unix && !darwin

package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// A program that tells what it is, and ends with status 7.
const teller = `package main

import (
	"fmt"
	"os"
)

func main() {
	dir, _ := os.Getwd()
	fmt.Printf("%d\n%q\n%s %s\n%s %s\n%s\n", os.Getpid(), os.Args[1:], os.Getenv("APP_ENV"), os.Getenv("A"), dir, os.Getenv("PWD"), os.Args[0])
	os.Exit(7)
}
`

// In production the app has devrun's process, with its arguments, environment and
// exit status. The cache directory of macOS takes no variable, so this is for the
// others.
func TestDevrunBecomesTheApp(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	goenv, err := exec.Command("go", "env", "GOCACHE", "GOMODCACHE", "GOPATH").Output()
	if err != nil {
		t.Fatal(err)
	}
	dirs := strings.Split(strings.TrimSpace(string(goenv)), "\n")
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	app, cache, temp := filepath.Join(base, "an app"), filepath.Join(base, "cache"), filepath.Join(base, "temp")
	for _, d := range []string{app, temp} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	put(t, app, "go.mod", "module example.test/app\n\ngo 1.25\n")
	put(t, app, "main.go", teller)
	put(t, app, ".env", "A=file\n")

	for _, c := range []struct {
		name    string
		environ []string
		where   string // pattern for the binary
	}{
		{"cache", []string{"XDG_CACHE_HOME=" + cache}, cache + "/devrun/*/an app"},
		{"again", []string{"XDG_CACHE_HOME=" + cache}, cache + "/devrun/*/an app"},
		{"no home", nil, temp + "/devrun-app-*/an app"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := exec.Command(self)
			cmd.Args = []string{"devrun", "-C", "an app", "--", "an argument", "--flag"}
			cmd.Dir = base
			cmd.Env = append(c.environ, "PATH="+os.Getenv("PATH"), "TMPDIR="+temp, "GORACE=atexit_sleep_ms=0",
				"GOCACHE="+dirs[0], "GOMODCACHE="+dirs[1], "GOPATH="+dirs[2], "GOFLAGS=-buildvcs=false", "DEVRUN_GRACE=1s", "PWD="+base)
			var stderr strings.Builder
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			if ended, ok := errors.AsType[*exec.ExitError](err); !ok || ended.ExitCode() != 7 {
				t.Fatalf("%v, %s", err, stderr.String())
			}
			found, err := filepath.Glob(c.where)
			if err != nil || len(found) != 1 {
				t.Fatalf("binaries at %s: %q", c.where, found)
			}
			want := strings.Join([]string{
				strconv.Itoa(cmd.Process.Pid), `["an argument" "--flag"]`, "production file", app + " " + app, found[0], ""}, "\n")
			if string(out) != want {
				t.Errorf("the app says\n%s\nwant\n%s", out, want)
			}
			if got, want := stderr.String(), "devrun: APP_ENV is not set, running in production; APP_ENV=development watches and reloads\n"; got != want {
				t.Errorf("stderr %q, want %q", got, want)
			}
			dir := filepath.Dir(found[0])
			info, err := os.Stat(dir)
			if err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("%s: %v, %v", dir, info.Mode(), err)
			}
			if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
				t.Errorf("left behind: %v, %v", entries, err)
			}
		})
	}
}

// A binary is not put where somebody else could exchange it.
func TestForeignPlaceForTheApp(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("NOT TESTED: only root can make files of another user")
	}
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("TMPDIR", t.TempDir())
	said := ""
	notice := func(text string) { said = text }
	own, err := binaryDir(Settings{Dir: "/app"}, notice)
	if err != nil || said != "" {
		t.Fatal(own, err, said)
	}
	if err := os.Chown(own, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	dir, err := binaryDir(Settings{Dir: "/app"}, notice)
	if err != nil || filepath.Dir(dir) != os.TempDir() || said != "cache not used: "+own+" belongs to another user" {
		t.Errorf("the place is %s, %v: %q", dir, err, said)
	}
}

// Where there is no place for the binary of production, it is said what to set.
func TestNoPlaceForTheApp(t *testing.T) {
	t.Setenv("HOME", "")
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv("TMPDIR", "/nowhere")
	_, err := binaryDir(Settings{Dir: "/app"}, func(string) {})
	var h interface{ Hint() string }
	if !errors.As(err, &h) || !strings.Contains(h.Hint(), "XDG_CACHE_HOME") {
		t.Errorf("%v", err)
	}
}

// In production the process is called like the directory of its package.
func TestWhatTheProcessIsCalled(t *testing.T) {
	for s, want := range map[[2]string]string{
		{"/src/app", ""}: "app", {"/src/app", "."}: "app", {"/src/app", "./cmd/web"}: "web",
		{"/src/app", "example.com/x/cmd/web"}: "web", {"/", ""}: "app", {"/src/app", "../other"}: "other",
	} {
		if got := appName(Settings{Dir: s[0], Package: s[1]}); got != want {
			t.Errorf("%q is called %s, want %s", s, got, want)
		}
	}
}
