//go:build linux

package serving

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"devrun/cmd/devrun/internal/rig"
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
	r := rig.New(t, mode)
	r.Env = append(r.Env, rig.OwnCache(t)...)
	r.Write("beside.go", beside)
	begin := func(r *rig.Rig) string {
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
	rig.Eventually(t, "the same binary starts again", func() error { return started(exe, 5) })

	// Another devrun on the same app has a place of its own.
	other := rig.New(t, mode)
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
	next := rig.New(t, mode)
	next.Dir, next.Env = r.Dir, r.Env
	if again := begin(next); again != exe {
		t.Errorf("the next run has its binary at %s, not at %s", again, exe)
	}
	starts(exe, 6)

	// After a kill the next one tidies up, whatever app it is for.
	next.Cmd.Process.Kill()
	next.Exit()
	if names := left(); !slices.Contains(names, filepath.Base(exe)) {
		t.Errorf("a kill has left %q", names)
	}
	tidy := rig.New(t, mode)
	tidy.Env = append(tidy.Env, r.Env...)
	tidy.Start()
	if names := left(); !slices.Equal(names, []string{"data"}) {
		t.Errorf("after a kill and another run there is %q", names)
	}
}

// What somebody else could have put into the cache is neither compiled into the app
// nor run.
func TestForeignCache(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("NOT TESTED: only root can make files of another user")
	}
	env := rig.OwnCache(t)
	cache := filepath.Join(strings.TrimPrefix(env[0], "XDG_CACHE_HOME="), "devrun")
	dir := rig.New(t, rig.Modes[0]).Dir
	run := func(t *testing.T) *rig.Rig {
		r := rig.New(t, rig.Modes[0])
		r.Dir, r.Env = dir, env
		r.Start()
		r.Cmd.Process.Signal(os.Interrupt)
		r.Exit()
		return r
	}
	if r := run(t); strings.Contains(r.Stderr.String(), "cache not used") {
		t.Fatal("its own cache is not used")
	}
	kept, err := filepath.Glob(filepath.Join(cache, "keep", "*.go"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("kept: %q %v", kept, err)
	}
	if err := os.WriteFile(kept[0], []byte("//go:build go1.21\n\npackage hook\n\nfunc init() { println(\"foreign code\") }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"keep", "linkers", "warm", "addresses", "apps"} {
		t.Run(name, func(t *testing.T) {
			if err := os.Chown(filepath.Join(cache, name), 65534, 65534); err != nil {
				t.Fatal(err)
			}
			r := run(t)
			r.Says(`^devrun: cache not used: ` + filepath.Join(cache, name) + ` belongs to another user$`)
			if strings.Contains(r.Stderr.String(), "foreign code") {
				t.Error("what another user has written was compiled in")
			}
			if name == "keep" { // for the others not to meet what it has now
				if err := os.Remove(kept[0]); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Chown(filepath.Join(cache, name), 0, 0); err != nil {
				t.Fatal(err)
			}
		})
	}
}
