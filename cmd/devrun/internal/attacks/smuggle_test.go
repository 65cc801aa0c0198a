//go:build linux

package attacks

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// smuggled are requests with another one hidden in them, that a second reader would
// find where the first does not.
func smuggled(path, host, header, hidden string) map[string]string {
	head := "POST " + path + " HTTP/1.1\r\nHost: " + host + "\r\n" + header
	chunked := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(hidden), hidden)
	length := fmt.Sprintf("Content-Length: %d\r\n", len(hidden))
	return map[string]string{
		"length and chunks":        head + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + hidden,
		"chunks and length":        head + "Transfer-Encoding: chunked\r\n" + length + "\r\n" + chunked,
		"two lengths":              head + "Content-Length: 0\r\n" + length + "\r\n" + hidden,
		"a list of lengths":        head + "Content-Length: 0, 5\r\n\r\n" + hidden,
		"length with a sign":       head + fmt.Sprintf("Content-Length: +%d\r\n\r\n", len(hidden)) + hidden,
		"chunked, identity":        head + "Transfer-Encoding: chunked, identity\r\n\r\n" + chunked,
		"two encodings":            head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n" + chunked,
		"space before the colon":   head + "Transfer-Encoding : chunked\r\n\r\n" + chunked,
		"vertical tab":             head + "Transfer-Encoding: \vchunked\r\n" + length + "\r\n" + hidden,
		"folded line":              head + "X-Fold: a\r\n Transfer-Encoding: chunked\r\n" + length + "\r\n" + hidden,
		"bare newlines":            strings.ReplaceAll(head, "\r\n", "\n") + "Content-Length: 0\n\n" + hidden,
		"bare return":              head + "X-Bare: a\rTransfer-Encoding: chunked\r\n" + length + "\r\n" + hidden,
		"chunk extension":          head + "Transfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x;a=\"\n\"\r\n%s\r\n0\r\n\r\n", len(hidden), hidden),
		"size of a chunk too long": head + "Transfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("0000000000000000%x\r\n%s\r\n0\r\n\r\n", len(hidden), hidden),
		"upgrade to h2c":           head + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\nContent-Length: 0\r\n\r\n" + hidden,
		"upgrade to a websocket":   head + "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nContent-Length: 0\r\n\r\n" + hidden,
		"pipelined":                head + "Content-Length: 0\r\n\r\n" + hidden,
		"expect":                   head + "Expect: 100-continue\r\n" + length + "\r\n" + hidden,
	}
}

// seen are the requests of the app that have a word in them.
func (s *site) seen(t *testing.T, word string) (found []string) {
	t.Helper()
	var all []string
	_, body := s.Get("/seen")
	if err := json.Unmarshal([]byte(body), &all); err != nil {
		t.Fatal(err)
	}
	for _, one := range all {
		if strings.Contains(one, word) {
			found = append(found, one)
		}
	}
	return found
}

// A request inside of another is not carried out.
func smuggling(t *testing.T, s *site) {
	// To the console: the hidden request would pass, were it not for its token.
	hidden := s.post("/api/eval", s.questions()["/api/eval"], "-Authorization")
	own := strings.TrimPrefix(s.own, "http://")
	for what, text := range smuggled("/api/nothing", own, "X-Devrun: 1\r\nOrigin: "+s.own+"\r\n", hidden) {
		for _, a := range s.send(t, text+s.get("/nothing")) {
			if a.StatusCode < 400 && a.StatusCode != 100 {
				t.Errorf("%s: %d %s", what, a.StatusCode, a.body)
			}
			s.bare(t, what, a)
		}
	}
	// To the app: what devrun has not answered for, the app has not seen; and of
	// devrun's own addresses it sees none.
	host := fmt.Sprint("localhost:", s.Port)
	n := 0
	for _, inner := range []string{"GET /hidden%d", "GET /__devrun/hidden%d"} {
		for what := range smuggled("", "", "", "") {
			n++
			line := fmt.Sprintf(inner, n)
			text := smuggled(fmt.Sprint("/echo?outer=", n), host, "", line+" HTTP/1.1\r\nHost: "+host+"\r\nConnection: close\r\n\r\n")[what]
			answers := s.sendApp(t, text+s.get("/version", "Host: "+host)) // which ends the connection
			reached := len(s.seen(t, fmt.Sprintf("/hidden%d ", n))) + len(s.seen(t, fmt.Sprintf("outer=%d ", n)))
			replies := 0
			for _, a := range answers {
				if a.StatusCode != 100 {
					replies++
				}
			}
			if reached > replies {
				t.Errorf("%s: the app has seen %d requests of which %d were answered", what, reached, replies)
			}
			if strings.Contains(line, "__devrun") && len(s.seen(t, fmt.Sprintf("/hidden%d ", n))) > 0 {
				t.Errorf("%s: the app has seen a request for devrun", what)
			}
		}
	}
}

