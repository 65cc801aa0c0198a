//go:build linux

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// Write saves a file below the app's directory, as an editor that truncates
// and writes does.
func (r *Rig) Write(name, text string) {
	r.T.Helper()
	path := filepath.Join(r.Dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.T.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		r.T.Fatal(err)
	}
}

// Put saves a file in one step, as an editor that writes another and renames it.
func (r *Rig) Put(name, text string) {
	r.T.Helper()
	next := filepath.Join(filepath.Dir(r.Dir), "next")
	err := os.WriteFile(next, []byte(text), 0o644)
	if err == nil {
		err = os.Rename(next, filepath.Join(r.Dir, name))
	}
	if err != nil {
		r.T.Fatal(err)
	}
}

// Remove removes what is there below the app's directory.
func (r *Rig) Remove(name string) {
	r.T.Helper()
	if err := os.RemoveAll(filepath.Join(r.Dir, name)); err != nil {
		r.T.Fatal(err)
	}
}

// Read returns the text of a file below the app's directory.
func (r *Rig) Read(name string) string {
	r.T.Helper()
	b, err := os.ReadFile(filepath.Join(r.Dir, name))
	if err != nil {
		r.T.Fatal(err)
	}
	return string(b)
}

// Replace edits a file; old must be in it.
func (r *Rig) Replace(name, old, new string) {
	r.T.Helper()
	text := r.Read(name)
	if !strings.Contains(text, old) {
		r.T.Fatalf("%s has no %q", name, old)
	}
	r.Write(name, strings.Replace(text, old, new, 1))
}

var versionLine = regexp.MustCompile(`const version = "\w+"`)

// WithVersion is the app's main.go, given as text, with another version.
func WithVersion(text, version string) string {
	return versionLine.ReplaceAllString(text, fmt.Sprintf("const version = %q", version))
}

// Source is main.go with another version.
func (r *Rig) Source(version string) string { return WithVersion(r.Read("main.go"), version) }

// SetVersion saves main.go with another version.
func (r *Rig) SetVersion(version string) { r.T.Helper(); r.Write("main.go", r.Source(version)) }

// SlowSource is a Go file that takes a second or so to compile.
func SlowSource(seed int) string {
	var b strings.Builder
	b.WriteString("package main\n\n")
	for i := range 400 {
		fmt.Fprintf(&b, "func slow%d(a, b, c int) (x int) {\n", i)
		for j := range 60 {
			fmt.Fprintf(&b, "\tif a*%d > b+%d { x += c %% %d } else { x ^= a }\n", j+1, seed+i, j+3)
		}
		b.WriteString("\treturn\n}\n\n")
	}
	return b.String()
}

// Git runs git in the app's directory, as a user who has no settings.
func (r *Rig) Git(args ...string) {
	r.T.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=t", "-c", "user.email=t@example.test", "-c", "init.defaultBranch=a", "-c", "gc.auto=0"}, args...)...)
	cmd.Dir = r.Dir
	if out, err := cmd.CombinedOutput(); err != nil {
		r.T.Fatalf("git %v: %v\n%s", args, err, out)
	}
}
