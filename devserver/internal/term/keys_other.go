//go:build !linux && !darwin && !freebsd && !netbsd && !openbsd && !dragonfly

package term

import "os"

// There are no keys and no news of the window's size on this system; Control-C
// works.
type keyboard struct{ keys chan Key }

func openKeyboard(*os.File) (*keyboard, bool) { return nil, false }

func (k *keyboard) close() error { return nil }

func notifyResize(chan<- os.Signal) {}
