package proc

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// treeEnv is the environment variable that marks a tree: an orphan in a
// session of its own has nothing else to be known by.
const treeEnv = "DEVRUN_TREE"

const (
	gentle    = true // SIGTERM asks before SIGKILL
	errFormat = unix.ENOEXEC

	getTermios = unix.TCGETS
	setTermios = unix.TCSETS

	rssUnit = 1 << 10 // bytes in the unit of Rusage.Maxrss
)

// trees counts the marks given, which need to differ only within one devrun.
var trees atomic.Int64

// leaders are the main processes not waited for yet: of the children of
// devrun in other sessions all others are orphans, and nobody else waits for
// them. The lock is held while an app is started and while an orphan is
// reaped, so that no leader is taken for one.
var leaders = struct {
	sync.Mutex
	pids map[int]bool
}{pids: map[int]bool{}}

// subreaper makes devrun the parent of the orphans below it.
var subreaper = sync.OnceValue(func() error {
	err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
	if err != nil {
		return fmt.Errorf("orphans of the app will not be found: %w", err)
	}
	return nil
})

// tree is the main process of an app and all that descends from it. Only one
// goroutine uses it at a time.
type tree struct {
	cmd   *exec.Cmd
	mark  []byte
	err   error // why not all of it can be found
	asked map[int]uint64

	program os.FileInfo      // that the main process was started with
	heirs   map[int]uint64   // pid -> start of those that ran it after the main one had ended
	last    *unix.WaitStatus // how the last of them ended
	over    time.Time        // and when, as far as is known

	known map[int]uint64 // pid -> start of the descendants seen last
	homes map[int]bool   // their sessions

	wake, wakes *os.File // the ends of a pipe that await listens to
	given       bool     // the main process was given up
}

func newTree(cmd *exec.Cmd, _ <-chan struct{}) *tree {
	mark := fmt.Sprintf("%s=%d-%d", treeEnv, os.Getpid(), trees.Add(1))
	cmd.Env = append(cmd.Env, mark)
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	return &tree{
		cmd:   cmd,
		mark:  []byte("\x00" + mark + "\x00"),
		err:   subreaper(),
		asked: map[int]uint64{},
	}
}

// start starts the main process, on the caller's thread.
func (t *tree) start() error {
	leaders.Lock()
	defer leaders.Unlock()
	var err error
	if t.wake, t.wakes, err = os.Pipe(); err != nil {
		return err
	}
	t.program, _ = os.Stat(t.cmd.Path) // Start says what is the matter
	if err := t.cmd.Start(); err != nil {
		t.wake.Close()
		t.wakes.Close()
		return err
	}
	leaders.pids[t.cmd.Process.Pid] = true
	return nil
}

// await returns when the main process has ended, and leaves it a zombie, or
// when it was given up.
func (t *tree) await() error {
	pid := t.cmd.Process.Pid
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil { // before Linux 5.3: nobody can wake this one
		for {
			err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
			if err != unix.EINTR {
				return os.NewSyscallError("waitid", err)
			}
		}
	}
	defer unix.Close(fd)
	for {
		_, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(t.wake.Fd()), Events: unix.POLLIN}}, -1)
		if err != unix.EINTR {
			return os.NewSyscallError("poll", err)
		}
	}
}

// giveUp ends await for a main process that was killed and that a debugger
// holds: it is dead and has closed its files, but nobody hears of its end until
// the debugger looks.
func (t *tree) giveUp() error {
	if t.given || !heldDead(t.cmd.Process.Pid) {
		return nil
	}
	t.given = true
	_, err := t.wakes.Write([]byte{1})
	return err
}

// reap waits for the main process, which has ended, and for what the last
// look found dead: by now it is devrun's. One that was given up is reaped like
// an orphan, by the look that comes after its debugger has let it go.
func (t *tree) reap() error {
	pid := t.cmd.Process.Pid
	var err error
	if t.given {
		err = t.cmd.Process.Release()
	} else {
		err = t.cmd.Wait()
	}
	t.wake.Close()
	t.wakes.Close()
	leaders.Lock()
	delete(leaders.pids, pid)
	leaders.Unlock()
	if len(t.known) > 0 {
		t.orphans()
	}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return nil
	}
	return err
}

// result is how the main process ended.
func (t *tree) result() (code int, signal string, maxRSS int64) {
	if t.given {
		return -1, unix.SIGKILL.String(), 0
	}
	code, signal, maxRSS = result(t.cmd.ProcessState)
	switch {
	case t.last == nil:
	case t.last.Signaled():
		code, signal = -1, t.last.Signal().String()
	default:
		code = t.last.ExitStatus()
	}
	return code, signal, maxRSS
}

// runs reports whether a process is of the tree and runs the app's binary.
func (t *tree) runs(pid int) bool {
	if pid == t.cmd.Process.Pid {
		p, ok := lookUp(pid)
		return ok && p.runs(t.program)
	}
	return slices.ContainsFunc(t.others(), func(p process) bool { return p.pid == pid && p.runs(t.program) })
}

