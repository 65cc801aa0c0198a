//go:build linux

package mail

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
)

func mailer(t *testing.T) *e2e.Rig {
	t.Helper()
	return e2e.NewOf(t, "notify", e2e.Path(t, "cmd/devrun/internal/mail/testdata/mailer"))
}

func console(t *testing.T, r *e2e.Rig) string {
	t.Helper()
	return strings.TrimPrefix(r.Says(`^devrun: overview http://127\.0\.0\.1:\d+`), "devrun: overview ")
}

// send has the app mail a text.
func send(t *testing.T, r *e2e.Rig, text string) {
	t.Helper()
	resp, body, err := e2e.Ask("POST", r.URL("/mail"), strings.NewReader(strings.ReplaceAll(text, "\n", "\r\n")))
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("%v %s %v", resp, body, err)
	}
}

// listed is the mailbox in the form for programs.
type listed struct {
	Kind, SMTP string
	Unread     int
	Mails      []struct {
		ID, URL, Subject, From, Begins string
		Unread                         bool
	}
}

func list(t *testing.T, own string) (l listed) {
	t.Helper()
	get(t, own+"/mail/", &l)
	return l
}

func get(t *testing.T, url string, into any) {
	t.Helper()
	resp, body, err := e2e.Ask("GET", url, nil, "Accept", "application/json")
	if err == nil {
		err = json.Unmarshal([]byte(body), into)
	}
	if err != nil {
		t.Fatalf("GET %s: %v %v: %s", url, resp, err, body)
	}
}

const full = `From: =?utf-8?q?J=C3=BCrgen?= <j@example.test>
To: susan@example.test
Subject: <script>alert(1)</script> & more
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=out

--out
Content-Type: multipart/alternative; boundary=alt

--alt
Content-Type: text/plain; charset=utf-8

Exception on / [GET]
MAIN:12 +0x1d
see http://example.test/reset?a=1.
<script>parent.hacked = true</script>
--alt
Content-Type: text/html; charset=utf-8

<h1>Hello</h1><script>parent.hacked = true; fetch("http://localhost:1/script")</script>
<img id=logo src="cid:logo@x"><img src="http://localhost:1/image" onerror="parent.hacked = true">
<link rel="stylesheet" href="http://localhost:1/style"><link rel="prefetch" href="http://localhost:1/prefetch">
<form action="http://localhost:1/form"><button>b</button></form><iframe src="http://localhost:1/frame"></iframe>
<meta http-equiv="refresh" content="0;url=http://localhost:1/refresh"><a id=away href="http://localhost:1/link">away</a>
<style>#away { position: fixed; inset: 0 } h1 { color: rgb(1, 2, 3); background: url(http://localhost:1/background) }</style>
--alt--
--out
Content-Type: image/png
Content-ID: <logo@x>
Content-Transfer-Encoding: base64

iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==
--out
Content-Type: text/html
Content-Disposition: attachment; filename="../evil.html"

<script>alert(1)</script>
--out--
`

