package errormail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"devrun/devserver/suite"
	"devrun/sample/internal/mailtest"
)

// logged is a log that can be read while it is written.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// mailing is a Mailer for a server at port, and the app's log.
func mailing(t *testing.T, c clock, port int, with func(*Config)) (*Mailer, *slog.Logger, *logged) {
	t.Helper()
	out := &logged{}
	late := &lateHandler{}
	cfg := Config{Server: "127.0.0.1", Port: port, Admins: []string{"ann@example.com", "bob@example.com"}, Log: slog.New(late)}
	if with != nil {
		with(&cfg)
	}
	m, err := start(cfg, c)
	if err != nil {
		t.Fatal(err)
	}
	// As in the app: what the Mailer logs comes back to it.
	late.Handler = slog.NewMultiHandler(slog.NewTextHandler(out, nil), m.Handler())
	t.Cleanup(func() { m.Close(context.Background()) })
	return m, slog.New(late), out
}

// lateHandler is set after the Mailer that logs to it is made.
type lateHandler struct{ slog.Handler }

func mails(t *testing.T, s *mailtest.Server, n int) []mailtest.Mail {
	t.Helper()
	return becomes(t, fmt.Sprintf("%d mails", n), s.Got, func(m []mailtest.Mail) bool { return len(m) >= n })
}

func logHas(t *testing.T, l *logged, text string) {
	t.Helper()
	becomes(t, "the log has "+text, l.String, func(s string) bool { return strings.Contains(s, text) })
}

func TestFlood(t *testing.T) {
	s := mailtest.Serve(t, nil)
	c := newClock()
	_, log, out := mailing(t, c, s.Port, nil)
	slowest := time.Duration(0)
	for i := range 1000 {
		began := time.Now()
		log.Error(fmt.Sprintf("Exception on /user/%d [GET]", i), "err", fmt.Errorf("query user %d: locked", i))
		slowest = max(slowest, time.Since(began))
		c.advance(10 * time.Millisecond)
	}
	mails(t, s, 1)
	log.Error("Exception on / [GET]", "err", errors.New("another"))
	if m := mails(t, s, 2); len(m) != 2 || !strings.Contains(m[1].Text, "error: another") {
		t.Fatalf("%d mails, the last: %s", len(m), m[len(m)-1].Text)
	}
	c.advance(window)
	if m := mails(t, s, 3); !strings.Contains(m[2].Text, "\nand 999 more since 2026-11-22 ") || !strings.HasPrefix(m[2].Text, "Exception on /user/0 [GET]\n") {
		t.Errorf("%s", m[2].Text)
	}
	// Nothing more happens: nothing more is mailed, and both are forgotten.
	c.advance(window)
	log.Error("Exception on /user/5 [GET]", "err", errors.New("query user 5: locked"))
	if m := mails(t, s, 4); len(m) != 4 || strings.Contains(m[3].Text, "more since") {
		t.Errorf("%d mails, the last: %s", len(m), m[len(m)-1].Text)
	}
	if n := strings.Count(out.String(), "level=ERROR"); n != 1002 {
		t.Errorf("the log has %d", n)
	}
	t.Logf("the slowest of 1000 took %v", slowest)
}

func TestHourlyCap(t *testing.T) {
	s := mailtest.Serve(t, nil)
	c := newClock()
	_, log, out := mailing(t, c, s.Port, nil)
	raise := func(from, to int) {
		for i := from; i < to; i++ {
			log.Error("Exception on / [GET]", "err", errors.New("error "+strings.Repeat("x", i)))
		}
	}
	raise(0, hourly)
	mails(t, s, hourly)
	raise(hourly, hourly+3)
	becomes(t, "three are dropped", func() string { c.advance(time.Second); return out.String() }, func(s string) bool {
		n := 0
		for _, m := range regexp.MustCompile(`msg="errors were not mailed.* count=(\d+)`).FindAllStringSubmatch(s, -1) {
			n += int(m[1][0] - '0')
		}
		return n == 3
	})
	if n := len(s.Got()); n != hourly {
		t.Errorf("%d mails", n)
	}
	c.advance(time.Hour)
	raise(hourly+5, hourly+6)
	mails(t, s, hourly+1)
}

