//go:build linux

package attacks

import (
	"fmt"
	"strings"
	"testing"
)

var (
	forbidden = []int{403}
	malformed = []int{400, 403}
)

// Nothing that shows source is answered under a foreign name. On the app's address
// the app answers to every name, so /ok is its business; what shows source is not
// shown.
func rebindPage(t *testing.T, s *site) {
	for _, path := range []string{"/fail", "/__devrun/page.js", "/__devrun/page.css", "/__devrun/reload.js", "/__devrun/events"} {
		for _, accept := range []string{"text/html", "application/json", "text/markdown", "text/plain"} {
			text := s.get(path, fmt.Sprint("Host: evil.test:", s.Port), "Accept: "+accept)
			answers := s.sendApp(t, text)
			s.unmoved(t, forbidden, text, answers)
			for _, a := range answers {
				if !strings.Contains(a.body, "--host") || strings.Contains(a.body, "/failures/") {
					t.Errorf("the refusal is %q", a.body)
				}
			}
		}
	}
	s.refused(t, forbidden, s.everywhere("Host: evil.test:PORT", "-Origin")...)
}

// A page whose name was rebound to this machine asks the console nothing.
func rebindQuestions(t *testing.T, s *site) {
	s.refused(t, forbidden, s.everywhere("Host: evil.test:PORT", "Origin: http://evil.test:PORT")...)
	s.refused(t, forbidden, s.everywhere("Host: evil.test:PORT", "Origin: http://127.0.0.1:PORT")...)
	s.refused(t, forbidden, s.get("/wait/guess", "Host: evil.test:PORT"))
}

// The console knows its own address by three names, letter by letter. The app's
// address knows all names of this machine, in every spelling of theirs.
func hostSpellings(t *testing.T, s *site) {
	eval := s.questions()["/api/eval"]
	for _, host := range []string{
		"localhost.evil.test:PORT", "127.0.0.1.nip.io:PORT", "localhost:80@evil.test:PORT", "evil.test#localhost:PORT", "0x7f.1:PORT", "2130706433:PORT",
		"xlocalhost:PORT", "localhost,evil.test:PORT", "", "\tlocalhost", "LOCALHOST:PORT", "localhost.:PORT", "a.localhost:PORT", "127.0.0.2:PORT", "0.0.0.0:PORT",
		"[::ffff:127.0.0.1]:PORT", "localhost", "127.0.0.1", "127.0.0.1:PORT:PORT", "127.0.0.1:0PORT", "user@127.0.0.1:PORT", "localho\u017ft:PORT",
	} {
		s.refused(t, malformed, s.post("/api/eval", eval, "Host: "+host, "Origin: http://"+host), s.get("/failures/"+s.ID, "Host: "+host))
	}
	for _, host := range []string{"127.0.0.1:PORT", "localhost:PORT", "[::1]:PORT"} {
		for _, a := range s.send(t, s.get("/", "Host: "+host)) {
			if a.StatusCode != 200 {
				t.Errorf("%s: %d %s", host, a.StatusCode, a.body)
			}
		}
	}
	page := func(host string) string { return s.get("/__devrun/page.css", "Host: "+host) }
	for _, host := range []string{
		"localhost.evil.test", "127.0.0.1.nip.io", "localhost:80@evil.test", "evil.test#localhost", "0x7f.1", "2130706433", "xlocalhost", "localhost,evil.test", "", "localho\u017ft", "0.0.0.0", "[::]", "localhost..",
	} {
		s.unmoved(t, malformed, host, s.sendApp(t, page(host)))
	}
	for _, name := range []string{"localhost", "LOCALHOST", "localhost.", "a.localhost", "127.0.0.1", "[::1]"} {
		for _, host := range []string{name, fmt.Sprint(name, ":", s.Port)} {
			for range 2 {
				for _, a := range s.sendApp(t, page(host)) {
					if a.StatusCode != 200 {
						t.Errorf("%s: %d %s", host, a.StatusCode, a.body)
					}
				}
			}
		}
	}
}

