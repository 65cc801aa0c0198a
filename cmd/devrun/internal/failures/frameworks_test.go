//go:build linux

package failures

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"devrun/cmd/devrun/internal/rig"
)

// Frameworks, each with the recovery that it brings, which has answered for a
// panic before net/http would: the page is that of the point of failure all the
// same.
func TestFrameworks(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"chi", "gin", "echo4", "mux", "httprouter"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := rig.Path(t, "devserver/internal/hook/testdata/"+name)
			download(t, dir)
			r := rig.NewOf(t, "notify", dir, rig.Path(t, own+"ways"))
			r.Start(".", "--", fmt.Sprintf("127.0.0.1:%d", r.Port))
			warm(t, rig.Client, r.URL("/ways/nil"))
			testWays(t, rig.Client, r.URL(""), filepath.Join(r.Dir, "ways.go"), "recovered")

			// The framework's own way to answer.
			f := fails(r, "/error")
			if root := f.root(); f.How != "status" || root.Rel != "main.go" || root.Line != line(t, filepath.Join(r.Dir, "main.go"), "ERROR") {
				t.Errorf("%s at %s:%d", f.How, root.Rel, root.Line)
			}
			if name != "echo4" {
				return
			}
			// The handler has returned its error and is gone when the 500 is written.
			f = fails(r, "/returned")
			if root := f.root(); f.How != "status" || root.Func != "" || !slices.ContainsFunc(f.Notes, func(n string) bool { return strings.Contains(n, "has returned") }) {
				t.Errorf("a returned error is %s in %q, notes %q", f.How, root.Func, f.Notes)
			}
			_, page, err := ask(rig.Client, r.URL("/returned"), "Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document")
			if err != nil || !strings.Contains(page, "None of these calls is in the app") {
				t.Errorf("%v\n%s", err, page)
			}
		})
	}
}

// A framework that does not use net/http is served all the same, and a panic,
// which ends it, is a crash.
func TestFiber(t *testing.T) {
	t.Parallel()
	dir := rig.Path(t, own+"fiber")
	download(t, dir)
	r := rig.NewOf(t, "notify", dir)
	r.Start(".", "--", fmt.Sprintf("127.0.0.1:%d", r.Port))
	_, _, _ = rig.Ask("GET", r.URL("/nil"), nil)
	want := fmt.Sprintf("main.go:%d", line(t, filepath.Join(r.Dir, "main.go"), "GREET"))
	rig.Eventually(t, "the crash is a page", func() error {
		resp, body, err := ask(rig.Client, r.URL("/version"))
		if err == nil && (resp.StatusCode < 500 || !strings.Contains(body, "nil pointer dereference") || !strings.Contains(body, want)) {
			err = fmt.Errorf("%s\n%s", resp.Status, body)
		}
		return err
	})
	r.Replace("main.go", "greet(nil)", `greet(&user{"susan"})`)
	r.Answers("/nil", "Hello susan")
}

// download has the modules of an app on this machine, or skips the test.
func download(t *testing.T, dir string) {
	t.Helper()
	get := exec.Command("go", "mod", "download")
	get.Dir = dir
	if out, err := get.CombinedOutput(); err != nil {
		t.Skipf("NOT TESTED, needs the network: %v\n%s", err, out)
	}
}
