//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestWatchLimit shows what becomes of devrun when the system gives it no more
// notifications, in a user namespace of its own whose limits are nobody
// else's.
func TestWatchLimit(t *testing.T) {
	for _, c := range []struct{ name, limit, value, says string }{
		{"too few watches", "max_inotify_watches", "2", `max_user_watches`},
		{"no watcher", "max_inotify_instances", "0", `max_user_instances`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, "notify")
			r.limited(c.limit, c.value)
			r.start()
			r.says(`^devrun: .*\b` + c.says + `\b.*looking for changes every \d+ms instead$`)
			if n := r.watches(); n > 0 {
				t.Errorf("%d watches are left", n)
			}
			r.seesEdits()
		})
	}
	t.Run("the watches run out later", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, "notify")
		r.limited("max_inotify_watches", "20")
		r.start()
		r.setVersion("w1")
		r.served("w1")
		if text := r.stderr.String(); strings.Contains(text, "instead") {
			t.Fatal("it polls from the start")
		}
		for i := range 30 {
			r.write(fmt.Sprintf("more/d%d/d.go", i), "package d\n")
		}
		r.says(`^devrun: .*\bmax_user_watches\b.*looking for changes every \d+ms instead$`)
		r.seesEdits()
	})
}

// limited makes devrun start in a user namespace with a limit of its own.
func (r *rig) limited(limit, value string) {
	r.t.Helper()
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
		r.t.Skipf("NOT TESTED: a user namespace whose %s can be set is not to be had here: %v %s", limit, err, out)
	}
	r.change = func(c *exec.Cmd) {
		c.Args = append([]string{"/bin/sh", "-c", set, limit, value, c.Path}, c.Args[1:]...)
		c.Path = "/bin/sh"
		c.SysProcAttr = namespace
	}
}

// seesEdits shows that an edit, a file in a new directory and a removal are
// seen.
func (r *rig) seesEdits() {
	r.t.Helper()
	for _, v := range []string{"e1", "e2"} {
		r.setVersion(v)
		r.served(v)
	}
	r.write("fresh/fresh.go", "package fresh\n\nconst Name = \"n1\"\n")
	main := strings.Replace(r.source("e3"), `"example.test/app/web"`, "\"example.test/app/fresh\"\n\t\"example.test/app/web\"", 1)
	r.write("main.go", strings.Replace(main, "web.Handler(version)", "web.Handler(version + fresh.Name)", 1))
	r.served("e3n1")
	r.replace("fresh/fresh.go", "n1", "n2")
	r.served("e3n2")
	text := r.read("web/web.go")
	if err := os.Remove(filepath.Join(r.dir, "web/web.go")); err != nil {
		r.t.Fatal(err)
	}
	r.says(`^devrun: build failed`)
	r.write("web/web.go", text)
	r.served("e3n2")
}

// TestWatchOverflow has the kernel throw events away: devrun is stopped while
// more of them arise than its queue holds, and one of those lost is the edit.
func TestWatchOverflow(t *testing.T) {
	text, err := os.ReadFile("/proc/sys/fs/inotify/max_queued_events")
	if err != nil {
		t.Fatal(err)
	}
	if size, err := strconv.Atoi(strings.TrimSpace(string(text))); err != nil || size > 40_000 {
		t.Skipf("NOT TESTED: a queue of %s events takes too long to fill (%v)", text, err)
	}
	r := newRig(t, "notify")
	r.write("data/first.txt", "x")
	r.start()
	r.setVersion("v2")
	r.served("v2")
	pid := r.appPid()
	if err := r.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.cmd.Process.Signal(syscall.SIGCONT) }) // else it does not see that it is to end
	for i := range 40_000 {
		r.write(fmt.Sprintf("data/f%d.txt", i), "x")
	}
	r.write("fresh/fresh.go", "package fresh\n\nconst Name = \"n1\"\n")
	r.setVersion("v3")
	if err := r.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	r.served("v3")
	gone(t, pid)
	r.says(`^devrun: some file notifications were lost \(.*\), comparing everything instead$`)
	// Afterwards notifications serve as before.
	r.seesEdits()
	if strings.Contains(r.stderr.String(), "looking for changes every") {
		t.Error("it polls for ever")
	}
}

// TestWatchCheckout goes to and fro between branches that differ in 5,000
// files: whatever the order of the events, the last one counts.
func TestWatchCheckout(t *testing.T) {
	for _, mode := range []string{"notify", "poll"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, mode)
			branch := func(name string) {
				r.setVersion(name + "1")
				r.write("web/leaf.go", fmt.Sprintf("package web\n\nfunc init() { page = %q }\n", name))
				for i := range 5000 {
					file := [...]string{"lib/p%d/f%d.go", "assets/p%d/f%d.js", "docs/p%d/f%d.md", "templates/p%d/f%d.html"}[i%4]
					r.write(fmt.Sprintf(file, i%100, i), fmt.Sprintf("package p // %s %d\n", name, i))
				}
				r.git("add", ".")
				r.git("commit", "-qm", name)
			}
			r.git("init", "-q")
			branch("a")
			r.git("checkout", "-qb", "b")
			branch("b")
			r.git("checkout", "-q", "a")
			r.launch()
			r.served("a1")
			for range 2 {
				for _, to := range []string{"b", "a"} {
					r.git("checkout", "-q", to)
				}
			}
			r.git("checkout", "-q", "b")
			r.served("b1")
			r.answers("/template", "b")
			r.git("checkout", "-q", "a")
			r.served("a1")
			r.answers("/template", "a")
			// Nothing of it comes later.
			if n := r.quiet(r.builds(), "a2"); n != 0 {
				t.Errorf("%d builds after the last checkout was served", n)
			}
			r.answers("/template", "a")
		})
	}
}

// TestWatchThereAndBack changes a file while it is being built and puts it back
// before devrun looks again: what was built is not what is there then, though
// no look has seen a difference.
func TestWatchThereAndBack(t *testing.T) {
	r := newRig(t, "notify").start("--poll", "4s")
	v1, v2 := r.source("v1"), r.source("v2")
	r.write("main.go", v2)
	r.says(`^devrun: main\.go saved$`)
	r.write("main.go", v1) // before the compiler reads it
	r.says(`(?s)devrun: built in .*devrun: built in `)
	r.write("main.go", v2)
	r.served("v2")
}
