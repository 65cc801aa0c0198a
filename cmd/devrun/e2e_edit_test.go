//go:build linux

package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// behaviour is one thing that devrun does whether it is notified of changes
// or looks for them.
type behaviour struct {
	name string
	test func(t *testing.T, mode string)
}

var behaviours = [][]behaviour{editBehaviours, graphBehaviours, processBehaviours, proxyBehaviours, cornerBehaviours}

// TestBehaviour is the table of all behaviours, each under both ways of
// watching. With -short only notifications are used.
func TestBehaviour(t *testing.T) {
	for _, mode := range []string{"notify", "poll"} {
		if mode == "poll" && testing.Short() {
			continue
		}
		t.Run(mode, func(t *testing.T) {
			for _, table := range behaviours {
				for _, b := range table {
					t.Run(b.name, func(t *testing.T) {
						t.Parallel()
						b.test(t, mode)
					})
				}
			}
		})
	}
}

var editBehaviours = []behaviour{
	{"an edit is one build and one process", testEdit},
	{"no request is refused or fails while the app changes", testZeroRefused},
	{"a broken build shows a page and the old app lives", testBrokenBuild},
	{"a storm of saves ends in the last one", testSaveStorm},
	{"a save during the build wins", testSaveDuringBuild},
	{"the same bytes, a touch and a revert", testNoChange},
	{"every editor's way to save", testAtomicSaves},
	{"git checkout", testCheckout},
	{"a tree that is moved in", testNewTree},
	{"delete and rename", testDeleteRename},
	{"a template is a restart without a build", testTemplate},
}

func testEdit(t *testing.T, mode string) {
	r := newRig(t, mode).start()
	if n := r.builds(); n != 1 {
		t.Errorf("%d builds at the start", n)
	}
	for _, v := range []string{"v2", "v3", "v4"} {
		before, builds := r.appPid(), r.builds()
		r.setVersion(v)
		r.served(v)
		if after := r.appPid(); after == before {
			t.Errorf("%s is served by the old process", v)
		}
		gone(t, before)
		if n := r.builds() - builds; n != 1 {
			t.Errorf("%s took %d builds", v, n)
		}
	}
	r.says(`^devrun: main\.go saved$`)
	r.says(`^devrun: built in \d+\.\d\ds$`)
	r.says(fmt.Sprintf(`^devrun: serving http://localhost:%d \(pid %d\)$`, r.port, r.appPid()))
	// The address is also there under its other names.
	for _, host := range []string{"localhost", "127.0.0.1"} {
		if _, body, err := ask("GET", fmt.Sprintf("http://%s:%d/version", host, r.port), nil); err != nil || body != "v4\n" {
			t.Errorf("%s: %q %v", host, body, err)
		}
	}
}

func testZeroRefused(t *testing.T, mode string) {
	r := newRig(t, mode).start()
	stop := hammer(r.url("/version"), 10*time.Millisecond)
	for i := range 5 {
		v := fmt.Sprintf("w%d", i)
		r.setVersion(v)
		r.served(v)
	}
	n, failed := stop()
	if len(failed) > 0 {
		t.Errorf("%d of %d requests failed, the first with %s", len(failed), n, failed[0])
	}
	if n < 50 {
		t.Errorf("only %d requests", n)
	}
}

func testBrokenBuild(t *testing.T, mode string) {
	r := newRig(t, mode).start()
	pid := r.appPid()
	r.replace("main.go", `const version = "v1"`, `const version = undefined + "<script>"`)
	r.says(`^devrun: build failed`)
	eventually(t, "the page is shown", func() error {
		resp, body, err := ask("GET", r.url("/"), nil, "Accept", "text/html")
		if err != nil {
			return err
		}
		if resp.StatusCode != 500 || !strings.Contains(body, "main.go:21") || !strings.Contains(body, "undefined") {
			return fmt.Errorf("%d\n%s", resp.StatusCode, body)
		}
		if strings.Contains(body, "<script>&") || strings.Contains(body, "\"<script>") {
			t.Fatalf("source text is not escaped:\n%s", body)
		}
		if resp.Header.Get("Content-Security-Policy") == "" {
			t.Error("the page has no policy")
		}
		return nil
	})
	resp, body, err := ask("GET", r.url("/nowhere"), nil, "Accept", "application/json")
	if err != nil || resp.StatusCode != 500 || !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") || !strings.Contains(body, `main.go`) {
		t.Errorf("JSON: %v %v\n%s", err, resp.Status, body)
	}
	if status, body := r.get("/version"); status != 500 || !strings.Contains(body, "main.go:21") || strings.Contains(body, "<p") {
		t.Errorf("text: %d\n%s", status, body)
	}
	// What the page of the running app asks for itself still goes to it.
	if status, body := r.get("/pid", "Sec-Fetch-Dest", "empty", "Sec-Fetch-Mode", "cors"); status != 200 || strings.TrimSpace(body) != fmt.Sprint(pid) {
		t.Errorf("a script's request: %d %q, want the old process %d", status, body, pid)
	}
	if !running(pid) {
		t.Error("the old app is gone")
	}
	r.says(`^  main\.go:21:\d+ +\S`)
	r.says(fmt.Sprintf(`^devrun: generation 1 is still running \(pid %d\)$`, pid))
	r.says(`^devrun: waiting for a save$`)
	r.replace("main.go", `undefined + "<script>"`, `"v2"`)
	r.served("v2")
	gone(t, pid)
}

