//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// looks waits for a line that matches where looks are written as words: <dim>
// to </>, and links as {address} to {}.
func (s *screen) looks(pattern string) {
	s.t.Helper()
	re := regexp.MustCompile(`(?m)` + pattern)
	eventually(s.t, "the terminal shows "+pattern, func() error {
		if text := tagged(s.raw.String()); !re.MatchString(text) {
			return errors.New(text)
		}
		return nil
	})
}

var (
	look     = regexp.MustCompile(`\x1b\[([0-9;]*)m`)
	linkMark = regexp.MustCompile(`\x1b\]8;;([^\x1b]*)\x1b\\`)
	lookName = map[string]string{"1": "bold", "2": "dim", "4": "line", "31": "red", "32": "green", "33": "yellow", "36": "cyan"}
)

func tagged(raw string) string {
	text := look.ReplaceAllStringFunc(raw, func(sgr string) string {
		var names []string
		for code := range strings.SplitSeq(look.FindStringSubmatch(sgr)[1], ";") {
			if name := lookName[code]; name != "" {
				names = append(names, name)
			}
		}
		if len(names) == 0 {
			return "</>"
		}
		return "<" + strings.Join(names, " ") + ">"
	})
	return strings.ReplaceAll(linkMark.ReplaceAllString(text, "{$1}"), "\r\n", "\n")
}

// shows waits until these lines are on the screen, one below the other.
func (s *screen) shows(lines string) {
	s.t.Helper()
	eventually(s.t, "the screen shows\n"+lines, func() error {
		if !strings.Contains(s.stderr.String(), "\n"+lines) {
			return errors.New("not yet")
		}
		return nil
	})
}

func testWordsOfSaves(t *testing.T) {
	s := newScreen(t)
	main := s.read("main.go")
	s.write("cmd/microblog/main.go", main)
	if err := os.Remove(filepath.Join(s.dir, "main.go")); err != nil {
		t.Fatal(err)
	}
	s.start("./cmd/microblog")
	url := regexp.QuoteMeta(fmt.Sprintf("http://localhost:%d", s.port))
	pid := s.appPid()
	s.looks(`^<dim>devrun:</> building \./cmd/microblog$`)
	s.looks(`<dim>devrun:</> built in <bold>\d+\.\d\ds</>$`)
	s.looks(`^<dim>devrun:</> <green bold>serving</> \{` + url + `\}<line>` + url + `</>\{\} <dim>\(pid ` + fmt.Sprint(pid) + `\)</>$`)
	s.looks(fmt.Sprintf(`^listening as %d$`, pid))
	if lines := strings.Count(s.stderr.String(), "\n"); lines != 3 {
		t.Errorf("%d lines", lines)
	}

	version := func(v string) string { return versionLine.ReplaceAllString(main, fmt.Sprintf("const version = %q", v)) }
	s.write("cmd/microblog/main.go", version("v2"))
	s.served("v2")
	s.looks(`^<dim>devrun:</> <bold>cmd/microblog/main\.go</> saved$`)
	s.write("cmd/microblog/main.go", version("v3"))
	s.write("web/web.go", s.read("web/web.go")+"\n// more\n")
	s.says(`^devrun: cmd/microblog/main\.go and web/web\.go saved$`)
	s.served("v3")
	s.looks(`<bold>cmd/microblog/main\.go</> and <bold>web/web\.go</> saved$`)
	s.write("cmd/microblog/main.go", version("v4"))
	for _, name := range []string{"web/more.go", "web/most.go"} {
		s.write(name, "package web\n")
	}
	s.says(`^devrun: cmd/microblog/main\.go and 2 more files saved$`)
	s.served("v4")
	s.write("static/app.css", "p { color: red; }\n")
	s.looks(`^<dim>devrun:</> <bold>static/app\.css</> saved, stylesheet swapped$`)
	s.write("templates/page.html", "<p>t2</p>\n")
	s.looks(`^<dim>devrun:</> <bold>templates/page\.html</> saved, restarting without a build$`)
	s.answers("/template", "<p>t2</p>")
	s.says(fmt.Sprintf(`^listening as %d$`, s.appPid()))
	s.says(fmt.Sprintf(`^devrun: serving \S+ \(pid %d\)$`, s.appPid()))

	// A save during the build drops the build without a line, and names all.
	builds, before := s.builds(), len(s.stderr.String())
	s.write("web/slow.go", strings.Replace(slowSource(1), "package main", "package web", 1))
	s.says(`^devrun: web/slow\.go saved$`)
	s.write("cmd/microblog/main.go", version("v5"))
	s.served("v5")
	if s.builds() == builds+1 {
		said := strings.Split(s.stderr.String()[before:], "\n")
		if len(said) < 3 || said[0] != "devrun: web/slow.go saved" || said[1] != "devrun: web/slow.go and cmd/microblog/main.go saved" || !strings.HasPrefix(said[2], "devrun: built in ") {
			t.Errorf("a save during the build:\n%s", strings.Join(said, "\n"))
		}
	}
}

