package devserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"devrun/devserver/internal/gate"
	"devrun/devserver/internal/page"
	"devrun/devserver/internal/proxy"
	"devrun/devserver/internal/reload"
	"devrun/devserver/internal/term"
	"devrun/devserver/internal/wire"
)

// listeners are the app's public addresses. devrun owns them for as long as the
// app asks for them, whatever becomes of its processes.
type listeners struct {
	host, addr string
	policy     gate.Policy
	internal   http.Handler
	hub        *reload.Hub
	pages      *page.Pages
	term       *term.Terminal
	lost       func() proxy.Lost                                // of the app that is forwarded to
	said       func(_ context.Context, name, value string) bool // by devrun, in the header of the app's answer

	memory memory
	byKey  map[string]*front
	order  []string // keys, oldest first

	holding bool         // all of them
	fault   http.Handler // the page for what is wrong, as it was when that was seen
	shown   int          // how many there were

	// waiting is the page for requests that were held too long; they are
	// answered on goroutines of their own.
	waiting atomic.Pointer[http.Handler]
}

// answer is what every front does in one state of the loop.
type answer struct {
	gen   int
	hold  bool
	fault bool // with the page for what is wrong
	app   int  // the generation that runs, 0 for none
}

func newListeners(cfg Config, memory memory, internal http.Handler, hub *reload.Hub, pages *page.Pages, t *term.Terminal, lost func() proxy.Lost, said func(_ context.Context, name, value string) bool) *listeners {
	f := &listeners{host: cfg.Host, addr: cfg.Addr, hub: hub, pages: pages, term: t, lost: lost, said: said, memory: memory, byKey: map[string]*front{}}
	addrHost, _, _ := net.SplitHostPort(cfg.Addr) // what is wrong with it is said when it is used
	for _, host := range []string{cfg.Host, addrHost} {
		if host != "" && !loopback(host) {
			f.host = host
			f.policy = gate.Policy{RemoteOK: true, Hosts: append(localNames(), host)}
		}
	}
	f.setWaiting()
	f.internal = f.policy.Wrap(internal)
	return f
}

// listening takes the app's word that it listens, opens the public address
// for it if that is new, and returns the front's key.
func (f *listeners) listening(gen int, in *image, m wire.Message) (string, error) {
	key, addrs, err := f.public(m)
	if err != nil {
		return "", err
	}
	fr := f.byKey[key]
	if fr == nil && f.addr != "" && len(f.order) > 0 && f.byKey[f.order[0]].gen < gen {
		// The address of --addr is for the app's first, whichever that is now.
		fr = f.byKey[f.order[0]]
		delete(f.byKey, f.order[0])
		f.byKey[key], f.order[0] = fr, key
	}
	if fr == nil {
		if fr, err = f.open(key, addrs, nil); err != nil {
			return "", err
		}
	}
	// An app that listens on both families says so twice, and one that tries
	// its port before it uses it, too: of one address the newest counts.
	if fr.gen != gen || fr.wanted == m.Wanted {
		fr.listening(gen, in, m)
	}
	return key, nil
}

// adopt makes the front for a port that devrun was given for the app.
func (f *listeners) adopt(l net.Listener) error {
	addr := l.Addr().String()
	key, _, err := f.public(wire.Message{Wanted: addr})
	if err != nil {
		return err
	}
	fr, err := f.open(key, []string{addr}, l)
	if err == nil {
		fr.wanted, fr.given = addr, true
	}
	return err
}

// open makes the front for a key, with a listener that is there already or nil. It holds
// what comes.
func (f *listeners) open(key string, addrs []string, l net.Listener) (*front, error) {
	agreed := newAgreements(display(addrs[0]))
	options := proxy.Options{
		Addrs: addrs, Internal: f.internal, Snippet: f.hub.Snippet, Asked: f.hub.Asked,
		Waiting: http.HandlerFunc(f.serveWaiting), Log: f.term.Notice, Terms: agreed.terms, Lost: f.lost, Said: f.said,
	}
	if l != nil {
		options.Addrs, options.Listener = nil, l
	}
	p, err := proxy.Listen(options)
	if err != nil {
		if errors.Is(err, syscall.EADDRINUSE) {
			_, port, _ := net.SplitHostPort(addrs[0])
			n, _ := strconv.Atoi(port)
			return nil, inUse(display(addrs[0]), n, "or use --addr for another address")
		}
		return nil, fmt.Errorf("listen on %s: %w", addrs[0], err)
	}
	fr := &front{proxy: p, agreed: agreed}
	f.byKey[key] = fr
	f.order = append(f.order, key)
	if f.policy.RemoteOK {
		f.term.Wide(f.host, f.networkURL(fr))
	}
	return fr, nil
}

