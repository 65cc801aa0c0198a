// Package mailtest is a mail server for tests, and no part of the app.
package mailtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// Server is a real mail server on loopback that keeps what it gets.
type Server struct {
	*smtp.Server
	Port     int
	Auths    []string // mechanisms that it offers
	User     string   // that it wants, "" for anybody
	Password string
	From     string // the only sender that it takes, "" for any

	mu     sync.Mutex
	mails  []Mail
	logins []string
	fail   error // the answer to every mail
}

// Mail is a mail as the server got it.
type Mail struct {
	From string // of the envelope, as is To
	To   []string
	TLS  bool
	*mail.Message
	Text string // the body, decoded and with plain line ends
}

// Serve starts a server that is set up by with, and stops it with the test.
func Serve(t *testing.T, with func(*Server)) *Server {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ServeOn(t, ln, with)
}

// ServeOn is Serve with a listener, of a port that is known before.
func ServeOn(t *testing.T, ln net.Listener, with func(*Server)) *Server {
	t.Helper()
	s := &Server{Port: ln.Addr().(*net.TCPAddr).Port}
	s.Server = smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &session{s: s, c: c}, nil }))
	s.Domain = "localhost"
	s.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that the test makes fail
	if with != nil {
		with(s)
	}
	served := make(chan error)
	go func() { served <- s.Serve(ln) }()
	t.Cleanup(func() {
		s.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return s
}

// Got are the mails so far, in the order in which they came.
func (s *Server) Got() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mails)
}

// Logins are the attempts so far, as in "PLAIN, TLS is true".
func (s *Server) Logins() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.logins)
}

// FailWith makes err the answer to every mail; nil takes them again.
func (s *Server) FailWith(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

type session struct {
	s    *Server
	c    *smtp.Conn
	auth bool
	mail Mail
}

func (*session) Reset()                     {}
func (*session) Logout() error              { return nil }
func (x *session) AuthMechanisms() []string { return x.s.Auths }
func (x *session) overTLS() bool            { _, ok := x.c.TLSConnectionState(); return ok }
func (x *session) check(user, pass string) error {
	if user != x.s.User || pass != x.s.Password {
		return errors.New("no such login: " + user + " " + pass) // as bad as a server can be
	}
	x.auth = true
	return nil
}

func (x *session) Auth(mech string) (sasl.Server, error) {
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	x.s.logins = append(x.s.logins, fmt.Sprintf("%s, TLS is %v", mech, x.overTLS()))
	if mech == sasl.Login {
		return &login{check: x.check}, nil
	}
	return sasl.NewPlainServer(func(_, user, pass string) error { return x.check(user, pass) }), nil
}

// login is the server's side of LOGIN.
type login struct {
	check func(user, pass string) error
	user  *string
	asked bool
}

func (l *login) Next(response []byte) (challenge []byte, done bool, err error) {
	switch {
	case response == nil && !l.asked:
		l.asked = true
		return []byte("Username:"), false, nil
	case l.user == nil:
		user := string(response)
		l.user = &user
		return []byte("Password:"), false, nil
	}
	return nil, true, l.check(*l.user, string(response))
}

func (x *session) Mail(from string, _ *smtp.MailOptions) error {
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	if x.s.User != "" && !x.auth {
		return smtp.ErrAuthRequired
	}
	if x.s.From != "" && from != x.s.From {
		return &smtp.SMTPError{Code: 550, Message: "The from address does not match a verified Sender Identity"}
	}
	x.mail = Mail{From: from, TLS: x.overTLS()}
	return nil
}

func (x *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	x.mail.To = append(x.mail.To, to)
	return nil
}

func (x *session) Data(r io.Reader) error {
	msg, err := mail.ReadMessage(r)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(quotedprintable.NewReader(msg.Body))
	if err != nil {
		return err
	}
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	if x.s.fail != nil {
		return x.s.fail
	}
	x.mail.Message, x.mail.Text = msg, strings.ReplaceAll(string(body), "\r\n", "\n")
	x.s.mails = append(x.s.mails, x.mail)
	return nil
}

// Certificate is for 127.0.0.1, of an authority that nobody knows but the pool.
func Certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a mail server"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// Silent starts a server that accepts connections and says nothing, and returns
// its port.
func Silent(t *testing.T) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var conns []net.Conn
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		ln.Close()
		mu.Lock()
		defer mu.Unlock()
		for _, c := range conns {
			c.Close()
		}
	})
	return ln.Addr().(*net.TCPAddr).Port
}