// A mail that the app sends is kept, told in the terminal and shown in all its forms,
// without its scripts and remote images.
func TestMailbox(t *testing.T) {
	t.Parallel()
	r := mailer(t).Start("--smtp")
	own := console(t, r)
	at := strings.TrimSuffix(strings.TrimPrefix(r.Says(`^devrun: mail to localhost:\d+ is kept, not sent`), "devrun: mail to "), " is kept, not sent")
	r.Answers("/env", strings.Replace(at, ":", " ", 1))
	if l := list(t, own); l.Kind != "mails" || l.SMTP != at || len(l.Mails) != 0 {
		t.Fatalf("%+v", l)
	}

	main := filepath.Join(r.Dir, "main.go")
	send(t, r, "Subject: first\x1b[31m\n\nhello\n")
	r.Says(`^devrun: 1 new mail: first\^\[\[31m, ` + regexp.QuoteMeta(own) + `/mail/\w+$`)
	send(t, r, strings.Replace(full, "MAIN", main, 1))
	r.Says(`^devrun: 1 new mails?`)
	l := list(t, own)
	if len(l.Mails) != 2 || l.Unread != 2 || l.Mails[0].Subject != "<script>alert(1)</script> & more" || l.Mails[0].From != "Jürgen <j@example.test>" ||
		l.Mails[0].Begins != "Exception on / [GET]" || l.Mails[1].Begins != "hello" || !l.Mails[1].Unread {
		t.Fatalf("%+v", l)
	}

	// One mail in its forms.
	url := own + l.Mails[0].URL
	var m struct {
		Kind        string
		To          []string `json:"envelope_to"`
		HTML, Text  string
		Headers     []struct{ Name, Value string }
		Attachments []struct {
			Name, Type, URL string
			Size            int
		}
		Raw string `json:"raw_url"`
	}
	get(t, url, &m)
	if m.Kind != "mail" || len(m.To) != 2 || len(m.Headers) != 5 || len(m.Attachments) != 2 || !strings.HasPrefix(m.HTML, "<h1>Hello") {
		t.Errorf("%+v", m)
	}
	if l := list(t, own); l.Unread != 1 || l.Mails[0].Unread {
		t.Errorf("read mail is not: %+v", l)
	}
	for _, c := range []struct{ path, kind, disposition, has string }{
		{m.Raw, "message/rfc822", `^attachment; filename=\w+\.eml$`, "\r\n--alt--\r\n"},
		{m.Attachments[1].URL, "application/octet-stream", `^attachment; filename=_evil\.html$`, "<script>alert(1)</script>"},
		{l.Mails[0].URL + "/body", "text/html; charset=utf-8", `^$`, `<img id=logo src="data:image/png;base64,iVBORw0`},
	} {
		resp, body, err := e2e.Ask("GET", own+c.path, nil)
		if err != nil || resp.StatusCode != 200 || resp.Header.Get("Content-Type") != c.kind || !regexp.MustCompile(c.disposition).MatchString(resp.Header.Get("Content-Disposition")) ||
			!strings.Contains(body, c.has) || !strings.Contains(resp.Header.Get("Content-Security-Policy"), "default-src 'none'") || !strings.Contains(resp.Header.Get("Content-Security-Policy"), "sandbox") {
			t.Errorf("%s: %v %v %s", c.path, resp, err, body)
		}
	}
	link := `<a href="vscode://file` + main + `:12:1" rel="noopener noreferrer">` + main + `:12</a>`
	for part, want := range map[string][]string{
		"":         {link, `<a href="http://example.test/reset?a=1" rel="noopener noreferrer">http://example.test/reset?a=1</a>.`, "&lt;script&gt;parent.hacked"},
		"/text":    {link},
		"/html":    {`<iframe sandbox src="` + l.Mails[0].URL + `/body"`, "3 remote images were not loaded"},
		"/headers": {"<td>&lt;script&gt;alert(1)&lt;/script&gt; &amp; more</td>", "Jürgen"},
		"/raw":     {"--alt--", "=?utf-8?q?"},
	} {
		resp, body, err := e2e.Ask("GET", url+part, nil, "Accept", "text/html")
		if err != nil || resp.StatusCode != 200 || strings.Contains(body, "<script>alert(1)") {
			t.Errorf("%s: %v %v", part, resp, err)
		}
		for _, w := range want {
			if !strings.Contains(body, w) {
				t.Errorf("%s has no %s:\n%s", part, w, body)
			}
		}
	}
	for _, path := range []string{"/mail/nothing", url[len(own):] + "/nothing", url[len(own):] + "/attachment/2", url[len(own):] + "/attachment/-1", "/mail/../mail/", "/mail//", "/mail", url[len(own):] + "/text/"} {
		if resp, body, err := e2e.Ask("GET", own+path, nil); err != nil || resp.StatusCode != 404 {
			t.Errorf("%s: %v %v %s", path, resp, err, body)
		}
	}
	if _, body, err := e2e.Ask("GET", own+"/", nil, "Accept", "text/html"); err != nil || !strings.Contains(body, `<a href="/mail/">Mail <span class="n0 new">1<`) {
		t.Errorf("the overview does not lead to the mailbox: %v %s", err, body)
	}
}

// What is deleted is gone, and only devrun's own page can do it.
func TestLongDelete(t *testing.T) {
	suite.Long(t)
	t.Parallel()
	r := mailer(t).Start("--smtp")
	own := console(t, r)
	for _, s := range []string{"a", "b", "c"} {
		send(t, r, "Subject: "+s+"\n\n")
	}
	l := list(t, own)
	if len(l.Mails) != 3 {
		t.Fatalf("%+v", l)
	}
	right := []string{"Origin", own, "Content-Type", "application/json", "X-Devrun", "1"}
	ask := func(body string, header ...string) int {
		t.Helper()
		resp, _, err := e2e.Ask("POST", own+"/mail/delete", strings.NewReader(body), header...)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode
	}
	const all = `{"all": true}`
	for name, header := range map[string][]string{
		"no origin":      {"Content-Type", "application/json", "X-Devrun", "1"},
		"the app":        {"Origin", r.URL(""), "Content-Type", "application/json", "X-Devrun", "1"},
		"a form":         {"Origin", own, "Content-Type", "application/x-www-form-urlencoded", "X-Devrun", "1"},
		"no script":      {"Origin", own, "Content-Type", "application/json"},
		"another site":   append([]string{"Sec-Fetch-Site", "cross-site"}, right...),
		"another host":   append([]string{"Host", "evil.test"}, "Origin", "http://evil.test", "Content-Type", "application/json", "X-Devrun", "1"),
		"as a navigator": append([]string{"Sec-Fetch-Mode", "navigate"}, right...),
	} {
		if status := ask(all, header...); status != 403 && status != 415 {
			t.Errorf("%s: %d", name, status)
		}
	}
	for _, method := range []string{"DELETE", "PUT", "GET"} {
		if resp, _, err := e2e.Ask(method, own+"/mail/delete", nil, right...); err != nil || resp.StatusCode != 405 {
			t.Errorf("%s: %v %v", method, resp, err)
		}
	}
	for body, want := range map[string]int{"": 400, "{}": 400, `{"id": "x", "all": true}`: 400, `{"id": "x"}`: 404, `{"other": 1}`: 400, strings.Repeat(" ", 4096) + all: 400} {
		if status := ask(body, right...); status != want {
			t.Errorf("%q: %d, want %d", body, status, want)
		}
	}
	if n := len(list(t, own).Mails); n != 3 {
		t.Fatalf("%d mails after what was refused", n)
	}
	if status := ask(`{"id": "`+l.Mails[1].ID+`"}`, right...); status != 200 {
		t.Errorf("one: %d", status)
	}
	if now := list(t, own); len(now.Mails) != 2 || now.Mails[0].Subject != "c" || now.Mails[1].Subject != "a" {
		t.Errorf("%+v", now)
	}
	if status := ask(all, right...); status != 200 || len(list(t, own).Mails) != 0 {
		t.Errorf("all: %d", status)
	}
}

