//go:build linux

// Package screen tests what a person sees of devrun: on a terminal, where there
// are keys, too, and in a browser.
package screen

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
)

func TestMain(m *testing.M) { e2e.Main(m) }

func TestTerminal(t *testing.T) { terminals.Run(t) }

func TestLongTerminal(t *testing.T) { suite.Long(t); longTerminals.Run(t) }

var (
	terminals = e2e.Cases{
		{"the keys", testKeys},
		{"Ctrl-C", testInterrupt},
		{"the words of a start and a save", testWordsOfSaves},
		{"the words of a broken build", testWordsOfBuildError},
		{"a first build that fails", testFirstBuild},
		{"r after a first build that fails", testFirstBuildAgain},
	}
	longTerminals = e2e.Cases{
		{"what is typed goes to the app while it reads", testTyping},
		{"the app cannot rewrite the screen", testHostile},
		{"the words of a crash", testWordsOfCrash},
		{"the words of devrun's own errors", testWordsOfErrors},
		{"lines that are pasted", testPaste},
		{"a second Ctrl-C", testSecondInterrupt},
		{"the terminal is closed", testHangUp},
		{"a stranger has the app's terminal open", testStranger},
		{"the size", testWindowSize},
		{"the app's lines stay whole", testAppLines},
		{"the words of a stop", testWordsOfStop},
		{"the line of a build gives way to its result", testInPlace},
		{"colour", testColour},
		{"how far a later build is", testLaterProgress},
	}
)

func testTyping(t *testing.T) {
	s := e2e.NewScreen(t).Start()
	if _, body := s.Get("/tty"); body != "true true true " {
		t.Errorf("terminals: %q", body)
	}
	pid, builds := s.AppPid(), s.Builds()
	answer := make(chan string, 1)
	go func() {
		_, body, err := e2e.Ask("GET", s.URL("/stdin"), nil)
		answer <- fmt.Sprint(body, err)
	}()
	s.ReadsStdin(pid)
	s.Types("boring? quite\r") // each letter of devrun's is in it
	if got := <-answer; got != "\"boring? quite\\n\" <nil>\n<nil>" {
		t.Errorf("stdin: %s", got)
	}
	// The echo is where a person expects it, and devrun has taken none of it.
	s.Says(`^boring\? quite$`)
	if strings.Contains(s.Stderr.String(), "r restart") {
		t.Errorf("a typed letter was taken for a key")
	}
	// After a pause the keyboard is devrun's again.
	suite.Until(t, "devrun lists its keys", func() error {
		s.Types("?")
		if !strings.Contains(s.Stderr.String(), "devrun: r restart ") {
			time.Sleep(200 * time.Millisecond) // the pause is the case
			return errors.New("not yet")
		}
		return nil
	})
	if s.AppPid() != pid || s.Builds() != builds {
		t.Errorf("a typed letter was taken for a key")
	}
}

// Each does what the list of keys says, and other keys do nothing.
func testKeys(t *testing.T) {
	s := e2e.NewScreen(t).Start()
	if mode := s.Mode(); mode.Lflag&(unix.ECHO|unix.ICANON) != 0 {
		t.Error("keys are echoed, or wait for the end of a line")
	}
	pid, builds := s.AppPid(), s.Builds()
	s.Types("r")
	e2e.Gone(t, pid)
	s.Served("v1")
	if s.Builds() != builds {
		t.Error("r is a build")
	}
	pid = s.AppPid()
	s.Types("b")
	e2e.Gone(t, pid)
	s.Served("v1")
	suite.Until(t, "b is a build", func() error { // the terminal may be slower than the app
		if n := s.Builds() - builds; n != 1 {
			return fmt.Errorf("%d builds", n)
		}
		return nil
	})
	s.Types("?")
	s.Says(`^devrun: r restart    b build from scratch    p new PIN    o open the app    q quit    \? this list$`)
	// A key that means nothing is no harm.
	pid = s.AppPid()
	s.Types("x\x1b[A\r")
	s.Types("?")
	s.Says(`(?s)this list\n.*this list\n`)
	if s.AppPid() != pid || strings.Count(s.Stderr.String(), "this list") != 2 {
		t.Error("a key without meaning did something")
	}
	s.Types("q")
	s.Left(0)
	e2e.Gone(t, pid)
}

// devrun and the app end, also in the middle of a build.
func testInterrupt(t *testing.T) {
	s := e2e.NewScreen(t).Start()
	pid := s.AppPid()
	s.Types("\x03")
	s.Left(130)
	e2e.Gone(t, pid)
	// And in the middle of a build.
	s = e2e.NewScreen(t)
	s.Write("slow.go", e2e.SlowSource(1))
	s.Launch()
	s.Says(`^devrun: building \.$`)
	s.Types("\x03")
	s.Left(130)
	if names := e2e.Children(s.Cmd.Process.Pid); len(names) > 0 {
		t.Errorf("%v are left", names)
	}
}

