//go:build unix

package devserver

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"
)

// takeInherited takes the descriptors, if they are meant for this process.
func takeInherited() (inherited, error) {
	var in inherited
	n, err := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	if err != nil || n <= 0 || os.Getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return in, nil
	}
	const first = 3 // SD_LISTEN_FDS_START
	for fd := first; fd < first+n; fd++ {
		syscall.CloseOnExec(fd)
		f := os.NewFile(uintptr(fd), "LISTEN_FD_"+strconv.Itoa(fd))
		public, err := net.FileListener(f)
		if _, ok := public.(*net.TCPListener); err != nil || !ok {
			in.files = append(in.files, f)
			continue
		}
		f.Close()
		app, err := net.Listen("tcp", "127.0.0.1:0")
		if err == nil {
			f, err = app.(*net.TCPListener).File()
			app.Close() // the file stays open, and takes connections while no app runs
		}
		if err != nil {
			return in, fmt.Errorf("take over the inherited listener at %s: %w", public.Addr(), err)
		}
		in.files = append(in.files, f)
		in.ports = append(in.ports, inheritedPort{public, app.Addr().String()})
	}
	return in, nil
}
