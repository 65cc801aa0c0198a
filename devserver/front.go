package devserver

import (
	"net"
	"slices"
	"time"

	"devrun/devserver/internal/proxy"
	"devrun/devserver/internal/wire"
)

// front is one public address.
type front struct {
	proxy     *proxy.Front
	agreed    *agreements
	wanted    string    // what the app asked for
	backends  []backend // where the app answers for it, the newest last
	gen       int       // the generation that said so
	given     bool      // devrun has inherited it
	http, tls bool      // net/http serves there, and under TLS
	announced string    // what was printed of it, with the generation
	state     string    // what the proxy was last told
}

// backend is a listener of the app's, and the processes that have it.
type backend struct {
	addr string
	in   map[*image]bool
}

// backend is where requests go: to the newest, which is to take over where a process
// has started another in its place. It is "" if there is none.
func (fr *front) backend() string {
	if len(fr.backends) == 0 {
		return ""
	}
	return fr.backends[len(fr.backends)-1].addr
}

// listening takes the word of a process that it listens. Of its listeners at one address
// the newest counts.
func (fr *front) listening(gen int, in *image, m wire.Message) {
	if fr.gen != gen {
		fr.backends = nil
	}
	fr.backends = slices.DeleteFunc(fr.backends, func(b backend) bool { return len(b.in) == 1 && b.in[in] })
	fr.backends = append(fr.backends, backend{m.Addr, map[*image]bool{in: true}})
	fr.gen, fr.http, fr.tls, fr.wanted = gen, false, false, m.Wanted
	fr.agreed.of(fr.backends)
}

// serving takes the word of a process that it serves HTTP on a listener, which it may
// have inherited, and reports whether that is one of the front's.
func (fr *front) serving(in *image, m wire.Message) bool {
	for _, b := range fr.backends {
		if b.addr == m.Addr {
			b.in[in], fr.http, fr.tls = true, true, m.TLS
			fr.agreed.of(fr.backends)
			return true
		}
	}
	return false
}

// left is for the end of a process, and reports whether the front has lost a listener by
// it: one that no other process has.
func (fr *front) left(in *image) (lost bool) {
	fr.backends = slices.DeleteFunc(fr.backends, func(b backend) bool {
		had := b.in[in]
		delete(b.in, in)
		gone := had && len(b.in) == 0 && !reachable(b.addr)
		lost = lost || gone
		return gone
	})
	fr.agreed.of(fr.backends)
	return lost
}

// reachable reports whether somebody listens at an address of this machine.
func reachable(addr string) bool {
	c, err := net.DialTimeout("tcp", addr, reachableWithin)
	if err == nil {
		c.Close()
	}
	return err == nil
}

// reachableWithin bounds the wait for a listener of this machine, which takes connections
// or refuses them at once unless its queue is full.
const reachableWithin = 100 * time.Millisecond
