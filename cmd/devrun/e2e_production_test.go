//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
)

// In production devrun builds the app, becomes it, and nothing of devrun is
// in it.
func TestProduction(t *testing.T) { inProduction(t, "APP_ENV=production") }

func TestLongProduction(t *testing.T) {
	suite.Long(t)
	inProduction(t, "APP_ENV=", "FLASK_ENV=production")
}

func inProduction(t *testing.T, envs ...string) {
	for _, env := range envs {
		t.Run(env, func(t *testing.T) {
			r := e2e.New(t, "notify")
			r.LaunchWith(func(c *exec.Cmd) {
				for i, e := range c.Env {
					if e == "APP_ENV=development" {
						c.Env[i] = env
					}
				}
			}, ".", "--", "an argument")
			r.Served("v1")

			// devrun has become the app.
			if pid := r.AppPid(); pid != r.Cmd.Process.Pid {
				t.Errorf("the app is process %d, devrun was %d", pid, r.Cmd.Process.Pid)
			}
			exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", r.Cmd.Process.Pid))
			if err != nil {
				t.Fatal(err)
			}
			noDevrun(t, exe)
			if _, body := r.Get("/env/APP_ENV"); body != "\"production\" true\n" {
				t.Errorf("APP_ENV in the app: %s", body)
			}
			for _, e := range []string{"DEVRUN_FD", "DEVRUN_TAKEOVER"} {
				if _, body := r.Get("/env/" + e); body != "\"\" false\n" {
					t.Errorf("%s in the app: %s", e, body)
				}
			}

			// None of devrun's addresses, no script, no watching.
			for _, path := range []string{"/__devrun/reload.js", "/__devrun/events", "/__devrun/page.css", "/?__debugger__=yes&cmd=resource"} {
				_, direct := r.Get(path)
				if strings.Contains(direct, "devrun") {
					t.Errorf("GET %s: %s", path, direct)
				}
			}
			if status, _ := r.Get("/__devrun/reload.js"); status != 404 {
				t.Errorf("devrun's script: %d", status)
			}
			if _, body := r.Get("/", "Accept", "text/html"); strings.Contains(body, "<script") {
				t.Errorf("a script in the page:\n%s", body)
			}
			if n := strings.Count(r.Stderr.String(), "running in production"); (n == 1) != (env == "APP_ENV=") {
				t.Errorf("the reason for production is said %d times", n)
			}
			pid := r.AppPid()
			r.SetVersion("v2")
			if r.AppPid() != pid {
				t.Error("it is watched")
			}
			r.Cmd.Process.Signal(syscall.SIGTERM)
			r.Exit()
		})
	}
}

// noDevrun proves that a binary has no symbol, dependency or flag of devrun.
func noDevrun(t *testing.T, exe string) {
	t.Helper()
	info, err := exec.Command("go", "version", "-m", exe).Output()
	if err != nil {
		t.Fatal(err)
	}
	_, info, _ = bytes.Cut(info, []byte("\n")) // the first line is the file's own name
	for _, bad := range []string{"devrun", "-gcflags", "checklinkname", "fsnotify", "delve"} {
		if bytes.Contains(info, []byte(bad)) {
			t.Errorf("the build info has %s:\n%s", bad, info)
		}
	}
	symbols, err := exec.Command("go", "tool", "nm", exe).Output()
	if err != nil {
		t.Fatal(err)
	}
	if m := regexp.MustCompile(`(?i)\S*devrun\S*`).Find(symbols); m != nil {
		t.Errorf("a symbol of devrun: %s", m)
	}
	if !bytes.Contains(symbols, []byte("main.main")) {
		t.Errorf("%s has no symbols to look at", exe)
	}
	b, err := os.ReadFile(exe)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"DEVRUN_", "zz_devrun", "__devrun"} {
		if bytes.Contains(b, []byte(bad)) {
			t.Errorf("the binary has the text %s", bad)
		}
	}
}

