//go:build linux

package failures

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"devrun/cmd/devrun/internal/rig"
)

// navigation is what a browser sends when a person opens an address.
var navigation = []string{"Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "none"}

// TestAccess: on the app's address only a person and a client that is no browser
// are shown the variables, and nobody is shown a secret.
func TestAccess(t *testing.T) {
	t.Parallel()
	r := plain(t)
	r.Env = append(r.Env, "APP_PASSWORD=hunter2-and-more")
	r.Start()
	warm(t, rig.Client, r.URL("/ways/nil"))
	const path = "/ways/nil?q=asked-for"
	mark := "&#34;winter&#34;"

	t.Run("readers", func(t *testing.T) {
		for _, c := range []struct {
			name   string
			all    bool
			header []string
		}{
			{"a person", true, navigation[2:]},
			{"curl", true, nil},
			{"a script", false, []string{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Sec-Fetch-Site", "same-origin"}},
			{"a script of another site", false, []string{"Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "script", "Sec-Fetch-Site", "cross-site"}},
			{"a script in a browser that does not say so", false, []string{"Origin", r.URL("")}},
			{"an older script", false, []string{"X-Requested-With", "XMLHttpRequest"}},
			{"a frame", false, []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe", "Sec-Fetch-Site", "same-origin"}},
			{"an object", false, []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "object", "Sec-Fetch-Site", "same-origin"}},
		} {
			for _, as := range []string{"text/html", "application/json", "text/markdown", "text/plain"} {
				header := append([]string{"Accept", as}, c.header...)
				resp, body, err := ask(rig.Client, r.URL(path), header...)
				if err != nil {
					t.Fatal(err)
				}
				if resp.StatusCode != 500 || !strings.Contains(body, "nil pointer dereference") || !strings.Contains(body, "nilDereference") {
					t.Errorf("%s as %s: %d without the message and the stack:\n%s", c.name, as, resp.StatusCode, body)
				}
				want, all := mark, c.all
				switch as {
				case "application/json":
					want = `"winter\"`
				case "text/markdown":
					want, all = "&nothing&", false // has no variables for anybody
				case "text/plain":
					want = `"winter"`
				}
				if got := strings.Contains(body, want); got != all {
					t.Errorf("%s as %s: variables %v", c.name, as, got)
				}
				if !c.all && (strings.Contains(body, "winter") || strings.Contains(body, "asked-for")) {
					t.Errorf("%s as %s is told too much:\n%s", c.name, as, body)
				}
				if h := resp.Header; h.Get("X-Frame-Options") != "DENY" || h.Get("Access-Control-Allow-Origin") != "" || !strings.HasPrefix(h.Get("Content-Security-Policy"), "sandbox ") {
					t.Errorf("%s as %s: header %v", c.name, as, h)
				}
			}
		}
	})

	t.Run("secrets", func(t *testing.T) {
		secrets := []string{"hunter2", "s3cr3t-bearer", "c00kie-value", "pa55-in-the-query"}
		all := ""
		for _, path := range []string{"/profile?name=nobody&token=pa55-in-the-query", "/login?password=pa55-in-the-query"} {
			for _, as := range []string{"text/html", "application/json", "text/markdown", "text/plain"} {
				header := []string{"Authorization", "Bearer s3cr3t-bearer-17", "Cookie", "session=c00kie-value"}
				for i := 0; i < len(navigation); i += 2 {
					if as == "text/html" || navigation[i] == "Accept" {
						header = append(header, navigation[i], navigation[i+1])
					}
				}
				resp, body, err := ask(rig.Client, r.URL(path), append(header, "Accept", as)...)
				if err != nil || resp.StatusCode != 500 || !strings.Contains(body, "main.(*server)") {
					t.Fatalf("%s as %s: %v\n%s", path, as, err, body)
				}
				for _, s := range secrets {
					if strings.Contains(body, s) {
						t.Errorf("%s as %s shows %s", path, as, s)
					}
				}
				if as != "text/markdown" && !strings.Contains(body, "redacted") {
					t.Errorf("%s as %s does not say that something is left out", path, as)
				}
				all += body
			}
		}
		if !strings.Contains(all, "langs") {
			t.Error("no variables were looked at")
		}
		// On devrun's own address no more is shown before somebody asks for it.
		for _, id := range ids(t, r) {
			for _, as := range []string{"text/html", "application/json", "text/markdown", "text/plain"} {
				_, body, err := ask(rig.Client, console(t, r)+"/failures/"+id, "Accept", as)
				if err != nil {
					t.Fatal(err)
				}
				for _, s := range secrets {
					if strings.Contains(body, s) {
						t.Errorf("failure %s as %s shows %s", id, as, s)
					}
				}
			}
		}
		for _, s := range secrets {
			for _, line := range strings.Split(r.Stderr.String(), "\n") {
				// The app's own line, as net/http prints it, is the app's.
				if strings.Contains(line, s) && !strings.Contains(line, "http: panic serving") {
					t.Errorf("the terminal shows %s: %s", s, line)
				}
			}
		}
	})

	t.Run("what a message may not do", func(t *testing.T) {
		for _, as := range []string{"text/html", "application/json", "text/markdown", "text/plain"} {
			resp, body, err := ask(rig.Client, r.URL("/escapes"), append([]string{"Accept", as}, navigation[2:]...)...)
			if err != nil || resp.StatusCode != 500 || !strings.Contains(body, "clear") {
				t.Fatalf("%v %v\n%s", err, resp, body)
			}
			if strings.Contains(body, "\x1b") || as == "text/html" && strings.Contains(body, "<script>alert") || resp.Header.Get("Set-Cookie") != "" {
				t.Errorf("as %s: %s", as, body)
			}
		}
		said := r.Says(`^devrun: panic in GET /escapes(?s:.*?)clear.*$`)
		if _, message, _ := strings.Cut(said, "\n"); strings.Contains(message, "\x1b") || strings.Contains(message, "\a") {
			t.Errorf("the terminal shows %q", said)
		}
	})

	t.Run("another name for this machine", func(t *testing.T) {
		resp, err := r.Raw("GET", path, "Host", "evil.test")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []string{"winter", "asked-for", "ways.go", "/failures/"} {
			if strings.Contains(string(b), s) {
				t.Errorf("evil.test is told %s:\n%s", s, b)
			}
		}
	})

	t.Run("devrun's own address", func(t *testing.T) {
		own := console(t, r)
		host := strings.TrimPrefix(own, "http://")
		id := ids(t, r)[0]
		for _, path := range []string{"/", "/failures/" + id} {
			for _, c := range []struct {
				host   string
				header []string
				want   int
			}{
				{host, nil, 200},
				{"evil.test", nil, 403},
				{"evil.test:" + portOf(t, own), nil, 403},
				{host + ".evil.test", nil, 403},
				{"127.0.0.1:1", nil, 403},
				{host, []string{"Origin", "http://evil.test"}, 403},
				{host, []string{"Origin", "null"}, 403},
				{host, []string{"Origin", r.URL("")}, 403},
				{host, []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "script"}, 403},
				{host, []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"}, 403},
				{host, []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, 403},
			} {
				req, err := http.NewRequest("GET", own+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				req.Host = c.host
				for i := 0; i < len(c.header); i += 2 {
					req.Header.Set(c.header[i], c.header[i+1])
				}
				resp, err := rig.Client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				b, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				if ok := resp.StatusCode == 200; ok != (c.want == 200) || resp.StatusCode >= 500 {
					t.Errorf("%s for %s %v: %d", path, c.host, c.header, resp.StatusCode)
				}
				if c.want != 200 && strings.Contains(string(b), "ways") {
					t.Errorf("%s for %s %v: %s", path, c.host, c.header, b)
				}
			}
		}
		// What is asked of a failure is not even looked at.
		for _, what := range []string{"eval", "reveal", "release", "complete", "unlock"} {
			resp, body, err := rig.Ask("POST", own+"/api/"+what, strings.NewReader(`{}`), "Content-Type", "application/json", "X-Devrun", "1", "Origin", "http://evil.test")
			if err != nil || resp.StatusCode != 403 {
				t.Errorf("%s: %v %v %s", what, resp, err, body)
			}
		}
		// Without a terminal there is nobody to read the PIN.
		resp, body, err := rig.Ask("POST", own+"/api/eval", strings.NewReader(`{"failure":"`+id+`","frame":0,"src":"1"}`), "Content-Type", "application/json", "X-Devrun", "1", "Origin", own)
		if err != nil || resp.StatusCode != 403 || !strings.Contains(body, `"off"`) {
			t.Errorf("%v %v %s", resp, err, body)
		}
	})
}

// console is devrun's own origin, as the terminal names it.
func console(t *testing.T, r *rig.Rig) string {
	t.Helper()
	return strings.TrimPrefix(r.Says(`^devrun: overview http://127\.0\.0\.1:\d+`), "devrun: overview ")
}

func portOf(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Port()
}

// ids are the failures that devrun keeps, the newest first.
func ids(t *testing.T, r *rig.Rig) (all []string) {
	t.Helper()
	for _, f := range listed(t, r).Failures {
		all = append(all, f.ID)
	}
	if len(all) == 0 {
		t.Fatal("no failure is kept")
	}
	return all
}
