// Package mailbox is a mail server that delivers nothing: it shows what the app
// sends and keeps it in memory.
package mailbox

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"golang.org/x/net/netutil"
)

// Options are the troubles of a mail server that an app has to live with.
type Options struct {
	Fail           int           // the status that refuses every mail, 0 for none
	Delay          time.Duration // before a mail is answered
	User, Password string        // who may send, "" for everybody
	StartTLS       bool          // is offered, with a certificate that nobody vouches for; a login needs it then
}

// Message is a mail as it came.
type Message struct {
	At      time.Time
	Peer    string // IP address
	From    string // of the envelope, as To
	To      []string
	Options []string // that came with MAIL, as in SIZE=12
	Raw     []byte
}

const (
	maxMessage    = 10 << 20 // bytes
	maxLine       = 1 << 20  // bytes; html comes in one line
	maxRecipients = 1000
	maxConns      = 50 // that are served at a time
	idle          = 5 * time.Minute
)

// Server takes mails until Close.
type Server struct {
	smtp     *smtp.Server
	ln       net.Listener
	opts     Options
	received func(Message)
	stop     context.Context
	cancel   context.CancelFunc
	served   chan error
}

// Listen starts a server at addr. It calls received for each mail, from any
// goroutine, before it answers the client.
func Listen(addr string, o Options, received func(Message)) (*Server, error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	s := &Server{ln: ln, opts: o, received: received, served: make(chan error, 1)}
	s.stop, s.cancel = context.WithCancel(context.Background())
	s.smtp = smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return s.session(c) }))
	s.smtp.Domain = "devrun"
	s.smtp.MaxMessageBytes, s.smtp.MaxRecipients = maxMessage, maxRecipients
	s.smtp.ReadTimeout, s.smtp.WriteTimeout = idle, idle
	s.smtp.MaxLineLength = maxLine
	s.smtp.EnableSMTPUTF8 = true
	s.smtp.AllowInsecureAuth = !o.StartTLS
	s.smtp.ErrorLog = log.New(io.Discard, "", 0) // of what clients do wrong they hear themselves
	if o.StartTLS {
		cert, err := certificate()
		if err != nil {
			ln.Close()
			return nil, fmt.Errorf("make a certificate: %w", err)
		}
		s.smtp.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
	}
	go func() { s.served <- s.smtp.Serve(netutil.LimitListener(ln, maxConns)) }()
	return s, nil
}

// Addr is where the server listens, by number.
func (s *Server) Addr() *net.TCPAddr { return s.ln.Addr().(*net.TCPAddr) }

// Close ends the server and what is under way.
func (s *Server) Close() error {
	s.cancel()
	err := s.smtp.Close()
	if e := <-s.served; err == nil {
		err = e
	}
	return err
}

func (s *Server) session(c *smtp.Conn) (smtp.Session, error) {
	peer, _, err := net.SplitHostPort(c.Conn().RemoteAddr().String())
	if err != nil {
		return nil, err
	}
	x := &session{server: s, peer: peer}
	if s.opts.User == "" {
		return x, nil
	}
	return &loginSession{x, false}, nil
}

// session is one client's; a server without logins has no more.
type session struct {
	server *Server
	peer   string
	now    Message
}

func (x *session) Reset()        { x.now = Message{} }
func (x *session) Logout() error { return nil }

func (x *session) Mail(from string, o *smtp.MailOptions) error {
	x.now = Message{Peer: x.peer, From: from}
	if o.Size > 0 {
		x.now.Options = append(x.now.Options, fmt.Sprintf("SIZE=%d", o.Size))
	}
	if o.UTF8 {
		x.now.Options = append(x.now.Options, "SMTPUTF8")
	}
	if o.Body != "" {
		x.now.Options = append(x.now.Options, "BODY="+string(o.Body))
	}
	return nil
}

func (x *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	x.now.To = append(x.now.To, to)
	return nil
}

func (x *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if d := x.server.opts.Delay; d > 0 {
		select {
		case <-time.After(d):
		case <-x.server.stop.Done():
			return &smtp.SMTPError{Code: 421, EnhancedCode: smtp.EnhancedCode{4, 3, 2}, Message: "the server stops"}
		}
	}
	if code := x.server.opts.Fail; code != 0 {
		return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{code / 100, 0, 0}, Message: "refused, as devrun was told to"}
	}
	x.now.At, x.now.Raw = time.Now(), raw
	x.server.received(x.now)
	return nil
}

// loginSession is one client's of a server that wants a login.
type loginSession struct {
	*session
	in bool
}

func (x *loginSession) AuthMechanisms() []string { return []string{sasl.Plain, sasl.Login} }

func (x *loginSession) Auth(mechanism string) (sasl.Server, error) {
	switch mechanism {
	case sasl.Plain:
		return sasl.NewPlainServer(func(_, user, password string) error { return x.check(user, password) }), nil
	case sasl.Login:
		return &login{check: x.check}, nil
	}
	return nil, smtp.ErrAuthUnknownMechanism
}

func (x *loginSession) check(user, password string) error {
	o := x.server.opts
	if subtle.ConstantTimeCompare([]byte(user+"\x00"+password), []byte(o.User+"\x00"+o.Password)) == 0 {
		return smtp.ErrAuthFailed
	}
	x.in = true
	return nil
}

func (x *loginSession) Mail(from string, o *smtp.MailOptions) error {
	if !x.in {
		return &smtp.SMTPError{Code: 530, EnhancedCode: smtp.EnhancedCode{5, 7, 0}, Message: "log in first"}
	}
	return x.session.Mail(from, o)
}

// login is the server's side of LOGIN, which asks for the user, then for the
// password.
type login struct {
	check   func(user, password string) error
	answers []string
	asked   bool
}

func (l *login) Next(response []byte) (challenge []byte, done bool, err error) {
	if response != nil || l.asked {
		l.answers = append(l.answers, string(response))
	}
	l.asked = true
	switch len(l.answers) {
	case 0:
		return []byte("Username:"), false, nil
	case 1:
		return []byte("Password:"), false, nil
	}
	return nil, true, l.check(l.answers[0], l.answers[1])
}

// certificate is for this machine and this run.
func certificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "devrun"},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
