package errormail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/mail"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"crypto/tls"

	"github.com/emersion/go-smtp"
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

func mails(t *testing.T, s *server, n int) []delivered {
	t.Helper()
	return eventually(t, fmt.Sprintf("%d mails", n), s.got, func(m []delivered) bool { return len(m) >= n })
}

func logHas(t *testing.T, l *logged, text string) {
	t.Helper()
	eventually(t, "the log has "+text, l.String, func(s string) bool { return strings.Contains(s, text) })
}

func TestPlainRelay(t *testing.T) {
	s := serve(t, nil)
	_, log, _ := mailing(t, realClock{}, s.port, nil)
	log.Info("no mail")
	log.Warn("no mail", "err", errors.New("x"))
	log.With("request_id", "7f3a").Error("Exception on /edit_profile [POST]", "user_id", 1, "stack", debug.Stack(),
		"err", fmt.Errorf("update user: %w", errors.New(`ERROR: duplicate key value violates unique constraint "ix_user_username" (SQLSTATE 23505)`)))
	m := mails(t, s, 1)[0]
	if m.from != "no-reply@127.0.0.1" || !slices.Equal(m.to, []string{"ann@example.com", "bob@example.com"}) || m.tls {
		t.Errorf("from %s to %s, TLS is %v", m.from, m.to, m.tls)
	}
	for name, want := range map[string]string{
		"From": `^<no-reply@127\.0\.0\.1>$`, "To": `^<ann@example.com>, <bob@example.com>$`, "Subject": "^Microblog Failure$",
		"Date": ".", "Message-Id": ".", "Auto-Submitted": "^auto-generated$", "Content-Type": "^text/plain; charset=UTF-8$",
	} {
		if got := m.Header.Get(name); !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("%s: %s", name, got)
		}
	}
	if d, err := mail.ParseDate(m.Header.Get("Date")); err != nil || time.Since(d).Abs() > time.Minute {
		t.Errorf("date %v, %v", d, err)
	}
	for _, want := range []string{
		`^Exception on /edit_profile \[POST\]\n\n`, `(?m)^request: 7f3a$`, `(?m)^user: 1$`, `(?m)^error: update user: .*"ix_user_username" \(SQLSTATE 23505\)$`,
		`(?m)^goroutine \d+ \[running\]:$`, `(?m)^\t\S+mailer_test.go:\d+ \+0x`, `(?m)^time: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d$`,
	} {
		if !regexp.MustCompile(want).MatchString(m.body) {
			t.Errorf("%s is not in\n%s", want, m.body)
		}
	}
}

// Gmail: STARTTLS, and a login only over it.
func TestLogin(t *testing.T) {
	for _, mechs := range [][]string{{"PLAIN"}, {"LOGIN"}, {"LOGIN", "PLAIN", "XOAUTH2"}} {
		t.Run(strings.Join(mechs, " "), func(t *testing.T) {
			cert, pool := certificate(t)
			s := serve(t, func(s *server) {
				s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
				s.auths, s.user, s.pass = mechs, "ann@gmail.com", "app password"
			})
			_, log, out := mailing(t, realClock{}, s.port, func(c *Config) {
				c.UseTLS, c.RootCAs, c.Username, c.Password = true, pool, s.user, s.pass
			})
			log.Error("Exception on / [GET]")
			m := mails(t, s, 1)
			want := mechs[0] + ", TLS is true"
			if slices.Contains(mechs, "PLAIN") {
				want = "PLAIN, TLS is true"
			}
			if !m[0].tls || !slices.Equal(s.logins, []string{want}) {
				t.Errorf("TLS is %v, logins %q", m[0].tls, s.logins)
			}
			if strings.Contains(out.String(), "app password") {
				t.Error(out)
			}
		})
	}
}

// TLS that is asked for is spoken also where nobody logs in.
func TestTLSWithoutLogin(t *testing.T) {
	cert, pool := certificate(t)
	s := serve(t, func(s *server) { s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}} })
	_, log, _ := mailing(t, realClock{}, s.port, func(c *Config) { c.UseTLS, c.RootCAs = true, pool })
	log.Error("Exception on / [GET]")
	if m := mails(t, s, 1); !m[0].tls {
		t.Error("it came in clear")
	}
}