func testWordsOfBuildError(t *testing.T) {
	s := newScreen(t)
	s.size(50, 70)
	s.start()
	pid := s.appPid()
	s.write("handlers.go", "package main\n\ntype app struct{}\n\nfunc (a *app) flash(text string) error { return nil }\n\nfunc (a *app) profile() error {\n"+
		strings.Repeat("\n", 79)+"\tusre()\n"+strings.Repeat("\n", 9)+"\treturn a.flash(42)\n}\n")
	s.write("store.go", "package main\n\ntype Users interface{ Touch() }\n\ntype store struct{}\n"+strings.Repeat("\n", 23)+"func check() {\n\nvar _ Users = (*store)(nil)\n}\n")
	s.shows(fmt.Sprintf(`devrun: handlers.go and store.go saved
devrun: build failed, 3 errors in 2 files

  handlers.go:87:2   undefined: usre
  handlers.go:97:17  cannot use 42 (untyped int constant) as string
                     value in argument to a.flash
  store.go:31:15     cannot use (*store)(nil) (value of type *store)
                     as Users value in variable declaration: *store
                     does not implement Users (missing method Touch)

devrun: generation 1 is still running (pid %d)
devrun: waiting for a save
`, pid))
	s.looks(`^<dim>devrun:</> <bold>handlers\.go</> and <bold>store\.go</> saved$`)
	s.looks(`^<dim>devrun:</> <red bold>build failed</>, 3 errors in 2 files$`)
	s.looks(`^  \{\S*/handlers\.go\S*\}<bold line>handlers\.go:87:2</>\{\}   undefined: usre$`)
	s.looks(fmt.Sprintf(`^<dim>devrun:</> <dim>generation 1 is still running \(pid %d\)</>$`, pid))
	s.looks(`^<dim>devrun:</> <dim>waiting for a save</>$`)

	// The next good build says nothing about the error.
	before := len(s.stderr.String())
	for _, name := range []string{"handlers.go", "store.go"} {
		s.write(name, "package main\n")
	}
	s.says(fmt.Sprintf(`(?s)(devrun: serving .*){2}\(pid %d\)`, s.newPid(pid)))
	after := regexp.MustCompile(`\A(devrun: handlers\.go( and store\.go)? saved\n)+devrun: built in \d+\.\d\ds\n(listening as \d+\n|devrun: serving \S+ \(pid \d+\)\n){2}\z`)
	eventually(t, "the app's own line", func() error {
		if text := s.stderr.String()[before:]; !after.MatchString(text) {
			return errors.New(text)
		}
		return nil
	})

	// More errors than are listed: both packages have some, since the compiler
	// stops at ten in one.
	var errs strings.Builder
	for i := range 7 {
		fmt.Fprintf(&errs, "var _ = missing%d\n", i)
	}
	s.replace("main.go", `"example.test/app/web"`, "_ \"example.test/app/unused\"\n\t\"example.test/app/web\"")
	s.write("unused/errors.go", "package unused\n\n"+errs.String())
	s.write("web/errors.go", "package web\n\n"+errs.String())
	s.says(`^devrun: build failed, 14 errors in 2 files$`)
	s.says(fmt.Sprintf(`^devrun: 4 more errors, all of them are on http://localhost:%d$`, s.port))
}

// newPid waits until another process than pid answers.
func (s *screen) newPid(pid int) (now int) {
	s.t.Helper()
	gone(s.t, pid)
	s.served("v1")
	return s.appPid()
}

