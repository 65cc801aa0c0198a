//go:build unix && go1.21

package hook

import (
	_ "net" // for listenFunc
	"net/netip"
	"strconv"
	"syscall"
	_ "unsafe" // for go:linkname

	"devrun/devserver/internal/wire"
)

// listenFunc is what package net calls between bind and the registration of
// the descriptor with the poller, for TCP and for Unix sockets.
//
//go:linkname listenFunc net.listenFunc
var listenFunc func(int, int) error

// listen is listen(2): raw's, else what listenFunc was.
var listen func(fd, backlog int) error

// move takes a bound TCP socket off its port; nil when the app keeps its ports.
var move func(fd int) error

// listen reports each listener for TCP or at a path, after listen(2): connections queue from
// then on, and none that follows a report is refused. Listeners that the app
// inherits are not seen, nor those that it makes past package net, without raw.
var _ = add("listen", func(c *channel) bool {
	if listenFunc == nil {
		return false
	}
	if listen == nil {
		listen = listenFunc
	}
	listenFunc = func(fd, backlog int) error {
		network, wanted := address(fd)
		if network == "" {
			return listen(fd, backlog)
		}
		if move != nil && network != "unix" {
			if err := move(fd); err != nil {
				c.send(wire.Message{Kind: wire.Notice, Text: "the app keeps " + wanted + " for itself: " + err.Error()})
			}
		}
		if err := listen(fd, backlog); err != nil {
			return err
		}
		_, addr := address(fd)
		c.send(wire.Message{Kind: wire.Listening, Network: network, Wanted: wanted, Addr: addr})
		return nil
	}
	return true
})

// address returns where fd is bound, as package net writes it, and a path in full;
// "" for what is neither TCP nor a Unix socket in the file system.
func address(fd int) (network, addr string) {
	sa, err := syscall.Getsockname(fd)
	if err != nil {
		return "", ""
	}
	switch sa := sa.(type) {
	case *syscall.SockaddrInet4:
		return "tcp4", netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port)).String()
	case *syscall.SockaddrInet6:
		ip := netip.AddrFrom16(sa.Addr).Unmap()
		if sa.ZoneId != 0 {
			ip = ip.WithZone(strconv.Itoa(int(sa.ZoneId)))
		}
		return "tcp6", netip.AddrPortFrom(ip, uint16(sa.Port)).String()
	case *syscall.SockaddrUnix:
		if path := inFull(sa.Name); path != "" {
			return "unix", path
		}
	}
	return "", ""
}