// A target with a host in it stands for no Host, and a request without one, or with
// two, is refused.
func absoluteForm(t *testing.T, s *site) {
	eval := s.questions()["/api/eval"]
	nowhere := []int{400, 403, 404}
	for _, target := range []string{"http://evil.test", "http://evil.test:PORT", "https://127.0.0.1:PORT", "http://127.0.0.1:PORT", "//127.0.0.1:PORT", "http:"} {
		target = strings.ReplaceAll(target, "PORT", s.own[strings.LastIndexByte(s.own, ':')+1:])
		s.refused(t, nowhere,
			strings.Replace(s.post("/api/eval", eval), "POST /", "POST "+target+"/", 1),
			strings.Replace(s.get("/failures/"+s.ID), "GET /", "GET "+target+"/", 1))
	}
	s.refused(t, forbidden, "GET / HTTP/1.0\r\n\r\n", strings.Replace(s.post("/api/eval", eval, "-Host"), "HTTP/1.1", "HTTP/1.0", 1))
	s.refused(t, malformed, s.post("/api/eval", eval, "-Host"), s.post("/api/eval", eval, "+Host: evil.test"), s.get("/", "+Host: 127.0.0.1:PORT"))
	for _, text := range []string{
		fmt.Sprintf("GET http://evil.test/fail HTTP/1.1\r\nHost: localhost:%d\r\nConnection: close\r\n\r\n", s.Port),
		fmt.Sprintf("GET http://evil.test/__devrun/page.js HTTP/1.1\r\nHost: localhost:%d\r\nConnection: close\r\n\r\n", s.Port),
		"GET /__devrun/page.js HTTP/1.0\r\n\r\n",
	} {
		s.unmoved(t, malformed, text, s.sendApp(t, text))
	}
	// The app's address names itself to the app for a request that names nothing,
	// so its page may be seen: such a request is no browser's.
	for _, a := range s.sendApp(t, "GET /ok HTTP/1.0\r\n\r\n") {
		if a.StatusCode != 200 {
			t.Errorf("HTTP/1.0: %d %s", a.StatusCode, a.body)
		}
	}
}

// What a header says of a host in front of devrun counts for nothing, whichever way
// it lies.
func forwardedHost(t *testing.T, s *site) {
	lies := []string{"X-Forwarded-Host: 127.0.0.1:PORT", "Forwarded: host=127.0.0.1:PORT;for=127.0.0.1", "X-Host: 127.0.0.1:PORT", "X-Original-Host: 127.0.0.1:PORT"}
	s.refused(t, forbidden, s.everywhere(append([]string{"Host: evil.test", "-Origin"}, lies...)...)...)
	text := s.get("/fail", "Host: evil.test", fmt.Sprint("X-Forwarded-Host: localhost:", s.Port), "Forwarded: host=localhost")
	s.unmoved(t, forbidden, text, s.sendApp(t, text))
	// The reverse changes nothing either.
	for _, a := range s.send(t, s.get("/failures/"+s.ID, "X-Forwarded-Host: evil.test", "Forwarded: host=evil.test")) {
		if a.StatusCode != 200 || strings.Contains(a.body, "evil.test") {
			t.Errorf("%d, with evil.test in it: %v", a.StatusCode, strings.Contains(a.body, "evil.test"))
		}
	}
}

// A page of another origin, also one of the app, asks the console nothing.
func crossOrigin(t *testing.T, s *site) {
	s.refused(t, forbidden, s.everywhere("Origin: https://evil.test")...)
	s.refused(t, forbidden, s.everywhere("Origin: "+s.URL(""))...)
}

