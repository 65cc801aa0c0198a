package devserver

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"sync"
	"time"

	"devrun/devserver/internal/proxy"
	"devrun/devserver/internal/wire"
)

// agreements are what the app agrees on with clients of one address that begin with TLS,
// or with HTTP/2. The app is asked for each; what it has said last counts while it is
// away. Any goroutine may ask.
type agreements struct {
	at string // the address, as it is printed

	mu   sync.Mutex
	in   map[string][]*image    // who may answer for a listener of the app's
	last map[string]proxy.Terms // by server name, and inTheClear
}

const (
	// inTheClear is no server name.
	inTheClear = "."

	// maxNames bounds what is kept: a client can ask for any name.
	maxNames = 100

	// agreedWithin is how long a process has to answer, which may get its certificate
	// from elsewhere.
	agreedWithin = 10 * time.Second
)

func newAgreements(at string) *agreements {
	return &agreements{at: at, last: map[string]proxy.Terms{}}
}

// of takes the app's listeners.
func (a *agreements) of(backends []backend) {
	in := map[string][]*image{}
	for _, b := range backends {
		for image := range b.in {
			if image.channel != nil {
				in[b.addr] = append(in[b.addr], image)
			}
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.in = in
}

// terms is for proxy.Options.
func (a *agreements) terms(ctx context.Context, app string, hello *tls.ClientHelloInfo) proxy.Terms {
	name := inTheClear
	if hello != nil {
		name = hello.ServerName
	}
	a.mu.Lock()
	last, in := a.last[name], a.in[app]
	a.mu.Unlock()
	if app == "" {
		return last
	}
	asked := wire.Terms{Addr: app, Hello: helloOf(hello)}
	for _, image := range in {
		said := image.agree(ctx, asked)
		if said == nil {
			continue
		}
		terms, why := termsOf(*said)
		if why != "" {
			terms.Why = "TLS is passed through at " + a.at + ", without live reload: " + why
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		if len(a.last) >= maxNames {
			clear(a.last)
		}
		a.last[name] = terms
		return terms
	}
	return proxy.Terms{}
}

// agree has the process say what it agrees on; nil if it does not.
func (in *image) agree(ctx context.Context, asked wire.Terms) *wire.Terms {
	seq, answer := in.agreed.expect()
	defer in.agreed.forget(seq)
	if in.channel.Send(wire.Message{Kind: wire.Agree, Seq: seq, Terms: &asked}) != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, agreedWithin)
	defer cancel()
	select {
	case said := <-answer:
		return said
	case <-ctx.Done():
		return nil
	}
}

func helloOf(h *tls.ClientHelloInfo) *wire.ClientHello {
	if h == nil {
		return nil
	}
	return &wire.ClientHello{
		ServerName: h.ServerName, CipherSuites: h.CipherSuites, SupportedPoints: h.SupportedPoints,
		SupportedProtos: h.SupportedProtos, SupportedVersions: h.SupportedVersions,
		SupportedCurves: as[uint16](h.SupportedCurves), SignatureSchemes: as[uint16](h.SignatureSchemes),
	}
}

// termsOf is the same for the proxy, and why TLS is passed through if somebody wants to know.
func termsOf(said wire.Terms) (_ proxy.Terms, why string) {
	terms := proxy.Terms{HTTP2: said.HTTP2}
	if len(said.Chain) == 0 {
		return terms, said.Why
	}
	key, err := x509.ParsePKCS8PrivateKey(said.Key)
	if err != nil {
		return terms, "its private key is not understood: " + err.Error()
	}
	private, ok := key.(crypto.Signer)
	if !ok {
		return terms, "its private key cannot sign"
	}
	terms.TLS = &tls.Config{
		Certificates: []tls.Certificate{{
			Certificate: said.Chain, PrivateKey: private,
			OCSPStaple: said.OCSP, SignedCertificateTimestamps: said.SCTs,
		}},
		NextProtos: said.NextProtos, MinVersion: said.MinVersion, MaxVersion: said.MaxVersion,
		CipherSuites: said.SuitesAllowed, CurvePreferences: as[tls.CurveID](said.CurvePreferences),
	}
	return terms, ""
}

// as converts numbers.
func as[To, From ~uint16](from []From) (to []To) {
	for _, n := range from {
		to = append(to, To(n))
	}
	return to
}