func testWordsOfCrash(t *testing.T) {
	s := newScreen(t).start()
	pid := s.appPid()
	go ask("GET", s.url("/crash"), nil)
	s.says(`^panic: assignment to entry in nil map$`)
	s.says(`^goroutine \d+ \[running\]:$`)
	s.says(`^devrun: app crashed, exit status 2 after \d+\.\d\ds$`)
	s.says(`^  example\.test/app/web\.crash  web/web\.go:\d+, goroutine \d+$`)
	s.says(`^  started by example\.test/app/web\.\S+, web/web\.go:\d+$`)
	s.says(`^devrun: waiting for a save, or press r to start again$`)
	s.looks(`^<dim>devrun:</> <red bold>app crashed</>, exit status 2 after `)
	s.looks(`^  \S+  \{\S*web/web\.go\S*\}<bold line>web/web\.go:\d+</>\{\}, goroutine \d+$`)
	s.looks(`^<dim>devrun:</> waiting for a save, or press <bold>r</> to start again$`)
	s.types("r")
	if now := s.newPid(pid); now == pid {
		t.Error("the process that crashed answers")
	}
	pid = s.appPid()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.says(`^devrun: app was killed \(signal: killed\), \d+ MB in use; it may have run out of memory$`)
	s.types("r")
	s.newPid(pid)
	go ask("GET", s.url("/exit?code=1"), nil)
	s.says(`^devrun: app exited, status 1\b`)

	// Three times in a row at the start.
	s = newScreen(t, "EXIT_AT_START=3")
	s.launch()
	for i := range 3 {
		s.says(fmt.Sprintf(`(?s)(devrun: app exited, status 3.*?){%d}`, i+1))
		if i < 2 {
			s.says(fmt.Sprintf(`(?s)(devrun: waiting for a save, or press r to start again.*?){%d}`, i+1))
			s.types("r")
		}
	}
	s.says(`^devrun: the app does not stay up, waiting for a save$`)
}

func testWordsOfStop(t *testing.T) {
	s := newScreen(t).start()
	s.types("\x03")
	s.left(130)
	s.looks(`^<dim>devrun:</> <dim>stopping</>$`)
	s.looks(`^<dim>devrun:</> <dim>stopped after \d+\.\d\ds</>$`)
	s = newScreen(t, "IGNORE_TERM=1").start()
	s.types("\x03")
	s.looks(`^<dim>devrun:</> <yellow>the app did not stop within 3s, killing it</>$`)
	s.left(130)
}

func testWordsOfErrors(t *testing.T) {
	s := newScreen(t)
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", s.port))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s.launch()
	s.left(1)
	s.looks(fmt.Sprintf(`^<red>devrun:</> listen on localhost:%d: address already in use$`, s.port))
	s.looks(fmt.Sprintf(`^<dim>devrun:</> <bold>hint:</> pid %d \(\S+\) has it; stop it, or `, os.Getpid()))

	s = newScreen(t, "APP_ENV=staging")
	s.launch()
	s.left(2)
	s.looks(`^<red>devrun:</> APP_ENV is "staging"; it can be production or development$`)

	s = newScreen(t).start()
	pid := s.appPid()
	s.write(".env", strings.Repeat("\n", 6)+"A=\"x\n")
	s.looks(`^<red>devrun:</> \.env line 7: `)
	if s.appPid() != pid {
		t.Error("a broken .env touched the app")
	}

	// Who widens the access is told where others find the app; "localhost" is
	// no address for them.
	s = newScreen(t).start("--host", "0.0.0.0")
	s.looks(fmt.Sprintf(`^<dim>devrun:</> <yellow bold>bound to 0\.0\.0\.0, everyone on this network can reach http://\S+:%d</>$`, s.port))
	if strings.Contains(s.stderr.String(), "can reach http://localhost") {
		t.Errorf("the address for others is this machine's own name for itself")
	}
}