// SendGrid: the user is called apikey, and the sender is one that it knows.
func TestSendGrid(t *testing.T) {
	cert, pool := certificate(t)
	s := serve(t, func(s *server) {
		s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
		s.auths, s.user, s.pass, s.from = []string{"PLAIN", "LOGIN"}, "apikey", "SG.secret", "blog@example.com"
	})
	cfg, err := ConfigFrom(environ("MAIL_SERVER", "127.0.0.1", "MAIL_PORT", fmt.Sprint(s.port), "MAIL_USE_TLS", "1", "MAIL_USERNAME", "apikey",
		"MAIL_PASSWORD", "SG.secret", "MAIL_FROM", "Microblog <blog@example.com>", "ADMINS", "ann@example.com"), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	cfg.RootCAs = pool
	_, log, _ := mailing(t, realClock{}, s.port, func(c *Config) { cfg.Log = c.Log; *c = cfg })
	log.Error("Exception on / [GET]")
	if m := mails(t, s, 1)[0]; m.Header.Get("From") != `"Microblog" <blog@example.com>` || m.from != "blog@example.com" {
		t.Errorf("%s, %s", m.Header.Get("From"), m.from)
	}
}

// Without TLS a login goes to this machine only.
func TestLoginOnThisMachine(t *testing.T) {
	s := serve(t, func(s *server) {
		s.AllowInsecureAuth, s.auths, s.user, s.pass = true, []string{"PLAIN"}, "u", "p"
	})
	_, log, _ := mailing(t, realClock{}, s.port, func(c *Config) { c.Username, c.Password = "u", "p" })
	log.Error("Exception on / [GET]")
	mails(t, s, 1)
	if !slices.Equal(s.logins, []string{"PLAIN, TLS is false"}) {
		t.Errorf("%q", s.logins)
	}
}

// Whatever is wrong with the server, nothing goes out in clear, the log says why
// without the password, and errors go on being logged.
func TestNothingInClear(t *testing.T) {
	cert, pool := certificate(t)
	for name, c := range map[string]struct {
		server func(*server)
		config func(*Config)
		says   string
	}{
		"no STARTTLS": {nil, func(c *Config) { c.UseTLS, c.RootCAs = true, pool }, "does not support STARTTLS"},
		"a certificate of nobody": {func(s *server) { s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}} },
			func(c *Config) { c.UseTLS = true }, "certificate signed by unknown authority"},
		"a certificate of somebody else": {func(s *server) { s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}} },
			func(c *Config) { c.UseTLS, c.RootCAs, c.Server = true, pool, "localhost" }, "certificate"},
		"a wrong password": {func(s *server) {
			s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
			s.auths, s.user, s.pass = []string{"PLAIN"}, "u", "right"
		}, func(c *Config) { c.UseTLS, c.RootCAs, c.Username, c.Password = true, pool, "u", "hunter2" }, "no such login"},
		"no login": {func(s *server) { s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}} },
			func(c *Config) { c.UseTLS, c.RootCAs, c.Username, c.Password = true, pool, "u", "hunter2" }, "does not support SMTP AUTH"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, c.server)
			_, log, out := mailing(t, realClock{}, s.port, c.config)
			log.Error("Exception on / [GET]")
			logHas(t, out, "level=WARN msg=\"an error could not be mailed\"")
			if got := out.String(); !strings.Contains(got, c.says) || strings.Contains(got, "hunter2") || strings.Count(got, "level=ERROR") != 1 {
				t.Error(got)
			}
			if got := s.got(); len(got) > 0 {
				t.Errorf("%v", got)
			}
		})
	}
}

// What a visitor typed is in no mail, wherever the app puts it.
func TestWhatIsMailed(t *testing.T) {
	s := serve(t, nil)
	_, log, _ := mailing(t, realClock{}, s.port, nil)
	log.With("form", "hunter2").WithGroup("g").With("err", "hunter2").Error("first", "request_id", "hunter2")
	log.Error("second", "password", "hunter2", "cookie", "session=hunter2", slog.Group("request", "err", "hunter2"),
		"err", errors.New("rename: duplicate key\nDetail: Key (username)=(hunter2) already exists."))
	log.Error("third", "err", errors.New(`strconv.Atoi: parsing "hunter2": invalid syntax`))
	log.Error("line\nbreak\x1b[31m", "user_id", "1\nrequest: forged", "stack", "goroutine 1 [running]:\nmain.f()\n\t/a.go:1 +0x1\nrequest: \x1b[31m\r\n")
	for _, m := range mails(t, s, 4) {
		if strings.Contains(m.body, "hunter2") || strings.ContainsAny(m.body, "\x1b\r") {
			t.Error(m.body)
		}
	}
	if body := s.got()[3].body; !strings.HasPrefix(body, `line\nbreak\x1b[31m`+"\n") || !strings.Contains(body, `user: 1\nrequest: forged`+"\n") {
		t.Error(body)
	}
}

