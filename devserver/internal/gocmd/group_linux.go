package gocmd

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }

// awaitGroup returns when a killed group has no process left that could still
// write. Zombies do not count: where nothing reaps orphans they stay for ever.
func awaitGroup(group int) {
	for running(group) {
		time.Sleep(time.Millisecond)
	}
}

func running(group int) bool {
	if syscall.Kill(-group, 0) == syscall.ESRCH {
		return false
	}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is well-formed
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // gone meanwhile
		}
		// After the name in parentheses: state, parent, group.
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if len(fields) < 3 || string(fields[0]) == "Z" || string(fields[0]) == "X" {
			continue
		}
		if id, err := strconv.Atoi(string(fields[2])); err == nil && id == group {
			return true
		}
	}
	return false
}
