package gate

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// stranger reports whether the socket at the other end of a connection within
// this machine belongs to a user who is neither root nor the one devrun runs
// for. A socket that the kernel does not list here, as one of another network
// namespace, is nobody's: false.
func stranger(peer netip.AddrPort) bool {
	peer = netip.AddrPortFrom(peer.Addr().Unmap(), peer.Port())
	for _, table := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		f, err := os.Open(table)
		if err != nil {
			continue // without IPv6 there is one table
		}
		found := false
		for lines := bufio.NewScanner(f); lines.Scan() && !found; {
			// sl local_address rem_address st queues timer retransmits uid …
			row := strings.Fields(lines.Text())
			if len(row) < 8 {
				continue
			}
			uid, err := strconv.Atoi(row[7])
			if err == nil && !trusted(uid) {
				at, ok := hexAddr(row[1])
				found = ok && at == peer
			}
		}
		f.Close()
		if found {
			return true
		}
	}
	return false
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

// hexAddr reads "0100007F:20A9": 32-bit words in the byte order of the machine,
// and the port.
func hexAddr(s string) (netip.AddrPort, bool) {
	addr, port, _ := strings.Cut(s, ":")
	b, err := hex.DecodeString(addr)
	n, err2 := strconv.ParseUint(port, 16, 16)
	if err != nil || err2 != nil || len(b)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(b); i += 4 {
		binary.NativeEndian.PutUint32(b[i:], binary.BigEndian.Uint32(b[i:]))
	}
	ip, ok := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(ip.Unmap(), uint16(n)), ok
}
