//go:build unix && go1.21

package hook

import (
	"fmt"
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

// serve reports which listeners speak HTTP and whether under TLS. A TLS
// listener that the app wrapped in one of its own passes for plain.
var _ = add("serve", func(c *channel) bool {
	testHookServerServe = func(s *http.Server, l net.Listener) {
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
			c.send(wire.Message{Kind: wire.Serving, Addr: addr, TLS: fmt.Sprintf("%T", l) == "*tls.listener"})
		}
	}
	return true
})
