package console

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// attack is a row of the list of attacks on debug pages, by its number there.
type attack struct {
	n        int
	name     string
	request  string
	statuses []int // any of them; 0 is a connection that is closed without an answer
}

// everywhere makes an attack of changes to the headers of every request that
// is otherwise honest.
func (s *site) everywhere(n int, name string, statuses []int, changes ...string) (rows []attack) {
	for _, path := range slices.Sorted(maps.Keys(bodies)) {
		rows = append(rows, attack{n, name + " " + path, s.post(path, bodies[path], changes...), statuses})
	}
	for _, path := range gets {
		rows = append(rows, attack{n, name + " " + path, s.get(path, changes...), statuses})
	}
	return rows
}

// asking is everywhere for what is posted alone.
func (s *site) asking(n int, name string, statuses []int, changes ...string) (rows []attack) {
	for _, path := range slices.Sorted(maps.Keys(bodies)) {
		rows = append(rows, attack{n, name + " " + path, s.post(path, bodies[path], changes...), statuses})
	}
	return rows
}

func TestAttacks(t *testing.T) {
	s := newSite(t)
	var rows []attack
	add := func(more ...attack) { rows = append(rows, more...) }
	forbidden, noHost := []int{403}, []int{400, 403}
	eval := bodies["/api/eval"]

	add(s.everywhere(2, "rebinding", forbidden, "Host: evil.test:PORT", "Origin: http://evil.test:PORT")...)
	add(attack{2, "rebinding wait", s.get("/wait/"+s.wait, "Host: evil.test:PORT"), forbidden})
	add(s.everywhere(3, "host below localhost", forbidden, "Host: a.localhost:PORT", "Origin: http://a.localhost:PORT")...)
	for _, host := range []string{
		"localhost.evil.test:PORT", "127.0.0.1.nip.io:PORT", "localhost:80@evil.test:PORT", "evil.test#localhost:PORT", "0x7f.1:PORT", "2130706433:PORT",
		"xlocalhost:PORT", "localhost,evil.test", "localhost:PORT,evil.test", "", "\tlocalhost", "localhost", "127.0.0.1", "127.0.0.1:80", "127.0.0.1:1PORT", "127.0.0.1:0PORT",
		"LOCALHOST:PORT", "localhost.:PORT", "127.0.0.2:PORT", "127.1:PORT", "0.0.0.0:PORT", "[::]:PORT", "[0::1]:PORT", "[::ffff:127.0.0.1]:PORT", "::1:PORT",
		"[::1%25lo]:PORT", "127.0.0.1:PORT/", "127.0.0.1:PORT:PORT", "user@127.0.0.1:PORT", "127.0.0.1:PORT\u00a0", "localho\u017ft:PORT",
	} {
		add(attack{3, fmt.Sprintf("host %q eval", host), s.post("/api/eval", eval, "Host: "+host, "Origin: http://"+host), noHost},
			attack{3, fmt.Sprintf("host %q page", host), s.get("/", "Host: "+host), noHost},
			attack{3, fmt.Sprintf("host %q wait", host), s.get("/wait/"+s.wait, "Host: "+host), noHost})
	}
	for _, line := range []string{"http://evil.test/api/eval", "http://evil.test:PORT/api/eval", "https://127.0.0.1:PORT/api/eval", "http://127.0.0.1:PORT/api/eval", "//127.0.0.1:PORT/api/eval", "http:/api/eval", "http:api/eval"} {
		add(attack{4, "absolute form " + line, strings.ReplaceAll(s.post("/api/eval", eval), "/api/eval HTTP", strings.ReplaceAll(line, "PORT", s.port)+" HTTP"), []int{400, 403, 404}})
	}
	add(attack{4, "absolute page", s.request("GET http://evil.test/ HTTP/1.1", ""), forbidden},
		attack{4, "http/1.0 without host", "GET / HTTP/1.0\r\n\r\n", forbidden},
		attack{4, "http/1.0 without host, eval", strings.Replace(s.post("/api/eval", eval, "-Host"), "HTTP/1.1", "HTTP/1.0", 1), forbidden},
		attack{4, "http/1.1 without host", s.post("/api/eval", eval, "-Host"), noHost},
		attack{4, "two hosts", s.post("/api/eval", eval, "+Host: 127.0.0.1:PORT"), noHost},
		attack{4, "two hosts, one evil", s.post("/api/eval", eval, "+Host: evil.test"), noHost})
	add(s.everywhere(5, "forwarded host", forbidden, "Host: evil.test", "-Origin", "X-Forwarded-Host: 127.0.0.1:PORT", "Forwarded: host=127.0.0.1:PORT", "X-Host: 127.0.0.1:PORT", "X-Original-Host: 127.0.0.1:PORT")...)

	add(s.everywhere(6, "cross origin", forbidden, "Origin: https://evil.test")...)
	for _, origin := range []string{
		"null", "", "http://127.0.0.1:9", "http://localhost:PORT", "http://[::1]:PORT", "http://localhost.evil.test", "http://10.0.0.9", "http://127.0.0.1:PORT.evil.test",
		"HTTP://127.0.0.1:PORT", "https://127.0.0.1:PORT", "http://127.0.0.1:PORT/", "http://127.0.0.1", "http://127.0.0.1:PORT, http://evil.test", "http://127.0.0.1:PORT http://evil.test", "file://", "127.0.0.1:PORT",
	} {
		add(attack{7, "origin " + origin, s.post("/api/eval", eval, "Origin: "+origin), forbidden},
			attack{7, "origin " + origin + " unlock", s.post("/api/unlock", bodies["/api/unlock"], "Origin: "+origin), forbidden},
			attack{7, "origin " + origin + " state", s.get("/api/failures/f1/state", "Origin: "+origin), forbidden},
			attack{7, "origin " + origin + " page", s.get("/failures/f1", "Origin: "+origin), forbidden})
	}
	add(s.everywhere(7, "two origins", forbidden, "Origin: http://127.0.0.1:PORT", "+Origin: https://evil.test")...)
	add(s.everywhere(7, "two equal origins", forbidden, "Origin: http://127.0.0.1:PORT", "+Origin: http://127.0.0.1:PORT")...)
	add(s.asking(7, "no origin", forbidden, "-Origin")...)
	add(s.asking(7, "no origin and no fetch metadata", forbidden, "-Origin", "-Sec-Fetch-Site", "-Sec-Fetch-Mode", "-Sec-Fetch-Dest")...)

	for _, site := range []string{"cross-site", "same-site", "Same-Origin", "same-origin, none", ""} {
		add(s.everywhere(8, fmt.Sprintf("site %q", site), forbidden, "Sec-Fetch-Site: "+site)...)
	}
	add(s.everywhere(8, "two sites", forbidden, "Sec-Fetch-Site: same-origin", "+Sec-Fetch-Site: cross-site")...)
	add(s.asking(8, "typed address", forbidden, "Sec-Fetch-Site: none")...)
	for _, mode := range []string{"no-cors", "navigate", "websocket", "", "cors, no-cors"} {
		add(s.asking(8, fmt.Sprintf("mode %q", mode), forbidden, "Sec-Fetch-Mode: "+mode)...)
		add(attack{8, fmt.Sprintf("mode %q state", mode), s.get("/api/failures/f1/state", "Sec-Fetch-Mode: "+mode), forbidden})
	}
	for _, dest := range []string{"document", "iframe", "script", "", "empty, empty"} {
		add(s.asking(8, fmt.Sprintf("destination %q", dest), forbidden, "Sec-Fetch-Dest: "+dest)...)
		add(attack{8, fmt.Sprintf("destination %q state", dest), s.get("/api/failures/f1/state", "Sec-Fetch-Dest: "+dest), forbidden})
	}
	add(s.asking(8, "form that fills a tab", forbidden, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document")...)
	for _, dest := range []string{"iframe", "frame", "embed", "object", "script", "image", ""} {
		add(attack{8, "page in " + dest, s.get("/failures/f1", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: "+dest), forbidden},
			attack{8, "page by no-cors in " + dest, s.get("/failures/f1", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: "+dest), forbidden},
			attack{8, "asset in " + dest, s.get("/__devrun/page.js", "Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: "+dest), forbidden})
	}
	add(attack{8, "state by link", s.get("/api/failures/f1/state", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"), forbidden})

	for _, header := range []string{
		"Content-Type: text/plain", "Content-Type: application/x-www-form-urlencoded", "Content-Type: multipart/form-data; boundary=x", "-Content-Type", "Content-Type:",
		"Content-Type: application/json;x=", "Content-Type: application/json; charset=utf-8", "Content-Type: text/plain; a=application/json", "Content-Type: application/json, text/plain",
		"Content-Type: Application/JSON", "Content-Type: application/jsonp", "Content-Type: text/json", "+Content-Type: text/plain", "Content-Encoding: gzip", "Content-Encoding: identity",
	} {
		add(s.asking(9, header, []int{415}, header)...)
		// The length is promised and nothing comes: who reads first waits, and
		// then finds a bad body.
		add(attack{9, header + " before the body", strings.TrimSuffix(s.post("/api/eval", eval, header), eval), []int{415}})
	}
	for _, header := range []string{"-X-Devrun", "X-Devrun: 0", "X-Devrun:", "X-Devrun: 1, 1", "+X-Devrun: 1", "X-Devrun: true"} {
		add(s.asking(9, header, forbidden, header)...)
		add(attack{9, header + " before the body", strings.TrimSuffix(s.post("/api/eval", eval, header), eval), forbidden},
			attack{9, header + " state", s.get("/api/failures/f1/state", header), forbidden})
	}

	for path, body := range bodies {
		add(attack{10, "get " + path, s.get(path), []int{405}},
			attack{10, "get with a query " + path, s.get(path + "?failure=f1&frame=0&src=honest(1)&pin=1"), []int{404}},
			attack{10, "post with a query " + path, s.post(path+"?_method=POST", body), []int{404}},
			attack{10, "head " + path, s.request("HEAD "+path+" HTTP/1.1", ""), []int{405}},
			attack{10, "get with a body " + path, strings.Replace(s.post(path, body), "POST", "GET", 1), []int{405}},
			attack{10, "override " + path, s.get(path, "X-HTTP-Method-Override: POST", "X-HTTP-Method: POST", "X-Method-Override: POST"), []int{405}})
		for _, method := range []string{"PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "QUERY", "post", "POST\tX", "PROPFIND"} {
			add(attack{10, method + " " + path, strings.Replace(s.post(path, body), "POST", method, 1), []int{400, 405}})
		}
		add(attack{11, "preflight " + path, s.request("OPTIONS "+path+" HTTP/1.1", "", "Origin: https://evil.test", "Sec-Fetch-Site: cross-site",
			"Access-Control-Request-Method: POST", "Access-Control-Request-Headers: x-devrun,authorization,content-type", "Access-Control-Request-Private-Network: true", "-Authorization"), []int{403, 405}},
			attack{11, "preflight of its own " + path, s.request("OPTIONS "+path+" HTTP/1.1", "", "Origin: http://127.0.0.1:PORT", "Access-Control-Request-Method: POST"), []int{405}})
	}
	for _, path := range gets {
		add(attack{10, "post " + path, s.post(path, "{}"), []int{405}},
			attack{10, "override " + path, s.post(path, "{}", "X-HTTP-Method-Override: GET"), []int{405}},
			attack{10, "delete " + path, s.request("DELETE "+path+" HTTP/1.1", ""), []int{405}},
			attack{11, "preflight " + path, s.request("OPTIONS "+path+" HTTP/1.1", "", "Origin: https://evil.test", "Access-Control-Request-Method: GET"), []int{403, 405}})
	}
	add(attack{10, "post wait", s.post("/wait/"+s.wait, "{}"), []int{405}},
		attack{10, "head wait", s.request("HEAD /wait/"+s.wait+" HTTP/1.1", ""), []int{405}},
		attack{11, "preflight wait", s.request("OPTIONS /wait/"+s.wait+" HTTP/1.1", "", "Origin: null", "Access-Control-Request-Method: GET"), []int{405}})

	stranger := newSite(t) // another run of devrun
	for name, header := range map[string]string{
		"no token": "-Authorization", "empty token": "Authorization: Bearer ", "wrong token": "Authorization: Bearer " + strings.Repeat("A", 43),
		"prefix of the token": "Authorization: Bearer " + s.token[:42], "token and more": "Authorization: Bearer " + s.token + "A", "two tokens": "+Authorization: Bearer " + s.token,
		"basic": "Authorization: Basic " + s.token, "bare token": "Authorization: " + s.token, "small bearer": "Authorization: bearer " + s.token, "token of a wait": "Authorization: Bearer " + s.wait,
		"the PIN": "Authorization: Bearer " + s.console.PIN(), "list": "Authorization: Bearer " + s.token + ", Bearer " + s.token,
	} {
		for path, body := range bodies {
			if path != "/api/unlock" {
				add(attack{12, name + " " + path, s.post(path, body, header), forbidden},
					attack{12, name + " before the body " + path, strings.TrimSuffix(s.post(path, body, header), body), forbidden})
			}
		}
	}
	add(attack{12, "token of 10 MB", s.post("/api/eval", eval, "Authorization: Bearer "+strings.Repeat("A", 10<<20)), []int{431, 0}},
		attack{12, "token in the address", s.post("/api/eval?token="+s.token, eval, "-Authorization"), []int{404}},
		attack{12, "token in a cookie", s.post("/api/eval", eval, "-Authorization", "Cookie: token="+s.token+"; Authorization=Bearer "+s.token), forbidden},
		attack{12, "token in the body", s.post("/api/eval", `{"token":"`+s.token+`",`+eval[1:], "-Authorization"), forbidden},
		attack{13, "reveal with a PIN in place of the token", s.post("/api/reveal", `{"pin":"`+s.console.PIN()+`",`+bodies["/api/reveal"][1:], "-Authorization"), forbidden},
		attack{19, "token of another run", s.post("/api/eval", eval, "Authorization: Bearer "+stranger.token), forbidden},
		attack{19, "token of 8 kB", s.post("/api/eval", eval, "Authorization: Bearer "+strings.Repeat("A", 8<<10)), forbidden},
		attack{19, "token with a time", s.post("/api/eval", eval, "Authorization: Bearer 99999999999|"+s.token), forbidden})

	s.paths(add)
	s.smuggling(add)
	s.questions(add)

	s.honest()
	for _, a := range rows {
		t.Run(fmt.Sprintf("%02d %.80s", a.n, a.name), func(t *testing.T) {
			s.t = t
			s.refused(a.request, a.statuses...)
		})
	}
	s.t = t
	t.Logf("%d attacks", len(rows))
}

// paths are addresses that stand for a file, or for one of devrun's own in
// disguise.
func (s *site) paths(add func(...attack)) {
	nothing := []int{400, 403, 404}
	for _, file := range []string{
		"../../../../etc/passwd", "..%2f..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/etc/passwd", "%252e%252e%252fetc%252fpasswd", "....//....//etc/passwd", `..\..\etc\passwd`, "..%5c..%5cetc%5cpasswd",
		"/etc/passwd", "file:///etc/passwd", `C:\Windows\win.ini`, `\\host\share`, "a.go%00.txt", "proc/self/environ",
	} {
		for _, below := range []string{"/", "/failures/", "/__devrun/", "/__devrun/page.css/", "/api/failures/", "/wait/", "/source?file=", "/api/source?file="} {
			add(attack{25, below + file, s.get(below + file), nothing})
		}
		add(attack{25, "state of " + file, s.get("/api/failures/" + file + "/state"), nothing},
			attack{25, "failure " + file, s.post("/api/eval", fmt.Sprintf(`{"failure":%q,"frame":0,"src":"1"}`, file)), nothing},
			attack{25, "frame " + file, s.post("/api/eval", fmt.Sprintf(`{"failure":"f1","frame":%q,"src":"1"}`, file)), nothing})
	}
	for _, target := range []string{
		"/.env?raw??", "/.env?import&raw??", "/.env?inline&import", "/x.go?/../.env", "/__devrun/src/#/../../.env", "/__devrun/;/..", "/.env::$DATA", "/.ENV", "/.env/", "/.env.", "/@fs/etc/passwd", "/__devrun/page.css::$DATA",
		"/__devrun/page.css/..%2f.env", "/__devrun/page.css;.env", "/__devrun/page.css#x", "/__devrun/page.js.map",
	} {
		add(attack{26, target, s.get(target), nothing})
	}
	for _, name := range []string{".env", ".env.local", "cert.pem", "server.key", ".git/config", "id_rsa", "go.mod", "main.go"} {
		for _, below := range []string{"/", "/failures/", "/__devrun/", "/api/failures/"} {
			if below == "/failures/" && isWord(name) {
				continue // it may be a failure, and is looked for among them alone
			}
			add(attack{27, below + name, s.get(below + name), nothing})
		}
	}
	for _, target := range []string{
		"/%0d%0aSet-Cookie:x=1", "/failures/%0d%0aLocation:%20//evil.test", "/wait/%0d%0aSet-Cookie:x=1", "//evil.test/..", "//evil.test", "/failures//evil.test", "/failures/..//evil.test",
		"/api/unlock?next=%0d%0aSet-Cookie:x=1", "/api/redirect?location=//evil.test", "/\\evil.test", "/failures", "/api", "/api/", "/wait", "/wait/", "/__devrun", "/__devrun/", "/index.html", "/console", "/favicon.ico", "/?__debugger__=yes&cmd=resource&f=../../etc/passwd"[1:],
	} {
		add(attack{44, target, s.get(target), nothing})
	}
	for _, target := range []string{
		"//api/eval", "/./api/eval", "/x/../api/eval", "/api/../api/eval", "/%61pi/eval", "/api%2feval", "/api/eval/", "/api/eval/.", "/api/eval%20", "/x/..;/api/eval", "/API/eval", "/api/Eval", "/api/eval.", "/api/eval;x", "/api/eval#", "/api/eval%00",
		"/api\\eval", "/api//eval", "api/eval", "*", "/__devrun/api/eval", "/__devrun/../api/eval", "/failures/../api/eval", "/failures/f1/../../api/eval", "/api/eval%3f", "/\u200bapi/eval",
	} {
		add(attack{50, target, s.post(target, bodies["/api/eval"]), nothing})
	}
	for _, target := range []string{"//failures/f1", "/failures/f1/", "/failures/f1/x", "/failures/./f1", "/failures/%66%31", "/Failures/f1", "/failures/f1.", "/failures/" + strings.Repeat("f", 65), "/api/failures/f1/state/", "/api/failures//state", "/api/failures/f1/f1/state", "/api/failures/f1", "/__devrun//page.css", "/__DEVRUN/page.css", "/wait/" + s.wait + "/", "/wait//" + s.wait, "/wait/" + s.wait + "?x"} {
		add(attack{50, target, s.get(target), nothing})
	}
	add(attack{50, "options *", s.request("OPTIONS * HTTP/1.1", ""), []int{405}},
		attack{50, "connect", s.request("CONNECT 127.0.0.1:PORT HTTP/1.1", ""), []int{400, 405}},
		attack{50, "connect to another", s.request("CONNECT evil.test:80 HTTP/1.1", ""), []int{400, 403, 405}})
	tunnel := []string{"Host: abc.ngrok.app", "X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: https", "X-Forwarded-Host: abc.ngrok.app", "Origin: https://abc.ngrok.app"}
	add(s.everywhere(57, "tunnel", []int{403}, tunnel...)...)
	add(attack{57, "tunnel wait", s.get("/wait/"+s.wait, tunnel...), []int{403}})
}
