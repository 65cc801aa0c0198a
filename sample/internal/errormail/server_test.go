package errormail

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
	"net"
	"net/mail"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mime/quotedprintable"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// server is a real mail server on loopback that keeps what it gets.
type server struct {
	*smtp.Server
	port  int
	auths []string // mechanisms that it offers
	user  string   // and wants, with password
	pass  string
	from  string // the only sender that it takes, "" for any

	mu     sync.Mutex
	mails  []delivered
	logins []string // "PLAIN over TLS"
	fail   error    // the answer to every mail
}

// delivered is a mail as the server got it.
type delivered struct {
	from string
	to   []string
	tls  bool
	*mail.Message
	body string
}

// serve starts a server that is set up by with.
func serve(t *testing.T, with func(*server)) *server {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, ln, with)
}

func serveOn(t *testing.T, ln net.Listener, with func(*server)) *server {
	t.Helper()
	s := &server{port: ln.Addr().(*net.TCPAddr).Port}
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

func (s *server) got() []delivered {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.mails)
}

func (s *server) failWith(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

type session struct {
	s    *server
	c    *smtp.Conn
	auth bool
	mail delivered
}

func (*session) Reset()                     {}
func (*session) Logout() error              { return nil }
func (x *session) AuthMechanisms() []string { return x.s.auths }
func (x *session) overTLS() bool            { _, ok := x.c.TLSConnectionState(); return ok }
func (x *session) check(user, pass string) error {
	if user != x.s.user || pass != x.s.pass {
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
	if x.s.user != "" && !x.auth {
		return smtp.ErrAuthRequired
	}
	if x.s.from != "" && from != x.s.from {
		return &smtp.SMTPError{Code: 550, Message: "The from address does not match a verified Sender Identity"}
	}
	x.mail = delivered{from: from, tls: x.overTLS()}
	return nil
}

func (x *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	x.mail.to = append(x.mail.to, to)
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
	x.mail.Message, x.mail.body = msg, strings.ReplaceAll(string(body), "\r\n", "\n")
	x.s.mails = append(x.s.mails, x.mail)
	return nil
}

// certificate is for 127.0.0.1, of an authority that nobody knows but the pool.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
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

// eventually waits for ok, and says the last value seen when it does not come.
func eventually[T any](t *testing.T, what string, get func() T, ok func(T) bool) T {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		v := get()
		if ok(v) {
			return v
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", what, v)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// fakeClock goes on when it is told to.
type fakeClock struct {
	mu      sync.Mutex
	now     time.Time
	waiting []waiting
}

type waiting struct {
	until time.Time
	c     chan time.Time
}

func newClock() *fakeClock {
	return &fakeClock{now: time.Date(2026, 11, 22, 16, 55, 4, 0, time.UTC)}
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) At(t time.Time) <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := waiting{t, make(chan time.Time, 1)}
	c.waiting = append(c.waiting, w)
	c.ring()
	return w.c
}

func (c *fakeClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	c.ring()
}

func (c *fakeClock) ring() {
	c.waiting = slices.DeleteFunc(c.waiting, func(w waiting) bool {
		if w.until.After(c.now) {
			return false
		}
		w.c <- c.now
		return true
	})
}
