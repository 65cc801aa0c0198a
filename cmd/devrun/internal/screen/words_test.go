//go:build linux

package screen

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
)

func testWordsOfSaves(t *testing.T) {
	s := e2e.NewScreen(t)
	main := s.Read("main.go")
	s.Write("cmd/microblog/main.go", main)
	if err := os.Remove(filepath.Join(s.Dir, "main.go")); err != nil {
		t.Fatal(err)
	}
	s.Start("./cmd/microblog")
	url := regexp.QuoteMeta(fmt.Sprintf("http://localhost:%d", s.Port))
	pid := s.AppPid()
	s.Looks(`^<dim>devrun:</> building \./cmd/microblog$`)
	s.Looks(`<dim>devrun:</> built in <bold>\d+\.\d\ds</>$`)
	s.Looks(`^<dim>devrun:</> <green bold>serving</> \{` + url + `\}<line>` + url + `</>\{\} <dim>\(pid ` + fmt.Sprint(pid) + `\)</>$`)
	s.Looks(fmt.Sprintf(`^listening as %d$`, pid))
	s.Looks(`^<dim>devrun:</> overview \{(http://127\.0\.0\.1:\d+)\}<line>http://127\.0\.0\.1:\d+</>\{\}$`)
	s.Looks(`^<dim>devrun:</> console PIN <cyan bold>\d{3}-\d{3}-\d{3}</>$`)
	if lines := strings.Count(s.Stderr.String(), "\n"); lines != 5 {
		t.Errorf("%d lines", lines)
	}

	version := func(v string) string { return e2e.WithVersion(main, v) }
	s.Write("cmd/microblog/main.go", version("v2"))
	s.Served("v2")
	s.Looks(`^<dim>devrun:</> <bold>cmd/microblog/main\.go</> saved$`)
	s.Write("cmd/microblog/main.go", version("v3"))
	s.Write("web/web.go", s.Read("web/web.go")+"\n// more\n")
	s.Says(`^devrun: cmd/microblog/main\.go and web/web\.go saved$`)
	s.Served("v3")
	s.Looks(`<bold>cmd/microblog/main\.go</> and <bold>web/web\.go</> saved$`)
	s.Write("cmd/microblog/main.go", version("v4"))
	for _, name := range []string{"web/more.go", "web/most.go"} {
		s.Write(name, "package web\n")
	}
	s.Says(`^devrun: cmd/microblog/main\.go and 2 more files saved$`)
	s.Served("v4")
	s.Write("static/app.css", "p { color: red; }\n")
	s.Looks(`^<dim>devrun:</> <bold>static/app\.css</> saved, stylesheet swapped$`)
	s.Write("templates/page.html", "<p>t2</p>\n")
	s.Looks(`^<dim>devrun:</> <bold>templates/page\.html</> saved, restarting without a build$`)
	s.Answers("/template", "<p>t2</p>")
	s.Says(fmt.Sprintf(`^listening as %d$`, s.AppPid()))
	s.Says(fmt.Sprintf(`^devrun: serving \S+ \(pid %d\)$`, s.AppPid()))

	// A save during the build drops the build without a line, and names all.
	builds, before := s.Builds(), s.Point()
	s.Write("web/slow.go", strings.Replace(e2e.SlowSource(1), "package main", "package web", 1))
	s.Says(`^devrun: web/slow\.go saved$`)
	s.Write("cmd/microblog/main.go", version("v5"))
	s.Served("v5")
	if s.Builds() == builds+1 {
		said := strings.Split(s.Stderr.String()[before:], "\n")
		if len(said) < 3 || said[0] != "devrun: web/slow.go saved" || said[1] != "devrun: web/slow.go and cmd/microblog/main.go saved" || !strings.HasPrefix(said[2], "devrun: built in ") {
			t.Errorf("a save during the build:\n%s", strings.Join(said, "\n"))
		}
	}
}