// A page of the mailbox hears of mail as it comes.
func TestLongEvents(t *testing.T) {
	suite.Long(t)
	t.Parallel()
	r := mailer(t).Start("--smtp")
	own := console(t, r)
	ctx, cancel := context.WithTimeout(t.Context(), suite.Patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", own+"/mail/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	next := func(want string) {
		t.Helper()
		for lines.Scan() {
			if lines.Text() == want {
				return
			}
		}
		t.Fatalf("the stream ended before %s: %v", want, lines.Err())
	}
	next("event: mail")
	next("data: 0")
	send(t, r, "Subject: a\n\n")
	next("event: mail")
	next("data: 1")
	if resp, _, err := e2e.Ask("GET", own+"/mail/events", nil, "Origin", r.URL("")); err != nil || resp.StatusCode != 403 {
		t.Errorf("a page of the app: %v %v", resp, err)
	}
}

// Where the app says itself where its mail goes, that counts.
func TestLongMailServerOfTheApp(t *testing.T) {
	suite.Long(t)
	t.Parallel()
	r := mailer(t)
	r.Write(".env", "MAIL_SERVER=relay.test\n")
	r.Start("--smtp")
	r.Answers("/env", "relay.test")
	r.Says(`^devrun: MAIL_SERVER is relay\.test, so the app's mail goes there; what is sent to localhost:\d+ is kept$`)

	// Taken out, it is devrun's.
	r.Write(".env", "MAIL_SERVER=\n")
	suite.Until(t, "the app is told devrun's", func() error {
		_, body, err := e2e.Ask("GET", r.URL("/env"), nil)
		if err == nil && !regexp.MustCompile(`^localhost \d+\n$`).MatchString(body) {
			err = errors.New(body)
		}
		return err
	})

	other := mailer(t)
	other.Env = append(other.Env, "MAIL_PORT=2525")
	other.Start("--smtp")
	other.Answers("/env", "localhost 2525")
	other.Says(`^devrun: MAIL_PORT is 2525, so the app's mail does not come to localhost:\d+; leave MAIL_PORT out$`)
}

// Without --smtp there is no mailbox, and the app is told of none.
func TestLongWithoutMailbox(t *testing.T) {
	suite.Long(t)
	t.Parallel()
	r := mailer(t).Start()
	own := console(t, r)
	r.Answers("/env", "")
	for _, path := range []string{"/mail/", "/mail/delete", "/mail/events"} {
		if resp, body, err := e2e.Ask("GET", own+path, nil); err != nil || resp.StatusCode != 404 {
			t.Errorf("%s: %v %v %s", path, resp, err, body)
		}
	}
	if _, body, err := e2e.Ask("GET", own+"/", nil, "Accept", "text/html"); err != nil || strings.Contains(body, `"/mail/"`) {
		t.Errorf("%v %s", err, body)
	}
}

// A flood of mail is a few lines in the terminal.
func TestLongManyMails(t *testing.T) {
	suite.Long(t)
	t.Parallel()
	r := mailer(t).Start("--smtp")
	own := console(t, r)
	const n = 60
	for i := range n {
		send(t, r, fmt.Sprintf("Subject: %d\n\n", i))
	}
	told := regexp.MustCompile(`(?m)^devrun: (\d+) new mails?\b`)
	var lines int
	suite.Until(t, "all are told", func() error {
		sum := 0
		all := told.FindAllStringSubmatch(r.Stderr.String(), -1)
		for _, m := range all {
			var k int
			if _, err := fmt.Sscan(m[1], &k); err != nil {
				return err
			}
			sum += k
		}
		lines = len(all)
		if sum != n {
			return fmt.Errorf("%d of %d", sum, n)
		}
		return nil
	})
	if lines > n/2 {
		t.Errorf("%d lines for %d mails", lines, n)
	}
	if l := list(t, own); len(l.Mails) != n {
		t.Errorf("%d mails", len(l.Mails))
	}
}
