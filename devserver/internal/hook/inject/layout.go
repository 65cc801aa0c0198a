//go:build go1.21

package hook

// Where the runtime keeps a goroutine's panics, in Go 1.26. What is compiled into
// an app has the numbers of its own toolchain.
const (
	word = 4 << (^uintptr(0) >> 63)

	gPanic      = 4 * word
	panicArg    = 0 * word
	panicLink   = 2 * word
	panicGoexit = 11*word + 2
)