// An app that does not stop is killed without waiting for its grace.
func testSecondInterrupt(t *testing.T) {
	// The grace is longer than anything here waits: who waits for it fails.
	s := e2e.NewScreen(t, "IGNORE_TERM=1").Start("--grace", "1h")
	pid := s.AppPid()
	s.Types("\x03")
	s.Says(`^devrun: stopping$`)
	if !e2e.Running(pid) {
		t.Fatal("the app does not ignore SIGTERM")
	}
	time.Sleep(300 * time.Millisecond) // the pause is the case: what comes at once is an echo of the first
	s.Types("\x03")
	s.Says(`^devrun: killed$`)
	s.Left(130)
	e2e.Gone(t, pid)
}

// devrun and the app end.
func testHangUp(t *testing.T) {
	s := e2e.NewScreen(t).Start()
	pid := s.AppPid()
	s.TTY.Close()
	if err := s.Master.Close(); err != nil {
		t.Fatal(err)
	}
	if code := s.Exit(); code != 0 {
		t.Errorf("exit status %d", code)
	}
	e2e.Gone(t, pid)
}

// Who is none of the app's processes and holds its terminal, as somebody who
// writes to it does, is not waited for.
func testStranger(t *testing.T) {
	s := e2e.NewScreen(t).Start()
	pid := s.AppPid()
	inner, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/1", pid))
	if err != nil || !strings.HasPrefix(inner, "/dev/pts/") {
		t.Fatalf("the app's stdout is %s %v", inner, err)
	}
	held, err := os.OpenFile(inner, os.O_WRONLY|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	s.Types("r")
	e2e.Gone(t, pid)
	s.Served("v1")
	if now := s.AppPid(); now == pid {
		t.Errorf("the old app answers")
	}
	s.Types("q")
	s.Left(0)
}

// sizeApp prints its terminals, and their size whenever it changes.
const sizeApp = `package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"unsafe"
)

func main() {
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH)
	go func() {
		for {
			for fd := range 3 {
				var size struct{ rows, cols, x, y uint16 }
				_, _, err := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), syscall.TIOCGWINSZ, uintptr(unsafe.Pointer(&size)))
				fmt.Printf("terminal %d %v size %dx%d\n", fd, err == 0, size.rows, size.cols)
			}
			<-resized
		}
	}()
	http.HandleFunc("/version", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "v1") })
	panic(http.ListenAndServe(net.JoinHostPort(os.Getenv("HOST"), os.Getenv("PORT")), nil))
}
`

// The app learns the size of the terminal, and of each change.
func testWindowSize(t *testing.T) {
	s := e2e.NewScreen(t)
	s.Write("main.go", sizeApp)
	s.Start()
	for _, size := range [][2]uint16{{50, 200}, {31, 99}, {60, 120}} {
		s.Size(size[0], size[1])
		for fd := range 3 {
			s.Says(fmt.Sprintf(`^terminal %d true size %dx%d$`, fd, size[0], size[1]))
		}
	}
}

// tickApp prints numbered lines without rest.
const tickApp = `package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"time"
)

func main() {
	go func() {
		for i := 0; ; i++ {
			fmt.Printf("tick %d\n", i)
			time.Sleep(time.Millisecond)
		}
	}()
	http.HandleFunc("/version", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "v1") })
	http.HandleFunc("/pid", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, os.Getpid()) })
	panic(http.ListenAndServe(net.JoinHostPort(os.Getenv("HOST"), os.Getenv("PORT")), nil))
}
`

func testAppLines(t *testing.T) {
	s := e2e.NewScreen(t)
	s.Write("main.go", tickApp)
	s.Start()
	for i := range 3 {
		s.Types("b?")
		s.Says(fmt.Sprintf(`(?s)(devrun: serving.*){%d}`, i+2))
	}
	s.Types("q")
	s.Left(0)
	next := -1
	for line := range strings.Lines(s.Stderr.String()) {
		var n int
		switch _, err := fmt.Sscanf(line, "tick %d\n", &n); {
		case err == nil && n != 0 && n != next:
			t.Fatalf("tick %d where %d should be", n, next)
		case err == nil:
			next = n + 1
		case !regexp.MustCompile(`^(devrun: (building|built in|serving|overview|console PIN|stopp|r restart) ?.*|\$ prompt)\n?$`).MatchString(line):
			t.Fatalf("a mixed line: %q", line)
		}
	}
}

// readApp prints the lines that it reads.
const readApp = `package main

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
)

func main() {
	go func() {
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			fmt.Printf("read <%s>\n", in.Text())
		}
	}()
	http.HandleFunc("/version", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "v1") })
	http.HandleFunc("/pid", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, os.Getpid()) })
	panic(http.ListenAndServe(net.JoinHostPort(os.Getenv("HOST"), os.Getenv("PORT")), nil))
}
`

// Lines that are pasted are all the app's, though it does not read for a
// moment after each.
func testPaste(t *testing.T) {
	s := e2e.NewScreen(t)
	s.Write("main.go", readApp)
	s.Start()
	pid, builds := s.AppPid(), s.Builds()
	s.ReadsStdin(pid)
	for i := range 20 {
		s.Types(fmt.Sprintf("? line %d\r", i))
	}
	for i := range 20 {
		s.Says(fmt.Sprintf(`read <\? line %d>$`, i))
	}
	if text := s.Stderr.String(); strings.Contains(text, "this list") || s.AppPid() != pid || s.Builds() != builds {
		t.Errorf("a letter that was pasted was taken for a key:\n%s", text)
	}
}