// Only the console's own origin may ask, spelled as browsers spell it, once, and
// never left out.
func originSpellings(t *testing.T, s *site) {
	for _, origin := range []string{
		"null", "", "http://127.0.0.1:9999", "http://localhost.evil.test", "http://10.0.0.9", "http://127.0.0.1:PORT.evil.test", "HTTP://127.0.0.1:PORT",
		"https://127.0.0.1:PORT", "http://127.0.0.1:PORT/", "http://127.0.0.1", "http://localhost:PORT", "http://127.0.0.1:PORT, http://evil.test", "file://", "127.0.0.1:PORT",
	} {
		s.refused(t, forbidden, s.everywhere("Origin: "+origin)...)
	}
	s.refused(t, forbidden, s.everywhere("Origin: http://127.0.0.1:PORT", "+Origin: https://evil.test")...)
	s.refused(t, forbidden, s.everywhere("Origin: http://127.0.0.1:PORT", "+Origin: http://127.0.0.1:PORT")...)
	for path, body := range s.questions() {
		s.refused(t, forbidden, s.post(path, body, "-Origin"), s.post(path, body, "-Origin", "-Sec-Fetch-Site", "-Sec-Fetch-Mode", "-Sec-Fetch-Dest"))
	}
}

// A request that its browser says is a foreign page's, a frame's or a script's is
// refused, on both addresses.
func fetchMetadata(t *testing.T, s *site) {
	for _, site := range []string{"cross-site", "same-site", "Same-Origin", "same-origin, none", ""} {
		s.refused(t, forbidden, s.everywhere("Sec-Fetch-Site: "+site, "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: script")...)
	}
	s.refused(t, forbidden, s.everywhere("Sec-Fetch-Site: same-origin", "+Sec-Fetch-Site: cross-site")...)
	for path, body := range s.questions() {
		for _, mode := range []string{"no-cors", "navigate", "websocket", ""} {
			s.refused(t, forbidden, s.post(path, body, "Sec-Fetch-Mode: "+mode))
		}
		for _, dest := range []string{"document", "iframe", "script", ""} {
			s.refused(t, forbidden, s.post(path, body, "Sec-Fetch-Dest: "+dest))
		}
		s.refused(t, forbidden, s.post(path, body, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"))
	}
	for _, dest := range []string{"iframe", "frame", "embed", "object", "script", "image"} {
		s.refused(t, forbidden, s.get("/failures/"+s.ID, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Dest: "+dest), s.get("/", "Sec-Fetch-Site: same-site", "Sec-Fetch-Dest: "+dest))
	}
	for _, path := range []string{"/__devrun/page.js", "/__devrun/page.css", "/__devrun/reload.js", "/__devrun/events"} {
		for _, site := range []string{"cross-site", "same-site"} {
			text := s.get(path, fmt.Sprint("Host: localhost:", s.Port), "Sec-Fetch-Site: "+site, "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: script")
			s.unmoved(t, forbidden, text, s.sendApp(t, text))
		}
	}
}

// A form, which any page may send, is no question to the console. The length is
// promised and nothing comes: who reads first waits, and then finds a bad body.
func simpleForms(t *testing.T, s *site) {
	for path, body := range s.questions() {
		for _, header := range []string{
			"Content-Type: text/plain", "Content-Type: application/x-www-form-urlencoded", "Content-Type: multipart/form-data; boundary=x", "-Content-Type", "Content-Type: application/json;x=",
			"Content-Type: text/plain; a=application/json", "Content-Type: application/json, text/plain", "Content-Encoding: gzip",
		} {
			s.refused(t, []int{415}, s.post(path, body, header), s.post(path, "", header, fmt.Sprint("Content-Length: ", len(body))))
		}
		for _, header := range []string{"-X-Devrun", "X-Devrun: 0", "+X-Devrun: 1"} {
			s.refused(t, forbidden, s.post(path, body, header))
		}
	}
}

// A question is a POST and nothing else, whatever a header or the query says.
func otherMethods(t *testing.T, s *site) {
	for path, body := range s.questions() {
		s.refused(t, []int{405}, s.get(path, "Sec-Fetch-Site: same-origin"), s.get(path, "X-HTTP-Method-Override: POST", "X-HTTP-Method: POST"), strings.Replace(s.get(path), "GET", "HEAD", 1))
		s.refused(t, []int{404}, s.get(path+"?failure="+s.ID+"&frame=0&src=effects.Add(1)"), s.post(path+"?_method=POST", body))
		for _, method := range []string{"PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "post", "PROPFIND"} {
			s.refused(t, []int{400, 405}, strings.Replace(s.post(path, body), "POST", method, 1))
		}
	}
	for _, path := range s.readable() {
		s.refused(t, []int{405}, s.post(path, "{}"), s.post(path, "{}", "X-HTTP-Method-Override: GET"))
	}
}

// No other origin is told that it may ask.
func preflights(t *testing.T, s *site) {
	wanted := []string{"Access-Control-Request-Method: POST", "Access-Control-Request-Headers: x-devrun,authorization,content-type", "Access-Control-Request-Private-Network: true", "Sec-Fetch-Mode: cors"}
	for _, origin := range []string{"https://evil.test", "null", s.URL(""), s.own} {
		for _, request := range s.everywhere(append([]string{"Origin: " + origin, "-Authorization", "-Content-Length"}, wanted...)...) {
			head, _, _ := strings.Cut(request, "\r\n\r\n")
			_, rest, _ := strings.Cut(head, " ")
			s.refused(t, []int{403, 405}, "OPTIONS "+rest+"\r\n\r\n")
		}
		text := s.request("OPTIONS /__devrun/events HTTP/1.1", "", append([]string{fmt.Sprint("Host: localhost:", s.Port), "Origin: " + origin, "Connection: close"}, wanted...))
		s.unmoved(t, []int{403, 405}, text, s.sendApp(t, text))
	}
}

// Without the secret of the page, or with a guessed one, nothing is answered. There
// is one secret for all failures, so there is none of an older failure or of another
// frame to try. What is compared is a digest: nothing is measured here.
func guessedSecrets(t *testing.T, s *site) {
	for path, body := range s.questions() {
		if path == "/api/unlock" {
			continue // is how to get the secret
		}
		for _, header := range []string{
			"-Authorization", "Authorization:", "Authorization: Bearer ", "Authorization: Bearer " + strings.Repeat("A", 43), "Authorization: Bearer " + s.token[:42], "Authorization: Bearer " + s.token + "A",
			"+Authorization: Bearer " + s.token, "Authorization: Basic " + s.token, "Authorization: " + s.token, "Authorization: Bearer " + s.pin, "Authorization: Bearer " + s.ID,
		} {
			s.refused(t, forbidden, s.post(path, body, header))
		}
		s.refused(t, forbidden, s.post(path, body, "-Authorization", "Cookie: token="+s.token), s.post(path, `{"token":"`+s.token+`",`+body[1:], "-Authorization"))
		s.refused(t, []int{404}, s.post(path+"?token="+s.token, body, "-Authorization"))
		s.refused(t, []int{431, 0}, s.post(path, body, "Authorization: Bearer "+strings.Repeat("A", 10<<20)))
		// Without trust nobody learns which failures there are.
		known, unknown := s.send(t, s.post(path, body, "-Authorization")), s.send(t, s.post(path, strings.ReplaceAll(body, s.ID, "NOSUCHFAILURE"), "-Authorization"))
		if len(known) != 1 || len(unknown) != 1 || known[0].StatusCode != unknown[0].StatusCode || known[0].body != unknown[0].body {
			t.Errorf("%s tells what there is: %v and %v", path, known, unknown)
		}
	}
}

// The page on devrun's own address is read without the PIN, by a person or a
// program of this machine; what is left out of it is revealed only after the PIN.
func valuesWithoutPIN(t *testing.T, s *site) {
	reveal := s.questions()["/api/reveal"]
	s.refused(t, forbidden, s.post("/api/reveal", reveal, "-Authorization"), s.post("/api/more", reveal, "-Authorization"), s.post("/api/field", reveal, "-Authorization"),
		s.get("/api/failures/"+s.ID+"/state", "X-Devrun: 1", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty"),
		s.post("/failures/"+s.ID, "", "Sec-Fetch-Site: cross-site"))
	for _, a := range s.send(t, s.post("/api/reveal", reveal)) {
		if a.StatusCode != 200 || !strings.Contains(a.body, localValue) {
			t.Errorf("with the PIN: %d %s", a.StatusCode, a.body)
		}
	}
}
