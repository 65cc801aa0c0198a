package proc

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"devrun/devserver/internal/wire"
)

// The test binary is also the app: "role NAME ARG..." on its command line
// makes it play one.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "role" {
		roles[os.Args[2]](os.Args[3:])
		return
	}
	// The race detector would let each role take a second to end.
	must(os.Setenv("GORACE", "atexit_sleep_ms=0"))
	goleak.VerifyTestMain(m)
}

var roles map[string]func(args []string)

func init() {
	roles = map[string]func([]string){
		"exit":     func(a []string) { os.Exit(number(a[0])) },
		"suicide":  func([]string) { must(syscall.Kill(os.Getpid(), syscall.SIGKILL)) },
		"panic":    playPanic,
		"abort":    playAbort,
		"block":    func([]string) { fmt.Println("ready"); select {} },
		"stubborn": playStubborn,
		"deaf":     playDeaf,
		"drain":    playDrain,
		"family":   playFamily,
		"launch":   playLaunch,
		"breed":    playBreed,
		"frozen":   func([]string) { must(syscall.Kill(os.Getpid(), syscall.SIGSTOP)); select {} },
		"flood":    playFlood,
		"tty":      playTTY,
		"size":     playSize,
		"tell":     playTell,
		"cat":      func([]string) { _, err := io.Copy(os.Stdout, os.Stdin); must(err) },
		"warn":     func([]string) { _, err := io.Copy(os.Stderr, os.Stdin); must(err) },
		"hook":     playHook,
		"join":     playJoin,
		"leave":    playLeave,
		"listen":   playListen,
		"parent":   playParent,
	}
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "role:", err)
		os.Exit(99)
	}
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	must(err)
	return n
}

// role is a command that plays a role.
func role(name string, args ...string) *exec.Cmd {
	self, err := os.Executable()
	must(err)
	return exec.Command(self, append([]string{"role", name}, args...)...)
}

func playPanic(a []string) {
	crowd(number(a[0]))
	panic("the last word")
}

// playAbort gets a signal that the runtime turns into no panic, as C gives itself.
func playAbort(a []string) {
	crowd(number(a[0]))
	must(syscall.Kill(os.Getpid(), syscall.SIGABRT))
	select {}
}

// crowd starts goroutines that wait.
func crowd(n int) {
	var wg sync.WaitGroup
	for range n {
		wg.Add(1)
		go func() { wg.Done(); select {} }()
	}
	wg.Wait()
}

// playStubborn says what it hears and goes on.
func playStubborn([]string) {
	c := make(chan os.Signal, 10)
	signal.Notify(c, syscall.SIGTERM)
	fmt.Println("ready")
	for s := range c {
		fmt.Println("heard", s)
	}
}

// playDrain needs some milliseconds to end.
func playDrain(a []string) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGTERM)
	fmt.Println("ready")
	<-c
	time.Sleep(time.Duration(number(a[0])) * time.Millisecond)
	fmt.Println("drained")
}

// playDeaf ignores SIGTERM, and closes stdout when it does.
func playDeaf([]string) {
	signal.Ignore(syscall.SIGTERM)
	must(os.Stdout.Close())
	select {}
}

// playFamily starts a child in its group, a deaf one in a session of its own
// and a deaf orphan in one, and says their ids. Then it ends, or not.
func playFamily(a []string) {
	same := role("block")
	must(same.Start())
	other := role("deaf")
	other.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	deaf, err := other.StdoutPipe()
	must(err)
	must(other.Start())
	_, err = io.Copy(io.Discard, deaf)
	must(err)
	orphan, err := role("launch", "deaf").Output()
	must(err)
	fmt.Println("family", same.Process.Pid, other.Process.Pid, strings.TrimSpace(string(orphan)))
	if a[0] == "ends" {
		return
	}
	select {}
}

// playLaunch starts a role in a session of its own, says its id, and ends.
// The role has its stdout. With "unmarked" in front, it has no environment and
// stderr instead.
func playLaunch(a []string) {
	unmarked := a[0] == "unmarked"
	if unmarked {
		a = a[1:]
	}
	c := role(a[0], a[1:]...)
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if unmarked {
		c.Env = []string{}
		c.Stderr = os.Stderr
	} else {
		c.Stdout = os.Stdout
	}
	must(c.Start())
	fmt.Println(c.Process.Pid)
}

