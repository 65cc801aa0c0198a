package watcher

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// mountPolls asks the kernel about the mount that holds path, which must exist.
func mountPolls(path string) (name string, poll bool, err error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", false, err
	}
	var st syscall.Statfs_t
	if err := syscall.Statfs(real, &st); err != nil {
		return "", false, fmt.Errorf("statfs %s: %w", real, err)
	}
	table, err := os.Open("/proc/self/mountinfo")
	if err != nil { // without /proc the number alone decides
		name, poll = needsPolling(int64(uint32(st.Type)), "")
		return name, poll, nil
	}
	defer table.Close()
	kind, point := "", ""
	for lines := bufio.NewScanner(table); lines.Scan(); {
		at, is, ok := parseMount(lines.Text())
		// A later line covers an earlier one at the same place.
		if ok && len(at) >= len(point) && within(at, real) {
			kind, point = is, at
		}
	}
	name, poll = needsPolling(int64(uint32(st.Type)), kind)
	return name, poll, nil
}

// parseMount takes the mount point and the type from a line of mountinfo:
// "36 35 98:0 /root /mnt rw,noatime [optional…] - ext3 /dev/sda rw".
func parseMount(line string) (point, kind string, ok bool) {
	before, after, ok := strings.Cut(line, " - ")
	head, tail := strings.Fields(before), strings.Fields(after)
	if !ok || len(head) < 5 || len(tail) < 1 {
		return "", "", false
	}
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	return unescape.Replace(head[4]), tail[0], true
}
