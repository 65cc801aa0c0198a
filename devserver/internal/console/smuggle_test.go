package console

import (
	"fmt"
	"strings"
)

// smuggling is requests of which two parties might find two different ends, and
// protocols that begin as HTTP. The one that is hidden has no token.
func (s *site) smuggling(add func(...attack)) {
	hidden := s.post("/api/eval", bodies["/api/eval"], "-Authorization")
	eval := bodies["/api/eval"]
	refused := []int{0, 400, 403, 404, 405, 411, 415, 417, 501, 505}
	chunked := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(eval), eval)
	for name, request := range map[string]string{
		"length and chunks":            s.post("/api/eval", "0\r\n\r\n"+hidden, "+Transfer-Encoding: chunked", "Connection: keep-alive"),
		"chunks":                       s.post("/api/eval", chunked+hidden, "-Content-Length", "Transfer-Encoding: chunked", "Connection: keep-alive"),
		"two lengths":                  s.post("/api/eval", eval, "+Content-Length: 5"),
		"lengths in a list":            s.post("/api/eval", eval, fmt.Sprintf("Content-Length: %d, 5", len(eval))),
		"signed length":                s.post("/api/eval", eval, fmt.Sprintf("Content-Length: +%d", len(eval))),
		"negative length":              s.post("/api/eval", eval, "Content-Length: -1"),
		"length in hex":                s.post("/api/eval", eval, "Content-Length: 0x10"),
		"length beyond 64 bits":        s.post("/api/eval", eval, "Content-Length: 99999999999999999999999"),
		"no length":                    s.post("/api/eval", eval, "-Content-Length"),
		"chunked, identity":            s.post("/api/eval", chunked, "-Content-Length", "Transfer-Encoding: chunked, identity"),
		"identity":                     s.post("/api/eval", eval, "Transfer-Encoding: identity"),
		"gzip, chunked":                s.post("/api/eval", chunked, "-Content-Length", "Transfer-Encoding: gzip, chunked"),
		"two encodings":                s.post("/api/eval", chunked, "-Content-Length", "Transfer-Encoding: chunked", "+Transfer-Encoding: chunked"),
		"xchunked":                     s.post("/api/eval", chunked, "-Content-Length", "Transfer-Encoding: xchunked"),
		"space before the colon":       s.post("/api/eval", chunked, "-Content-Length", "Transfer-Encoding : chunked"),
		"vertical tab":                 s.post("/api/eval", chunked, "-Content-Length", "Transfer-Encoding: \vchunked"),
		"folded line":                  s.post("/api/eval", eval, "-X-Devrun", "X-Fold: a\n X-Devrun: 1"),
		"folded host":                  s.post("/api/eval", eval, "Host: evil.test\n 127.0.0.1:PORT"),
		"bare return in a header":      s.post("/api/eval", eval, "-X-Devrun", "X-Bare: a\rX-Devrun: 1"),
		"bare newline, hidden":         strings.ReplaceAll(hidden, "\r\n", "\n"),
		"nul in a header":              s.post("/api/eval", eval, "X-Nul: a\x00b"),
		"space in front of the line":   " " + s.post("/api/eval", eval),
		"pipelined":                    s.get("/nothing", "Connection: keep-alive") + hidden,
		"body that is a request":       s.post("/api/unlock", hidden, "Connection: keep-alive"),
		"get with a body, a request":   s.request("GET /nothing HTTP/1.1", hidden, fmt.Sprintf("Content-Length: %d", len(hidden)), "Connection: keep-alive"),
		"expect, then a request":       s.post("/api/eval", hidden, "Authorization: Bearer x", "Expect: 100-continue", "Connection: keep-alive"),
		"expect something else":        s.post("/api/eval", eval, "-Authorization", "Expect: 200-ok"),
		"upgrade to h2c":               s.request("GET /nothing HTTP/1.1", "", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA") + hidden,
		"headers named by Connection":  s.post("/api/eval", eval, "-Authorization", "Connection: close, Origin, Sec-Fetch-Site, X-Devrun"),
		"preface of http/2":            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + hidden,
		"http/2 in words":              strings.Replace(hidden, "HTTP/1.1", "HTTP/2.0", 1),
		"http/0.9":                     "GET /\r\n\r\n",
		"http/1.2":                     strings.Replace(hidden, "HTTP/1.1", "HTTP/1.2", 1),
		"tls":                          "\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + strings.Repeat("a", 200) + "\r\n\r\n",
		"a mail":                       "EHLO evil.test\r\nMAIL FROM:<a@evil.test>\r\n\r\n",
		"only a newline":               "\r\n\r\n\r\n",
		"trailers that bring headers":  s.post("/api/eval", fmt.Sprintf("%x\r\n%s\r\n0\r\nX-Devrun: 1\r\n\r\n", len(eval), eval), "-Content-Length", "-X-Devrun", "Transfer-Encoding: chunked", "Trailer: X-Devrun"),
		"chunk extension":              s.post("/api/eval", fmt.Sprintf("%x;a=\"\r\n%s\r\n0\r\n\r\n", len(eval), eval), "-Content-Length", "Transfer-Encoding: chunked"),
		"underscore for a dash":        s.post("/api/eval", eval, "-X-Devrun", "X_Devrun: 1"),
		"more body than the length":    s.post("/api/release", `{"failure":"f1"}`, "Content-Length: 5", "Connection: keep-alive"),
		"less body than the length":    s.post("/api/eval", eval, fmt.Sprintf("Content-Length: %d", len(eval)+1), "-Authorization"),
		"websocket, then a request":    s.get("/wait/nothing", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==") + hidden,
		"websocket on the api, hidden": s.get("/api/eval", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==") + hidden,
	} {
		add(attack{49, name, request, refused})
	}
	for _, path := range append(gets, "/api/eval", "/api/events", "/events", "/__devrun/events", "/ws") {
		for _, origin := range []string{"https://evil.test", "null", "http://10.0.0.9", "http://127.0.0.1:9"} {
			add(attack{46, "stream " + origin + " " + path, s.get(path, "Origin: "+origin, "Accept: text/event-stream", "Sec-Fetch-Site: cross-site"), []int{403, 405}},
				attack{46, "websocket " + origin + " " + path, s.get(path, "Origin: "+origin, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
					"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Protocol: "+s.token, "-Authorization", "-X-Devrun"), []int{403, 405}})
		}
	}
	add(attack{46, "websocket without an origin", s.get("/api/failures/f1/state", "-Origin", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
		"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "Sec-Fetch-Mode: websocket", "-Authorization", "-X-Devrun"), []int{403}})
}

// questions are asked by somebody who is trusted, and are wrong.
func (s *site) questions(add func(...attack)) {
	bad := []int{400}
	for _, frame := range []string{`-1`, `1000000000`, `10000`, `"0x1"`, `"0"`, `0x1`, `1.5`, `1e9`, `99999999999999999999999`, `null`, `true`, `[0]`, `{}`, `01`} {
		for path, question := range map[string]string{
			"/api/eval": `{"failure":"f1","frame":%s,"src":"1"}`, "/api/complete": `{"failure":"f1","frame":%s,"src":"1","pos":0}`, "/api/reveal": `{"failure":"f1","frame":%s,"path":[]}`,
		} {
			add(attack{58, "frame " + frame + " " + path, s.post(path, fmt.Sprintf(question, frame)), bad})
		}
	}
	src := func(text string) string { return `{"failure":"f1","frame":0,"src":"` + text + `"}` }
	add(attack{58, "expression of 1 MB", s.post("/api/eval", src(strings.Repeat("1", 1<<20))), []int{413}},
		attack{58, "expression of 17 kB", s.post("/api/eval", src(strings.Repeat("1", 17<<10))), []int{413}},
		attack{58, "nul", s.post("/api/eval", src("a\x00b")), bad},
		attack{58, "nul in disguise", s.post("/api/eval", src(`a\u0000b`)), bad},
		attack{58, "not utf-8", s.post("/api/eval", src("\xff\xfe")), bad},
		attack{58, "number for an expression", s.post("/api/eval", `{"failure":"f1","frame":0,"src":1}`), bad},
		attack{58, "no expression", s.post("/api/eval", `{"failure":"f1","frame":0}`), bad},
		attack{58, "one part too many", s.post("/api/eval", `{"failure":"f1","frame":0,"src":"1","pos":0}`), bad},
		attack{58, "unknown part", s.post("/api/eval", `{"failure":"f1","frame":0,"src":"1","file":"/etc/passwd"}`), bad},
		attack{58, "two questions", s.post("/api/eval", src("1")+src("2")), bad},
		attack{58, "list of questions", s.post("/api/eval", "["+src("1")+"]"), bad},
		attack{58, "null", s.post("/api/eval", "null"), bad},
		attack{58, "nothing", s.post("/api/eval", ""), bad},
		attack{58, "byte order mark", s.post("/api/eval", "\ufeff"+src("1")), bad},
		attack{58, "deep", s.post("/api/eval", `{"path":`+strings.Repeat("[", 60_000)), bad},
		attack{58, "xml", s.post("/api/eval", "<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><x>&a;</x>"), bad},
		attack{58, "failure of 1000 letters", s.post("/api/release", `{"failure":"`+strings.Repeat("f", 1000)+`"}`), []int{404}},
		attack{58, "empty failure", s.post("/api/release", `{"failure":""}`), []int{404}},
		attack{58, "pos beyond", s.post("/api/complete", `{"failure":"f1","frame":0,"src":"ab","pos":3}`), bad},
		attack{58, "pos before", s.post("/api/complete", `{"failure":"f1","frame":0,"src":"ab","pos":-1}`), bad},
		attack{58, "pos within a letter", s.post("/api/complete", `{"failure":"f1","frame":0,"src":"ä","pos":1}`), bad},
		attack{58, "path of 65 steps", s.post("/api/reveal", `{"failure":"f1","frame":0,"path":["a"`+strings.Repeat(`,"a"`, 64)+`]}`), bad},
		attack{48, "1 GB promised", s.post("/api/eval", "{", "Content-Length: 1073741824"), []int{413}},
		attack{48, "1 GB promised to unlock", s.post("/api/unlock", "{", "Content-Length: 1073741824"), []int{413}},
		attack{48, "header of 2 MB", s.post("/api/eval", bodies["/api/eval"], "X-Large: "+strings.Repeat("x", 2<<20)), []int{431, 0}},
		attack{48, "100 000 headers", s.post("/api/eval", bodies["/api/eval"], "X-Many: 1"+strings.Repeat("\nX-Many: 1", 100_000)), []int{431, 0}},
		attack{48, "address of 1 MB", s.get("/failures/" + strings.Repeat("f", 1<<20)), []int{431, 414, 0}})
	for _, path := range []string{`[-1]`, `[1.5]`, `[1e3]`, `[true]`, `[null]`, `[[1]]`, `[{}]`, `[2147483648]`, `{"0":1}`, `"a"`, `null`} {
		add(attack{58, "path " + path, s.post("/api/reveal", `{"failure":"f1","frame":0,"path":`+path+`}`), bad})
	}
	for _, pin := range []string{`""`, `"12345678"`, `"1234567890"`, `"12345678x"`, `"-1234567"`, `123456789`, `null`, `["123456789"]`, `{"$ne":1}`, `"１２３４５６７８９"`, `"000000000\u0000"`, `"` + strings.Repeat(" ", 1000) + `000000000"`} {
		add(attack{14, "no PIN at all " + fmt.Sprintf("%.30s", pin), s.post("/api/unlock", `{"pin":`+pin+`}`), bad})
	}
}