// playBreed starts processes as fast as it can, in sessions of their own.
func playBreed([]string) {
	signal.Ignore(syscall.SIGTERM)
	for i := 0; ; i++ {
		c := exec.Command("sleep", "300")
		c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		must(c.Start())
		if i == 20 {
			fmt.Println("ready")
		}
		if i > 400 {
			time.Sleep(time.Millisecond) // moderate
		}
	}
}

func playFlood(a []string) {
	var wg sync.WaitGroup
	for _, f := range []*os.File{os.Stdout, os.Stderr} {
		wg.Go(func() {
			w := bufio.NewWriterSize(f, 8<<10)
			for i := range number(a[0]) {
				_, err := fmt.Fprintf(w, "%0999d\n", i)
				must(err)
			}
			must(w.Flush())
		})
	}
	wg.Wait()
}

func isTTY(fd int) bool {
	_, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	return err == nil
}

func playTTY([]string) {
	control := "no"
	if f, err := os.Open("/dev/tty"); err == nil {
		control = "yes"
		must(f.Close())
	}
	fmt.Println("tty", isTTY(0), isTTY(1), isTTY(2), control)
}

func playSize([]string) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGWINCH)
	for {
		for fd := 1; fd <= 2; fd++ {
			s, err := unix.IoctlGetWinsize(fd, unix.TIOCGWINSZ)
			must(err)
			fmt.Printf("size%d %dx%d\n", fd, s.Row, s.Col)
		}
		<-c
	}
}

// playTell reads a line and says it.
func playTell([]string) {
	fmt.Println("ready")
	var line string
	_, err := fmt.Scanln(&line)
	must(err)
	fmt.Println("told", line)
	select {}
}

func playHook(a []string) {
	fd := number(os.Getenv(wire.FD))
	var st unix.Stat_t
	must(unix.Fstat(fd, &st))
	if st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		must(fmt.Errorf("descriptor %d is no socket", fd))
	}
	f := os.NewFile(uintptr(fd), "channel")
	switch a[0] {
	case "say":
		must(wire.Write(f, wire.Message{Kind: wire.Hello, Go: "go1"}))
		must(wire.Write(f, wire.Message{Kind: wire.Listening, Addr: "127.0.0.1:1"}))
	case "babble":
		_, err := f.WriteString("what?\n")
		must(err)
		_, err = f.Write(make([]byte, 4<<20)) // more than a socket holds
		must(err)
	case "heed":
		r := wire.NewReader(f)
		for range 2 {
			m, err := r.Next()
			must(err)
			fmt.Println("told", m.Kind, m.ID)
		}
	case "fail": // when it is told to; meanwhile a role runs
		c := role(a[1], a[2:]...)
		c.Stdout = os.Stdout
		must(c.Start())
		_, err := wire.NewReader(f).Next()
		must(err)
		os.Exit(5)
	case "run":
		c := exec.Command(a[1], a[2:]...)
		c.Stdout = os.Stdout
		must(c.Run())
	case "repeat":
		for range 20_000 {
			must(wire.Write(f, wire.Message{Kind: wire.Hello}))
		}
	}
	fmt.Println("ready")
	select {}
}

// playJoin goes to the door, says whether it may speak, and ends when it is told to.
func playJoin(a []string) {
	c, err := net.Dial("unix", a[0])
	must(err)
	r := wire.NewReader(c)
	if m, err := r.Next(); err != nil || m.Kind != wire.Welcome {
		fmt.Println("refused")
		return
	}
	must(wire.Write(c, wire.Message{Kind: wire.Hello, Go: "joined"}))
	fmt.Println("welcome", os.Getpid())
	m, err := r.Next()
	must(err)
	os.Exit(number(m.ID))
}

// playLeave starts a role in a session of its own, and ends.
func playLeave(a []string) {
	c := role(a[0], a[1:]...)
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	must(c.Start())
}

func playListen([]string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	fmt.Println("port", l.Addr().(*net.TCPAddr).Port)
	select {}
}

// playParent starts an app as devrun does, and says its id.
func playParent([]string) {
	p, err := Start(Command{Path: must1(os.Executable()), Args: []string{"role", "stubborn"}})
	must(err)
	fmt.Println(p.Pid())
	select {}
}

func must1(s string, err error) string { must(err); return s }
