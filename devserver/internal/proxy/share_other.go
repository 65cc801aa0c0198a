//go:build !linux

package proxy

import "net"

// share does nothing here: the app cannot bind an address that the Front
// listens on, and has to be told another port.
func share(*net.TCPListener) error { return nil }
