//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestTerminal(t *testing.T) {
	for _, b := range []struct {
		name string
		test func(t *testing.T)
	}{
		{"what is typed goes to the app while it reads", testTyping},
		{"lines that are pasted", testPaste},
		{"the keys", testKeys},
		{"Ctrl-C", testInterrupt},
		{"a second Ctrl-C", testSecondInterrupt},
		{"the terminal is closed", testHangUp},
		{"a stranger has the app's terminal open", testStranger},
		{"the size", testWindowSize},
		{"the app's lines stay whole", testAppLines},
		{"the app cannot rewrite the screen", testHostile},
		{"the words of a start and a save", testWordsOfSaves},
		{"the words of a broken build", testWordsOfBuildError},
		{"the words of a crash", testWordsOfCrash},
		{"the words of a stop", testWordsOfStop},
		{"the words of devrun's own errors", testWordsOfErrors},
		{"the line of a build gives way to its result", testInPlace},
		{"colour", testColour},
	} {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			b.test(t)
		})
	}
}

func testTyping(t *testing.T) {
	s := newScreen(t).start()
	if _, body := s.get("/tty"); body != "true true true " {
		t.Errorf("terminals: %q", body)
	}
	pid, builds := s.appPid(), s.builds()
	answer := make(chan string, 1)
	go func() {
		_, body, err := ask("GET", s.url("/stdin"), nil)
		answer <- fmt.Sprint(body, err)
	}()
	s.readsStdin(pid)
	s.types("boring? quite\r") // each letter of devrun's is in it
	if got := <-answer; got != "\"boring? quite\\n\" <nil>\n<nil>" {
		t.Errorf("stdin: %s", got)
	}
	// The echo is where a person expects it, and devrun has taken none of it.
	s.says(`^boring\? quite$`)
	if strings.Contains(s.stderr.String(), "r restart") {
		t.Errorf("a typed letter was taken for a key")
	}
	// After a pause the keyboard is devrun's again.
	eventually(t, "devrun lists its keys", func() error {
		s.types("?")
		if !strings.Contains(s.stderr.String(), "devrun: r restart ") {
			time.Sleep(200 * time.Millisecond) // the pause is the case
			return errors.New("not yet")
		}
		return nil
	})
	if s.appPid() != pid || s.builds() != builds {
		t.Errorf("a typed letter was taken for a key")
	}
}

// readsStdin waits until a thread of the app is in read(2) on its stdin.
func (s *screen) readsStdin(pid int) {
	s.t.Helper()
	eventually(s.t, "the app reads its stdin", func() error {
		calls, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", pid))
		if err != nil {
			return err
		}
		for _, c := range calls {
			if b, err := os.ReadFile(c); err == nil && strings.HasPrefix(string(b), fmt.Sprint(unix.SYS_READ)+" 0x0 ") {
				return nil
			}
		}
		return errors.New("no thread does")
	})
}

func testKeys(t *testing.T) {
	s := newScreen(t).start()
	if mode := s.mode(); mode.Lflag&(unix.ECHO|unix.ICANON) != 0 {
		t.Error("keys are echoed, or wait for the end of a line")
	}
	pid, builds := s.appPid(), s.builds()
	s.types("r")
	gone(t, pid)
	s.served("v1")
	if s.builds() != builds {
		t.Error("r is a build")
	}
	pid = s.appPid()
	s.types("b")
	gone(t, pid)
	s.served("v1")
	if n := s.builds() - builds; n != 1 {
		t.Errorf("b is %d builds", n)
	}
	s.types("?")
	s.says(`^devrun: r restart    b build from scratch    o open the app    q quit    \? this list$`)
	// A key that means nothing is no harm.
	pid = s.appPid()
	s.types("x\x1b[A\r")
	s.types("?")
	s.says(`(?s)this list\n.*this list\n`)
	if s.appPid() != pid || strings.Count(s.stderr.String(), "this list") != 2 {
		t.Error("a key without meaning did something")
	}
	s.types("q")
	s.left(0)
	gone(t, pid)
}

