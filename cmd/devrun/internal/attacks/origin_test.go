//go:build linux

package attacks

import (
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite/chrome"
)

// A script in a page of the app learns no variable, no source and no secret, and asks
// the console nothing. A script in a page of the app wants what the page of a failure
// has.
func pivotOf(t *testing.T, s *site) {
	p := e2e.NewTab(t, chrome.Whole(t), s.URL("/xss#"+url.PathEscape(s.own)))
	p.Becomes("document.title", "^done$")
	var got map[string]string
	if err := json.Unmarshal([]byte(p.Eval("JSON.stringify(got)")), &got); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"html", "json", "list", "blind", "eval", "simple", "frame", "console"} {
		text, tried := got[name]
		if !tried {
			t.Errorf("%s was not tried", name)
		}
		for _, secret := range []string{localValue, sourceLine, s.token, s.pin, s.own + "/failures/" + s.ID} {
			if strings.Contains(text, secret) {
				t.Errorf("by %s a script learns %q:\n%.3000s", name, secret, text)
			}
		}
	}
	if !strings.HasPrefix(got["html"], "basic 500 ") || !strings.HasPrefix(got["json"], "basic 500 {") || !strings.Contains(got["json"], "main.fail") {
		t.Errorf("the script got %.300s and %.300s", got["html"], got["json"])
	}
	for _, name := range []string{"list", "eval"} {
		if !strings.HasPrefix(got[name], "error ") {
			t.Errorf("%s has an answer: %s", name, got[name])
		}
	}
}

// outside is an address of this machine that is not loopback, so that a connection
// to it comes from no loopback address either.
func outside(t *testing.T) string {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsGlobalUnicast() {
			return n.IP.String()
		}
	}
	t.Skip("NOT TESTED: who comes from another machine; this one has no address but loopback")
	return ""
}

// With --host others may see pages, as they are told, but none has the console.
func forwardedPeer(t *testing.T, s *site) {
	host := outside(t)
	s = s.wide(t)
	s.honest(t)
	addr := net.JoinHostPort(host, fmt.Sprint(s.Port))
	lies := []string{"X-Forwarded-For: 127.0.0.1", "X-Real-IP: 127.0.0.1", "Forwarded: for=127.0.0.1", "True-Client-IP: 127.0.0.1", "Connection: close, X-Forwarded-For"}
	for path, body := range s.questions() {
		text := s.post(path, body, append(lies, "Host: "+addr)...)
		for _, a := range exchange(t, addr, text) {
			if a.StatusCode != 404 { // the app has no such address, and it is the app that answers
				t.Errorf("%s from outside: %d %s", path, a.StatusCode, a.body)
			}
		}
	}
	if c, err := net.Dial("tcp", net.JoinHostPort(host, s.own[strings.LastIndexByte(s.own, ':')+1:])); err == nil {
		c.Close()
		t.Error("the console can be reached from outside")
	}
	s.honest(t)
}

// The app is told who asked by devrun, and not what the client says of itself.
func forwardedToTheApp(t *testing.T, s *site) {
	_, body, err := e2e.Ask("GET", s.URL("/echo"), nil, "X-Forwarded-For", "6.6.6.6", "Forwarded", "for=6.6.6.6", "X-Forwarded-Host", "evil.test", "X-Forwarded-Proto", "https", "X-Real-Ip", "6.6.6.6")
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Header map[string][]string }
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": fmt.Sprint("127.0.0.1:", s.Port), "X-Forwarded-Proto": "http"}
	for name, value := range want {
		if v := got.Header[name]; len(v) != 1 || v[0] != value {
			t.Errorf("%s is %q", name, v)
		}
	}
	// X-Real-Ip is no header of a proxy like this one: it is passed on, as any other.
	if v := got.Header["Forwarded"]; len(v) > 0 {
		t.Errorf("Forwarded is %q", v)
	}
}
