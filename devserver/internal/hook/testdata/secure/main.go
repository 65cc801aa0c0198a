// A server for the tests: it listens once for each of its arguments, with the TLS that
// the argument names.
package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"time"
)

func main() {
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	for _, kind := range os.Args[1:] {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			log.Fatal(err)
		}
		s := &http.Server{}
		c := &tls.Config{Certificates: []tls.Certificate{certificate("first.test", false)}}
		switch kind {
		case "plain":
			c = nil
		case "h2c":
			c, s.Protocols = nil, protocols
		case "two":
			c.Certificates = append(c.Certificates, certificate("second.test", false))
		case "rsa":
			c.Certificates[0] = certificate("first.test", true)
			c.MinVersion, c.MaxVersion, c.NextProtos = tls.VersionTLS12, tls.VersionTLS12, []string{"http/1.1"}
			c.CipherSuites, c.CurvePreferences = []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}, []tls.CurveID{tls.CurveP256}
		case "GetCertificate":
			c.GetCertificate = func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
				if h.ServerName == "unknown.test" || h.Conn.LocalAddr().String() != l.Addr().String() {
					return nil, errors.New("unknown")
				}
				cert := certificate(h.ServerName, false)
				return &cert, nil
			}
		case "GetConfigForClient":
			c = &tls.Config{GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
				return &tls.Config{Certificates: []tls.Certificate{certificate("of "+h.ServerName, false)}}, nil
			}}
		case "panics":
			c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { panic("at the disco") }
		case "clients":
			c.ClientAuth = tls.RequestClientCert
		case "kept":
			c.Certificates[0].PrivateKey = kept{c.Certificates[0].PrivateKey.(crypto.Signer)}
		case "acme":
			c.NextProtos = []string{"h2", "http/1.1", "acme-tls/1"}
		case "wrapped":
			l = &wrapper{inner: &counted{Listener: tls.NewListener(l, c)}}
			c = nil
		case "either":
			l = &either{Listener: l, Config: c}
			c = nil
		case "own":
			own := c
			l = begins{l, func(c net.Conn) net.Conn { return tls.Server(c, own) }}
			c = nil
		default:
			log.Fatal(kind)
		}
		if c != nil {
			s.TLSConfig = c
			go s.ServeTLS(l, "", "")
		} else {
			go s.Serve(l)
		}
	}
	select {}
}

// kept is a key that does not leave its device.
type kept struct{ crypto.Signer }

type counted struct{ net.Listener }

type wrapper struct {
	name  string
	inner net.Listener
}

func (w *wrapper) Accept() (net.Conn, error) { return w.inner.Accept() }
func (w *wrapper) Close() error              { return w.inner.Close() }
func (w *wrapper) Addr() net.Addr            { return w.inner.Addr() }

// either is for what looks at a connection first.
type either struct {
	net.Listener
	*tls.Config
}

// begins does so by itself.
type begins struct {
	net.Listener
	tls func(net.Conn) net.Conn
}

func (b begins) Accept() (net.Conn, error) {
	c, err := b.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return b.tls(c), nil
}

func certificate(name string, old bool) tls.Certificate {
	var key crypto.Signer
	var err error
	if old {
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	} else {
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		log.Fatal(err)
	}
	t := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		log.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
