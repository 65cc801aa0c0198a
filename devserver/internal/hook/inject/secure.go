//go:build unix && go1.21

package hook

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"reflect"
	"slices"
	"sync"
	"time"

	"devrun/devserver/internal/wire"
)

// offer is what net/http understands at an address besides HTTP/1.
type offer struct {
	served  bool        // by net/http
	tls     *tls.Config // nil: no TLS that is understood here
	onlyTLS bool
	http2   bool // without TLS
}

// offers are known by address once the listener there is served, or is not when it should be.
var offers = offerBook{at: map[string]offer{}, changed: make(chan struct{})}

type offerBook struct {
	mu      sync.Mutex
	at      map[string]offer
	changed chan struct{} // closed by the next set
}

func (b *offerBook) set(addr string, o offer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.at[addr].served && !o.served {
		return
	}
	b.at[addr] = o
	close(b.changed)
	b.changed = make(chan struct{})
}

// servedWithin is how long after it began to listen an app may take to serve, with a
// client waiting.
const servedWithin = time.Second

// get waits for the offer at addr, once.
func (b *offerBook) get(addr string) offer {
	late := time.NewTimer(servedWithin)
	defer late.Stop()
	for {
		b.mu.Lock()
		o, ok := b.at[addr]
		changed := b.changed
		b.mu.Unlock()
		if ok {
			return o
		}
		select {
		case <-changed:
		case <-late.C:
			b.set(addr, offer{})
		}
	}
}

// offerOf looks into a server that is about to serve on l.
func offerOf(s *http.Server, l net.Listener) (o offer) {
	o.served = true
	defer func() { recover() }() // what is not as expected is not understood
	o.tls, o.onlyTLS = configOf(l)
	// The field is there since Go 1.24.
	if p := reflect.ValueOf(s).Elem().FieldByName("Protocols"); p.IsValid() && !p.IsNil() {
		u, ok := p.Interface().(interface{ UnencryptedHTTP2() bool })
		o.http2 = ok && u.UnencryptedHTTP2()
	}
	if t := reflect.TypeOf(s.Handler); t != nil && t.String() == "*h2c.h2cHandler" { // golang.org/x/net/http2/h2c
		o.http2 = true
	}
	return o
}

var (
	listenerType = reflect.TypeOf((*net.Listener)(nil)).Elem()
	configType   = reflect.TypeOf((*tls.Config)(nil))
)

// configOf is the configuration of the TLS listener that l is, or is made around: the
// first that holds one; nil if there is none. only is whether it is crypto/tls's own, which
// understands nothing else.
func configOf(l net.Listener) (c *tls.Config, only bool) {
	const deepest = 8
	v := reflect.ValueOf(l)
	for i := 0; i < deepest; i++ {
		for v.Kind() == reflect.Interface || v.Kind() == reflect.Pointer {
			v = v.Elem()
		}
		if v.Kind() != reflect.Struct {
			return nil, false
		}
		within := reflect.Value{}
		for j := 0; j < v.NumField(); j++ {
			switch f := v.Field(j); {
			case f.Type() == configType && !f.IsNil():
				return (*tls.Config)(f.UnsafePointer()), v.Type().PkgPath() == "crypto/tls"
			case f.Type().Implements(listenerType) && !within.IsValid():
				within = f
			}
		}
		v = within
	}
	return nil, false
}

// agree answers a question of devrun's with what the app would agree on with the client.
func agree(asked wire.Terms) *wire.Terms {
	o := offers.get(asked.Addr)
	t := &wire.Terms{HTTP2: o.http2}
	switch {
	case asked.Hello == nil:
	case o.tls != nil:
		certify(t, o.tls, hello(asked))
	case o.served:
		t.Why = "the app has a TLS of its own"
	case slices.Contains(asked.Hello.SupportedProtos, "http/1.1"): // else it may be gRPC, which misses nothing
		t.Why = "the app's server is not net/http's"
	}
	return t
}

// certify makes t what c says of a client, as crypto/tls does.
func certify(t *wire.Terms, c *tls.Config, hello *tls.ClientHelloInfo) {
	cert, c, err := certificate(c, hello)
	if err != nil {
		return // the app itself tells the client
	}
	agreed := slices.IndexFunc(c.NextProtos, func(p string) bool { return slices.Contains(hello.SupportedProtos, p) })
	if agreed >= 0 && !isHTTP(c.NextProtos[agreed]) {
		return
	}
	if c.ClientAuth != tls.NoClientCert {
		t.Why = "the app asks for the client's certificate"
		return
	}
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		t.Why = "the private key of the app's certificate cannot be had"
		return
	}
	t.Certificate = wire.Certificate{Chain: cert.Certificate, Key: key, OCSP: cert.OCSPStaple, SCTs: cert.SignedCertificateTimestamps}
	for _, p := range c.NextProtos {
		if isHTTP(p) {
			t.NextProtos = append(t.NextProtos, p)
		}
	}
	t.MinVersion, t.MaxVersion, t.SuitesAllowed = c.MinVersion, c.MaxVersion, c.CipherSuites
	t.CurvePreferences = as[uint16](c.CurvePreferences)
}

func isHTTP(protocol string) bool { return protocol == "h2" || protocol == "http/1.1" }

// certificate is the one that the app would show, and the configuration that it would use.
func certificate(c *tls.Config, hello *tls.ClientHelloInfo) (cert *tls.Certificate, _ *tls.Config, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	if c.GetConfigForClient != nil {
		own, err := c.GetConfigForClient(hello)
		if err != nil {
			return nil, nil, err
		}
		if own != nil {
			c = own
		}
	}
	if c.GetCertificate != nil && (len(c.Certificates) == 0 || hello.ServerName != "") {
		if cert, err = c.GetCertificate(hello); cert != nil || err != nil {
			return cert, c, err
		}
	}
	for i := range c.Certificates {
		if len(c.Certificates) == 1 || hello.SupportsCertificate(&c.Certificates[i]) == nil {
			return &c.Certificates[i], c, nil
		}
	}
	if len(c.Certificates) == 0 {
		return nil, nil, errors.New("no certificate")
	}
	return &c.Certificates[0], c, nil
}

func hello(asked wire.Terms) *tls.ClientHelloInfo {
	h := asked.Hello
	return &tls.ClientHelloInfo{
		ServerName: h.ServerName, CipherSuites: h.CipherSuites, SupportedPoints: h.SupportedPoints,
		SupportedProtos: h.SupportedProtos, SupportedVersions: h.SupportedVersions,
		SupportedCurves: as[tls.CurveID](h.SupportedCurves), SignatureSchemes: as[tls.SignatureScheme](h.SignatureSchemes),
		Conn: nowhere{at: asked.Addr},
	}
}

// as converts numbers.
func as[To, From ~uint16](from []From) (to []To) {
	for _, n := range from {
		to = append(to, To(n))
	}
	return to
}

// nowhere is the connection of a client that is at devrun: callbacks ask it for its
// addresses.
type nowhere struct{ at string }

func (n nowhere) LocalAddr() net.Addr {
	a, _ := net.ResolveTCPAddr("tcp", n.at) // an address, no name
	return a
}
func (n nowhere) RemoteAddr() net.Addr           { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }
func (nowhere) Read([]byte) (int, error)         { return 0, net.ErrClosed }
func (nowhere) Write([]byte) (int, error)        { return 0, net.ErrClosed }
func (nowhere) Close() error                     { return nil }
func (nowhere) SetDeadline(time.Time) error      { return nil }
func (nowhere) SetReadDeadline(time.Time) error  { return nil }
func (nowhere) SetWriteDeadline(time.Time) error { return nil }
