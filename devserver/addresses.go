package devserver

import (
	"fmt"
	"net"
	"os"
	"strconv"

	"devrun/devserver/internal/wire"
)

// public is where devrun listens for what the app asked for: loopback unless
// the user wants more, and the first address of the app where --addr says.
func (f *listeners) public(m wire.Message) (key string, addrs []string, err error) {
	host, port, err := net.SplitHostPort(m.Wanted)
	if err != nil {
		return "", nil, fmt.Errorf("the app listens on %q, which is not an address: %w", m.Wanted, err)
	}
	key = port
	ip := net.ParseIP(host)
	special := ip != nil && ip.IsLoopback() && !ip.Equal(net.IPv4(127, 0, 0, 1)) && !ip.Equal(net.IPv6loopback)
	if special {
		key = m.Wanted
	}
	switch first := len(f.order) == 0 || f.order[0] == key; {
	case f.addr != "" && first:
		host, port, err = net.SplitHostPort(f.addr)
		if err != nil {
			return "", nil, fmt.Errorf("--addr %s: %w", f.addr, err)
		}
		if host == "" || host == "localhost" {
			return key, f.hosts(f.host, port), nil
		}
		return key, []string{net.JoinHostPort(host, port)}, nil
	case m.Wanted == m.Addr: // the app kept its address: devrun needs another one
		return key, f.hosts(f.host, "0"), nil
	case special:
		return key, []string{m.Wanted}, nil
	}
	return key, f.hosts(f.host, port), nil
}

// hosts are the addresses to open for a public host, "" being loopback.
func (f *listeners) hosts(host, port string) []string {
	v4, v6 := net.JoinHostPort("127.0.0.1", port), net.JoinHostPort("::1", port)
	switch {
	case host == "" || host == "localhost":
		if port == "0" {
			return []string{v4}
		}
		return []string{v4, v6}
	case host == "0.0.0.0" || host == "::" || loopback(host): // both of the first are all addresses of both families
		return []string{net.JoinHostPort(host, port)}
	}
	return []string{net.JoinHostPort(host, port), v4, v6}
}

// chosenBySystem reports whether the port may be one that the app left to the
// system, with :0: a helper of its own, which nobody needs to know of.
func chosenBySystem(addr string) bool {
	_, text, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	port, err := strconv.Atoi(text)
	return err == nil && port >= 32768 && port <= 60999 // Linux's default range
}

// url is the address to open in a browser, "" when there is none yet.
func (f *listeners) url() string {
	if len(f.order) == 0 {
		return ""
	}
	return f.urlOf(f.byKey[f.order[0]])
}

func (f *listeners) urlOf(fr *front) string {
	return f.schemeOf(fr) + "://" + display(fr.proxy.Addrs()[0])
}

func (f *listeners) schemeOf(fr *front) string {
	if fr.tls {
		return "https"
	}
	return "http"
}

// networkURL is the address of a front as others on the network reach it.
func (f *listeners) networkURL(fr *front) string {
	host, port, err := net.SplitHostPort(fr.proxy.Addrs()[0])
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsUnspecified() {
		return f.urlOf(fr)
	}
	for _, name := range f.policy.Hosts {
		if ip := net.ParseIP(name); ip != nil && ip.IsGlobalUnicast() {
			return "http://" + net.JoinHostPort(name, port)
		}
	}
	return f.urlOf(fr)
}

// display is addr as a person types it.
func display(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if host == "127.0.0.1" || host == "::1" || host == "" || host == "0.0.0.0" || host == "::" {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// localNames are the names and addresses under which this machine is reached
// from others.
func localNames() []string {
	var names []string
	if h, err := os.Hostname(); err == nil {
		names = append(names, h)
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return names
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok {
			names = append(names, n.IP.String())
		}
	}
	return names
}
