package proc

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Holder finds the process that listens on a TCP port of this machine, on any
// address; name is that of its program, cut to 15 bytes by the kernel. It is
// not ok when nobody does, or a process of another user.
func Holder(port int) (pid int, name string, ok bool) {
	sockets := listeners(port)
	if len(sockets) == 0 {
		return 0, "", false
	}
	dirs, err := os.ReadDir("/proc")
	if err != nil {
		return 0, "", false
	}
	for _, dir := range dirs {
		pid, err := strconv.Atoi(dir.Name())
		if err == nil && holds(pid, sockets) {
			comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
			if err == nil {
				return pid, string(bytes.TrimSuffix(comm, []byte("\n"))), true
			}
		}
	}
	return 0, "", false
}

// listeners returns the sockets listening on port, as /proc/PID/fd shows them.
func listeners(port int) map[string]bool {
	const listen = "0A" // TCP_LISTEN
	sockets := map[string]bool{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		b, err := os.ReadFile(table)
		if err != nil {
			continue // a kernel without IPv6 has no second one
		}
		for line := range strings.Lines(string(b)) {
			// sl local_address rem_address st queues timer retrnsmt uid timeout inode
			f := strings.Fields(line)
			if len(f) >= 10 && f[3] == listen && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) {
				sockets["socket:["+f[9]+"]"] = true
			}
		}
	}
	return sockets
}

func holds(pid int, sockets map[string]bool) bool {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	files, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, f := range files {
		target, err := os.Readlink(dir + "/" + f.Name())
		if err == nil && sockets[target] {
			return true
		}
	}
	return false
}