func testSaveStorm(t *testing.T, mode string) {
	r := newRig(t, mode).start()
	before := r.builds()
	watch := r.watchProcesses()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for i := range 50 {
		<-tick.C
		r.setVersion(fmt.Sprintf("s%d", i+2))
	}
	r.served("s51")
	if n := r.builds() - before; n > 3 {
		t.Errorf("%d builds", n)
	}
	apps, builds := watch()
	if apps > 1 {
		t.Errorf("%d apps at once", apps)
	}
	if builds > 1 {
		t.Errorf("%d builds at once", builds)
	}
}

// watchProcesses looks at devrun's children until the returned function is
// called, which says how many apps and how many go commands there were at the
// most at one time.
func (r *rig) watchProcesses() func() (apps, builds int) {
	stop := make(chan struct{})
	done := make(chan [2]int)
	go func() {
		var most [2]int
		for {
			select {
			case <-stop:
				done <- most
				return
			case <-time.After(5 * time.Millisecond):
			}
			var now [2]int
			for _, name := range childNames(r.cmd.Process.Pid) {
				switch name {
				case "app":
					now[0]++
				case "go build":
					now[1]++
				}
			}
			most[0], most[1] = max(most[0], now[0]), max(most[1], now[1])
		}
	}()
	return func() (int, int) {
		close(stop)
		m := <-done
		return m[0], m[1]
	}
}

// childNames are the names of the children of a process that are no zombies;
// of a go command with its verb.
func childNames(pid int) []string {
	var names []string
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil
	}
	for _, s := range stats {
		b, err := os.ReadFile(s)
		if err != nil {
			continue
		}
		name, rest, ok := strings.Cut(string(b), ") ")
		if !ok {
			continue
		}
		_, name, _ = strings.Cut(name, " (")
		var state string
		var ppid int
		if _, err := fmt.Sscan(rest, &state, &ppid); err != nil || ppid != pid || state == "Z" {
			continue
		}
		if name == "go" {
			if args, err := os.ReadFile(filepath.Join(filepath.Dir(s), "cmdline")); err == nil {
				if f := strings.Split(string(args), "\x00"); len(f) > 1 {
					name += " " + f[1]
				}
			}
		}
		names = append(names, name)
	}
	return names
}

func testSaveDuringBuild(t *testing.T, mode string) {
	r := newRig(t, mode).start()
	watch := r.watchProcesses()
	// The build is made long by code that takes the compiler a while.
	r.write("slow.go", slowSource(0))
	for i := range 8 {
		eventually(t, "a build is under way", func() error {
			if names := childNames(r.cmd.Process.Pid); !slices.Contains(names, "go build") {
				return fmt.Errorf("children: %q", names)
			}
			return nil
		})
		r.write("slow.go", slowSource(i+1))
		r.setVersion(fmt.Sprintf("d%d", i))
	}
	r.served("d7")
	if _, body := r.get("/version"); body != "d7\n" {
		t.Errorf("an older version is back: %q", body)
	}
	if apps, builds := watch(); apps > 1 || builds > 1 {
		t.Errorf("%d apps and %d builds at once", apps, builds)
	}
	if n := r.builds(); n > 4 {
		t.Errorf("%d builds were finished", n)
	}
}

// slowSource is a Go file that takes a second or so to compile.
func slowSource(seed int) string {
	var b strings.Builder
	b.WriteString("package main\n\n")
	for i := range 400 {
		fmt.Fprintf(&b, "func slow%d(a, b, c int) (x int) {\n", i)
		for j := range 60 {
			fmt.Fprintf(&b, "\tif a*%d > b+%d { x += c %% %d } else { x ^= a }\n", j+1, seed+i, j+3)
		}
		b.WriteString("\treturn\n}\n\n")
	}
	return b.String()
}

