//go:build linux

package attacks

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"devrun/cmd/devrun/internal/rig"
)

var nothing = []int{400, 403, 404}

// internals are where devrun has anything, as a start for paths.
var internals = []string{"/", "/failures/", "/__devrun/", "/__devrun/page.css/", "/api/failures/", "/wait/", "/source?file=", "/api/source?file="}

// There is no viewer of sources that takes a path; so the paths are tried
// everywhere, and as failures and as frames.
func traverse(t *testing.T, s *site) {
	for _, file := range []string{
		"../../../../etc/passwd", "..%2f..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/etc/passwd", "%252e%252e%252fetc%252fpasswd", "....//....//etc/passwd", `..\..\etc\passwd`,
		"/etc/passwd", "file:///etc/passwd", `C:\Windows\win.ini`, `\\host\share`, "main.go%00.txt", "proc/self/environ",
	} {
		for _, below := range internals {
			s.refused(t, nothing, s.get(below+file))
		}
		s.refused(t, nothing, s.get("/api/failures/"+file+"/state"),
			s.post("/api/eval", fmt.Sprintf(`{"failure":%q,"frame":0,"src":"effects.Add(1)"}`, file)),
			s.post("/api/eval", fmt.Sprintf(`{"failure":%q,"frame":%q,"src":"effects.Add(1)"}`, s.ID, file)))
		text := s.get("/__devrun/"+file, fmt.Sprint("Host: localhost:", s.Port))
		for _, a := range s.sendApp(t, text) { // a path that leaves devrun's own is the app's
			if a.StatusCode < 400 && a.StatusCode/100 != 3 || strings.Contains(a.body, "root:x:") || strings.Contains(a.body, sourceLine) {
				t.Errorf("%d for %s: %s", a.StatusCode, file, a.body)
			}
		}
	}
}

func queryTricks(t *testing.T, s *site) {
	s.Write(".env.victim", "SECRET=hunter2")
	for _, target := range []string{
		"/.env.victim?raw??", "/.env.victim?import&raw??", "/.env.victim?inline&import", "/main.go?/../.env.victim", "/__devrun/src/#/../../.env.victim", "/__devrun/;/../.env.victim", "/.env.victim::$DATA", "/.ENV.VICTIM", "/.env.victim/", "/.env.victim.",
		"/@fs" + s.Dir + "/.env.victim", "/__devrun/page.css::$DATA", "/__devrun/page.css/..%2f.env.victim", "/__devrun/page.css;.env.victim", "/__devrun/page.js.map", "/?.svg?.wasm?init/../.env.victim"[1:],
	} {
		s.refused(t, nothing, s.get(target))
		for _, a := range s.sendApp(t, s.get(target, fmt.Sprint("Host: localhost:", s.Port))) {
			if a.StatusCode == 200 || strings.Contains(a.body, "hunter2") {
				t.Errorf("%d for %s: %s", a.StatusCode, target, a.body)
			}
		}
	}
}

// lines is a devrun with an app whose frames claim to be in other files: line is
// what a generator writes above a function to say where it comes from.
func lines(t *testing.T, files ...string) *site { t.Helper(); return linesIn(t, newRig(t), files...) }

func linesIn(t *testing.T, r *rig.Rig, files ...string) *site {
	t.Helper()
	var b strings.Builder
	b.WriteString("package main\n\nimport \"net/http\"\n\nfunc init() {\n")
	for i := range files {
		fmt.Fprintf(&b, "\thandlers[\"/line/%d\"] = func(w http.ResponseWriter, r *http.Request) { line%d() }\n", i, i)
	}
	b.WriteString("}\n")
	for i, f := range files {
		fmt.Fprintf(&b, "\n//line %s\nfunc line%d() { panic(\"at a line\") }\n", strings.ReplaceAll(f, "DIR", r.Dir), i)
	}
	r.Write("zlines.go", b.String())
	return open(r)
}

