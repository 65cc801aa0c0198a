package hook

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"slices"
	"testing"

	"devrun/devserver/internal/wire"
)

// hellos are what a client of crypto/tls begins with.
func hellos(name string, protocols ...string) *wire.ClientHello {
	return &wire.ClientHello{
		ServerName: name, SupportedProtos: protocols,
		CipherSuites:      []uint16{tls.TLS_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256},
		SupportedCurves:   []uint16{uint16(tls.CurveP256)},
		SupportedPoints:   []uint8{0},
		SignatureSchemes:  []uint16{uint16(tls.ECDSAWithP256AndSHA256), uint16(tls.PSSWithSHA256)},
		SupportedVersions: []uint16{tls.VersionTLS13, tls.VersionTLS12},
	}
}

// The app says what it would show each client, and agree on; what devrun cannot do in its
// place it leaves to the app.
func TestAgree(t *testing.T) {
	web := []string{"h2", "http/1.1"}
	cases := []struct {
		kind  string
		hello *wire.ClientHello
		name  string // of the certificate, "" for none
		terms wire.Terms
	}{
		{"plain", nil, "", wire.Terms{}},
		{"plain", hellos("first.test"), "", wire.Terms{Why: "the app has a TLS of its own"}},
		{"h2c", nil, "", wire.Terms{HTTP2: true}},
		{"two", nil, "", wire.Terms{}},
		{"two", hellos("first.test"), "first.test", wire.Terms{Config: wire.Config{NextProtos: web}}},
		{"two", hellos("second.test"), "second.test", wire.Terms{Config: wire.Config{NextProtos: web}}},
		{"two", hellos(""), "first.test", wire.Terms{Config: wire.Config{NextProtos: web}}},
		{"rsa", hellos("first.test"), "first.test", wire.Terms{Config: wire.Config{
			NextProtos: []string{"http/1.1", "h2"}, MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12,
			SuitesAllowed: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}, CurvePreferences: []uint16{uint16(tls.CurveP256)},
		}}},
		{"GetCertificate", hellos("any.test"), "any.test", wire.Terms{Config: wire.Config{NextProtos: web}}},
		{"GetCertificate", hellos(""), "first.test", wire.Terms{Config: wire.Config{NextProtos: web}}},
		{"GetCertificate", hellos("unknown.test"), "", wire.Terms{}},
		{"GetConfigForClient", hellos("any.test", "h2"), "of any.test", wire.Terms{}},
		{"panics", hellos("any.test"), "", wire.Terms{}},
		{"clients", hellos("first.test"), "", wire.Terms{Why: "the app asks for the client's certificate"}},
		{"kept", hellos("first.test"), "", wire.Terms{Why: "the private key of the app's certificate cannot be had"}},
		{"acme", hellos("first.test", "acme-tls/1"), "", wire.Terms{}},
		{"acme", hellos("first.test", "h2", "acme-tls/1"), "first.test", wire.Terms{Config: wire.Config{NextProtos: web}}},
		{"wrapped", hellos("first.test"), "first.test", wire.Terms{}},
		{"either", hellos("first.test"), "first.test", wire.Terms{}},
		{"own", hellos("first.test"), "", wire.Terms{Why: "the app has a TLS of its own"}},
	}
	var kinds []string
	for _, c := range cases {
		if !slices.Contains(kinds, c.kind) {
			kinds = append(kinds, c.kind)
		}
	}
	p := run(t, shared(t, "secure"), nil, kinds...)
	p.next(wire.Hello)
	at := map[string]string{}
	secure := map[string]bool{}
	for range 2 * len(kinds) {
		if m := p.nextOf(wire.Listening, wire.Serving); m.Kind == wire.Serving {
			secure[m.Addr] = m.TLS
		} else {
			at[kinds[len(at)]] = m.Addr
		}
	}
	for _, kind := range kinds {
		equal(t, kind+" serves TLS", secure[at[kind]], !slices.Contains([]string{"plain", "h2c", "either", "own"}, kind))
	}
	for i, c := range cases {
		p.say(wire.Message{Kind: wire.Agree, Seq: i, Terms: &wire.Terms{Addr: at[c.kind], Hello: c.hello}})
		m := p.next(wire.Agreed)
		equal(t, "seq", m.Seq, i)
		equal(t, c.kind+" shows", certified(t, &m.Terms.Certificate), c.name)
		m.Terms.Certificate = wire.Certificate{}
		equal(t, c.kind, *m.Terms, c.terms)
	}
	for why, client := range map[string]*wire.ClientHello{"the app's server is not net/http's": hellos("", web...), "": hellos("", "h2")} {
		p.say(wire.Message{Kind: wire.Agree, Terms: &wire.Terms{Addr: "127.0.0.1:1", Hello: client}})
		equal(t, "not served", *p.next(wire.Agreed).Terms, wire.Terms{Why: why})
	}
}

// certified is whose certificate c is. Its key must fit.
func certified(t *testing.T, c *wire.Certificate) string {
	t.Helper()
	if len(c.Chain) == 0 {
		equal(t, "key without a certificate", len(c.Key), 0)
		return ""
	}
	leaf, err := x509.ParseCertificate(c.Chain[0])
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.ParsePKCS8PrivateKey(c.Key)
	if err != nil {
		t.Fatal(err)
	}
	if public, ok := leaf.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); !ok || !public.Equal(key.(crypto.Signer).Public()) {
		t.Error("the key is of another certificate")
	}
	return leaf.Subject.CommonName
}