func TestFlood(t *testing.T) {
	s := serve(t, nil)
	c := newClock()
	_, log, out := mailing(t, c, s.port, nil)
	slowest := time.Duration(0)
	for i := range 1000 {
		began := time.Now()
		log.Error(fmt.Sprintf("Exception on /user/%d [GET]", i), "err", fmt.Errorf("query user %d: locked", i))
		slowest = max(slowest, time.Since(began))
		c.advance(10 * time.Millisecond)
	}
	mails(t, s, 1)
	log.Error("Exception on / [GET]", "err", errors.New("another"))
	if m := mails(t, s, 2); len(m) != 2 || !strings.Contains(m[1].body, "error: another") {
		t.Fatalf("%d mails, the last: %s", len(m), m[len(m)-1].body)
	}
	c.advance(window)
	if m := mails(t, s, 3); !strings.Contains(m[2].body, "\nand 999 more since 2026-11-22 ") || !strings.HasPrefix(m[2].body, "Exception on /user/0 [GET]\n") {
		t.Errorf("%s", m[2].body)
	}
	// Nothing more happens: nothing more is mailed, and both are forgotten.
	c.advance(window)
	log.Error("Exception on /user/5 [GET]", "err", errors.New("query user 5: locked"))
	if m := mails(t, s, 4); len(m) != 4 || strings.Contains(m[3].body, "more since") {
		t.Errorf("%d mails, the last: %s", len(m), m[len(m)-1].body)
	}
	if n := strings.Count(out.String(), "level=ERROR"); n != 1002 {
		t.Errorf("the log has %d", n)
	}
	t.Logf("the slowest of 1000 took %v", slowest)
}

func TestHourlyCap(t *testing.T) {
	s := serve(t, nil)
	c := newClock()
	_, log, out := mailing(t, c, s.port, nil)
	raise := func(from, to int) {
		for i := from; i < to; i++ {
			log.Error("Exception on / [GET]", "err", errors.New("error "+strings.Repeat("x", i)))
		}
	}
	raise(0, hourly)
	mails(t, s, hourly)
	raise(hourly, hourly+3)
	eventually(t, "three are dropped", func() string { c.advance(time.Second); return out.String() }, func(s string) bool {
		n := 0
		for _, m := range regexp.MustCompile(`msg="errors were not mailed.* count=(\d+)`).FindAllStringSubmatch(s, -1) {
			n += int(m[1][0] - '0')
		}
		return n == 3
	})
	if n := len(s.got()); n != hourly {
		t.Errorf("%d mails", n)
	}
	c.advance(time.Hour)
	raise(hourly+5, hourly+6)
	mails(t, s, hourly+1)
}

// The server is gone, much goes wrong, the server comes back.
func TestServerComesBack(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().(*net.TCPAddr)
	ln.Close()
	c := newClock()
	_, log, out := mailing(t, c, addr.Port, nil)
	for i := range 500 {
		log.Error("Exception on / [GET]", "err", errors.New("error "+strings.Repeat("x", i)))
	}
	logHas(t, out, "connection refused")
	eventually(t, "drops are logged", func() string { c.advance(pause); return out.String() }, func(s string) bool {
		return strings.Contains(s, "errors were not mailed")
	})
	if n := strings.Count(out.String(), "could not be mailed"); n != 1 {
		t.Errorf("the same trouble is told %d times", n)
	}
	ln, err = net.Listen("tcp", addr.String())
	if err != nil {
		t.Skipf("somebody else has the port now: %v", err)
	}
	s := serveOn(t, ln, nil)
	eventually(t, "mails come", func() int { c.advance(pause); return len(s.got()) }, func(n int) bool { return n >= 1 })
	logHas(t, out, "errors are mailed again")
	log.Error("Exception on / [GET]", "err", errors.New("a later one"))
	eventually(t, "the later one comes", func() string {
		c.advance(pause + time.Hour)
		m := s.got()
		return m[len(m)-1].body
	}, func(body string) bool { return strings.Contains(body, "a later one") })
}

