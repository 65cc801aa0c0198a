//go:build go1.21 && (386 || amd64 || arm || arm64 || loong64 || ppc64 || ppc64le || riscv64 || s390x)

package hook

import (
	_ "net" // for socketFunc and connectFunc
	"syscall"
	_ "unsafe" // for go:linkname
)

const (
	soReusePort = 15  // SO_REUSEPORT, where the build line says; package syscall lacks it
	protoMPTCP  = 262 // IPPROTO_MPTCP, which package net prefers for listeners
)

// socketFunc is what package net calls for socket(2).
//
//go:linkname socketFunc net.socketFunc
var socketFunc func(int, int, int) (int, error)

// connectFunc is what package net calls for connect(2).
//
//go:linkname connectFunc net.connectFunc
var connectFunc func(int, syscall.Sockaddr) error

// takeover lets the app bind a port on which devrun listens, and moves it to a
// loopback port of its own before it listens: it never does on the first one.
//
// It relies on devrun having SO_REUSEPORT on its listener and the same user;
// a port that anybody else holds is refused to the app as ever. A second
// listener of the app's on one port is not refused. Options that the app sets
// on a listener through net.ListenConfig.Control stay behind.
var _ = add("takeover", func(c *channel) bool {
	socket, connect := socketFunc, connectFunc
	if !c.takeover || socket == nil || connect == nil {
		return false
	}
	// At socket(2) nothing tells a listener from a connection.
	socketFunc = func(family, kind, proto int) (int, error) {
		fd, err := socket(family, kind, proto)
		if err == nil && tcp(family, kind, proto) {
			syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, soReusePort, 1)
		}
		return fd, err
	}
	connectFunc = func(fd int, sa syscall.Sockaddr) error {
		if free(fd) {
			syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, soReusePort, 0)
		}
		return connect(fd, sa)
	}
	move = moveAway
	return true
})

func tcp(family, kind, proto int) bool {
	return (family == syscall.AF_INET || family == syscall.AF_INET6) &&
		kind&0xf == syscall.SOCK_STREAM &&
		(proto == 0 || proto == syscall.IPPROTO_TCP || proto == protoMPTCP)
}

// free reports whether fd is a TCP socket without a port: on one that has a
// port the option may be the app's own wish.
func free(fd int) bool {
	sa, err := syscall.Getsockname(fd)
	if err != nil {
		return false
	}
	port := 1
	switch sa := sa.(type) {
	case *syscall.SockaddrInet4:
		port = sa.Port
	case *syscall.SockaddrInet6:
		port = sa.Port
	}
	kind, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_TYPE)
	return port == 0 && err == nil && kind == syscall.SOCK_STREAM
}

// moveAway puts a socket on a free loopback port in the place of fd. When it
// fails fd is as it would be without devrun, and listen(2) checks its port anew.
func moveAway(fd int) (err error) {
	defer func() {
		if err != nil {
			syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, soReusePort, 0)
		}
	}()
	was, err := syscall.Getsockname(fd)
	if err != nil {
		return err
	}
	family, at := door(fd, was)
	s, err := syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(s)
	flags, onExec, err := modes(fd)
	if err != nil {
		return err
	}
	if err := syscall.SetNonblock(s, flags&syscall.O_NONBLOCK != 0); err != nil {
		return err
	}
	if family == syscall.AF_INET6 {
		if err := syscall.SetsockoptInt(s, syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY, 0); err != nil {
			return err
		}
	}
	if err := syscall.Bind(s, at); err != nil {
		return err
	}
	return syscall.Dup3(s, fd, onExec)
}

// modes are how calls on fd wait, and O_CLOEXEC if it ends with execve(2): package net
// has its own, an app may want others.
func modes(fd int) (flags, onExec int, err error) {
	if flags, err = fcntl(fd, syscall.F_GETFL); err != nil {
		return 0, 0, err
	}
	own, err := fcntl(fd, syscall.F_GETFD)
	if own&syscall.FD_CLOEXEC != 0 {
		onExec = syscall.O_CLOEXEC
	}
	return flags, onExec, err
}

// door is where the app answers instead. The family stays, because package net
// keeps it in mind, and so does a loopback address that the app chose. What
// takes IPv4 and IPv6 goes to 127.0.0.1 in IPv6's spelling, which every client
// reaches and which RemoteAddr shows as plain 127.0.0.1.
func door(fd int, was syscall.Sockaddr) (family int, at syscall.Sockaddr) {
	if was, ok := was.(*syscall.SockaddrInet4); ok {
		ip := was.Addr
		if ip[0] != 127 {
			ip = [4]byte{127, 0, 0, 1}
		}
		return syscall.AF_INET, &syscall.SockaddrInet4{Addr: ip}
	}
	ip := [16]byte{15: 1}
	only, err := syscall.GetsockoptInt(fd, syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY)
	if was, ok := was.(*syscall.SockaddrInet6); ok && was.Addr == [16]byte{} && err == nil && only == 0 {
		ip = [16]byte{10: 0xff, 11: 0xff, 12: 127, 15: 1}
	}
	return syscall.AF_INET6, &syscall.SockaddrInet6{Addr: ip}
}
