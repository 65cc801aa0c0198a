package gate

import (
	"encoding/binary"
	"net/netip"
	"os"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// stranger reports whether the socket at the other end of a connection within
// this machine belongs to a user who is neither root nor the one devrun runs
// for. One that the kernel does not tell of, as a socket of another network
// namespace, is nobody's: false.
func stranger(peer, local netip.AddrPort) bool {
	uid, ok := owner(peer, local)
	return ok && !trusted(uid)
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

// owner asks the kernel for the user of the TCP socket that is bound to local and
// connected to remote; one question costs some microseconds, however many sockets
// there are.
func owner(local, remote netip.AddrPort) (uid int, ok bool) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_INET_DIAG)
	if err != nil {
		return 0, false
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
		return 0, false
	}
	var a diagAnswer
	b := unsafe.Slice((*byte)(unsafe.Pointer(&a)), unsafe.Sizeof(a))
	n, _, err := unix.Recvfrom(fd, b, 0)
	if err != nil || n < len(b) || a.Type != byFamily {
		return 0, false // an error has another type, and is shorter
	}
	return int(a.uid), true
}