// A mail that the server refuses is given up; the next error is tried.
func TestServerRefuses(t *testing.T) {
	s := serve(t, nil)
	c := newClock()
	_, log, out := mailing(t, c, s.port, nil)
	s.failWith(&smtp.SMTPError{Code: 554, Message: "no, ann@example.com"})
	raise := func() { log.Error("Exception on / [GET]", "err", errors.New("the same")) }
	raise()
	logHas(t, out, "could not be mailed")
	s.failWith(&smtp.SMTPError{Code: 451, Message: "later"})
	eventually(t, "the next is tried, and 451 is told", func() string { c.advance(pause); raise(); return out.String() }, func(s string) bool { return strings.Contains(s, "451") })
	s.failWith(nil)
	eventually(t, "it is mailed", func() int { c.advance(pause); return len(s.got()) }, func(n int) bool { return n == 1 })
}

// silent accepts and says nothing.
func silent(t *testing.T) int {
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

func TestSilentServer(t *testing.T) {
	m, log, _ := mailing(t, realClock{}, silent(t), nil)
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
	m, log, _ = mailing(t, realClock{}, silent(t), nil)
	log.Error("Exception on / [GET]")
	began = time.Now()
	if err := m.Close(ctx); err == nil || time.Since(began) > flushFor/2 {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}

// An error just before the end is mailed, and so are the digests.
func TestCloseFlushes(t *testing.T) {
	s := serve(t, nil)
	m, log, out := mailing(t, realClock{}, s.port, nil)
	for i := range 20 {
		log.Error("Exception on / [GET]", "err", errors.New("error "+strings.Repeat("x", i%10)))
	}
	if err := m.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := s.got()
	digests := 0
	for _, m := range got {
		digests += strings.Count(m.body, "\nand 1 more since ")
	}
	if len(got) != 20 || digests != 10 {
		t.Errorf("%d mails, %d digests", len(got), digests)
	}
	log.Error("too late")
	if err := m.Close(t.Context()); err != nil || len(s.got()) != 20 {
		t.Errorf("%v, %d mails", err, len(s.got()))
	}
	if strings.Count(out.String(), "level=ERROR") != 21 || strings.Contains(out.String(), "level=WARN") {
		t.Error(out)
	}
}

// A record costs the request that logs it so much.
func BenchmarkHandle(b *testing.B) {
	m, err := New(Config{Server: "127.0.0.1", Port: 1, Admins: []string{"ann@example.com"}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close(context.Background())
	log, stack := slog.New(m.Handler()), string(debug.Stack())
	for i := 0; b.Loop(); i++ {
		log.Error("Exception on /edit_profile [POST]", "request_id", i, "user_id", 1, "stack", stack,
			"err", errors.New(`update user: ERROR: duplicate key value violates unique constraint "ix_user_username" (SQLSTATE 23505)`))
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

func TestFingerprint(t *testing.T) {
	stack := func(line string) string {
		return "goroutine 7 [running]:\nruntime/debug.Stack()\n\t/usr/local/go/src/runtime/debug/stack.go:26 +0x5e\nmain.recovered({0x1, 0x2})\n\t/app/errors.go:30 +0x1\n" +
			"panic({0x7, 0x8})\n\t/usr/local/go/src/runtime/panic.go:787 +0x132\nruntime.panicmem(...)\n\t/usr/local/go/src/runtime/panic.go:262\n" +
			"main.(*app).index(0xc00001)\n\t/app/handlers.go:" + line + " +0x1d\nmain.main()\n\t/app/main.go:9 +0x1\n"
	}
	if got := site(stack("15")); got != "/app/handlers.go:15" {
		t.Errorf("site %s", got)
	}
	if got := site(string(debug.Stack())); !strings.Contains(got, "/errormail/mailer_test.go:") {
		t.Errorf("site %s", got)
	}
	a := report{message: "Exception on /user/a [GET]", err: "index out of range [5] with length 3", stack: stack("15")}
	for name, c := range map[string]struct {
		b    report
		same bool
	}{
		"another request and other numbers": {report{message: "Exception on / [POST]", err: "index out of range [7] with length 0", stack: stack("15"), requestID: "x"}, true},
		"another line":                      {report{message: a.message, err: a.err, stack: stack("16")}, false},
		"another error":                     {report{message: a.message, err: "nil map", stack: a.stack}, false},
	} {
		if same := a.fingerprint() == c.b.fingerprint(); same != c.same {
			t.Errorf("%s: %s and %s", name, a.fingerprint(), c.b.fingerprint())
		}
	}
}
