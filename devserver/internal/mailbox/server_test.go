package mailbox

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/smtp"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"
)

// inbox is what a server has received.
type inbox struct {
	mu   sync.Mutex
	mail []Message
}

func (b *inbox) add(m Message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mail = append(b.mail, m)
}

func (b *inbox) all() []Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.mail
}

func listen(t *testing.T, o Options) (*Server, *inbox) {
	t.Helper()
	var b inbox
	s, err := Listen("127.0.0.1:0", o, b.add)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, &b
}

const sample = "From: a@example.com\r\nTo: b@example.com\r\nSubject: hello\r\n\r\nit's\r\n..\r\n"

// send mails sample.
func send(s *Server, auth smtp.Auth) error {
	c, err := smtp.Dial(s.Addr().String())
	if err != nil {
		return err
	}
	defer c.Close()
	if s.opts.StartTLS {
		if err := c.StartTLS(&tls.Config{InsecureSkipVerify: true}); err != nil {
			return err
		}
	}
	if auth != nil {
		if err := c.Auth(auth); err != nil {
			return err
		}
	}
	if err := c.Mail("a@example.com"); err != nil {
		return err
	}
	if err := c.Rcpt("b@example.com"); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := fmt.Fprint(w, sample); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return c.Quit()
}

// status is the number that the server answered with.
func status(err error) int {
	var answer *textproto.Error
	if errors.As(err, &answer) {
		return answer.Code
	}
	return 0
}

func TestServer(t *testing.T) {
	login := smtp.PlainAuth("", "u", "p:q", "127.0.0.1")
	wrong := smtp.PlainAuth("", "u", "x", "127.0.0.1")
	for name, c := range map[string]struct {
		o    Options
		auth smtp.Auth
		want int // 0: it is taken
	}{
		"plain":                 {Options{}, nil, 0},
		"451":                   {Options{Fail: 451}, nil, 451},
		"554":                   {Options{Fail: 554}, nil, 554},
		"login":                 {Options{User: "u", Password: "p:q"}, login, 0},
		"wrong login":           {Options{User: "u", Password: "p:q"}, wrong, 535},
		"no login":              {Options{User: "u", Password: "p:q"}, nil, 530},
		"STARTTLS":              {Options{StartTLS: true}, nil, 0},
		"STARTTLS and login":    {Options{StartTLS: true, User: "u", Password: "p:q"}, login, 0},
		"STARTTLS and no login": {Options{StartTLS: true, User: "u", Password: "p:q"}, nil, 530},
	} {
		t.Run(name, func(t *testing.T) {
			s, box := listen(t, c.o)
			err := send(s, c.auth)
			if status(err) != c.want || (err == nil) != (c.want == 0) {
				t.Fatalf("%v, want %d", err, c.want)
			}
			got := box.all()
			if c.want != 0 {
				if len(got) != 0 {
					t.Errorf("%d mails", len(got))
				}
				return
			}
			if len(got) != 1 || string(got[0].Raw) != sample || got[0].Peer != "127.0.0.1" || got[0].From != "a@example.com" || got[0].To[0] != "b@example.com" {
				t.Errorf("%+v", got)
			}
		})
	}
}

// The password does not go out before TLS where TLS is offered.
func TestLoginNeedsTLS(t *testing.T) {
	s, _ := listen(t, Options{StartTLS: true, User: "u", Password: "p"})
	c, err := smtp.Dial(s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if ok, mechanisms := c.Extension("AUTH"); ok {
		t.Errorf("AUTH %s is offered in clear", mechanisms)
	}
	if err := c.StartTLS(&tls.Config{InsecureSkipVerify: true}); err != nil {
		t.Fatal(err)
	}
	if ok, mechanisms := c.Extension("AUTH"); !ok || mechanisms != "PLAIN LOGIN" {
		t.Errorf("AUTH %s: %v", mechanisms, ok)
	}
}

func TestDelayEndsWithTheServer(t *testing.T) {
	var b inbox
	s, err := Listen("127.0.0.1:0", Options{Delay: time.Hour}, b.add)
	if err != nil {
		t.Fatal(err)
	}
	sent := make(chan error)
	go func() { sent <- send(s, nil) }()
	select {
	case err := <-sent:
		t.Fatalf("answered before its time: %v", err)
	case <-time.After(50 * time.Millisecond): // the other side is that it does come below
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-sent; err == nil || len(b.all()) != 0 {
		t.Errorf("%v, %d mails", err, len(b.all()))
	}
	s, err = Listen("127.0.0.1:0", Options{Delay: 30 * time.Millisecond}, b.add)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	began := time.Now()
	if err := send(s, nil); err != nil || time.Since(began) < 30*time.Millisecond {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}

func TestTooLarge(t *testing.T) {
	s, box := listen(t, Options{})
	c, err := smtp.Dial(s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := errors.Join(c.Mail("a@example.com"), c.Rcpt("b@example.com")); err != nil {
		t.Fatal(err)
	}
	w, err := c.Data()
	if err != nil {
		t.Fatal(err)
	}
	line := strings.Repeat("x", 1000) + "\r\n"
	for range maxMessage/len(line) + 2 {
		if _, err := fmt.Fprint(w, line); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); status(err) != 552 || len(box.all()) != 0 {
		t.Errorf("%v, %d mails", err, len(box.all()))
	}
}

// Html comes in one line, and so do some texts.
func TestLongLine(t *testing.T) {
	s, box := listen(t, Options{})
	body := "Subject: x\r\n\r\n" + strings.Repeat("<td>", 50_000) + "\r\n"
	if err := smtp.SendMail(s.Addr().String(), nil, "a@example.com", []string{"b@example.com"}, []byte(body)); err != nil {
		t.Fatal(err)
	}
	if got := box.all(); len(got) != 1 || string(got[0].Raw) != body {
		t.Errorf("%d mails", len(got))
	}
}

func TestPortIsTaken(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if s, err := Listen(ln.Addr().String(), Options{}, nil); err == nil {
		s.Close()
		t.Error("a port is had twice")
	}
}
