//go:build linux

package corners

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
)

// beside notes each start in data/starts beside the binary, and where that is.
const beside = `package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func init() {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	data := filepath.Join(filepath.Dir(exe), "data")
	if err := os.MkdirAll(data, 0o755); err != nil {
		panic(err)
	}
	f, err := os.OpenFile(filepath.Join(data, "starts"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		panic(err)
	}
	fmt.Fprintln(f, os.Args[0], exe)
	f.Close()
}
`

// testBeside: what an app keeps beside its binary is there in every generation and
// every run, and devrun takes away nothing but the binary.
func testBeside(t *testing.T, mode string) {
	r := e2e.New(t, mode)
	r.Write("beside.go", beside)
	begin := func(r *e2e.Rig) string {
		r.Start()
		exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", r.AppPid()))
		if err != nil {
			t.Fatal(err)
		}
		return exe
	}
	started := func(exe string, n int) error {
		text, err := os.ReadFile(filepath.Join(filepath.Dir(exe), "data", "starts"))
		if want := strings.Repeat(exe+" "+exe+"\n", n); err != nil || string(text) != want {
			return fmt.Errorf("beside the binary is %q, want %q: %v", text, want, err)
		}
		return nil
	}
	starts := func(exe string, n int) {
		t.Helper()
		if err := started(exe, n); err != nil {
			t.Error(err)
		}
	}
	exe := begin(r)
	starts(exe, 1)
	for i, version := range []string{"v2", "v3", "v1"} {
		r.SetVersion(version)
		r.Served(version)
		starts(exe, i+2)
	}
	r.Write("templates/page.html", "changed")
	r.Says(`page\.html saved, restarting without a build$`)
	r.Served("v1")
	suite.Until(t, "the same binary starts again", func() error { return started(exe, 5) })

	// Another devrun on the same app has a place of its own.
	other := e2e.New(t, mode)
	other.Dir, other.Env = r.Dir, r.Env
	if second := begin(other); second == exe {
		t.Errorf("two devruns have their binary at %s", exe)
	} else {
		starts(second, 1)
	}
	starts(exe, 5)

	r.Cmd.Process.Signal(os.Interrupt)
	r.Exit()
	left := func() (names []string) {
		entries, err := os.ReadDir(filepath.Dir(exe))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	if names := left(); !slices.Equal(names, []string{"data"}) {
		t.Errorf("beside the binary there is %q", names)
	}
	next := e2e.New(t, mode)
	next.Dir, next.Env = r.Dir, r.Env
	if again := begin(next); again != exe {
		t.Errorf("the next run has its binary at %s, not at %s", again, exe)
	}
	starts(exe, 6)
}

// testForeignCache: what somebody else could have put into the cache is not compiled
// into the app.
func testForeignCache(t *testing.T, mode string) {
	if os.Getuid() != 0 {
		t.Skip("NOT TESTED: only root can make files of another user")
	}
	first := e2e.New(t, mode)
	keep := filepath.Join(first.Cache, "keep")
	if err := os.Remove(keep); err != nil { // the user's own
		t.Fatal(err)
	}
	first.Start()
	first.Cmd.Process.Signal(os.Interrupt)
	first.Exit()
	kept, err := filepath.Glob(filepath.Join(keep, "*.go"))
	if err != nil || len(kept) != 1 || strings.Contains(first.Stderr.String(), "cache not used") {
		t.Fatalf("kept: %q %v", kept, err)
	}
	if err := os.WriteFile(kept[0], []byte("//go:build go1.21\n\npackage hook\n\nfunc init() { println(\"foreign code\") }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(keep, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	r := e2e.New(t, mode)
	r.Dir, r.Env = first.Dir, first.Env
	r.Start()
	r.Says(`^devrun: cache not used: ` + keep + ` belongs to another user$`)
	if strings.Contains(r.Stderr.String(), "foreign code") {
		t.Error("what another user has written was compiled in")
	}
}
