package main

import (
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-smtp"

	"devrun/devserver/suite"
	"devrun/sample/internal/mailtest"
)

// Mail goes out to the servers that the README names, as far as microblog can tell,
// and not where it would be read on the way.
func TestMailLogin(t *testing.T) {
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		t.Skip("NOT TESTED: the certificate of a test is known by SSL_CERT_FILE, which does not count here")
	}
	onOne(t, func(t *testing.T, db database) {
		authority := func() (tls.Certificate, string) {
			cert, _ := mailtest.Certificate(t)
			path := filepath.Join(t.TempDir(), "ca.pem")
			if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}), 0o600); err != nil {
				t.Fatal(err)
			}
			return cert, path
		}
		cert, known := authority()
		_, stranger := authority()
		withTLS := func(m *mailtest.Server) { m.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}} }
		withLogin := func(user, password string) func(*mailtest.Server) {
			return func(m *mailtest.Server) {
				withTLS(m)
				m.Auths, m.User, m.Password = []string{"LOGIN", "PLAIN"}, user, password
			}
		}
		for _, c := range []struct {
			name   string
			server func(*mailtest.Server)
			env    []string
			logins []string // none: it is not even tried
			fails  string   // what the log says; "" for a mail that arrives
		}{
			{"Gmail", withLogin("ann@gmail.com", "app hunter2"),
				[]string{"MAIL_USE_TLS=1", "MAIL_USERNAME=ann@gmail.com", "MAIL_PASSWORD=app hunter2"}, []string{"PLAIN, TLS is true"}, ""},
			{"SendGrid", func(m *mailtest.Server) { withLogin("apikey", "SG.hunter2")(m); m.From = "blog@example.com" },
				[]string{"MAIL_USE_TLS=1", "MAIL_USERNAME=apikey", "MAIL_PASSWORD=SG.hunter2", "MAIL_FROM=blog@example.com"}, []string{"PLAIN, TLS is true"}, ""},
			{"SendGrid without MAIL_FROM", func(m *mailtest.Server) { withLogin("apikey", "SG.hunter2")(m); m.From = "blog@example.com" },
				[]string{"MAIL_USE_TLS=1", "MAIL_USERNAME=apikey", "MAIL_PASSWORD=SG.hunter2"}, []string{"PLAIN, TLS is true"}, "does not match a verified Sender Identity"},
			{"TLS without a login", withTLS, []string{"MAIL_USE_TLS=1"}, nil, ""},
			{"no STARTTLS", func(m *mailtest.Server) { m.Auths = []string{"PLAIN"} },
				[]string{"MAIL_USE_TLS=1", "MAIL_USERNAME=ann", "MAIL_PASSWORD=hunter2"}, nil, "does not support STARTTLS"},
			{"a certificate of nobody", withLogin("ann", "hunter2"),
				[]string{"MAIL_USE_TLS=1", "MAIL_USERNAME=ann", "MAIL_PASSWORD=hunter2", "SSL_CERT_FILE=" + stranger}, nil, "certificate signed by unknown authority"},
			{"a wrong password", withLogin("ann", "right"),
				[]string{"MAIL_USE_TLS=1", "MAIL_USERNAME=ann", "MAIL_PASSWORD=hunter2"}, []string{"PLAIN, TLS is true"}, "no such login"},
			{"451", func(m *mailtest.Server) { m.FailWith(&smtp.SMTPError{Code: 451, Message: "later"}) }, nil, nil, "451"},
		} {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				m := mailtest.Serve(t, c.server)
				s := start(t, another(t, db), mailTo(m.Port, append([]string{"SSL_CERT_FILE=" + known}, c.env...)...)...)
				s.failing(t)()
				if c.fails == "" {
					if got := received(t, m, 1)[0]; got.TLS != (c.server != nil) {
						t.Errorf("TLS is %v", got.TLS)
					}
				} else {
					suite.Until(t, "the trouble is logged", func() error {
						return matches(s.log.String(), fmt.Sprintf(`(?m)^.* WARNING: an error could not be mailed reason=".*%s.*\]$`, c.fails))
					})
					if got := m.Got(); len(got) > 0 {
						t.Errorf("%v", got)
					}
				}
				if got := m.Logins(); !slices.Equal(got, c.logins) {
					t.Errorf("logins %q", got)
				}
				if strings.Contains(s.log.String(), "hunter2") || strings.Contains(s.logged(), "hunter2") {
					t.Errorf("the log has the password:\n%s", s.log)
				}
			})
		}
	})
}
