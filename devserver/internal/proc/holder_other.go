//go:build !linux

package proc

// Holder knows nothing here: it takes /proc to find out.
func Holder(port int) (pid int, name string, ok bool) { return 0, "", false }