func testNoChange(t *testing.T, mode string) {
	r := newRig(t, mode).start()
	r.setVersion("v2") // from here on the watcher has seen the files
	r.served("v2")
	before := r.builds()
	r.write("main.go", r.read("main.go"))
	now := time.Now()
	if err := os.Chtimes(filepath.Join(r.dir, "web/web.go"), now, now); err != nil {
		t.Fatal(err)
	}
	if n := r.quiet(before, "v3"); n != 0 {
		t.Errorf("the same bytes and a touch: %d builds", n)
	}
	// Two files change and one is put back: the app is what is on disk.
	web := r.read("web/web.go")
	r.setVersion("v4")
	r.replace("web/web.go", `leaf = "l1"`, `leaf = "l2"`)
	r.answers("/leaf", "l2")
	r.write("web/web.go", web)
	r.answers("/leaf", "l1")
	r.served("v4")
}

func testAtomicSaves(t *testing.T, mode string) {
	r := newRig(t, mode).start()
	path := filepath.Join(r.dir, "main.go")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	write := func(p, text string) { t.Helper(); must(os.WriteFile(p, []byte(text), 0o644)) }
	ways := []struct {
		name string
		save func(text string)
	}{
		{"temporary file and rename over", func(text string) {
			write(path+".tmp", text)
			must(os.Rename(path+".tmp", path))
		}},
		{"vim: rename to backup, write anew, remove the backup", func(text string) {
			must(os.Rename(path, path+"~"))
			write(path, text)
			must(os.Remove(path + "~"))
		}},
		{"truncate, pause, write", func(text string) {
			f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
			must(err)
			time.Sleep(15 * time.Millisecond) // the pause is the case
			_, err = f.WriteString(text)
			must(errors.Join(err, f.Close()))
		}},
		{"vim: probe file 4913 first", func(text string) {
			probe := filepath.Join(r.dir, "4913")
			write(probe, "")
			must(os.Remove(probe))
			write(path, text)
		}},
		{"sed -i", func(text string) {
			write(path+".new", text)
			must(exec.Command("cp", path+".new", filepath.Join(r.dir, "sedA1b2C3")).Run())
			must(os.Remove(path + ".new"))
			must(os.Rename(filepath.Join(r.dir, "sedA1b2C3"), path))
		}},
		{"JetBrains: safe write", func(text string) {
			write(path+"___jb_tmp___", text)
			must(os.Rename(path, path+"___jb_old___"))
			must(os.Rename(path+"___jb_tmp___", path))
			must(os.Remove(path + "___jb_old___"))
		}},
	}
	for round := range 3 {
		for i, way := range ways {
			v := fmt.Sprintf("a%d_%d", round, i)
			before := r.builds()
			way.save(r.source(v))
			r.served(v)
			if n := r.builds() - before; n != 1 {
				t.Errorf("%s, round %d: %d builds", way.name, round, n)
			}
		}
	}
}