func testInterrupt(t *testing.T) {
	s := newScreen(t).start()
	pid := s.appPid()
	s.types("\x03")
	s.left(130)
	gone(t, pid)
	// And in the middle of a build.
	s = newScreen(t)
	s.write("slow.go", slowSource(1))
	s.launch()
	s.says(`^devrun: building \.$`)
	s.types("\x03")
	s.left(130)
	if names := childNames(s.cmd.Process.Pid); len(names) > 0 {
		t.Errorf("%v are left", names)
	}
}

func testSecondInterrupt(t *testing.T) {
	// The grace is longer than anything here waits: who waits for it fails.
	s := newScreen(t, "IGNORE_TERM=1").start("--grace", "1h")
	pid := s.appPid()
	s.types("\x03")
	s.says(`^devrun: stopping$`)
	if !running(pid) {
		t.Fatal("the app does not ignore SIGTERM")
	}
	time.Sleep(300 * time.Millisecond) // the pause is the case: what comes at once is an echo of the first
	s.types("\x03")
	s.says(`^devrun: killed$`)
	s.left(130)
	gone(t, pid)
}

func testHangUp(t *testing.T) {
	s := newScreen(t).start()
	pid := s.appPid()
	s.tty.Close()
	if err := s.master.Close(); err != nil {
		t.Fatal(err)
	}
	if code := s.exit(); code != 0 {
		t.Errorf("exit status %d", code)
	}
	gone(t, pid)
}

// Who is none of the app's processes and holds its terminal, as somebody who
// writes to it does, is not waited for.
func testStranger(t *testing.T) {
	s := newScreen(t).start()
	pid := s.appPid()
	inner, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/1", pid))
	if err != nil || !strings.HasPrefix(inner, "/dev/pts/") {
		t.Fatalf("the app's stdout is %s %v", inner, err)
	}
	held, err := os.OpenFile(inner, os.O_WRONLY|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	s.types("r")
	gone(t, pid)
	s.served("v1")
	if now := s.appPid(); now == pid {
		t.Errorf("the old app answers")
	}
	s.types("q")
	s.left(0)
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

func testWindowSize(t *testing.T) {
	s := newScreen(t)
	s.write("main.go", sizeApp)
	s.start()
	for _, size := range [][2]uint16{{50, 200}, {31, 99}, {60, 120}} {
		s.size(size[0], size[1])
		for fd := range 3 {
			s.says(fmt.Sprintf(`^terminal %d true size %dx%d$`, fd, size[0], size[1]))
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
	s := newScreen(t)
	s.write("main.go", tickApp)
	s.start()
	for i := range 3 {
		s.types("b?")
		s.says(fmt.Sprintf(`(?s)(devrun: serving.*){%d}`, i+2))
	}
	s.types("q")
	s.left(0)
	next := -1
	for line := range strings.Lines(s.stderr.String()) {
		var n int
		switch _, err := fmt.Sscanf(line, "tick %d\n", &n); {
		case err == nil && n != 0 && n != next:
			t.Fatalf("tick %d where %d should be", n, next)
		case err == nil:
			next = n + 1
		case !regexp.MustCompile(`^(devrun: (building|built in|serving|stopp|r restart) ?.*|\$ prompt)\n?$`).MatchString(line):
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
	s := newScreen(t)
	s.write("main.go", readApp)
	s.start()
	pid, builds := s.appPid(), s.builds()
	s.readsStdin(pid)
	for i := range 20 {
		s.types(fmt.Sprintf("? line %d\r", i))
	}
	for i := range 20 {
		s.says(fmt.Sprintf(`read <\? line %d>$`, i))
	}
	if text := s.stderr.String(); strings.Contains(text, "this list") || s.appPid() != pid || s.builds() != builds {
		t.Errorf("a letter that was pasted was taken for a key:\n%s", text)
	}
}
