package proxy

import (
	"fmt"
	"net"
	"syscall"
)

// soReusePort is SO_REUSEPORT, which package syscall does not name; the number
// is another one on mips only.
const soReusePort = 15

// share lets another process of this user bind l's address, which the app does
// before its hook moves the socket elsewhere.
func share(l *net.TCPListener) error {
	raw, err := l.SyscallConn()
	if err != nil {
		return err
	}
	var set error
	if err := raw.Control(func(fd uintptr) {
		set = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, soReusePort, 1)
	}); err != nil {
		return err
	}
	if set != nil {
		return fmt.Errorf("set SO_REUSEPORT: %w", set)
	}
	return nil
}