func (r *rig) git(args ...string) {
	r.t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=t", "-c", "user.email=t@example.test", "-c", "init.defaultBranch=a", "-c", "gc.auto=0"}, args...)...)
	cmd.Dir = r.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		r.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

func testCheckout(t *testing.T, mode string) {
	r := newRig(t, mode)
	branch := func(version, leaf string, dirs int) {
		r.setVersion(version)
		var imports, uses strings.Builder
		for d := range dirs {
			pkg := fmt.Sprintf("gen/p%d/sub", d)
			for f := range 8 {
				r.write(fmt.Sprintf("%s/f%d.go", pkg, f), fmt.Sprintf("package sub\n\nconst C%d = %q\n", f, leaf))
			}
			fmt.Fprintf(&imports, "\tp%d \"example.test/app/%s\"\n", d, pkg)
			fmt.Fprintf(&uses, "var _ = p%d.C0\n", d)
		}
		r.write("gen.go", "package main\n\nimport (\n"+imports.String()+")\n\n"+uses.String())
	}
	r.git("init", "-q")
	branch("v1", "one", 2)
	r.git("add", ".")
	r.git("commit", "-qm", "a")
	r.git("checkout", "-qb", "b")
	branch("b1", "two", 40)
	r.git("add", ".")
	r.git("commit", "-qm", "b")
	r.git("checkout", "-q", "a")
	r.start()
	before := r.builds()
	r.git("checkout", "-q", "b")
	r.git("checkout", "-q", "a")
	r.git("checkout", "-q", "b")
	r.served("b1")
	if n := r.builds() - before; n > 2 {
		t.Errorf("%d builds", n)
	}
	// git's own files are none of the app's.
	before = r.builds()
	r.git("commit", "-q", "--allow-empty", "-m", "nothing")
	r.write(".git/index.lock", "")
	os.Remove(filepath.Join(r.dir, ".git/index.lock"))
	if n := r.quiet(before, "b2"); n != 0 {
		t.Errorf("git's files: %d builds", n)
	}
}

func testNewTree(t *testing.T, mode string) {
	r := newRig(t, mode).start()
	prepared := filepath.Join(t.TempDir(), "x")
	if err := os.MkdirAll(filepath.Join(prepared, "y"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(prepared, "y", "y.go"), []byte("package y\n\nfunc Name() string { return \"y1\" }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	main := r.source("v2")
	main = strings.Replace(main, `"example.test/app/web"`, "\"example.test/app/web\"\n\t\"example.test/app/x/y\"", 1)
	main = strings.Replace(main, "web.Handler(version)", "web.Handler(version + y.Name())", 1)
	r.write("main.go", main) // imports what is not there yet
	if err := os.Rename(prepared, filepath.Join(r.dir, "x")); err != nil {
		t.Fatal(err)
	}
	r.served("v2y1")
	r.replace("x/y/y.go", "y1", "y2")
	r.served("v2y2")
	// The same the other way round: the tree first, made file by file.
	r.write("a/b/c/f.go", "package c\n\nconst Name = \"c1\"\n")
	main = strings.Replace(main, `"example.test/app/web"`, "\"example.test/app/a/b/c\"\n\t\"example.test/app/web\"", 1)
	r.write("main.go", strings.Replace(main, "y.Name()", "y.Name() + c.Name", 1))
	r.served("v2y2c1")
	r.replace("a/b/c/f.go", "c1", "c2")
	r.served("v2y2c2")
}

func testDeleteRename(t *testing.T, mode string) {
	r := newRig(t, mode)
	r.write("more/more.go", "package more\n\nconst Name = \"m1\"\n")
	r.write("extra.go", "package main\n\nimport \"example.test/app/more\"\n\nfunc extra() string { return more.Name }\n")
	r.replace("main.go", "web.Handler(version)", "web.Handler(version + extra())")
	r.launch()
	r.served("v1m1")
	at := func(name string) string { return filepath.Join(r.dir, name) }
	rename := func(from, to string) {
		t.Helper()
		if err := os.Rename(at(from), at(to)); err != nil {
			t.Fatal(err)
		}
	}
	// A file that is needed goes and comes back.
	text := r.read("extra.go")
	os.Remove(at("extra.go"))
	eventually(t, "the missing file is an error", func() error {
		resp, body, err := ask("GET", r.url("/"), nil, "Accept", "text/html")
		if err != nil {
			return err
		}
		if resp.StatusCode != 500 || !strings.Contains(body, "extra") {
			return fmt.Errorf("%d", resp.StatusCode)
		}
		return nil
	})
	r.write("extra.go", text)
	r.served("v1m1")
	// A file gets another name.
	rename("extra.go", "renamed.go")
	r.replace("renamed.go", "more.Name }", "more.Name + \"r\" }")
	r.served("v1m1r")
	// A directory gets another name, and the import follows.
	rename("more", "most")
	r.replace("renamed.go", "app/more", "app/most")
	r.replace("most/more.go", "m1", "m2")
	r.served("v1m2r")
	// A file is replaced by a directory of the same name and back.
	os.Remove(at("renamed.go"))
	if err := os.Mkdir(at("renamed.go"), 0o755); err != nil {
		t.Fatal(err)
	}
	r.says(`^devrun: build failed`)
	if err := os.Remove(at("renamed.go")); err != nil {
		t.Fatal(err)
	}
	r.write("renamed.go", strings.Replace(text, "app/more", "app/most", 1))
	r.served("v1m2")
}

func testTemplate(t *testing.T, mode string) {
	r := newRig(t, mode).start()
	before, pid := r.builds(), r.appPid()
	r.write("templates/page.html", "<p>t2</p>\n")
	r.answers("/template", "<p>t2</p>")
	r.says(`^devrun: templates/page\.html saved, restarting without a build$`)
	if n := r.builds() - before; n != 0 {
		t.Errorf("%d builds", n)
	}
	gone(t, pid)
	// A stylesheet touches nothing but the browser.
	pid = r.appPid()
	r.write("static/app.css", "p { color: rgb(2, 2, 2); }\n")
	r.says(`^devrun: static/app\.css saved, stylesheet swapped$`)
	if r.appPid() != pid {
		t.Error("a stylesheet restarted the app")
	}
	var status *http.Response
	status, body, err := ask("GET", r.url("/static/app.css"), nil)
	if err != nil || status.StatusCode != 200 || !strings.Contains(body, "2, 2, 2") {
		t.Errorf("the stylesheet is %q %v", body, err)
	}
}
