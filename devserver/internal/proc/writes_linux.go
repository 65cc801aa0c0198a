package proc

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// Writes reports whether a process has the file open to write.
func Writes(pid int, file os.FileInfo) bool {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	open, err := os.ReadDir(dir)
	if err != nil {
		return false // it has ended
	}
	for _, f := range open {
		fi, err := os.Stat(dir + "/" + f.Name())
		if err != nil || !os.SameFile(fi, file) {
			continue
		}
		info, err := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%s", pid, f.Name()))
		_, rest, _ := bytes.Cut(info, []byte("flags:\t"))
		line, _, ok := bytes.Cut(rest, []byte("\n"))
		flags, bad := strconv.ParseUint(string(line), 8, 32)
		if err == nil && ok && bad == nil && flags&syscall.O_ACCMODE != syscall.O_RDONLY {
			return true
		}
	}
	return false
}
