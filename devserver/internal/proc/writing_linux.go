package proc

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// Writing are the regular files that a process has open to write.
func Writing(pid int) (files []os.FileInfo) {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	open, err := os.ReadDir(dir)
	if err != nil {
		return nil // it has ended
	}
	for _, f := range open {
		fi, err := os.Stat(dir + "/" + f.Name())
		if err != nil || !fi.Mode().IsRegular() {
			continue
		}
		info, err := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%s", pid, f.Name()))
		_, rest, _ := bytes.Cut(info, []byte("flags:\t"))
		line, _, ok := bytes.Cut(rest, []byte("\n"))
		flags, bad := strconv.ParseUint(string(line), 8, 32)
		if err == nil && ok && bad == nil && flags&syscall.O_ACCMODE != syscall.O_RDONLY {
			files = append(files, fi)
		}
	}
	return files
}
