//go:build linux

package watching

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
)

// TestLongWatchLimit: where the system gives no more notifications devrun says so,
// looks for changes, and misses none. It runs in a user namespace of its own, whose
// limits are nobody else's.
func TestLongWatchLimit(t *testing.T) {
	suite.Long(t)
	for _, c := range []struct{ name, limit, value, says string }{
		{"too few watches", "max_inotify_watches", "2", `max_user_watches`},
		{"no watcher", "max_inotify_instances", "0", `max_user_instances`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := e2e.New(t, "notify")
			limited(r, c.limit, c.value)
			r.Start()
			r.Says(`^devrun: .*\b` + c.says + `\b.*looking for changes every \d+ms instead$`)
			if n := watches(r); n > 0 {
				t.Errorf("%d watches are left", n)
			}
			seesEdits(r)
		})
	}
	t.Run("the watches run out later", func(t *testing.T) {
		t.Parallel()
		r := e2e.New(t, "notify")
		limited(r, "max_inotify_watches", "20")
		r.Start()
		r.SetVersion("w1")
		r.Served("w1")
		if text := r.Stderr.String(); strings.Contains(text, "instead") {
			t.Fatal("it polls from the start")
		}
		for i := range 30 {
			r.Write(fmt.Sprintf("more/d%d/d.go", i), "package d\n")
		}
		r.Says(`^devrun: .*\bmax_user_watches\b.*looking for changes every \d+ms instead$`)
		seesEdits(r)
	})
}

// limited makes devrun start in a user namespace with a limit of its own.
func limited(r *e2e.Rig, limit, value string) {
	r.T.Helper()
	const set = `echo "$1" >"/proc/sys/user/$0" && shift && exec "$@"`
	namespace := &syscall.SysProcAttr{
		Setpgid:     true,
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	probe := exec.Command("/bin/sh", "-c", set, limit, value, "true")
	probe.SysProcAttr = namespace
	if out, err := probe.CombinedOutput(); err != nil {
		r.T.Skipf("NOT TESTED: a user namespace whose %s can be set is not to be had here: %v %s", limit, err, out)
	}
	r.Change = func(c *exec.Cmd) {
		c.Args = append([]string{"/bin/sh", "-c", set, limit, value, c.Path}, c.Args[1:]...)
		c.Path = "/bin/sh"
		c.SysProcAttr = namespace
	}
}

// watches counts devrun's inotify watches.
func watches(r *e2e.Rig) int {
	r.T.Helper()
	infos, err := filepath.Glob(fmt.Sprintf("/proc/%d/fdinfo/*", r.Cmd.Process.Pid))
	if err != nil || len(infos) == 0 {
		r.T.Fatal("no fdinfo: ", err)
	}
	n := 0
	for _, f := range infos {
		b, err := os.ReadFile(f)
		if err != nil {
			continue // a descriptor that was closed meanwhile
		}
		n += strings.Count(string(b), "inotify wd:")
	}
	return n
}

// seesEdits shows that an edit, a file in a new directory and a removal are
// seen.
func seesEdits(r *e2e.Rig) {
	r.T.Helper()
	for _, v := range []string{"e1", "e2"} {
		r.SetVersion(v)
		r.Served(v)
	}
	r.Write("fresh/fresh.go", "package fresh\n\nconst Name = \"n1\"\n")
	main := strings.Replace(r.Source("e3"), `"example.test/app/web"`, "\"example.test/app/fresh\"\n\t\"example.test/app/web\"", 1)
	r.Write("main.go", strings.Replace(main, "web.Handler(version)", "web.Handler(version + fresh.Name)", 1))
	r.Served("e3n1")
	r.Replace("fresh/fresh.go", "n1", "n2")
	r.Served("e3n2")
	text := r.Read("web/web.go")
	if err := os.Remove(filepath.Join(r.Dir, "web/web.go")); err != nil {
		r.T.Fatal(err)
	}
	r.Says(`^devrun: build failed`)
	r.Write("web/web.go", text)
	r.Served("e3n2")
}

// TestLongWatchOverflow: an edit that the kernel has thrown away among too many
// events is built all the same. devrun is stopped while more of them arise than its
// queue holds.
func TestLongWatchOverflow(t *testing.T) {
	suite.Long(t)
	text, err := os.ReadFile("/proc/sys/fs/inotify/max_queued_events")
	if err != nil {
		t.Fatal(err)
	}
	if size, err := strconv.Atoi(strings.TrimSpace(string(text))); err != nil || size > 40_000 {
		t.Skipf("NOT TESTED: a queue of %s events takes too long to fill (%v)", text, err)
	}
	r := e2e.New(t, "notify")
	r.Write("data/first.txt", "x")
	r.Start()
	r.SetVersion("v2")
	r.Served("v2")
	pid := r.AppPid()
	if err := r.Cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Cmd.Process.Signal(syscall.SIGCONT) }) // else it does not see that it is to end
	for i := range 40_000 {
		r.Write(fmt.Sprintf("data/f%d.txt", i), "x")
	}
	r.Write("fresh/fresh.go", "package fresh\n\nconst Name = \"n1\"\n")
	r.SetVersion("v3")
	if err := r.Cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	r.Served("v3")
	e2e.Gone(t, pid)
	r.Says(`^devrun: some file notifications were lost \(.*\), comparing everything instead$`)
	// Afterwards notifications serve as before.
	seesEdits(r)
	if strings.Contains(r.Stderr.String(), "looking for changes every") {
		t.Error("it polls for ever")
	}
}

