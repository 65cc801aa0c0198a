//go:build linux

// Package microblog walks through the sample in a browser, under devrun.
package microblog

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
	"devrun/devserver/suite/chrome"
)

func TestMain(m *testing.M) { e2e.Main(m) }

// A person who uses microblog, from registration to the failure, meets devrun's page
// in development and nothing else.
func TestBrowser(t *testing.T) { walkIn(t, "development") }

// In production the failure is the app's own page, a mail and a record in the log.
func TestLongBrowser(t *testing.T) { suite.Long(t); walkIn(t, "production") }

// walkIn is the chapter as a person sees it, from registration to the failure: in
// development that is devrun's page and nothing else, in production the app's, a mail
// and the log.
func walkIn(t *testing.T, env string) {
	t.Parallel()
	b := chrome.Start(t)
	r := ofSample(t)
	port, printed := e2e.SMTP(t)
	r.Env = append(r.Env, "APP_ENV="+env, "SECRET_KEY=walk", "MICROBLOG_BUG=username", "DATABASE_URL=sqlite:///walk.db",
		"MAIL_SERVER=127.0.0.1", "MAIL_PORT="+port, "ADMINS=ann@example.com,bob@example.com")
	r.LaunchWith(func(c *exec.Cmd) {
		if env == "production" {
			c.Env = slices.DeleteFunc(c.Env, func(e string) bool { return e == "APP_ENV=development" })
		}
	}, "./sample")
	suite.Until(t, "microblog answers", func() error {
		_, _, err := e2e.Ask("GET", r.URL("/login"), nil)
		return err
	})
	walk(t, e2e.NewTab(t, b, r.URL("/")), env)
	if env == "development" {
		if _, err := os.Stat(filepath.Join(r.Dir, "logs")); !errors.Is(err, fs.ErrNotExist) || printed.String() != "" {
			t.Errorf("development has a log file (%v) and mails %q", err, printed.String())
		}
		return
	}
	suite.Until(t, "the failure is mailed", func() error {
		// Of quoted-printable only the breaks of long lines matter here.
		if text := strings.ReplaceAll(printed.String(), "='\nb'", ""); !failureMail.MatchString(text) {
			return fmt.Errorf("%s", text)
		}
		return nil
	})
	if log := r.Read("logs/microblog.log"); !failureRecord.MatchString(log) {
		t.Errorf("the log is\n%s", log)
	}
}

// failureMail is all that devrun smtp prints of the failure.
var failureMail = regexp.MustCompile(`^---------- MESSAGE FOLLOWS ----------
(?:mail options: .+
)?(?:b'(?:From: <no-reply@127\.0\.0\.1>|To: <ann@example\.com>, <bob@example\.com>|Subject: Microblog Failure|Date: .+|[\w-]+: .+)'
)+b'X-Peer: 127\.0\.0\.1'
b''
b'Exception on /edit_profile \[POST\]'
(?s:.+UNIQUE constraint failed: user\.username.+editProfile.+profile\.go.+)
------------ END MESSAGE ------------
$`)

var failureRecord = regexp.MustCompile(`(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ERROR: Exception on /edit_profile \[POST\] .*UNIQUE constraint failed: user\.username.* \[in .+errors\.go:\d+\]
  goroutine `)

func walk(t *testing.T, p *e2e.Tab, env string) {
	shots := cmp.Or(os.Getenv("DEVRUN_SHOTS"), t.TempDir())
	shoot := func(name string) {
		p.Shoot(filepath.Join(shots, "microblog-"+env+"-"+name+".png"), 1100, 800)
		p.Shoot(filepath.Join(shots, "microblog-"+env+"-"+name+"-phone.png"), 390, 800)
		p.Act(chromedp.EmulateViewport(1100, 800))
	}
	submit := func() { p.Act(chromedp.Click(`#submit`)) }
	const heading = `document.querySelector("h1").innerText`

	p.Becomes(e2e.BodyText, `(?s)Please log in to access this page\..*Sign In`)
	for _, name := range []string{"john", "susan"} {
		p.Act(chromedp.Click(`a[href="/register"]`))
		p.Becomes(heading, `^Register$`)
		p.Type(`#username`, name)
		p.Type(`#email`, name+"@example.com")
		p.Type(`#password`, "cat")
		p.Type(`#password2`, "dog")
		submit()
		p.Becomes(e2e.BodyText, `\[Field must be equal to password\.\]`)
		shoot("register")
		p.Type(`#password`, "cat")
		p.Type(`#password2`, "cat")
		submit()
		p.Becomes(e2e.BodyText, `Congratulations, you are now a registered user!`)
	}
	p.Type(`#username`, "susan")
	p.Type(`#password`, "cat")
	submit()
	p.Becomes(heading, `^Hi, susan!$`)
	p.Type(`#post`, "The Avengers movie was so cool!")
	submit()
	p.Becomes(e2e.BodyText, `(?s)Your post is now live!.*susan says:.*The Avengers movie was so cool!`)
	shoot("home")
	p.Act(chromedp.Click(`a[href="/user/susan"]`))
	p.Becomes(e2e.BodyText, `(?s)User: susan.*Last seen on: .*The Avengers movie was so cool!`)
	shoot("profile")
	p.Act(chromedp.Click(`a[href="/edit_profile"]`))
	p.Becomes(heading, `^Edit Profile$`)
	p.Type(`#about_me`, "I write about films.")
	submit()
	p.Becomes(e2e.BodyText, `Your changes have been saved\.`)
	p.Do(`document.querySelector("#username").value = "john"`)
	submit()
	if env == "production" {
		p.Becomes(e2e.BodyText, `(?s)An unexpected error has occurred.*The administrator has been notified\. Sorry for the inconvenience!.*Back`)
	} else {
		p.Becomes(e2e.BodyText, `(?s)UNIQUE constraint failed: user\.username.*editProfile.*profile\.go:\d+`)
	}
	shoot("failure")
	for _, said := range p.Said() { // a refused script or style would be here
		if !strings.Contains(said, "https://www.gravatar.com/") && !strings.Contains(said, "status of 500") {
			t.Errorf("the browser's console: %s", said)
		}
	}
}