// continues reports whether the app goes on in other processes of its binary after the
// main one has ended.
func (t *tree) continues() bool {
	main, ok := lookUp(t.cmd.Process.Pid)
	if !ok || main.status != 0 {
		return false
	}
	heirs := map[int]uint64{}
	for _, p := range t.others() {
		if p.runs(t.program) {
			heirs[p.pid] = p.start
		}
	}
	if len(heirs) == 0 {
		return false
	}
	t.heirs = heirs
	return true
}

// endedAt is when the app has, if its main process did then.
func (t *tree) endedAt(main time.Time) time.Time {
	if t.last != nil {
		return t.over
	}
	return main
}

// others returns the living processes of the tree but the main one, and reaps
// orphans that have ended.
func (t *tree) others() []process {
	main := t.cmd.Process.Pid
	all := t.orphans()
	in := map[int]bool{main: true}
	for _, p := range all {
		if p.parent == self.pid && t.adopted(p) {
			in[p.pid] = true
		}
	}
	for grown := true; grown; {
		grown = false
		for _, p := range all {
			if in[p.parent] && !in[p.pid] {
				in[p.pid], grown = true, true
			}
		}
	}
	t.known = map[int]uint64{}
	t.homes = map[int]bool{}
	var live []process
	for _, p := range all {
		if !in[p.pid] || p.pid == main {
			continue
		}
		t.known[p.pid] = p.start
		t.homes[p.session] = true
		if !p.dead() {
			live = append(live, p)
		}
	}
	return live
}

// adopted says whether p, a child of devrun, is an orphan of this tree.
func (t *tree) adopted(p process) bool {
	if p.session == self.session {
		return false // a child of another part of devrun
	}
	leaders.Lock()
	leads := leaders.pids[p.pid]
	leaders.Unlock()
	if leads {
		return false
	}
	if start, ok := t.known[p.pid]; ok && start == p.start || p.session == t.cmd.Process.Pid || t.homes[p.session] {
		return true
	}
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", p.pid))
	if err != nil {
		return false // it has ended, or runs as another user
	}
	return bytes.Contains(append([]byte{0}, env...), t.mark)
}

// orphans reaps those orphans of any tree that have ended, and also those
// that a killed build left in its group, which nobody else would. It returns
// the rest of all processes.
func (t *tree) orphans() []process {
	all, err := processes()
	if err != nil {
		if t.err == nil {
			t.err = err
		}
		return nil // the group is signalled all the same
	}
	rest := all[:0]
	for _, p := range all {
		ours := p.parent == self.pid && p.dead()
		orphan := p.session != self.session || p.group != p.pid && p.group != self.group
		if !ours || !orphan {
			rest = append(rest, p)
			continue
		}
		status, ok := p.reap()
		switch start, heir := t.heirs[p.pid]; {
		case !ok:
			rest = append(rest, p)
		case heir && start == p.start:
			t.last, t.over = &status, time.Now()
		}
	}
	return rest
}

// terminate asks each of the tree, once, to end. One that is stopped is
// continued, as it could not hear it.
func (t *tree) terminate(others []process) {
	main := t.cmd.Process.Pid
	first := len(t.asked) == 0
	if first {
		t.asked[main] = 0
		t.group(unix.SIGTERM)
		t.group(unix.SIGCONT)
	}
	for _, p := range others {
		if start, ok := t.asked[p.pid]; ok && start == p.start {
			continue
		}
		t.asked[p.pid] = p.start
		if first && p.group == main {
			continue
		}
		p.signal(unix.SIGTERM)
		p.signal(unix.SIGCONT)
	}
}

// kill kills the tree.
func (t *tree) kill(others []process) {
	t.group(unix.SIGKILL)
	for _, p := range others {
		p.signal(unix.SIGKILL)
	}
}

// group signals the main process and its group. That fails only for a group
// that is not there, which others finds out as well.
func (t *tree) group(sig unix.Signal) { _ = unix.Kill(-t.cmd.Process.Pid, sig) }

// childEvents returns a channel that tells when a child of devrun has ended,
// and what ends that.
func childEvents() (<-chan os.Signal, func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, unix.SIGCHLD)
	return c, func() { signal.Stop(c) }
}

// readsStdin says whether a thread of the process is blocked in read(2) of
// descriptor 0.
func readsStdin(pid int) bool {
	dir := fmt.Sprintf("/proc/%d/task", pid)
	threads, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	want := []byte(strconv.Itoa(unix.SYS_READ) + " 0x0 ")
	for _, thread := range threads {
		call, err := os.ReadFile(dir + "/" + thread.Name() + "/syscall")
		if err == nil && bytes.HasPrefix(call, want) {
			return true
		}
	}
	return false
}