// TestLongWatchCheckout: after going to and fro between branches that differ in 5,000
// files the last one counts, whatever the order of the events.
func TestLongWatchCheckout(t *testing.T) {
	suite.Long(t)
	for _, mode := range []string{"notify", "poll"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			r := e2e.New(t, mode)
			branch := func(name string) {
				r.SetVersion(name + "1")
				r.Write("web/leaf.go", fmt.Sprintf("package web\n\nfunc init() { page = %q }\n", name))
				for i := range 5000 {
					file := [...]string{"lib/p%d/f%d.go", "assets/p%d/f%d.js", "docs/p%d/f%d.md", "templates/p%d/f%d.html"}[i%4]
					r.Write(fmt.Sprintf(file, i%100, i), fmt.Sprintf("package p // %s %d\n", name, i))
				}
				r.Git("add", ".")
				r.Git("commit", "-qm", name)
			}
			r.Git("init", "-q")
			branch("a")
			r.Git("checkout", "-qb", "b")
			branch("b")
			r.Git("checkout", "-q", "a")
			r.Launch()
			r.Served("a1")
			for range 2 {
				for _, to := range []string{"b", "a"} {
					r.Git("checkout", "-q", to)
				}
			}
			r.Git("checkout", "-q", "b")
			r.Served("b1")
			r.Answers("/template", "b")
			r.Git("checkout", "-q", "a")
			r.Served("a1")
			r.Answers("/template", "a")
			// Nothing of it comes later.
			if n := r.Quiet(r.Builds(), "a2"); n != 0 {
				t.Errorf("%d builds after the last checkout was served", n)
			}
			r.Answers("/template", "a")
		})
	}
}

// TestLongWatchThereAndBack: a file that changes during a build and is put back
// before devrun looks again is built again. What was built is not what is there then,
// though no look has seen a difference.
func TestLongWatchThereAndBack(t *testing.T) {
	suite.Long(t)
	r := e2e.New(t, "notify").Start("--poll", "4s")
	v1, v2 := r.Source("v1"), r.Source("v2")
	r.Write("main.go", v2)
	r.Says(`^devrun: main\.go saved$`)
	r.Write("main.go", v1) // before the compiler reads it
	r.Says(`(?s)devrun: built in .*devrun: built in `)
	r.Write("main.go", v2)
	r.Served("v2")
}
