package gate

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// stranger reports whether the socket at the other end of a connection within this
// machine belongs to a user who is neither root nor the one devrun runs for, or to
// nobody any more: what was sent before a socket was closed is there to be read, and
// the kernel calls root the owner of what nobody has.
//
// A socket that the kernel does not know, and that is connected all the same, is not
// of this network namespace, and what is not of this machine the address tells; where
// it cannot be asked, as in some sandboxes, all are let in.
func stranger(c net.Conn) bool {
	peer, err1 := netip.ParseAddrPort(c.RemoteAddr().String())
	local, err2 := netip.ParseAddrPort(c.LocalAddr().String())
	if err1 != nil || err2 != nil {
		return true
	}
	switch uid, err := owner(peer, local); {
	case err == nil:
		return !trusted(uid)
	case errors.Is(err, unix.ENOENT):
		return !connected(c)
	default: // an attacker can have descriptors run out
		return !slices.ContainsFunc(mute, func(e error) bool { return errors.Is(err, e) })
	}
}

// mute are the errors of a kernel that tells nobody whose a socket is.
var mute = []error{unix.EAFNOSUPPORT, unix.EPROTONOSUPPORT, unix.EOPNOTSUPP, unix.ENOSYS, unix.EPERM, unix.EACCES}

// connected reports whether the other end is there and has not hung up.
func connected(c net.Conn) bool {
	t, ok := c.(*net.TCPConn)
	if !ok {
		return false
	}
	raw, err := t.SyscallConn()
	if err != nil {
		return false
	}
	const established = 1 // TCP_ESTABLISHED
	is := false
	err = raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		is = err == nil && info.State == established
	})
	return err == nil && is
}

// trusted users are root, who can do everything anyway, the one that devrun runs
// as, and the one who became that by sudo.
func trusted(uid int) bool {
	if uid == 0 || uid == os.Geteuid() {
		return true
	}
	before, err := strconv.Atoi(os.Getenv("SUDO_UID"))
	return err == nil && uid == before
}

// diagRequest and diagAnswer are inet_diag_req_v2 and inet_diag_msg of sock_diag(7),
// behind their netlink headers.
type diagRequest struct {
	unix.NlMsghdr
	family, protocol, ext, _ uint8
	states                   uint32
	id                       socketID
}

type diagAnswer struct {
	unix.NlMsghdr
	family, state, timer, retrans uint8
	id                            socketID
	expires, rqueue, wqueue, uid  uint32
	inode                         uint32
}

type socketID struct {
	ports    [4]byte // source, destination, in network order
	src, dst [16]byte
	device   uint32
	cookie   [2]uint32
}

const byFamily = 20 // SOCK_DIAG_BY_FAMILY

var errNobody = errors.New("nobody has the socket any more")

// owner asks the kernel for the user of the TCP socket that is bound to local and
// connected to remote; one question costs some microseconds, however many sockets
// there are. The error is errNobody for a socket that was closed, ENOENT if there is
// none, and another one if the kernel does not say.
func owner(local, remote netip.AddrPort) (uid int, err error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_INET_DIAG)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	q := diagRequest{protocol: unix.IPPROTO_TCP, states: 0xffffffff}
	q.Len, q.Type, q.Flags = uint32(unsafe.Sizeof(q)), byFamily, unix.NLM_F_REQUEST
	q.id.cookie = [2]uint32{0xffffffff, 0xffffffff} // any
	binary.BigEndian.PutUint16(q.id.ports[:2], local.Port())
	binary.BigEndian.PutUint16(q.id.ports[2:], remote.Port())
	src, dst := local.Addr().Unmap(), remote.Addr().Unmap()
	q.family = unix.AF_INET6
	if src.Is4() {
		q.family = unix.AF_INET
	}
	copy(q.id.src[:], src.AsSlice())
	copy(q.id.dst[:], dst.AsSlice())
	if err := unix.Sendto(fd, unsafe.Slice((*byte)(unsafe.Pointer(&q)), unsafe.Sizeof(q)), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return 0, err
	}
	var a diagAnswer
	b := unsafe.Slice((*byte)(unsafe.Pointer(&a)), unsafe.Sizeof(a))
	n, _, err := unix.Recvfrom(fd, b, 0)
	switch {
	case err != nil:
		return 0, err
	case a.Type == unix.NLMSG_ERROR && n >= unix.SizeofNlMsghdr+4:
		return 0, unix.Errno(-int32(binary.NativeEndian.Uint32(b[unix.SizeofNlMsghdr:])))
	case n < len(b) || a.Type != byFamily:
		return 0, fmt.Errorf("the kernel answers with %d bytes of type %d", n, a.Type)
	case a.inode == 0:
		return 0, errNobody
	}
	return int(a.uid), nil
}
