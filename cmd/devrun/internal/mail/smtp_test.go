//go:build linux

// Package mail tests what becomes of the mail that an app sends.
package mail

import (
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
)

func TestMain(m *testing.M) { e2e.Main(m) }

// python runs a script with the port as its argument and returns what it prints.
func python(t *testing.T, script, port string) string {
	t.Helper()
	path, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("NOT TESTED with Python's smtplib and SMTPHandler: there is no python3")
	}
	out, err := exec.Command(path, "-c", script, port).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

// The chapter's own code: an SMTPHandler that mails an error.
const errorHandler = `
import logging, logging.handlers, sys
log = logging.getLogger("app")
log.addHandler(logging.handlers.SMTPHandler(
    mailhost=("127.0.0.1", int(sys.argv[1])), fromaddr="no-reply@127.0.0.1",
    toaddrs=["ann@example.com", "bob@example.com"], subject="Microblog Failure", credentials=%s, secure=%s))
try:
    1 / 0
except ZeroDivisionError:
    log.exception("Exception on /edit_profile [POST]")
`

// frame is the mail of errorHandler as devrun smtp prints it.
var frame = regexp.MustCompile(`^---------- MESSAGE FOLLOWS ----------
mail options: \['SIZE=\d+'\]
b'From: no-reply@127\.0\.0\.1'
b'To: ann@example\.com,bob@example\.com'
b'Subject: Microblog Failure'
b'Date: .+'
b'Content-Type: text/plain; charset="utf-8"'
b'Content-Transfer-Encoding: \S+'
b'MIME-Version: 1\.0'
b'X-Peer: 127\.0\.0\.1'
b''
b'Exception on /edit_profile \[POST\]'
b'Traceback \(most recent call last\):'
(?:b.+
)+b'ZeroDivisionError: division by zero'
------------ END MESSAGE ------------
$`)

// devrun smtp takes a mail of Python's SMTPHandler, with login and STARTTLS, and
// prints it as Python's own server does.
func TestPythonsErrorHandler(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args                []string
		credentials, secure string
	}{
		"plain":              {nil, "None", "None"},
		"login":              {[]string{"--require-auth", "ann:pass:word"}, `("ann", "pass:word")`, "None"},
		"STARTTLS and login": {[]string{"--starttls", "--require-auth", "ann:pass:word"}, `("ann", "pass:word")`, "()"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			port, printed := e2e.SMTP(t, c.args...)
			if out := python(t, fmt.Sprintf(errorHandler, c.credentials, c.secure), port); !strings.HasPrefix(out, "Exception on") && out != "" {
				t.Errorf("python says %s", out)
			}
			suite.Until(t, "the mail is printed", func() error {
				if out := printed.String(); !frame.MatchString(out) {
					return fmt.Errorf("%s", out)
				}
				return nil
			})
		})
	}
}

// Each trouble that devrun smtp rehearses is met by Python's smtplib as that of a
// real server.
func TestLongTroublesAsPythonMeetsThem(t *testing.T) {
	suite.Long(t)
	t.Parallel()
	const send = `
import smtplib, sys, time
began = time.time()
try:
    s = smtplib.SMTP("127.0.0.1", int(sys.argv[1]), timeout=%s)
    %s
    s.sendmail("a@example.com", ["b@example.com"], "Subject: x\r\n\r\nhello\r\n")
    print("sent", s.quit()[0], round(time.time() - began, 1) >= 0.3)
except smtplib.SMTPResponseException as e:
    print(type(e).__name__, e.smtp_code)
except Exception as e:
    print(type(e).__name__)
`
	for name, c := range map[string]struct {
		args            []string
		timeout, before string
		want            string
	}{
		"451":          {[]string{"--fail", "451"}, "30", "pass", "SMTPDataError 451"},
		"554":          {[]string{"--fail=554"}, "30", "pass", "SMTPDataError 554"},
		"late":         {[]string{"--delay", "300ms"}, "30", "pass", "sent 221 True"},
		"too late":     {[]string{"--delay", "1h"}, "0.5", "pass", "SMTPServerDisconnected"},
		"no login":     {[]string{"--require-auth", "u:p"}, "30", "pass", "SMTPSenderRefused 530"},
		"wrong login":  {[]string{"--require-auth", "u:p"}, "30", `s.login("u", "q")`, "SMTPAuthenticationError 535"},
		"no TLS":       {[]string{"--starttls", "--require-auth", "u:p"}, "30", `s.login("u", "p")`, "SMTPNotSupportedError"},
		"no STARTTLS":  {nil, "30", `s.starttls()`, "SMTPNotSupportedError"},
		"verified TLS": {[]string{"--starttls"}, "30", `import ssl; s.starttls(context=ssl.create_default_context())`, "SSLCertVerificationError"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			port, printed := e2e.SMTP(t, c.args...)
			if got := strings.TrimSpace(python(t, fmt.Sprintf(send, c.timeout, c.before), port)); got != c.want {
				t.Errorf("python says %q, want %q", got, c.want)
			}
			if taken := printed.String() != ""; taken != strings.HasPrefix(c.want, "sent") {
				t.Errorf("printed is %q", printed.String())
			}
		})
	}
}

// A wrong flag of devrun smtp is told in one sentence, and the help has all of them.
func TestUsage(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ args, says string }{
		{"--fail 200", "it must be a status from 400 to 599, as in 451 or 554"},
		{"--delay 10", "it must be a duration, as in 3s or 500ms"},
		{"--require-auth ann", "it must be user:password"},
		{"--addr 8025", "it must be host:port, as in localhost:8025"},
		{"extra", `takes flags only, not "extra"`},
		{"--addr 192.0.2.1:25", "listen on 192.0.2.1:25 for mail: "},
	} {
		out, err := exec.Command(e2e.Binary(t), append([]string{"smtp"}, strings.Fields(c.args)...)...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), c.says) || !strings.HasPrefix(string(out), "devrun: ") {
			t.Errorf("%s: %v, %s", c.args, err, out)
		}
	}
	out, err := exec.Command(e2e.Binary(t), "smtp", "--help").Output()
	for _, flag := range []string{"--addr", "--fail", "--delay", "--require-auth", "--starttls"} {
		if err != nil || !strings.Contains(string(out), flag+" ") {
			t.Errorf("%v, no %s in %s", err, flag, out)
		}
	}
}
