//go:build linux

package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"devrun/cmd/devrun/internal/e2e"
)

// Bad input is one clear sentence and an exit status, never a trace.
func TestBadInput(t *testing.T) {
	for _, c := range []struct {
		name string
		with func(*e2e.Rig) []string
		code int
		want string
	}{
		{"no such directory", func(r *e2e.Rig) []string { return []string{"-C", "/nowhere/at all"} }, 2, `/nowhere/at all`},
		{"no such package", func(r *e2e.Rig) []string { return []string{"./nope"} }, 2, `nope`},
		{"no main package", func(r *e2e.Rig) []string { return []string{"./web"} }, 2, `web.*not.*main`},
		{"two main packages", func(r *e2e.Rig) []string {
			os.Remove(r.Dir + "/main.go")
			r.Write("cmd/one/main.go", "package main\n\nfunc main() {}\n")
			r.Write("cmd/two/main.go", "package main\n\nfunc main() {}\n")
			return nil
		}, 2, `(?s)\./cmd/one.*\./cmd/two`},
		{"no module", func(r *e2e.Rig) []string { os.Remove(r.Dir + "/go.mod"); return nil }, 2, `go mod init`},
		{"no go command", func(r *e2e.Rig) []string { r.Env = append(r.Env, "PATH=/nonexistent"); return nil }, 2, `go`},
		{"unknown APP_ENV", func(r *e2e.Rig) []string { r.Env = append(r.Env, "APP_ENV=staging"); return nil }, 2, `APP_ENV is "staging"; it must be production or development`},
		{"unknown setting", func(r *e2e.Rig) []string { r.Env = append(r.Env, "DEVRUN_GRACEE=1s"); return nil }, 2, `DEVRUN_GRACE\b`},
		{"unknown flag", func(r *e2e.Rig) []string { return []string{"--pol"} }, 2, `--pol`},
		{"bad duration", func(r *e2e.Rig) []string { return []string{"--grace", "soon"} }, 2, `soon`},
		{"bad .env", func(r *e2e.Rig) []string { r.Write(".env", "A=1\nB=\"x\n"); return nil }, 2, `\.env line 2`},
		{"bad --addr", func(r *e2e.Rig) []string { return []string{"--addr", "nonsense"} }, 2, `nonsense`},
		{"temporary directory that can't be written", func(r *e2e.Rig) []string { r.Env = append(r.Env, "TMPDIR=/nonexistent"); return nil }, 1, `TMPDIR`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := e2e.New(t, "notify")
			r.Launch(c.with(r)...)
			if code := r.Exit(); code != c.code {
				t.Errorf("exit status %d, want %d", code, c.code)
			}
			text := r.Stderr.String()
			if !regexp.MustCompile(c.want).MatchString(text) {
				t.Errorf("stderr has no %s:\n%s", c.want, text)
			}
			if strings.Contains(text, "goroutine ") || !strings.HasPrefix(text, "devrun: ") || strings.Count(text, "\n") > 6 {
				t.Errorf("not a clear sentence:\n%s", text)
			}
		})
	}
}

// A directory that can't be written is no obstacle: nothing is written there.
func TestReadOnlyDirectory(t *testing.T) {
	r := e2e.New(t, "notify")
	r.SetVersion("v1")
	if err := exec.Command("chmod", "-R", "a-w", r.Dir).Run(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { exec.Command("chmod", "-R", "u+w", r.Dir).Run() })
	list := func() string {
		t.Helper()
		out, err := exec.Command("find", r.Dir, "-printf", "%p %T@ %C@\n").Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	before := list()
	r.Start()
	if after := list(); after != before {
		t.Errorf("something was written:\n%s\nbefore:\n%s", after, before)
	}
}
