// Package gate is the one check in front of every route of devrun's own.
//
// Loopback is no authentication: any page that is open in the developer's
// browser can send requests to it. The gate lets a request through only if it
// comes from this machine, was sent to a name that cannot be rebound to someone
// else's page, and, where the browser says who asked, was asked for by devrun's
// own origin. Forwarding headers (X-Forwarded-For, Forwarded and their like) are
// never read: whoever sends the request writes them.
//
// A tunnel to this machine looks like a local peer; it is the Host that refuses it.
package gate

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Policy is who may ask. The zero Policy lets in this machine alone, for
// reading.
type Policy struct {
	Hosts    []string // allowed besides the loopback names: names or addresses, without a port
	RemoteOK bool     // peers other than this machine may ask
	Private  bool     // of this machine only the user whom devrun runs for may ask, where the system tells who asks; see Accepted
	Methods  []string // nil means GET and HEAD

	// Authorities, if there are any, are the only values of Host that pass, port
	// and all and letter by letter; Hosts and the loopback names count no more.
	Authorities []string

	// Links lets any page lead here: its link or redirect may fill a tab with
	// what is read here, which the page that led here cannot see.
	Links bool
}

var reading = []string{http.MethodGet, http.MethodHead}

// Own is the policy of a loopback listener at addr that is an origin of
// devrun's own. Names below localhost, capitals and a dot at the end do not
// pass: no browser sends the last two, and devrun links to none of them.
func Own(addr net.Addr) (Policy, error) {
	at, err := netip.ParseAddrPort(addr.String())
	if err != nil || !at.Addr().Unmap().IsLoopback() {
		return Policy{}, fmt.Errorf("devrun's own origin cannot be at %s, which is not a loopback address", addr)
	}
	port := strconv.Itoa(int(at.Port()))
	return Policy{
		Methods:     []string{http.MethodGet, http.MethodHead, http.MethodPost},
		Authorities: []string{"127.0.0.1:" + port, "localhost:" + port, "[::1]:" + port},
		Links:       true,
		Private:     true,
	}, nil
}

type knownKey struct{}

// Accepted is the ConnContext of a server whose Policy is Private: it asks whose the
// other end of a connection is. That is done once, when there has been no time yet to
// hand a socket on or close it; who comes by any other way is a stranger.
func Accepted(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, knownKey{}, !stranger(c))
}

// Check returns 0 for a request that may pass; otherwise the status to refuse
// it with and the reason in a sentence for its sender. It reads nothing of the
// body.
func (p Policy) Check(r *http.Request) (status int, reason string) {
	if !p.RemoteOK && !loopbackPeer(r.RemoteAddr) {
		return http.StatusForbidden, "devrun answers only this machine" + p.hint("; start it with --host to let others in")
	}
	if known, _ := r.Context().Value(knownKey{}).(bool); p.Private && !known {
		return http.StatusForbidden, "devrun answers only the user who runs it"
	}
	if !p.allowsHost(r.Host) {
		return http.StatusForbidden, "devrun does not answer to the host " + quote(r.Host) + p.hint("; start it with --host to allow that name")
	}
	if origins := r.Header.Values("Origin"); len(origins) > 1 || len(origins) == 1 && origins[0] != origin(r) {
		return http.StatusForbidden, "devrun does not answer pages of another origin, here " + quote(strings.Join(origins, ", ")) + "; open it by itself" + p.hint(", under a name allowed with --host")
	}
	if sites := r.Header.Values("Sec-Fetch-Site"); len(sites) > 1 || len(sites) == 1 && sites[0] != "same-origin" && sites[0] != "none" && !(p.Links && linked(r)) {
		return http.StatusForbidden, "devrun does not answer what a page of another site asks for; open it by itself" + p.hint(", under a name allowed with --host")
	}
	if methods := p.methods(); !slices.Contains(methods, r.Method) {
		return http.StatusMethodNotAllowed, "devrun answers only " + strings.Join(methods, " and ") + " here"
	}
	return 0, ""
}

// Wrap returns next behind the check. Every answer, a refusal too, carries
// headers that keep it from being embedded, sniffed or stored; next may set a
// Cache-Control of its own.
func (p Policy) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Referrer-Policy", "no-referrer")
		header.Set("Cross-Origin-Resource-Policy", "same-origin")
		header.Set("X-Frame-Options", "DENY")
		header.Set("Cache-Control", "no-store")
		status, reason := p.Check(r)
		if status == 0 {
			next.ServeHTTP(w, r)
			return
		}
		if status == http.StatusMethodNotAllowed {
			header.Set("Allow", strings.Join(p.methods(), ", "))
		}
		header.Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(status)
		fmt.Fprintln(w, reason)
	})
}

// linked holds for a link that is followed into a whole tab or window.
func linked(r *http.Request) bool {
	only := func(name, value string) bool {
		values := r.Header.Values(name)
		return len(values) == 1 && values[0] == value
	}
	return r.Method == http.MethodGet && only("Sec-Fetch-Mode", "navigate") && only("Sec-Fetch-Dest", "document")
}

// hint is how to widen the policy, where that can be done.
func (p Policy) hint(how string) string {
	if len(p.Authorities) > 0 {
		return ""
	}
	return how
}

func (p Policy) methods() []string {
	if p.Methods == nil {
		return reading
	}
	return p.Methods
}

// loopbackPeer trusts the socket's address alone.
func loopbackPeer(remote string) bool {
	peer, err := netip.ParseAddrPort(remote)
	return err == nil && peer.Addr().Unmap().IsLoopback()
}

// origin is what a browser sends for a page that came from the same place as r.
// Browsers write the origin and the Host in the same form, so the comparison is
// of bytes.
func origin(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// quoted is more than any honest host or origin has, in bytes, and keeps a
// refusal at one line.
const quoted = 100

func quote(s string) string {
	if len(s) > quoted {
		s = s[:quoted] + "…"
	}
	return strconv.QuoteToASCII(s)
}
