package errormail

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/mail"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"devrun/sample/internal/mailtest"
)

func TestPlainRelay(t *testing.T) {
	s := mailtest.Serve(t, nil)
	_, log, _ := mailing(t, realClock{}, s.Port, nil)
	log.Info("no mail")
	log.Warn("no mail", "err", errors.New("x"))
	log.With("request_id", "7f3a").Error("Exception on /edit_profile [POST]", "user_id", 1, "stack", debug.Stack(),
		"err", fmt.Errorf("update user: %w", errors.New(`ERROR: duplicate key value violates unique constraint "ix_user_username" (SQLSTATE 23505)`)))
	m := mails(t, s, 1)[0]
	if m.From != "no-reply@127.0.0.1" || !slices.Equal(m.To, []string{"ann@example.com", "bob@example.com"}) || m.TLS {
		t.Errorf("from %s to %s, TLS is %v", m.From, m.To, m.TLS)
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
		`(?m)^goroutine \d+ \[running\]:$`, `(?m)^\t\S+send_test.go:\d+ \+0x`, `(?m)^time: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d$`,
	} {
		if !regexp.MustCompile(want).MatchString(m.Text) {
			t.Errorf("%s is not in\n%s", want, m.Text)
		}
	}
}

// Gmail: STARTTLS, and a login only over it.
func TestLogin(t *testing.T) {
	for _, mechs := range [][]string{{"PLAIN"}, {"LOGIN"}, {"LOGIN", "PLAIN", "XOAUTH2"}} {
		t.Run(strings.Join(mechs, " "), func(t *testing.T) {
			cert, pool := mailtest.Certificate(t)
			s := mailtest.Serve(t, func(s *mailtest.Server) {
				s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
				s.Auths, s.User, s.Password = mechs, "ann@gmail.com", "app password"
			})
			_, log, out := mailing(t, realClock{}, s.Port, func(c *Config) {
				c.UseTLS, c.RootCAs, c.Username, c.Password = true, pool, s.User, s.Password
			})
			log.Error("Exception on / [GET]")
			m := mails(t, s, 1)
			want := mechs[0] + ", TLS is true"
			if slices.Contains(mechs, "PLAIN") {
				want = "PLAIN, TLS is true"
			}
			if !m[0].TLS || !slices.Equal(s.Logins(), []string{want}) {
				t.Errorf("TLS is %v, logins %q", m[0].TLS, s.Logins())
			}
			if strings.Contains(out.String(), "app password") {
				t.Error(out)
			}
		})
	}
}

// TLS that is asked for is spoken also where nobody logs in.
func TestTLSWithoutLogin(t *testing.T) {
	cert, pool := mailtest.Certificate(t)
	s := mailtest.Serve(t, func(s *mailtest.Server) { s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}} })
	_, log, _ := mailing(t, realClock{}, s.Port, func(c *Config) { c.UseTLS, c.RootCAs = true, pool })
	log.Error("Exception on / [GET]")
	if m := mails(t, s, 1); !m[0].TLS {
		t.Error("it came in clear")
	}
}

// SendGrid: the user is called apikey, and the sender is one that it knows.
func TestSendGrid(t *testing.T) {
	cert, pool := mailtest.Certificate(t)
	s := mailtest.Serve(t, func(s *mailtest.Server) {
		s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
		s.Auths, s.User, s.Password, s.From = []string{"PLAIN", "LOGIN"}, "apikey", "SG.secret", "blog@example.com"
	})
	cfg, err := ConfigFrom(environ("MAIL_SERVER", "127.0.0.1", "MAIL_PORT", fmt.Sprint(s.Port), "MAIL_USE_TLS", "1", "MAIL_USERNAME", "apikey",
		"MAIL_PASSWORD", "SG.secret", "MAIL_FROM", "Microblog <blog@example.com>", "ADMINS", "ann@example.com"), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	cfg.RootCAs = pool
	_, log, _ := mailing(t, realClock{}, s.Port, func(c *Config) { cfg.Log = c.Log; *c = cfg })
	log.Error("Exception on / [GET]")
	if m := mails(t, s, 1)[0]; m.Header.Get("From") != `"Microblog" <blog@example.com>` || m.From != "blog@example.com" {
		t.Errorf("%s, %s", m.Header.Get("From"), m.From)
	}
}

// Without TLS a login goes to this machine only.
func TestLoginOnThisMachine(t *testing.T) {
	s := mailtest.Serve(t, func(s *mailtest.Server) {
		s.AllowInsecureAuth, s.Auths, s.User, s.Password = true, []string{"PLAIN"}, "u", "p"
	})
	_, log, _ := mailing(t, realClock{}, s.Port, func(c *Config) { c.Username, c.Password = "u", "p" })
	log.Error("Exception on / [GET]")
	mails(t, s, 1)
	if !slices.Equal(s.Logins(), []string{"PLAIN, TLS is false"}) {
		t.Errorf("%q", s.Logins())
	}
}

// Whatever is wrong with the server, nothing goes out in clear, the log says why
// without the password, and errors go on being logged.
func TestNothingInClear(t *testing.T) {
	cert, pool := mailtest.Certificate(t)
	for name, c := range map[string]struct {
		server func(*mailtest.Server)
		config func(*Config)
		says   string
	}{
		"no STARTTLS": {nil, func(c *Config) { c.UseTLS, c.RootCAs = true, pool }, "does not support STARTTLS"},
		"a certificate of nobody": {func(s *mailtest.Server) { s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}} },
			func(c *Config) { c.UseTLS = true }, "certificate signed by unknown authority"},
		"a certificate of somebody else": {func(s *mailtest.Server) { s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}} },
			func(c *Config) { c.UseTLS, c.RootCAs, c.Server = true, pool, "localhost" }, "certificate"},
		"a wrong password": {func(s *mailtest.Server) {
			s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
			s.Auths, s.User, s.Password = []string{"PLAIN"}, "u", "right"
		}, func(c *Config) { c.UseTLS, c.RootCAs, c.Username, c.Password = true, pool, "u", "hunter2" }, "no such login"},
		"no login": {func(s *mailtest.Server) { s.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}} },
			func(c *Config) { c.UseTLS, c.RootCAs, c.Username, c.Password = true, pool, "u", "hunter2" }, "does not support SMTP AUTH"},
	} {
		t.Run(name, func(t *testing.T) {
			s := mailtest.Serve(t, c.server)
			_, log, out := mailing(t, realClock{}, s.Port, c.config)
			log.Error("Exception on / [GET]")
			logHas(t, out, "level=WARN msg=\"an error could not be mailed\"")
			if got := out.String(); !strings.Contains(got, c.says) || strings.Contains(got, "hunter2") || strings.Count(got, "level=ERROR") != 1 {
				t.Error(got)
			}
			if got := s.Got(); len(got) > 0 {
				t.Errorf("%v", got)
			}
		})
	}
}