// shown are all forms of the page of a failure, on both addresses.
func (s *site) shown(t *testing.T, path string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, accept := range []string{"text/html", "application/json", "text/markdown", "text/plain"} {
		resp, body, err := rig.Ask("GET", s.URL(path), nil, "Accept", accept, "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "none")
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode < 500 {
			t.Errorf("%s as %s: %d", path, accept, resp.StatusCode)
		}
		all[accept] = body
	}
	f := fails(t, s.Rig, path)
	for _, accept := range []string{"text/html", "application/json", "text/markdown", "text/plain"} {
		_, body, err := rig.Ask("GET", s.own+"/failures/"+f.ID, nil, "Accept", accept)
		if err != nil {
			t.Fatal(err)
		}
		all["own "+accept] = body
	}
	return all
}

// A frame can claim to be in any file of the machine.
func claimedFiles(t *testing.T, _ *site) {
	names := []string{".env", ".env.local", "cert.pem", "server.key", ".git/config", "id_rsa", "README", ".secret.go"}
	claims := []string{"/etc/passwd:1", "/proc/self/environ:1", "DIR/../outside.txt:1", "/dev/zero:1"}
	for _, n := range names {
		claims = append(claims, "DIR/"+n+":1")
	}
	s := lines(t, claims...)
	for _, n := range names {
		s.Write(n, "HUNTER2=deny-list\n")
	}
	s.Write("../outside.txt", "HUNTER2=deny-list\n")
	settled(t, s)
	s.honest(t)
	for i, c := range claims {
		for as, body := range s.shown(t, fmt.Sprint("/line/", i)) {
			if strings.Contains(body, "deny-list") || strings.Contains(body, "root:x:") || !strings.Contains(body, "at a line") {
				t.Errorf("%s as %s:\n%.3000s", c, as, body)
			}
		}
	}
	s.fresh(t)
	s.honest(t)
}

// settled waits until what was written is taken note of: a file that is read as
// the environment restarts the app.
func settled(t *testing.T, s *site) {
	t.Helper()
	s.Served("v1")
	pid := s.AppPid()
	s.Types("r")
	s.NewPid(pid)
	warm(t, s.Rig, "/fail")
	s.fresh(t)
}

// Symbolic links are followed where the developer has made them: the file that a
// frame names is read as the compiler has read it. A name that is no source is
// refused before it is looked at, so a link must bear the name of a source; that
// the page shows what such a link points to is what the editor does as well.
// Whoever can put links and //line comments into the project runs code in it anyway.
func linkedFiles(t *testing.T, _ *site) {
	claims := []string{"DIR/fifo.go:1", "DIR/zero.go:1", "DIR/dirlink/passwd:1", "DIR/link.txt:1", "DIR/hardlink.key:1", "DIR/dir.go:1"}
	s := lines(t, claims...)
	at := func(name string) string { return filepath.Join(s.Dir, name) }
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	s.honest(t)
	s.Write("plain.key", "HUNTER2=deny-list\n")
	must(syscall.Mkfifo(at("fifo.go"), 0o600))
	must(os.Symlink("/dev/zero", at("zero.go")))
	must(os.Symlink("/etc", at("dirlink")))
	must(os.Symlink("/etc/passwd", at("link.txt")))
	must(os.Link(at("plain.key"), at("hardlink.key")))
	must(os.Mkdir(at("dir.go"), 0o700))
	for i, c := range claims {
		began := time.Now()
		for as, body := range s.shown(t, fmt.Sprint("/line/", i)) {
			if strings.Contains(body, "deny-list") || strings.Contains(body, "root:x:") || len(body) > 1<<20 || !strings.Contains(body, "at a line") {
				t.Errorf("%s as %s after %v:\n%.3000s", c, as, time.Since(began), body)
			}
		}
	}
	s.fresh(t)
	s.honest(t)
}

// missingSource: what the frames name is not there, is not what was compiled, or is
// no text.
func missingSource(t *testing.T, _ *site) {
	claims := []string{"DIR/gone.go:7", "DIR/short.go:99999", "DIR/latin.go:2", "DIR/crlf.go:2", "DIR/long.go:1", "DIR/huge.go:1", "DIR/tabs.go:2", "<autogenerated>:1", "relative/never.go:1073741823"}
	r := newRig(t)
	for name, text := range map[string]string{
		"short.go": "package x\n", "latin.go": "package x\n// caf\xe9 \xff\xfe\nvar X int\n", "crlf.go": "package x\r\n// carriage\r\nvar X int\r\n",
		"long.go": "// " + strings.Repeat("x", 1<<20) + "\n", "huge.go": strings.Repeat("// 5 MB\n", 700_000), "tabs.go": "package x\n\t\t\tvar\tX\tint\n",
	} {
		// Beside the package: the app is not made of them.
		r.Write("named/"+name, text)
	}
	for i := range claims {
		claims[i] = strings.Replace(claims[i], "DIR/", r.Dir+"/named/", 1)
	}
	s := linesIn(t, r, claims...)
	s.honest(t)
	want := map[int]string{0: "not there any more", 5: "is larger than"}
	for i, c := range claims {
		for as, body := range s.shown(t, fmt.Sprint("/line/", i)) {
			if len(body) > 1<<20 || !strings.Contains(body, "at a line") || strings.HasSuffix(as, "html") && !strings.Contains(body, want[i]) {
				t.Errorf("%s as %s, %d bytes:\n%.2000s", url.PathEscape(c), as, len(body), body)
			}
		}
	}
	s.fresh(t)
	s.honest(t)
	// Saved since, and it does not build: the page of what has run says so.
	s.Replace("main.go", "local := strings.Repeat", "moved\n\n\tlocal := strings.Repeat")
	s.Says(`^devrun: build failed`)
	for _, a := range s.send(t, s.get("/failures/"+s.ID)) {
		if a.StatusCode != 200 || !strings.Contains(a.body, "has changed since it was compiled") || strings.Contains(a.body, sourceLine) {
			t.Errorf("%d:\n%.3000s", a.StatusCode, a.body)
		}
	}
	if status, a, err := s.eval("count"); err != nil || status != 200 || a.Text != "0" {
		t.Errorf("the console of what has run: %d %+v %v", status, a, err)
	}
}
