//go:build unix

package devserver

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"
)

// inherited are the descriptors that devrun was given for the app, by LISTEN_FDS and
// LISTEN_PID as of sd_listen_fds(3). In the place of a port the app gets another, for
// which devrun answers at the one that it was given; everything else it gets as it is.
type inherited struct {
	files []*os.File // as the app gets them, from descriptor 3 on
	ports []inheritedPort
}

type inheritedPort struct {
	public net.Listener
	app    string // where the app listens instead
}

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

func (in inherited) close() {
	for _, f := range in.files {
		f.Close()
	}
}
