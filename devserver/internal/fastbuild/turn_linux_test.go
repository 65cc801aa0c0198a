package fastbuild

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"devrun/devserver/suite"
)

// watched puts a go command in front of the real one. It notes in a file how it is
// run and whether another one runs beside it, waits before it lists packages for as
// long as there is a file named wait, and runs the script named after, if there is
// one, when it has listed them.
func (a *app) watched(t *testing.T) (dir string) {
	t.Helper()
	real, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	// A lock is free when all that have it open are gone, however they ended.
	script := fmt.Sprintf(`#!/bin/sh
cd_=$PWD; cd %[1]q
exec 9>lock
flock -n 9 || echo "beside another: $1" >>log
echo "$1" >>log
while [ "$1" = list ] && [ -e wait ]; do sleep 0.01; done
cd "$cd_"
%[2]q "$@"
code=$?
if [ "$1" = list ] && [ -e %[1]q/after ]; then sh %[1]q/after; fi
exit $code
`, dir, real)
	if err := os.WriteFile(filepath.Join(dir, "go"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	path := dir + string(os.PathListSeparator) + os.Getenv("PATH")
	t.Setenv("PATH", path)
	a.request.Env = append(a.request.Env, "PATH="+path)
	return dir
}

// Somebody who saves faster than the go command answers is not kept from direct
// builds, and no build has a question beside it.
func TestLongQuestionGivesWay(t *testing.T) {
	suite.Long(t)
	a := newApp(t, map[string]string{"main.go": mainGo, "leaf/leaf.go": leafGo})
	dir := a.watched(t)
	log := func() string {
		text, err := os.ReadFile(filepath.Join(dir, "log"))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	becomes := func(what string, is func() bool) {
		t.Helper()
		suite.Until(t, what, func() error {
			if !is() {
				return fmt.Errorf("the go command was run for\n%s", log())
			}
			return nil
		})
	}
	lists := func(n int) func() bool {
		return func() bool { return strings.Count("\n"+log(), "\nlist\n") == n }
	}

	a.full(notLearned, "f1g")
	wait := filepath.Join(dir, "wait")
	if err := os.WriteFile(wait, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	answer := make(chan error, 1)
	go func() { answer <- a.builder.Learn(t.Context(), a.request) }()
	becomes("asked", lists(1))
	a.write("leaf/leaf.go", strings.Replace(leafGo, "f1", "f2", 1))
	a.write("leaf/more.go", "package leaf\n")
	type built struct {
		res Result
		err error
	}
	saved, r := make(chan built, 1), a.next()
	go func() {
		res, err := a.builder.Build(t.Context(), r, nil)
		saved <- built{res, err}
	}()
	if err := <-answer; !errors.Is(err, errInterrupted) {
		t.Errorf("the question gives %v", err)
	}
	becomes("asked by the build", lists(2))
	if err := os.Remove(wait); err != nil {
		t.Fatal(err)
	}
	b := <-saved
	if b.err != nil || b.res.Full != "" {
		t.Fatalf("error %v, go build because %q", b.err, b.res.Full)
	}
	if got := output(t, b.res.Binary); got != "f2g" {
		t.Errorf("the app says %q", got)
	}
	a.learn() // has to prove only what the build was told
	if !lists(2)() {
		t.Errorf("the go command was run for\n%s", log())
	}
	a.write("leaf/leaf.go", leafGo)
	a.direct("f1g")
	// The same without a question under way, as Learn may be at its proofs.
	a.remove("leaf/more.go")
	a.full("added or removed", "f1g")
	a.write("leaf/more.go", "package leaf\n")
	a.write("leaf/other.go", "package leaf\n")
	if res := a.direct("f1g"); !res.Asked {
		t.Errorf("the go command was run for\n%s", log())
	}
	a.write("leaf/leaf.go", strings.Replace(leafGo, "f1", "f2", 1))
	if res := a.direct("f2g"); res.Asked {
		t.Errorf("the go command was run for\n%s", log())
	}
	if strings.Contains(log(), "beside") {
		t.Errorf("the go command was run for\n%s", log())
	}
}

// What the go command says of a file that is just being written is not taken for what
// the app is.
func TestHalfWritten(t *testing.T) {
	a := newApp(t, map[string]string{"main.go": mainGo, "leaf/leaf.go": leafGo})
	dir := a.watched(t)
	a.full(notLearned, "f1g")
	main := filepath.Join(a.dir, "main.go")
	for name, text := range map[string]string{"whole": mainGo, "after": fmt.Sprintf("cp %s/whole %s\n", dir, main)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a.write("main.go", "")
	a.learn()
	a.write("leaf/leaf.go", strings.Replace(leafGo, "f1", "f2", 1))
	a.direct("f2g")
	// One that is said again is.
	if err := os.Remove(filepath.Join(dir, "after")); err != nil {
		t.Fatal(err)
	}
	a.write("main.go", "")
	if err := a.builder.Learn(t.Context(), a.next()); err == nil || !strings.Contains(err.Error(), "main.go") {
		t.Errorf("an empty file gives %v", err)
	}
}