// The server is gone, much goes wrong, the server comes back.
func TestServerComesBack(t *testing.T) {
	port := suite.FreePort(t)
	c := newClock()
	_, log, out := mailing(t, c, port, nil)
	for i := range 500 {
		log.Error("Exception on / [GET]", "err", errors.New("error "+strings.Repeat("x", i)))
	}
	logHas(t, out, "connection refused")
	becomes(t, "drops are logged", func() string { c.advance(pause); return out.String() }, func(s string) bool {
		return strings.Contains(s, "errors were not mailed")
	})
	if n := strings.Count(out.String(), "could not be mailed"); n != 1 {
		t.Errorf("the same trouble is told %d times", n)
	}
	ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Skipf("somebody else has the port now: %v", err)
	}
	s := mailtest.ServeOn(t, ln, nil)
	becomes(t, "mails come", func() int { c.advance(pause); return len(s.Got()) }, func(n int) bool { return n >= 1 })
	logHas(t, out, "errors are mailed again")
	log.Error("Exception on / [GET]", "err", errors.New("a later one"))
	becomes(t, "the later one comes", func() string {
		c.advance(pause + time.Hour)
		m := s.Got()
		return m[len(m)-1].Text
	}, func(body string) bool { return strings.Contains(body, "a later one") })
}

// A mail that the server refuses is given up; the next error is tried.
func TestServerRefuses(t *testing.T) {
	s := mailtest.Serve(t, nil)
	c := newClock()
	_, log, out := mailing(t, c, s.Port, nil)
	s.FailWith(&smtp.SMTPError{Code: 554, Message: "no, ann@example.com"})
	raise := func() { log.Error("Exception on / [GET]", "err", errors.New("the same")) }
	raise()
	logHas(t, out, "could not be mailed")
	s.FailWith(&smtp.SMTPError{Code: 451, Message: "later"})
	becomes(t, "the next is tried, and 451 is told", func() string { c.advance(pause); raise(); return out.String() }, func(s string) bool { return strings.Contains(s, "451") })
	s.FailWith(nil)
	becomes(t, "it is mailed", func() int { c.advance(pause); return len(s.Got()) }, func(n int) bool { return n == 1 })
}

func TestSilentServer(t *testing.T) {
	m, log, _ := mailing(t, realClock{}, mailtest.Silent(t), nil)
	began := time.Now()
	for i := range 1000 {
		log.Error("Exception on / [GET]", "err", errors.New("error "+strings.Repeat("x", i%100)))
	}
	if took := time.Since(began); took > 30*time.Second { // a mail that is waited for takes dialTimeout at least
		t.Errorf("1000 errors took %v", took)
	}
	began = time.Now()
	err := m.Close(t.Context())
	if took := time.Since(began); took > flushFor+2*time.Second || took < flushFor/2 {
		t.Errorf("closed after %v", took)
	}
	if err == nil || !strings.HasSuffix(err.Error(), " mails of errors were not sent") {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	m, log, _ = mailing(t, realClock{}, mailtest.Silent(t), nil)
	log.Error("Exception on / [GET]")
	began = time.Now()
	if err := m.Close(ctx); err == nil || time.Since(began) > flushFor/2 {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}

// An error just before the end is mailed, and so are the digests.
func TestCloseFlushes(t *testing.T) {
	s := mailtest.Serve(t, nil)
	m, log, out := mailing(t, realClock{}, s.Port, nil)
	for i := range 20 {
		log.Error("Exception on / [GET]", "err", errors.New("error "+strings.Repeat("x", i%10)))
	}
	if err := m.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := s.Got()
	digests := 0
	for _, m := range got {
		digests += strings.Count(m.Text, "\nand 1 more since ")
	}
	if len(got) != 20 || digests != 10 {
		t.Errorf("%d mails, %d digests", len(got), digests)
	}
	log.Error("too late")
	if err := m.Close(t.Context()); err != nil || len(s.Got()) != 20 {
		t.Errorf("%v, %d mails", err, len(s.Got()))
	}
	if strings.Count(out.String(), "level=ERROR") != 21 || strings.Contains(out.String(), "level=WARN") {
		t.Error(out)
	}
}

func TestNewNeedsAServer(t *testing.T) {
	for _, cfg := range []Config{{}, {Server: "localhost"}, {Server: "localhost", Admins: []string{"not an address"}}} {
		if m, err := New(cfg); err == nil {
			m.Close(t.Context())
			t.Errorf("%+v", cfg)
		}
	}
}
