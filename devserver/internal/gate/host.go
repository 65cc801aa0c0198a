package gate

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// allowsHost decides on the Host of a request, port and all: localhost, names
// below it, literals of 127.0.0.0/8, [::1] and p.Hosts. Case does not matter,
// and a name may end in one dot, which is how DNS writes the same name in full.
func (p Policy) allowsHost(host string) bool {
	if len(p.Authorities) > 0 {
		return slices.Contains(p.Authorities, host)
	}
	name, ok := cutPort(host)
	if !ok {
		return false
	}
	if loopbackName(name) {
		return true
	}
	for _, allowed := range p.Hosts {
		if canonical, ok := canonicalHost(allowed); ok && canonical == name {
			return true
		}
	}
	return false
}

// cutPort splits host into a canonical name or address and an optional port.
func cutPort(host string) (name string, ok bool) {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		if !portNumber(host[i+1:]) {
			return "", false
		}
		host = host[:i]
	}
	if strings.Contains(host, ":") && !strings.HasPrefix(host, "[") {
		return "", false
	}
	return canonicalHost(host)
}

// portNumber takes plain decimals only; strconv alone would take a sign and
// leading zeros.
func portNumber(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0 && strconv.FormatUint(n, 10) == s
}

// canonicalHost spells a name or an address, in brackets or not, in the one way
// that can be compared. Whatever else ends in a number is an address in some
// older notation (one number, octal, a dot at the end): browsers rewrite those
// before they send them, so nobody honest does.
func canonicalHost(host string) (name string, ok bool) {
	address, opened := strings.CutPrefix(host, "[")
	address, closed := strings.CutSuffix(address, "]")
	if addr, err := netip.ParseAddr(address); err == nil {
		return addr.String(), addr.Zone() == "" && opened == closed && (addr.Is6() || !opened)
	}
	name = strings.ToLower(strings.TrimSuffix(host, "."))
	last := ""
	for last = range strings.SplitSeq(name, ".") {
		if last == "" || strings.Trim(last, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return "", false
		}
	}
	return name, strings.Trim(last, "0123456789") != ""
}

// loopbackName holds for what resolves to this machine and nowhere else,
// whatever a DNS server says (RFC 6761 for localhost and below).
func loopbackName(name string) bool {
	if addr, err := netip.ParseAddr(name); err == nil {
		return addr == netip.IPv6Loopback() || addr.Is4() && addr.IsLoopback()
	}
	return name == "localhost" || strings.HasSuffix(name, ".localhost")
}
