//go:build unix && go1.21

package hook

import (
	"net"
	"net/http"
	"strings"
	_ "unsafe" // for go:linkname

	"devrun/devserver/internal/wire"
)

// testHookServerServe is what (*http.Server).Serve calls first, if it is set;
// every other way to serve ends there.
//
//go:linkname testHookServerServe net/http.testHookServerServe
var testHookServerServe func(*http.Server, net.Listener)

// wrap puts the hook's handler around that of a server; nil when a failing
// request is none of the hook's concern.
var wrap func(*http.Server)

// serve reports which listeners speak HTTP and whether under TLS.
var _ = add("serve", func(c *channel) bool {
	testHookServerServe = func(s *http.Server, l net.Listener) {
		o := offerOf(s, l)
		if wrap != nil {
			wrap(s)
		}
		defer func() { recover() }() // l is the app's: its methods may do anything
		a := l.Addr()
		addr := a.String()
		switch network := a.Network(); {
		case network == "unix":
			addr = inFull(addr)
		case !strings.HasPrefix(network, "tcp"):
			return
		}
		if addr != "" {
			offers.set(addr, o)
			c.send(wire.Message{Kind: wire.Serving, Addr: addr, TLS: o.onlyTLS})
		}
	}
	c.on(wire.Agree, func(m wire.Message) {
		if m.Terms != nil { // the app may take its time to find a certificate
			go func() { c.send(wire.Message{Kind: wire.Agreed, Seq: m.Seq, Terms: agree(*m.Terms)}) }()
		}
	})
	return true
})