func testWordsOfBuildError(t *testing.T) {
	s := e2e.NewScreen(t)
	s.Size(50, 70)
	s.Start()
	pid := s.AppPid()
	// What the start has said may come between the lines of the save.
	s.Says(`^listening as \d+$`)
	s.Says(`^devrun: console PIN `)
	s.Write("handlers.go", "package main\n\ntype app struct{}\n\nfunc (a *app) flash(text string) error { return nil }\n\nfunc (a *app) profile() error {\n"+
		strings.Repeat("\n", 79)+"\tusre()\n"+strings.Repeat("\n", 9)+"\treturn a.flash(42)\n}\n")
	s.Write("store.go", "package main\n\ntype Users interface{ Touch() }\n\ntype store struct{}\n"+strings.Repeat("\n", 23)+"func check() {\n\nvar _ Users = (*store)(nil)\n}\n")
	s.Shows(fmt.Sprintf(`devrun: handlers.go and store.go saved
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
	s.Looks(`^<dim>devrun:</> <bold>handlers\.go</> and <bold>store\.go</> saved$`)
	s.Looks(`^<dim>devrun:</> <red bold>build failed</>, 3 errors in 2 files$`)
	s.Looks(`^  \{\S*/handlers\.go\S*\}<bold line>handlers\.go:87:2</>\{\}   undefined: usre$`)
	s.Looks(fmt.Sprintf(`^<dim>devrun:</> <dim>generation 1 is still running \(pid %d\)</>$`, pid))
	s.Looks(`^<dim>devrun:</> <dim>waiting for a save</>$`)

	// The next good build says nothing about the error.
	before := s.Point()
	s.Write("store.go", "package main\n")
	s.SaysAfter(before, `(?s)\Adevrun: handlers\.go and store\.go saved\n.*build failed, 2 errors in 1 file\n.*waiting for a save\n`)
	before = s.Point()
	s.Put("handlers.go", "package main\n") // of what is written in two steps the first could be built
	s.Says(fmt.Sprintf(`(?s)(devrun: serving .*){2}\(pid %d\)`, s.NewPid(pid)))
	s.SaysAfter(before, `\Adevrun: handlers\.go and store\.go saved\ndevrun: built in \d+\.\d\ds\n(listening as \d+\n|devrun: serving \S+ \(pid \d+\)\n){2}\z`)

	// More errors than are listed: both packages have some, since the compiler
	// stops at ten in one.
	var errs strings.Builder
	for i := range 7 {
		fmt.Fprintf(&errs, "var _ = missing%d\n", i)
	}
	s.Replace("main.go", `"example.test/app/web"`, "_ \"example.test/app/unused\"\n\t\"example.test/app/web\"")
	s.Write("unused/errors.go", "package unused\n\n"+errs.String())
	s.Write("web/errors.go", "package web\n\n"+errs.String())
	s.Says(`^devrun: build failed, 14 errors in 2 files$`)
	s.Says(fmt.Sprintf(`^devrun: 4 more errors, all of them are on http://localhost:%d$`, s.Port))
}

func testWordsOfCrash(t *testing.T) {
	s := e2e.NewScreen(t).Start()
	pid := s.AppPid()
	go e2e.Ask("GET", s.URL("/crash"), nil)
	s.Says(`^panic: assignment to entry in nil map$`)
	s.Says(`^goroutine \d+ \[running labels:\{"devrun": "GET /crash #\d+"\}\]:$`)
	s.Says(`^devrun: app crashed, exit status 2 after \d+\.\d\ds$`)
	s.Says(`^  example\.test/app/web\.crash  web/web\.go:\d+, goroutine \d+$`)
	s.Says(`^  started by GET /crash, web/web\.go:\d+$`)
	s.Says(`^devrun: waiting for a save, or press r to start again$`)
	s.Looks(`^<dim>devrun:</> <red bold>app crashed</>, exit status 2 after `)
	s.Looks(`^  \S+  \{\S*web/web\.go\S*\}<bold line>web/web\.go:\d+</>\{\}, goroutine \d+$`)
	s.Looks(`^<dim>devrun:</> waiting for a save, or press <bold>r</> to start again$`)
	s.Types("r")
	if now := s.NewPid(pid); now == pid {
		t.Error("the process that crashed answers")
	}
	pid = s.AppPid()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.Says(`^devrun: app was killed \(signal: killed\), \d+ MB in use; it may have run out of memory$`)
	s.Types("r")
	s.NewPid(pid)
	go e2e.Ask("GET", s.URL("/exit?code=1"), nil)
	s.Says(`^devrun: app exited, status 1 after \d+\.\d\ds: os\.Exit called in web/web\.go:\d+$`)

	// Three times in a row at the start.
	s = e2e.NewScreen(t, "EXIT_AT_START=3")
	s.Launch()
	for i := range 3 {
		s.Says(fmt.Sprintf(`(?s)(devrun: app exited, status 3.*?){%d}`, i+1))
		if i < 2 {
			s.Says(fmt.Sprintf(`(?s)(devrun: waiting for a save, or press r to start again.*?){%d}`, i+1))
			s.Types("r")
		}
	}
	s.Says(`^devrun: the app does not stay up, waiting for a save$`)
}

func testWordsOfStop(t *testing.T) {
	s := e2e.NewScreen(t).Start()
	s.Types("\x03")
	s.Left(130)
	s.Looks(`^<dim>devrun:</> <dim>stopping</>$`)
	s.Looks(`^<dim>devrun:</> <dim>stopped after \d+\.\d\ds</>$`)
	s = e2e.NewScreen(t, "IGNORE_TERM=1").Start()
	s.Types("\x03")
	s.Looks(`^<dim>devrun:</> <yellow>the app did not stop within 3s, killing it</>$`)
	s.Left(130)
}

func testWordsOfErrors(t *testing.T) {
	s := e2e.NewScreen(t)
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", s.Port))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s.Launch()
	s.Left(1)
	s.Looks(fmt.Sprintf(`^<red>devrun:</> listen on localhost:%d: address already in use$`, s.Port))
	s.Looks(fmt.Sprintf(`^<dim>devrun:</> <bold>hint:</> pid %d \(\S+\) has it; stop it, or `, os.Getpid()))

	s = e2e.NewScreen(t, "APP_ENV=staging")
	s.Launch()
	s.Left(2)
	s.Looks(`^<red>devrun:</> APP_ENV is "staging"; it must be production or development$`)

	s = e2e.NewScreen(t).Start()
	pid := s.AppPid()
	s.Write(".env", strings.Repeat("\n", 6)+"A=\"x\n")
	s.Looks(`^<red>devrun:</> \.env line 7: `)
	if s.AppPid() != pid {
		t.Error("a broken .env touched the app")
	}

	// Who widens the access is told where others find the app; "localhost" is
	// no address for them.
	s = e2e.NewScreen(t).Start("--host", "0.0.0.0")
	s.Looks(fmt.Sprintf(`^<dim>devrun:</> <yellow bold>bound to 0\.0\.0\.0, everyone on this network can reach http://\S+:%d</>$`, s.Port))
	if strings.Contains(s.Stderr.String(), "can reach http://localhost") {
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
	s := e2e.NewScreen(t)
	s.Write("main.go", s.Read("main.go")+hostileApp)
	s.Start()
	// Each write once from either stream; which of the two comes first is open.
	for _, text := range []string{"A^[[2J^[[5A^[]52;c;cm0gLXJmIC8=^GB^[]0;owned", `^[\C^[[?1049h\x9b2JD `, "redE\n"} {
		suite.Until(t, "the screen shows "+text, func() error {
			if n := strings.Count(s.Stderr.String(), text); n != 2 {
				return fmt.Errorf("%d times", n)
			}
			return nil
		})
	}
	s.Write("evil\x1b[2J.go", "package main\n")
	s.Says(`^devrun: evil\^\[\[2J\.go saved$`)
	s.Types("q")
	s.Left(0)
	raw := s.Written.String()
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
	r := e2e.New(t, "notify")
	r.Write("main.go", r.Read("main.go")+hostileApp)
	r.Start()
	if want := []byte("A\x1b[2J\x1b[5A\x1b]52;c;cm0gLXJmIC8=\aB\x1b]0;owned\x1b\\C\x1b[?1049h\x9b2JD \x1b[31mred\x1b[0mE\n"); !bytes.Contains([]byte(r.Stdout.String()), want) || !bytes.Contains([]byte(r.Stderr.String()), want) {
		t.Error("in a pipe the app's bytes are changed")
	}
}

// Where a line cannot be taken back, as in a pipe, both are kept.
func testInPlace(t *testing.T) {
	s := e2e.NewScreen(t).Start()
	s.Says(`^devrun: serving `)
	if text := s.Stderr.String(); !strings.HasPrefix(text, "devrun: built in ") || strings.Contains(text, "building") {
		t.Errorf("the line of the build is not replaced:\n%s", text)
	}
	if !strings.Contains(s.Written.String(), "building .") {
		t.Error("the build was not announced")
	}
	// Where a line cannot be taken back both are kept.
	r := e2e.New(t, "notify").Start()
	r.Says(`(?s)\Adevrun: building \.\n(devrun: building \., \d+ of \d+ packages\n)?devrun: built in \d+\.\d\ds\n`)
}

// There is colour on a terminal, none where NO_COLOR, --no-color or TERM=dumb ask for
// none, and no escape in a pipe.
func testColour(t *testing.T) {
	s := e2e.NewScreen(t).Start()
	s.Looks(`<green bold>serving</>`)
	for _, c := range []struct {
		env, flag string
		none      *regexp.Regexp
	}{
		{"NO_COLOR=1", "--grace=3s", regexp.MustCompile(`\x1b(\[[0-9;]*m|\])`)},
		{"A=1", "--no-color", regexp.MustCompile(`\x1b(\[[0-9;]*m|\])`)},
		{"TERM=dumb", "--grace=3s", regexp.MustCompile(`\x1b`)},
	} {
		s := e2e.NewScreen(t, c.env).Start(c.flag)
		s.Says(`^devrun: serving http://localhost:\d+ \(pid \d+\)$`)
		s.Types("q")
		s.Left(0)
		if found := c.none.FindString(s.Written.String()); found != "" {
			t.Errorf("%s %s: %q", c.env, c.flag, found)
		}
	}
	r := e2e.New(t, "notify")
	r.Env = append(r.Env, "TERM=xterm-256color", "TERM_PROGRAM=WezTerm")
	r.Start()
	r.Says(`^devrun: serving `)
	if text := r.Stderr.String(); strings.Contains(text, "\x1b") {
		t.Errorf("escapes in a pipe: %q", text)
	}
}