// A disguised path of devrun's never reaches the app, and no other path has anything
// of devrun's.
func confusePrefix(t *testing.T, s *site) {
	host := fmt.Sprint("Host: localhost:", s.Port)
	asset := s.sendApp(t, s.get("/__devrun/page.js", host))
	if len(asset) != 1 || asset[0].StatusCode != 200 {
		t.Fatal(asset)
	}
	n := 0
	probe := func(path string) (answers []answer, forwarded bool) {
		n++
		mark := fmt.Sprintf("?confused=%d", n)
		answers = s.sendApp(t, s.get(path+mark, host))
		return answers, len(s.seen(t, mark+" ")) > 0
	}
	for _, path := range []string{"/__devrun/page.js", "//__devrun/page.js", "/x/../__devrun/page.js", "/./__devrun/page.js", "/%5F%5Fdevrun/page.js", "/__devrun//page.js", "/__devrun/x/../page.js", "/%2e/__devrun/page.js", "/x/%2e%2e/__devrun/page.js"} {
		answers, forwarded := probe(path)
		if forwarded || len(answers) != 1 || answers[0].StatusCode != 200 && answers[0].StatusCode != 404 || answers[0].StatusCode == 200 && answers[0].body != asset[0].body {
			t.Errorf("%s: forwarded %v, %v", path, forwarded, answers)
		}
		text := s.get(path, "Host: evil.test")
		s.unmoved(t, forbidden, text, s.sendApp(t, text))
	}
	// Other names are the app's, and have nothing of devrun.
	for _, path := range []string{"/__DEVRUN/page.js", "/__devrun./page.js", "/__devrunx/page.js", "/x/..;/__devrun/page.js", "/__devrun;x/page.js", "/%255F%255Fdevrun/page.js", "/__devrun%00/page.js"} {
		answers, _ := probe(path)
		for _, a := range answers {
			if a.StatusCode == 200 || a.body == asset[0].body {
				t.Errorf("%s: %d %.200s", path, a.StatusCode, a.body)
			}
		}
	}
	for _, line := range []string{"OPTIONS * HTTP/1.1", "CONNECT 127.0.0.1:22 HTTP/1.1", "CONNECT /__devrun/page.js HTTP/1.1", "GET __devrun/page.js HTTP/1.1"} {
		for _, a := range s.sendApp(t, s.request(line, "", []string{host, "Connection: close"})) {
			if a.body == asset[0].body || strings.HasPrefix(a.body, "SSH-") {
				t.Errorf("%s: %d %.200s", line, a.StatusCode, a.body)
			}
		}
		s.refused(t, []int{400, 403, 404, 405}, s.request(line, "", []string{"Host: 127.0.0.1:PORT", "Connection: close"}))
	}
	for _, path := range []string{"//failures/" + s.ID, "/failures/../failures/" + s.ID, "/%66ailures/" + s.ID, "/FAILURES/" + s.ID, "/failures/" + s.ID + "/", "/failures/" + s.ID + ".", "/x/..;/failures/" + s.ID, "/failures/" + s.ID + "%00"} {
		s.refused(t, nothing, s.get(path))
	}
	for _, path := range []string{"//api/eval", "/x/../api/eval", "/%61pi/eval", "/API/eval", "/api/eval/", "/api/eval.", "/api/..;/api/eval", "/api//eval"} {
		s.refused(t, nothing, s.post(path, s.questions()["/api/eval"]))
	}
}
