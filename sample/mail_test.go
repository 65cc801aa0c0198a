package main

import (
	"fmt"
	"net/mail"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"devrun/devserver/suite"
	"devrun/sample/internal/mailtest"
)

// mailTo is the environment that mails errors to a server on this machine.
func mailTo(port int, more ...string) []string {
	return append([]string{"MICROBLOG_BUG=username", "MAIL_SERVER=127.0.0.1", fmt.Sprint("MAIL_PORT=", port), "ADMINS=ann@example.com,bob@example.com"}, more...)
}

// received waits until the server has n mails, and returns all that it has.
func received(t *testing.T, m *mailtest.Server, n int) []mailtest.Mail {
	t.Helper()
	suite.Until(t, fmt.Sprintf("%d mails", n), func() error {
		if got := m.Got(); len(got) < n {
			return fmt.Errorf("there are %d", len(got))
		}
		return nil
	})
	return m.Got()
}

// failing registers susan and john and returns what fails with the chapter's bug.
func (s *server) failing(t *testing.T) (fail func()) {
	t.Helper()
	susan, _ := s.as(t, "susan"), s.as(t, "john")
	return func() {
		t.Helper()
		if a := susan.post("/edit_profile", "username", "john", "about_me", "secret text"); a.StatusCode != 500 || !a.shows("The administrator has been notified.") {
			t.Errorf("%v", a)
		}
	}
}

// One failure is one mail to all administrators, which says what happened and
// nothing of the visitor.
func TestErrorMail(t *testing.T) {
	onOne(t, func(t *testing.T, db database) {
		m := mailtest.Serve(t, nil)
		s := start(t, db, mailTo(m.Port)...)
		fail := s.failing(t)
		newVisitor(t, s.url).get("/nope")
		fail()
		got := received(t, m, 1)[0]
		if got.From != "no-reply@127.0.0.1" || !slices.Equal(got.To, []string{"ann@example.com", "bob@example.com"}) ||
			got.Header.Get("Subject") != "Microblog Failure" || got.Header.Get("To") != "<ann@example.com>, <bob@example.com>" {
			t.Errorf("from %s to %s, %v", got.From, got.To, got.Header)
		}
		if d, err := mail.ParseDate(got.Header.Get("Date")); err != nil || time.Since(d).Abs() > 2*time.Minute {
			t.Errorf("date %v, %v", d, err)
		}
		for _, want := range []string{
			`^Exception on /edit_profile \[POST\]\n\n`, `(?m)^request: [A-Z2-7]{26}$`, `(?m)^user: \d+$`,
			`(?m)^error: the username is taken: .*(UNIQUE constraint failed: user.username|"ix_user_username")`,
			`(?m)^main\.\(\*app\)\.editProfile\(.*\n\t.*/profile\.go:\d+ `,
		} {
			if err := matches(got.Text, want); err != nil {
				t.Error(err)
			}
		}
		if private := regexp.MustCompile(`secret text|argon2|session=|john|susan`).FindString(got.Text); private != "" {
			t.Errorf("the mail has %q:\n%s", private, got.Text)
		}
		_, rest, _ := strings.Cut(got.Text, "request: ")
		if id, _, _ := strings.Cut(rest, "\n"); !strings.Contains(s.logged(), "request_id="+id) {
			t.Errorf("the log does not have the request %s of the mail", id)
		}
		s.stop(s.cmd, s.done)
		if n := len(m.Got()); n != 1 {
			t.Errorf("%d mails", n)
		}
	})
}

// In development nobody is mailed, and a broken setting of mail is none of its
// business.
func TestNoMailInDevelopment(t *testing.T) {
	onOne(t, func(t *testing.T, db database) {
		m := mailtest.Serve(t, nil)
		s := start(t, db, mailTo(m.Port, "APP_ENV=development", "MAIL_USE_TLS=perhaps")...)
		susan, _ := s.as(t, "susan"), s.as(t, "john")
		if a, err := susan.try("POST", "/edit_profile", form("username", "john")); err == nil {
			t.Errorf("an answer: %v", a)
		}
		s.stop(s.cmd, s.done)
		if got := m.Got(); len(got) > 0 {
			t.Errorf("%v", got)
		}
	})
}

// An error just before the end is mailed.
func TestMailAtTheEnd(t *testing.T) {
	onOne(t, func(t *testing.T, db database) {
		m := mailtest.Serve(t, nil)
		s := start(t, db, mailTo(m.Port)...)
		fail := s.failing(t)
		fail()
		fail()
		s.stop(s.cmd, s.done)
		if got := m.Got(); len(got) != 2 || !strings.Contains(got[1].Text, "\nand 1 more since ") {
			t.Errorf("%d mails, %v", len(got), got)
		}
	})
}

// The settings may be in a file; the environment has the last word, and what is
// wrong stops the start with its place.
func TestMailFile(t *testing.T) {
	onOne(t, func(t *testing.T, db database) {
		m := mailtest.Serve(t, nil)
		s := &server{t: t, dir: t.TempDir(), db: db, command: []string{binary}}
		write := func(text string, mode os.FileMode) {
			t.Helper()
			if err := os.WriteFile(filepath.Join(s.dir, "email.json"), []byte(text), mode); err != nil {
				t.Fatal(err)
			}
		}
		write(fmt.Sprintf(`{"MAIL_SERVER": "127.0.0.1", "MAIL_PORT": %d, "ADMINS": ["carol@example.com"]}`, m.Port), 0o600)
		s.run([]string{"MICROBLOG_BUG=username"})
		s.failing(t)()
		if got := received(t, m, 1)[0]; !slices.Equal(got.To, []string{"carol@example.com"}) || strings.Contains(s.log.String(), "email.json") {
			t.Errorf("to %s\n%s", got.To, s.log)
		}
		s.stop(s.cmd, s.done)

		if err := os.Chmod(filepath.Join(s.dir, "email.json"), 0o644); err != nil {
			t.Fatal(err)
		}
		s.db = another(t, db)
		s.run([]string{"MICROBLOG_BUG=username", "ADMINS=dave@example.com"})
		s.failing(t)()
		if got := received(t, m, 2)[1]; !slices.Equal(got.To, []string{"dave@example.com"}) {
			t.Errorf("to %s", got.To)
		}
		if err := matches(s.log.String(), ` WARNING: email.json may hold a password and others on this machine can read it: chmod 600 `); err != nil {
			t.Error(err)
		}
		s.stop(s.cmd, s.done)

		write("{\n\"MAIL_SERVER\": \"127.0.0.1\",\n\"MAIL_PORT\": \"abc\"}", 0o600)
		s.launch(nil)
		<-s.done
		if want := "microblog: email.json line 3: MAIL_PORT is \"abc\"; it is a number from 1 to 65535\n"; s.log.String() != want || s.cmd.ProcessState.ExitCode() != 1 {
			t.Errorf("%v: %s", s.cmd.ProcessState, s.log)
		}
	})
}
