//go:build linux

package failures

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"devrun/cmd/devrun/internal/rig"
)

// ways are in testdata/ways, and each is a handler of its own.
var ways = []struct {
	path, mark string
	how        string // where net/http alone would recover; the middleware of others does
	says       string // in the message
	why        string // in the sentence that is proved, "" for none
	vars       map[string]string
}{
	{"/ways/nil", "NIL", "panic", "nil pointer dereference", "u is nil", map[string]string{
		"id": "17", "tags": `len 2 cap 2 ["go", "winter"]`, "byName": `len 1 {"susan": 3}`, "u": "nil"}},
	{"/ways/index", "INDEX", "panic", "index out of range [6] with length 3", "at is 6", map[string]string{
		"scores": "len 3 cap 3 [1.5, 2.25, 4]", "at": "6", "label": `"ababab"`}},
	{"/ways/assertion", "ASSERTION", "panic", "missing method String", "", map[string]string{
		"value": `main.user{ID: 7, Name: "susan", Tags: nil}`, "wanted": "[true, false]", "count": "200"}},
	{"/ways/chain", "CHAIN", "panic", "show profile: select -5: no such user", "", map[string]string{
		"id": "-5", "limit": "{Low: 1, High: 99}", "err": `&main.queryError{Query: "select -5", Err: &errors.errorString{s: "no such user"}}`}},
	{"/ways/nested", "NESTED", "panic", "cleaning up 2 [first]", "", map[string]string{
		"step": `"first"`, "left": "2", "again": `["first"]`, "done": "len 3 cap 3 [1, 2, 3]"}},
	{"/ways/template", "TEMPLATE", "status", "can't evaluate field Missing", "", map[string]string{
		"u": `{ID: 9, Name: "ada", Tags: len 1 cap 1 ["x"]}`, "title": `"Profile"`, "width": "80"}},
	{"/ways/status", "STATUS", "status", "no such table: users", "", map[string]string{
		"table": `"users"`, "tries": "3", "pending": `len 1 {4: "four"}`}},
	{"/ways/nilmap", "NILMAP", "panic", "assignment to entry in nil map", "seen is a nil map", map[string]string{
		"seen": "nil", "page": `"visit"`, "hits": "1099511627776"}},
	{"/ways/division", "DIVISION", "panic", "integer divide by zero", "parts is 0", map[string]string{
		"total": "12", "parts": "0", "unit": "120"}},
}

// testWays fails in each way and looks at the answers for people and programs.
func testWays(t *testing.T, client *http.Client, base, source, recovered string) {
	for _, w := range ways {
		mark := line(t, source, w.mark)
		status, f, _, err := asked(client, base+w.path)
		if err != nil {
			t.Error(err)
			continue
		}
		how := w.how
		if how == "panic" {
			how = recovered
		}
		root := f.root()
		if status < 500 || f.How != how || !strings.Contains(f.Error, w.says) || !f.Values.Here {
			t.Errorf("%s: %d, %s %q, values %+v", w.path, status, f.How, f.Error, f.Values)
		}
		if root.Rel != "ways.go" || root.Line != mark {
			t.Errorf("%s: at %s:%d, want line %d", w.path, root.Rel, root.Line, mark)
		}
		for name, want := range w.vars {
			if got := root.of(name); got != want {
				t.Errorf("%s: %s is %s, want %s", w.path, name, got, want)
			}
		}
		if w.why != "" && !strings.Contains(f.Why, w.why) {
			t.Errorf("%s: why %q, want %s", w.path, f.Why, w.why)
		}
		switch w.path {
		case "/ways/chain":
			if c := f.Chain; c == nil || c.Type != "*fmt.wrapError" || len(c.Causes) != 1 || c.Causes[0].Type != "*main.queryError" || c.Causes[0].Causes[0].Text != "no such user" {
				t.Errorf("chain %+v", f.Chain)
			}
		case "/ways/nested":
			if len(f.Panics) != 1 || f.Panics[0].Text != "step first0.5" {
				t.Errorf("panics before: %+v", f.Panics)
			}
			for _, fr := range f.Frames {
				if fr.Func == "main.nested" && (fr.Line != line(t, source, "FIRST") || fr.of("ratio") != "0.5") {
					t.Errorf("the first panic is at %d, ratio is %s", fr.Line, fr.of("ratio"))
				}
			}
		}

		resp, text, err := ask(client, base+w.path)
		if err != nil {
			t.Error(err)
			continue
		}
		if resp.StatusCode != status || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") {
			t.Errorf("%s as text: %d %s", w.path, resp.StatusCode, resp.Header)
		}
		for _, want := range []string{w.says, w.why, fmt.Sprintf("ways.go:%d\n", mark)} {
			if !strings.Contains(text, want) {
				t.Errorf("%s as text has no %q:\n%s", w.path, want, text)
			}
		}
		shown := 0
		for name, want := range w.vars {
			if strings.Contains(text, "\n      "+name+" ") && strings.Contains(text, " = "+want+"\n") {
				shown++
			}
		}
		if shown < 3 {
			t.Errorf("%s as text shows %d of the variables:\n%s", w.path, shown, text)
		}
		if n := strings.Count(text, "\n"); n > 40 {
			t.Errorf("%s as text has %d lines", w.path, n)
		}
	}
}

func TestWays(t *testing.T) {
	t.Parallel()
	r := plain(t).Start()
	warm(t, rig.Client, r.URL("/ways/nil"))
	testWays(t, rig.Client, r.URL(""), filepath.Join(r.Dir, "ways.go"), "panic")
}

// Over TLS devrun passes bytes on, so all that the answer is comes from the hook.
func TestWaysTLS(t *testing.T) {
	t.Parallel()
	r := plain(t)
	cert, key := certificate(t)
	r.Env = append(r.Env, "CERT="+cert, "CERT_KEY="+key)
	r.Launch()
	base := fmt.Sprintf("https://127.0.0.1:%d", r.Port)
	client := &http.Client{Timeout: rig.Patience, Transport: &http.Transport{
		ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	t.Cleanup(client.CloseIdleConnections)
	rig.Eventually(t, "the app answers over HTTP/2", func() error {
		resp, body, err := ask(client, base+"/version")
		if err == nil && (resp.ProtoMajor != 2 || body != "v1\n") {
			err = errors.New(resp.Proto + " " + body)
		}
		return err
	})
	warm(t, client, base+"/ways/nil")
	testWays(t, client, base, filepath.Join(r.Dir, "ways.go"), "panic")
	if _, f, _, err := asked(client, base+"/ways/nil"); err != nil || f.Request == nil || f.Request.Proto != "HTTP/2.0" {
		t.Errorf("%+v, %v", f.Request, err)
	}
	// The connection has served all that failed, and serves on.
	if resp, body, err := ask(client, base+"/ok"); err != nil || resp.StatusCode != 200 || !strings.HasPrefix(body, "ok ") {
		t.Errorf("%v %q", err, body)
	}
}

// certificate makes one for this machine.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, b := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pkcs}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}