// reopen opens the addresses that the app had when it last ran, or the one of --addr if
// none are known, so that they answer before it listens, and if it does not build. One
// that cannot be had now is left to the app, and the errors say why.
func (f *listeners) reopen() (missing []error) {
	known := f.memory.read()
	if len(known) == 0 && len(f.order) == 0 && f.addr != "" {
		known = []string{f.addr}
	}
	for _, wanted := range known {
		key, addrs, err := f.public(wire.Message{Wanted: wanted})
		if err == nil && f.byKey[key] == nil {
			var fr *front
			if fr, err = f.open(key, addrs, nil); err == nil {
				fr.wanted = wanted
			}
		}
		if err != nil {
			missing = append(missing, err)
		}
	}
	return missing
}

// serving takes a process's word that net/http serves on the listener at m.Addr, which
// it may have inherited, and returns the key of its front, "" if it has none.
func (f *listeners) serving(gen int, in *image, m wire.Message) string {
	for key, fr := range f.byKey {
		if fr.gen == gen && fr.serving(in, m) {
			return key
		}
	}
	return ""
}

// left is for the end of a process, and reports whether a front has lost a listener by it:
// one that no other process has.
func (f *listeners) left(in *image) (lost bool) {
	for _, fr := range f.byKey {
		lost = fr.left(in) || lost
	}
	return lost
}

// announce returns the address of a front as it is to be printed, "" if it was so
// printed for this generation before or need not be. While net/http serves on another
// front, one where it does not speaks no HTTP, unless other says that there is another
// server of HTTP.
func (f *listeners) announce(gen int, key string, other bool) (scheme, addr string) {
	fr := f.byKey[key]
	if fr == nil || fr.gen != gen {
		return "", ""
	}
	scheme, addr = f.schemeOf(fr), display(fr.proxy.Addrs()[0])
	if !fr.http && !other && slices.ContainsFunc(f.order, func(key string) bool { return f.byKey[key].gen == gen && f.byKey[key].http }) {
		scheme = "tcp"
	}
	said := fmt.Sprint(gen, scheme, addr)
	if said == fr.announced {
		return "", ""
	}
	fr.announced = said
	if len(f.order) > 1 && chosenBySystem(fr.wanted) {
		return "", ""
	}
	return scheme, addr
}

// show makes h the page for what is wrong.
func (f *listeners) show(h http.Handler) {
	f.fault = f.visitors(h)
	f.shown++
}

// present makes every front do what a says.
func (f *listeners) present(a answer) {
	if a.hold && !f.holding {
		f.setWaiting()
	}
	f.holding = a.hold
	for _, fr := range f.byKey {
		backend := ""
		if a.app != 0 && fr.gen == a.app {
			backend = fr.backend()
		}
		page := 0
		if a.fault {
			page = f.shown
		}
		state := fmt.Sprint(a.gen, a.hold, page, backend)
		if state == fr.state {
			continue
		}
		fr.state = state
		switch {
		case a.hold:
			fr.proxy.Hold()
		case a.fault:
			fr.proxy.Answer(f.fault, backend)
		case backend != "":
			fr.proxy.Forward(backend)
		default:
			fr.proxy.Hold()
		}
	}
}

// drain ends what the app, which is to stop, would wait for in vain.
func (f *listeners) drain() {
	for _, fr := range f.byKey {
		fr.proxy.Drain()
	}
}

// setWaiting makes the page for requests that are held from now on.
func (f *listeners) setWaiting() {
	h := f.visitors(f.pages.Waiting(time.Now(), "still building"))
	f.waiting.Store(&h)
}

func (f *listeners) serveWaiting(w http.ResponseWriter, r *http.Request) {
	(*f.waiting.Load()).ServeHTTP(w, r)
}

// visitors lets those see h, a page that shows source, who may ask for
// devrun's own addresses; how they ask is no matter.
func (f *listeners) visitors(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked := &http.Request{Method: http.MethodGet, Host: r.Host, RemoteAddr: r.RemoteAddr}
		if status, reason := f.policy.Check(asked); status != 0 {
			http.Error(w, reason, status)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// yield closes the fronts at addresses that the app asks for: one without a
// hook has to have them itself.
func (f *listeners) yield() {
	f.order = slices.DeleteFunc(f.order, func(key string) bool {
		fr := f.byKey[key]
		if fr.wanted == fr.backend() && fr.wanted != "" || f.addr != "" {
			return false
		}
		fr.proxy.Close()
		delete(f.byKey, key)
		return true
	})
}

// closeOlder closes the fronts that the given generation does not listen on,
// and remembers the others for the next run.
func (f *listeners) closeOlder(gen int) {
	f.order = slices.DeleteFunc(f.order, func(key string) bool {
		fr := f.byKey[key]
		if fr.gen >= gen {
			return false
		}
		fr.proxy.Close()
		delete(f.byKey, key)
		return true
	})
	var pages, others []string
	for _, key := range f.order {
		switch fr := f.byKey[key]; {
		case fr.wanted == fr.backend() || fr.given: // an address that the app has, not devrun
		case fr.http:
			pages = append(pages, fr.wanted)
		default:
			others = append(others, fr.wanted)
		}
	}
	f.memory.write(append(pages, others...)) // the first is the one to open in a browser
}

func (f *listeners) close() error {
	var err error
	for _, fr := range f.byKey {
		err = errors.Join(err, fr.proxy.Close())
	}
	return err
}
