//go:build go1.21

package hook

import "unsafe"

// unixBind is what Bind calls for bind(2) in package unix.
//
//go:linkname unixBind golang.org/x/sys/unix.bind
func unixBind(fd int, addr unsafe.Pointer, size uint32) error

// unixListen is that package's listen(2).
//
//go:linkname unixListen golang.org/x/sys/unix.Listen
func unixListen(fd, backlog int) error

// rawunix is raw for package unix.
var _ = add("rawunix", func(c *channel) bool {
	return c.takeover && alike(codeOf(unixBind), codeOf(unixListen))
})
