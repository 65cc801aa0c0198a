//go:build linux

package zoo

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
)

// withoutDevrun builds and starts the app as its authors do, and after each edit that
// devrun will see: what the app answers, and how long it takes.
func (v *visit) withoutDevrun() {
	v.T.Helper()
	binary := filepath.Join(v.T.TempDir(), v.app.name)
	began := time.Now()
	v.goCommand(".", "build", "-o", binary, v.app.pkg)
	note(row{app: v.app.name, behaviour: "the first go build", plain: time.Since(began)})
	v.run(binary, func() {
		v.first = v.shows(suite.Patience, v.app.ready)
		_, v.first, _ = strings.Cut(v.first, "\n") // the header has the time
	})
	for _, b := range behaviours {
		e, ok := v.app.edits[b.name]
		if !ok || b.name == panicking || b.name == failing {
			continue
		}
		undo := v.apply(e)
		v.neverBuilt(e)
		began := time.Now()
		v.goCommand(".", "build", "-o", binary, v.app.pkg)
		v.run(binary, func() {
			v.shows(suite.Patience, e.path, e.want...)
			v.plain[b.name] = time.Since(began)
		})
		undo()
	}
}

// neverBuilt makes sure that the build cache of the go command has not seen what e has
// changed: an earlier visit has built the same.
func (v *visit) neverBuilt(e edit) {
	v.T.Helper()
	now := time.Now().UnixNano()
	for i, c := range e.changes { // a file may be among them twice
		switch filepath.Ext(c.file) {
		case ".go":
			v.Write(c.file, v.Read(c.file)+fmt.Sprintf("\nvar zoo%d_%d = %d\n", i, now, now))
		case ".html", ".txt":
			v.Write(c.file, v.Read(c.file)+fmt.Sprintf("<!-- %d -->\n", now))
		}
	}
}

// run has the app run while do does.
func (v *visit) run(binary string, do func()) {
	v.T.Helper()
	var said e2e.Output
	cmd := exec.Command(binary, v.args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = v.Dir, &said, &said
	cmd.Env = append(append(os.Environ(), fmt.Sprintf("PORT=%d", v.Port)), v.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		v.T.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		cmd.Wait()
		close(ended)
	}()
	defer func() {
		if v.T.Failed() {
			v.T.Logf("the app without devrun says:\n%s", said.String())
		}
		syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
		}
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-ended
	}()
	do()
}

// tidy completes the go.mod of an app that the test has written.
func (v *visit) tidy() {
	v.T.Helper()
	v.goCommand(".", "mod", "tidy")
}

func (v *visit) goCommand(dir string, args ...string) {
	v.T.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir, cmd.Env = filepath.Join(v.Dir, dir), append(os.Environ(), v.Env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		v.T.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}
