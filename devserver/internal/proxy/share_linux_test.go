package proxy

import (
	"context"
	"net"
	"net/netip"
	"syscall"
	"testing"
)

// bindShared binds host:port as the app's hook has the app do it.
func bindShared(t *testing.T, host string, port int) error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, soReusePort, 1); err != nil {
		return err
	}
	return syscall.Bind(fd, &syscall.SockaddrInet4{Port: port, Addr: netip.MustParseAddr(host).As4()})
}

// Exclusiveness must not depend on the goodwill of the other holder.
func TestListenRefusesASharingHolder(t *testing.T) {
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		c.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, soReusePort, 1)
		})
		return err
	}}
	l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if f, err := Listen(Options{Addrs: []string{l.Addr().String()}}); err == nil {
		f.Close()
		t.Fatal("took an address that somebody else listens on")
	}
}
