package proc

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// FirstPort waits until the app listens on TCP and returns the address, as
// host:port; "" when the app ends before. It looks again and again, for apps
// that have no hook to say so.
func (p *Process) FirstPort() string {
	pause := 5 * time.Millisecond
	for {
		if addr := Listening(p.Pid()); addr != "" {
			return addr
		}
		select {
		case <-p.exited:
			return ""
		case <-time.After(pause):
		}
		pause = min(2*pause, 100*time.Millisecond)
	}
}

// Listening returns an address that the process listens on, one that can be
// connected to from this machine; the lowest port if there are several, "" if there is none.
func Listening(pid int) string {
	inodes := map[string]bool{}
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	files, err := os.ReadDir(dir)
	if err != nil {
		return ""
	}
	for _, f := range files {
		if target, err := os.Readlink(dir + "/" + f.Name()); err == nil {
			if inode, ok := strings.CutPrefix(target, "socket:["); ok {
				inodes[strings.TrimSuffix(inode, "]")] = true
			}
		}
	}
	lowest, host := 0, ""
	for table, loopback := range map[string]string{"/proc/net/tcp": "127.0.0.1", "/proc/net/tcp6": "::1"} {
		b, err := os.ReadFile(table)
		if err != nil {
			continue // a kernel without IPv6 has no second one
		}
		for line := range strings.Lines(string(b)) {
			f := strings.Fields(line)
			if len(f) < 10 || f[3] != "0A" || !inodes[f[9]] {
				continue
			}
			addr, hex, _ := strings.Cut(f[1], ":")
			port, err := strconv.ParseUint(hex, 16, 16)
			if err != nil || lowest != 0 && int(port) >= lowest {
				continue
			}
			lowest, host = int(port), loopback
			if len(addr) == 32 && strings.Trim(addr, "0") == "" {
				host = "127.0.0.1" // both families, as a rule
			}
		}
	}
	if lowest == 0 {
		return ""
	}
	return net.JoinHostPort(host, strconv.Itoa(lowest))
}