// A build that fails in production says so and ends with an error.
func TestProductionBuildFails(t *testing.T) {
	r := e2e.New(t, "notify")
	r.Replace("main.go", `const version = "v1"`, `const version = nothing`)
	r.Env = append(r.Env, "APP_ENV=production")
	r.LaunchWith(func(c *exec.Cmd) {
		c.Env = deleteEnv(c.Env, "APP_ENV=development")
	})
	if code := r.Exit(); code != 1 {
		t.Errorf("exit status %d", code)
	}
	r.Says(`^devrun: build failed`)
	r.Says(`^  main\.go:21:17 +undefined: nothing`)
}

func deleteEnv(env []string, entry string) []string {
	var kept []string
	for _, e := range env {
		if e != entry {
			kept = append(kept, e)
		}
	}
	return kept
}

// Development is refused where the process looks deployed.
func TestDeployed(t *testing.T) {
	r := e2e.New(t, "notify")
	r.Env = append(r.Env, "KUBERNETES_SERVICE_HOST=10.0.0.1")
	r.Launch()
	if code := r.Exit(); code != 2 {
		t.Errorf("exit status %d", code)
	}
	r.Says(`KUBERNETES_SERVICE_HOST`)
	r.Says(`--force`)
}

// The sample runs with the commands of the README: in development under
// devrun, where a template is a restart, and in production.
func TestLongSample(t *testing.T) {
	suite.Long(t)
	root := filepath.Join(t.TempDir(), "devrun")
	if err := os.CopyFS(filepath.Join(root, "sample"), os.DirFS("../../sample")); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{"go.mod", "go.sum"} {
		b, err := os.ReadFile("../../" + f)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, f), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	database := "DATABASE_URL=sqlite:///" + filepath.Join(t.TempDir(), "sample.db")
	r := e2e.New(t, "notify")
	r.Dir, r.Env = root, append(r.Env, database)
	r.Launch("./sample")
	shows := func(path, want string) {
		t.Helper()
		suite.Until(t, path+" shows "+want, func() error {
			resp, body, err := e2e.Ask("GET", r.URL(path), nil)
			if err != nil {
				return err
			}
			if !strings.Contains(body, want) {
				return fmt.Errorf("%d\n%s", resp.StatusCode, body)
			}
			return nil
		})
	}
	shows("/login", "<h1>Sign In</h1>")
	shows("/nope", "<h1>Not Found</h1>")
	builds := r.Builds()
	r.Replace("sample/templates/login.html", "<h1>Sign In</h1>", "<h1>Come In</h1>")
	shows("/login", "<h1>Come In</h1>")
	if r.Builds() != builds {
		t.Error("a template was a build")
	}
	r.Replace("sample/auth.go", `Title: "Sign In"`, `Title: "Come In"`)
	shows("/login", "<title>Come In - Microblog</title>")
	r.Cmd.Process.Signal(os.Interrupt)
	r.Exit()
	if entries, err := os.ReadDir(root); err != nil || len(entries) != 3 {
		t.Errorf("devrun left something behind: %v %v", entries, err)
	}

	p := e2e.New(t, "notify")
	p.Dir = root
	p.Env = append(p.Env, "APP_ENV=production", "SECRET_KEY=x", database)
	p.LaunchWith(func(c *exec.Cmd) { c.Env = deleteEnv(c.Env, "APP_ENV=development") }, "./sample")
	suite.Until(t, "production serves", func() error {
		_, body, err := e2e.Ask("GET", p.URL("/login"), nil)
		if err == nil && !strings.Contains(body, "<h1>Come In</h1>") {
			return errors.New(body)
		}
		return err
	})
	if resp, body, err := e2e.Ask("GET", p.URL("/__devrun/reload.js"), nil); err != nil || resp.StatusCode != 404 || !strings.Contains(body, "<h1>Not Found</h1>") {
		t.Errorf("%v %v %s", resp, err, body)
	}
}
