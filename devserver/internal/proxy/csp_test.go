package proxy

import "testing"

func TestScriptNonce(t *testing.T) {
	for _, c := range []struct {
		policies []string
		nonce    string
		ok       bool
	}{
		{nil, "", true},
		{[]string{""}, "", true},
		{[]string{"img-src 'none'"}, "", true},
		{[]string{"connect-src 'none'"}, "", true},
		{[]string{"script-src 'self'"}, "", true},
		{[]string{"Script-Src 'SELF'"}, "", true},
		{[]string{"default-src 'self'"}, "", true},
		{[]string{"default-src 'none'"}, "", false},
		{[]string{"default-src 'none'; script-src 'self'"}, "", true},
		{[]string{"script-src 'none'; script-src-elem 'self'"}, "", true},
		{[]string{"script-src 'self'; script-src-elem 'none'"}, "", false},
		{[]string{"script-src 'none'; script-src 'self'"}, "", false}, // the first one counts
		{[]string{"script-src"}, "", false},
		{[]string{"script-src *"}, "", true},
		{[]string{"script-src http:"}, "", true},
		{[]string{"script-src https:"}, "", false},
		{[]string{"script-src 'unsafe-inline' 'unsafe-eval'"}, "", false},
		{[]string{"script-src localhost:8080"}, "", true},
		{[]string{"script-src http://LOCALHOST:8080"}, "", true},
		{[]string{"script-src https://localhost:8080"}, "", false},
		{[]string{"script-src localhost"}, "", false}, // that is port 80
		{[]string{"script-src localhost:*"}, "", true},
		{[]string{"script-src *:8080"}, "", true},
		{[]string{"script-src localhost:8080/"}, "", true},
		{[]string{"script-src localhost:8080/__devrun/"}, "", true},
		{[]string{"script-src localhost:8080/static/"}, "", false},
		{[]string{"script-src localhost:8080/app.js"}, "", false},
		{[]string{"script-src cdn.example.com 'sha256-abc='"}, "", false},
		{[]string{"script-src 'nonce-r4nd+/=='"}, "r4nd+/==", true},
		{[]string{"script-src 'NONCE-CaseKept'"}, "CaseKept", true},
		{[]string{"script-src 'self' 'nonce-abc'"}, "abc", true},
		{[]string{"script-src 'nonce-abc' 'strict-dynamic' https:"}, "abc", true},
		{[]string{"script-src 'self' 'strict-dynamic'"}, "", false},
		{[]string{"script-src 'strict-dynamic' 'sha256-x'"}, "", false},
		{[]string{`script-src 'nonce-a"><script>'`}, "", false},
		{[]string{"script-src 'self'", "script-src 'none'"}, "", false},
		{[]string{"script-src 'self', script-src 'none'"}, "", false},
		{[]string{"script-src 'self', img-src *"}, "", true},
		{[]string{"script-src 'nonce-a' 'nonce-b'", "script-src 'nonce-b' 'nonce-c'"}, "b", true},
		{[]string{"script-src 'nonce-a'", "script-src 'nonce-b'"}, "", false},
		{[]string{"script-src 'nonce-a'", "default-src 'self'"}, "a", true},
		{[]string{"sandbox"}, "", false},
		{[]string{"sandbox allow-forms"}, "", false},
		{[]string{"sandbox allow-scripts"}, "", false}, // the origin is not its own
		{[]string{"sandbox allow-same-origin"}, "", false},
		{[]string{"sandbox Allow-Scripts allow-forms allow-same-origin"}, "", true},
	} {
		if nonce, why := scriptNonce(c.policies, "localhost:8080"); nonce != c.nonce || (why == "") != c.ok {
			t.Errorf("%q: %q %q", c.policies, nonce, why)
		}
	}
	if _, why := scriptNonce([]string{"script-src *.example.com"}, "a.example.com"); why != "" {
		t.Error("a subdomain at port 80 is not matched")
	}
	if _, why := scriptNonce([]string{"script-src http://[::1]:8080"}, "[::1]:8080"); why != "" {
		t.Error("an IPv6 address is not matched")
	}
}
