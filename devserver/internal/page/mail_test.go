package page

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func mailPages(t *testing.T) (p *Pages, file string) {
	t.Helper()
	dir := t.TempDir()
	file = filepath.Join(dir, "web", "handlers.go")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("package web\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return New(App{Name: "app", Root: dir, Modules: map[string]string{"example.test/app": dir}, Unread: func() int { return 3 }}), file
}

func TestLinkedText(t *testing.T) {
	p, file := mailPages(t)
	for text, want := range map[string]string{
		"":                                   "",
		"plain":                              "plain",
		"\t" + file + ":12 +0x1d\nx":         "\t[" + file + ":12 vscode://file" + file + ":12:1] +0x1d\nx",
		"(" + file + ":12:7)":                "([" + file + ":12:7 vscode://file" + file + ":12:7])",
		"example.test/app/web/handlers.go:3": "[example.test/app/web/handlers.go:3 vscode://file" + file + ":3:1]", // -trimpath
		file + "x:12 and web/handlers.go:12": file + "x:12 and web/handlers.go:12",                                 // no such file, and no way to know which
		filepath.Dir(file) + "/../web:1 127.0.0.1:80":   filepath.Dir(file) + "/../web:1 127.0.0.1:80",
		file + ":99999999999999999999":                  file + ":99999999999999999999",
		"see http://a.test/b?c=" + file + ":12, or not": "see [http://a.test/b?c=" + file + ":12 http://a.test/b?c=" + file + ":12], or not",
		"<https://a.test/>":                             "<[https://a.test/ https://a.test/]>",
		"javascript:alert(1) ftp://a.test":              "javascript:alert(1) ftp://a.test",
	} {
		var got strings.Builder
		for _, l := range p.linked(text) {
			if l.URL == "" {
				got.WriteString(l.Text)
			} else {
				got.WriteString("[" + l.Text + " " + string(l.URL) + "]")
			}
		}
		if got.String() != want {
			t.Errorf("%q gives\n%s\nwant\n%s", text, got.String(), want)
		}
	}
	many := strings.Repeat(file+":1\n", 2*maxPlaces)
	if n := len(p.linked(many)); n > 2*maxPlaces+1 {
		t.Errorf("%d pieces", n)
	}
}

func answered(t *testing.T, h http.Handler, accept string) (*http.Response, string) {
	t.Helper()
	r := httptest.NewRequest("GET", "/mail/", nil)
	r.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result(), w.Body.String()
}

// Nothing in a mail gets out of its place, in any part and form.
func TestHostileMail(t *testing.T) {
	p, _ := mailPages(t)
	const evil = "\"'><script>alert(1)</script>\x1b[2J\u202e\x00\xff</pre><img src=x onerror=y>"
	item := MailItem{ID: `"><script>`, Subject: evil, Sender: evil, Begins: evil, At: time.Now()}
	m := Mail{MailItem: item, From: evil, To: []string{evil, evil}, Peer: evil, Header: []MailField{{evil, evil}}, Text: evil, HTML: evil, Files: []MailFile{{evil, evil, 1}}, Raw: []byte(evil)}
	b := Mails{SMTP: "localhost:8025", List: []MailItem{item, item}, Unseen: 2}
	for name, h := range map[string]http.Handler{
		"list": p.Mailbox(b), "missing": p.MailMissing(b), "default": p.Mail(m, "", b),
		"text": p.Mail(m, "text", b), "html": p.Mail(m, "html", b), "headers": p.Mail(m, "headers", b), "raw": p.Mail(m, "raw", b),
	} {
		resp, html := answered(t, h, "text/html")
		for _, bad := range []string{"<script>alert", "<img src=x", "</pre><img", "\x1b", "\u202e", "\x00", "\xff", `href=""`} {
			if strings.Contains(html, bad) {
				t.Errorf("%s has %q", name, bad)
			}
		}
		if csp := resp.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'; script-src 'self';") || !strings.Contains(csp, "frame-src 'self'") {
			t.Errorf("%s: %s", name, csp)
		}
		for _, accept := range []string{"text/plain", "text/markdown"} {
			if _, text := answered(t, h, accept); strings.ContainsAny(text, "\x1b\x00\u202e") {
				t.Errorf("%s as %s has %q", name, accept, text)
			}
		}
	}
}

func TestMailSizes(t *testing.T) {
	p, _ := mailPages(t)
	huge := strings.Repeat("word ", 2<<20)
	m := Mail{MailItem: MailItem{ID: "a"}, Text: huge, Raw: []byte(huge)}
	for i := range 5000 {
		m.Header = append(m.Header, MailField{"X", fmt.Sprint(i)})
	}
	for _, part := range []string{"text", "raw"} {
		if _, html := answered(t, p.Mail(m, part, Mails{}), "text/html"); len(html) > maxMailText+20<<10 || !strings.Contains(html, "MB more)") {
			t.Errorf("%s: %d bytes", part, len(html))
		}
	}
	if _, html := answered(t, p.Mail(m, "headers", Mails{}), "text/html"); len(html) > 1<<20 {
		t.Errorf("headers: %d bytes", len(html))
	}
	// Which part is shown first.
	for want, m := range map[string]Mail{"Text": {Text: "x", HTML: "x"}, "HTML": {HTML: "x"}, "Raw": {}} {
		_, html := answered(t, p.Mail(m, "", Mails{}), "text/html")
		if !strings.Contains(html, `aria-current="page">`+want) {
			t.Errorf("%s is not shown first", want)
		}
	}
}
