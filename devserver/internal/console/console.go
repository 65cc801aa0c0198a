// Package console is devrun's own origin: a loopback listener beside the app's,
// with devrun's pages and the questions that they ask of a failure. It decides
// who may have an expression evaluated, which is to run code as the developer.
//
// A page of the app is another origin, so no script in it, the app's own or
// one that got in, can send a request that passes here or read an answer.
//
// Its promises: every request meets the same gate first; what a question asks
// is not even read before the address, the content type and the trust are
// right; a question names a failure by its random word and a frame by its
// number, never a file; what is refused has no effect, never reaches the app
// and is not redirected; nothing is logged. The PIN is random in every run and
// is guessed at ten times at most; then nobody is let in until the developer
// asks for a new one in the terminal, but who is in stays in. Whatever comes,
// connections, memory and evaluations under way are bounded.
package console

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"time"
)

// Config is what a Console has to be told.
type Config struct {
	// Check is the gate in front of every address. It returns 0 for a request
	// that may pass, else the status to refuse it with and the reason.
	Check func(*http.Request) (status int, reason string)

	// Accepted notes what Check has to know of a connection.
	Accepted func(context.Context, net.Conn) context.Context

	Pages  http.Handler // of / and /failures/, which are read without the PIN
	Assets http.Handler // of /__devrun/page.css, page.js, failure.js, saves.css, mail.css and mail.js

	// Mail is the mailbox, of /mail/ and what is below; nil for none. It is read
	// without the PIN, as the failures and their variables are: who passes the gate
	// is on this machine, and is shown what the app did, not let into it. To delete
	// a mail, a POST to /mail/delete, a script of devrun's own page has to ask.
	Mail http.Handler

	Backend Backend

	// Enabled says that the PIN can be shown to the developer. If it cannot
	// there are pages, but nobody is trusted.
	Enabled bool

	// Asked is called when somebody opens a page whose console wants the PIN, or
	// asks it something without trust, so that the terminal can show the PIN
	// again: not more often than every ten seconds.
	Asked func()

	// Locked is called when the last attempt at a PIN has failed. A request waits
	// for either of the two.
	Locked func()
}

// Backend answers what a trusted page asks. A call returns soon after its
// context is over. Errors are shown to the person who asked; Gone, ErrUnknown
// and ErrFrame are told apart.
type Backend struct {
	Eval     func(ctx context.Context, failure string, frame int, src string) (any, error)
	Complete func(ctx context.Context, failure string, frame int, src string, pos int) (any, error) // pos counts bytes
	Release  func(failure string) error
	Reveal   func(ctx context.Context, failure string, frame int, path []string) (any, error)           // numbers of children, in decimals, or names
	Field    func(ctx context.Context, failure, part string, path []string) (any, error)                // of the request or the answer; its numbers in decimals
	More     func(ctx context.Context, failure string, frame int, path []string, from int) (any, error) // the children of a value from one on
	State    func(failure string) (any, bool)                                                           // told without the PIN
}

// Gone is the error for a failure that is known and takes no questions any more.
type Gone struct {
	Why string // a sentence: "the process has ended"
}

func (g Gone) Error() string { return g.Why }

// ErrUnknown is the error for a failure that is not known, or not any more.
var ErrUnknown = errors.New("devrun has no such failure any more: it keeps the newest ones of this run")

// ErrFrame is the error for a frame that the failure does not have.
var ErrFrame = errors.New("the failure has no such frame")

const (
	// headerWait and idleWait are for browsers on the same machine, which send
	// a request whole and come back at once.
	headerWait = 5 * time.Second
	idleWait   = 2 * time.Minute

	// maxHeader is ample for browsers, which send cookies of every other port
	// of this host here too. net/http allows 4 kB more.
	maxHeader = 32 << 10
)

// Console is the origin, from Serve until Close.
type Console struct {
	cfg   Config
	pin   *pin
	trust *trust
	waits *waits
	evals *slots
	looks *slots
	asked *coalesced
	fixed map[string]route

	url    string
	server *http.Server
	conns  *conns
	stop   context.CancelFunc
	served chan struct{}
}

// Serve answers on ln, which must be a listener on loopback with a port that
// nothing else has, until Close.
func Serve(ln net.Listener, cfg Config) *Console {
	ctx, stop := context.WithCancel(context.Background())
	c := &Console{
		cfg: cfg, pin: newPIN(), trust: newTrust(), waits: newWaits(), evals: newSlots(maxEvals), looks: newSlots(maxLooks),
		asked: &coalesced{call: cfg.Asked}, url: "http://" + ln.Addr().String(),
		conns: newConns(maxConns), stop: stop, served: make(chan struct{}),
	}
	c.fixed = c.addresses()
	c.server = &http.Server{
		Handler:           http.HandlerFunc(c.serveHTTP),
		ReadHeaderTimeout: headerWait,
		IdleTimeout:       idleWait,
		MaxHeaderBytes:    maxHeader,
		// What is asked here stands in no log, and neither does what a panic says.
		ErrorLog:    log.New(io.Discard, "", 0),
		BaseContext: func(net.Listener) context.Context { return ctx },
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			return cfg.Accepted(c.conns.enter(ctx, conn), conn)
		},
		ConnState: c.conns.state,
		// OPTIONS * meets the gate like everything else.
		DisableGeneralOptionsHandler: true,
	}
	go func() {
		defer close(c.served)
		c.server.Serve(ln) // returns when Close closes ln
	}()
	return c
}

// URL is the address of the origin, by number: what is called localhost may be
// somebody else's on the other address family.
func (c *Console) URL() string { return c.url }

// PIN is the present PIN as a person reads it, or "" for a console that is off.
func (c *Console) PIN() string {
	if !c.cfg.Enabled {
		return ""
	}
	return c.pin.shown()
}

// NewPIN makes another PIN, with all attempts to come, and returns it like PIN.
// Who is trusted stays so.
func (c *Console) NewPIN() string {
	c.pin.renew()
	c.asked.reset()
	return c.PIN()
}

// WaitURL is the address at which a page that shows the failure hears that a
// generation after the given one answers. Whoever has it learns nothing else.
func (c *Console) WaitURL(failure string, generation int) string {
	return c.url + waitPrefix + c.waits.token(failure, generation)
}

// Notify lets the pages of older generations load anew.
func (c *Console) Notify(generation int) { c.waits.notify(generation) }

// Broken tells the pages on the app's address whether the newest save does not
// compile. They ask for it at their WaitURL with /broken, and with /whole for the
// end of it.
func (c *Console) Broken(is bool) { c.waits.tell(func() { c.waits.broken = is }) }

// Close ends everything that is under way and returns when it has ended.
func (c *Console) Close() error {
	c.stop()
	c.waits.close()
	err := c.server.Close()
	<-c.served
	c.conns.wait()
	return err
}
