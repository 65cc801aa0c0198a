//go:build go1.21

package wire

// Failure is a request that failed. If it Stays, its goroutine is parked where it
// was until Release, with its stack and whatever that refers to kept alive; else it
// waits, for at most HoldFor, until devrun has looked: Proceed.
//
// An Answer is awaited of one that Stays, and after Finished of a Status, unless
// Response.Started or Hijacked say that none can be given, or Proceed that the app's own
// goes out: then one that Stays goes on, too, but for a panic, which has no answer, and
// Finished follows. Released says that the goroutine of a panic, or of one that stayed,
// has gone on.
type Failure struct {
	ID      string // unique in the process
	How     string // "panic", "recovered" or "status", as in package fault
	Type    string // of the panic's value
	Text    string // as the runtime prints it, or the beginning of the body
	Error   *Error // chain of the value
	Panics  []Error
	Request Request

	Goroutine uint64
	Mark      Mark
	Frames    []Frame // innermost first, from the point of failure: the hook's and the runtime's are left out
	CreatedBy *Frame

	Response Response // what the app has sent or is about to; Header before anything of devrun

	Stays bool

	// What limits the truth.
	Collected bool // the collector ran between the start of the request and the pins, or nothing could be pinned
	Moved     bool // the stack was moved since then: what points into it may be out of date
	Hijacked  bool // the connection is the app's: no page can go out
	Returned  bool // the calls of Frames have returned: there is no goroutine to look into, and nothing waits for Proceed
}

// Mark tells whether a goroutine is still where it failed: until then the word at Addr,
// in the app's memory, is Value. It is another before the goroutine goes on, so what
// was read of the goroutine before the mark is of the failure.
type Mark struct{ Addr, Value uint64 }

// Error is one error of a chain; Causes as errors.Unwrap gives them.
type Error struct {
	Type, Text string
	Causes     []Error
	Note       string // "the same error again", "and 412 more"
}

// Frame is one call.
type Frame struct {
	Func, File string
	Line       int
	PC         uint64
}

// Request is the request, bounded.
type Request struct {
	Method, URI, Proto, Host, Remote, Route string
	TLS                                     bool
	Header, Form                            []Field
}

// WhoAsks are the headers by which devrun tells a person from a script, and a browser
// from other clients. Header has each of them that was sent, however much else there
// is: what a script adds must not push out what gives it away.
var WhoAsks = []string{
	"Sec-Fetch-Mode", "Sec-Fetch-Dest", "Sec-Fetch-Site", "Service-Worker-Navigation-Preload",
	"Origin", "Referer", "X-Requested-With", "User-Agent", "Accept-Language", "Upgrade-Insecure-Requests",
}

// Field is one name with its values.
type Field struct {
	Name   string
	Values []string
}

// Response is an answer: what the app would send, or what devrun sends for it.
type Response struct {
	Status  int
	Header  []Field
	Body    []byte // its beginning
	Size    int    // bytes of the whole body so far
	Started bool   // the header is out
}

// Exit is a call of os.Exit.
type Exit struct {
	Frames []Frame
}
