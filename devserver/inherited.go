package devserver

import (
	"net"
	"os"
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

func (in inherited) close() {
	for _, f := range in.files {
		f.Close()
	}
}
