//go:build linux && go1.21

package hook

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
	"time"
)

// outlive takes back the signal that would kill the app, and it alone, the
// moment devrun dies: from now on gone ends the app and its children in order.
// The signal belongs to the process's first thread, on which init runs. An app
// that is stopped or stuck outside of Go when devrun is killed stays.
func outlive() {
	const setDeathSignal = 1 // PR_SET_PDEATHSIG
	syscall.RawSyscall(syscall.SYS_PRCTL, setDeathSignal, 0, 0)
}

// endOthers ends the processes of the group other than its leader, by force
// after deadline: the leader goes last, because a child that ignores SIGTERM
// would outlive it with nobody left to insist. It reports false when it cannot
// see processes.
func endOthers(group int, deadline time.Time) bool {
	told := map[int]bool{}
	for {
		pids, ok := others(group)
		if !ok {
			return false
		}
		late := time.Now().After(deadline)
		for _, pid := range pids {
			switch {
			case late:
				syscall.Kill(pid, syscall.SIGKILL)
			case !told[pid]:
				told[pid] = true
				syscall.Kill(pid, syscall.SIGTERM)
			}
		}
		if late || len(pids) == 0 {
			return true
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// others lists the living processes of the group but for its leader.
func others(group int) (pids []int, ok bool) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, false
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, false
	}
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		ok = true
		if pid == group {
			continue
		}
		stat, err := os.ReadFile("/proc/" + name + "/stat")
		if err != nil {
			continue // it ended meanwhile
		}
		// pid (name, which may hold anything) state parent group …
		f := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if len(f) > 2 && f[0][0] != 'Z' && f[0][0] != 'X' && string(f[2]) == strconv.Itoa(group) {
			pids = append(pids, pid)
		}
	}
	return pids, ok
}

// fcntl asks about a descriptor.
func fcntl(fd int, command uintptr) (int, error) {
	n, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), command, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
