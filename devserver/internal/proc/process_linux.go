package proc

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// self is devrun: what orphans are told from its other children by.
var self = func() (p struct{ pid, group, session int }) {
	p.pid = os.Getpid()
	p.group = unix.Getpgrp()
	p.session, _ = unix.Getsid(0) // cannot fail for the caller itself
	return p
}()

// process is one line of /proc/PID/stat.
type process struct {
	pid, parent, group, session int

	name    string
	state   byte
	threads int
	status  int    // once it has ended, as of wait(2)
	start   uint64 // clock ticks since the boot; with pid it names a process for good
}

// String is "pid 4187 (name)".
func (p process) String() string { return fmt.Sprintf("pid %d (%s)", p.pid, p.name) }

// dead says that nothing of p runs and holds files any more. The first thread
// alone may well end before the others.
func (p process) dead() bool {
	return (p.state == 'Z' || p.state == 'X') && p.threads <= 1
}

// heldDead says that a process is traced and that none of its threads runs any
// more: they stay, dead, until the debugger looks.
func heldDead(pid int) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil || bytes.Contains(status, []byte("TracerPid:\t0\n")) {
		return false
	}
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return false
	}
	for _, thread := range threads {
		p, ok := readStat(fmt.Sprintf("%d/task/%s", pid, thread.Name()))
		if ok && p.state != 'Z' && p.state != 'X' {
			return false
		}
	}
	return len(threads) > 0
}

// reap waits for p, an orphan that devrun has become the parent of and that
// has ended; false if it is not one.
func (p process) reap() (status unix.WaitStatus, ok bool) {
	leaders.Lock()
	defer leaders.Unlock()
	if leaders.pids[p.pid] {
		return 0, false
	}
	pid, err := unix.Wait4(p.pid, &status, unix.WNOHANG, nil)
	return status, err == nil && pid == p.pid
}

// runs reports whether p runs the program.
func (p process) runs(program os.FileInfo) bool {
	exe, err := os.Stat(fmt.Sprintf("/proc/%d/exe", p.pid))
	return err == nil && program != nil && os.SameFile(exe, program)
}

// signal signals p and nobody who has got its process id since. It has no
// effect on a process that is gone or belongs to another user: who waits for
// the process sees that.
func (p process) signal(sig unix.Signal) {
	fd, err := unix.PidfdOpen(p.pid, 0)
	if err == nil {
		defer unix.Close(fd)
	}
	if now, ok := lookUp(p.pid); !ok || now.start != p.start {
		return
	}
	if err == nil {
		err = unix.PidfdSendSignal(fd, sig, nil, 0)
	}
	if err == unix.ENOSYS { // before Linux 5.3
		_ = unix.Kill(p.pid, sig)
	}
}

// processes reads all of /proc.
func processes() ([]process, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, fmt.Errorf("find the processes of the app: %w", err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("find the processes of the app: %w", err)
	}
	all := make([]process, 0, len(names))
	for _, name := range names {
		if _, err := strconv.Atoi(name); err == nil {
			if p, ok := readStat(name); ok {
				all = append(all, p)
			}
		}
	}
	return all, nil
}

// lookUp reads one process; false if there is none with that id.
func lookUp(pid int) (process, bool) { return readStat(strconv.Itoa(pid)) }

// readStat reads a process or thread by its name below /proc.
func readStat(name string) (process, bool) {
	// By system calls: os.ReadFile takes twice as many, and this is done for
	// each process of the machine at each restart.
	fd, err := unix.Open("/proc/"+name+"/stat", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return process{}, false
	}
	defer unix.Close(fd)
	var buf [1024]byte // 52 numbers and a name of at most 64 bytes
	n, err := unix.Read(fd, buf[:])
	if err != nil {
		return process{}, false
	}
	return parseStat(buf[:n])
}

// parseStat parses /proc/PID/stat. The name is in parentheses and may have
// any bytes, parentheses and newlines too.
func parseStat(b []byte) (process, bool) {
	open, end := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	if open < 1 || end < open {
		return process{}, false
	}
	// f[0] is the third field of proc_pid_stat(5).
	f := strings.Fields(string(b[end+1:]))
	if len(f) < 20 {
		return process{}, false
	}
	p := process{name: string(b[open+1 : end]), state: f[0][0]}
	ok := true
	for _, at := range []struct {
		to   *int
		text string
	}{
		{&p.pid, string(bytes.TrimSpace(b[:open]))},
		{&p.parent, f[1]}, {&p.group, f[2]}, {&p.session, f[3]}, {&p.threads, f[17]},
	} {
		n, err := strconv.Atoi(at.text)
		*at.to, ok = n, ok && err == nil
	}
	if len(f) > 49 {
		p.status, _ = strconv.Atoi(f[49]) // 0 while it runs
	}
	start, err := strconv.ParseUint(f[19], 10, 64)
	p.start = start
	return p, ok && err == nil
}