// hostileApp prints what could rewrite the screen, fill the clipboard or leave
// the terminal in a colour.
const hostileApp = `
func init() {
	for _, f := range []*os.File{os.Stdout, os.Stderr} {
		f.WriteString("A\x1b[2J\x1b[5A\x1b]52;c;cm0gLXJmIC8=\x07B\x1b]0;owned\x1b")
		f.WriteString("\\C\x1b[?1049h\x9b2JD \x1b[3")
		f.WriteString("1mred\x1b[0mE\n")
	}
	os.Stdout.WriteString("\x1b[31mnot taken back\n")
}
`

func testHostile(t *testing.T) {
	s := newScreen(t)
	s.write("main.go", s.read("main.go")+hostileApp)
	s.start()
	// Each write once from either stream; which of the two comes first is open.
	for _, text := range []string{"A^[[2J^[[5A^[]52;c;cm0gLXJmIC8=^GB^[]0;owned", `^[\C^[[?1049h\x9b2JD `, "redE\n"} {
		eventually(t, "the screen shows "+text, func() error {
			if n := strings.Count(s.stderr.String(), text); n != 2 {
				return fmt.Errorf("%d times", n)
			}
			return nil
		})
	}
	s.write("evil\x1b[2J.go", "package main\n")
	s.says(`^devrun: evil\^\[\[2J\.go saved$`)
	s.types("q")
	s.left(0)
	raw := s.raw.String()
	for _, bad := range []string{"\x1b[2J", "\x1b[5A", "\x1b]52", "\x1b]0", "\x1b[?", "\x9b"} {
		if strings.Contains(raw, bad) {
			t.Errorf("%q reached the terminal", bad)
		}
	}
	if !strings.Contains(raw, "\x1b[31mred\x1b[0mE") {
		t.Error("the app's own colours are lost")
	}
	if at := strings.LastIndex(raw, "\x1b[31m"); !strings.Contains(raw[at:], "\x1b[0m") {
		t.Error("the terminal was left in the app's colour")
	}
	// Where nobody looks, bytes are bytes.
	r := newRig(t, "notify")
	r.write("main.go", r.read("main.go")+hostileApp)
	r.start()
	if want := []byte("A\x1b[2J\x1b[5A\x1b]52;c;cm0gLXJmIC8=\aB\x1b]0;owned\x1b\\C\x1b[?1049h\x9b2JD \x1b[31mred\x1b[0mE\n"); !bytes.Contains([]byte(r.stdout.String()), want) || !bytes.Contains([]byte(r.stderr.String()), want) {
		t.Error("in a pipe the app's bytes are changed")
	}
}

func testInPlace(t *testing.T) {
	s := newScreen(t).start()
	s.says(`^devrun: serving `)
	if text := s.stderr.String(); !strings.HasPrefix(text, "devrun: built in ") || strings.Contains(text, "building") {
		t.Errorf("the line of the build is not replaced:\n%s", text)
	}
	if !strings.Contains(s.raw.String(), "building .") {
		t.Error("the build was not announced")
	}
	// Where a line cannot be taken back both are kept.
	r := newRig(t, "notify").start()
	r.says(`(?s)\Adevrun: building \.\ndevrun: built in \d+\.\d\ds\n`)
}

func testColour(t *testing.T) {
	s := newScreen(t).start()
	s.looks(`<green bold>serving</>`)
	for _, c := range []struct {
		env, flag string
		none      *regexp.Regexp
	}{
		{"NO_COLOR=1", "--grace=3s", regexp.MustCompile(`\x1b(\[[0-9;]*m|\])`)},
		{"A=1", "--no-color", regexp.MustCompile(`\x1b(\[[0-9;]*m|\])`)},
		{"TERM=dumb", "--grace=3s", regexp.MustCompile(`\x1b`)},
	} {
		s := newScreen(t, c.env).start(c.flag)
		s.says(`^devrun: serving http://localhost:\d+ \(pid \d+\)$`)
		s.types("q")
		s.left(0)
		if found := c.none.FindString(s.raw.String()); found != "" {
			t.Errorf("%s %s: %q", c.env, c.flag, found)
		}
	}
	r := newRig(t, "notify")
	r.env = append(r.env, "TERM=xterm-256color", "TERM_PROGRAM=WezTerm")
	r.start()
	r.says(`^devrun: serving `)
	if text := r.stderr.String(); strings.Contains(text, "\x1b") {
		t.Errorf("escapes in a pipe: %q", text)
	}
}
