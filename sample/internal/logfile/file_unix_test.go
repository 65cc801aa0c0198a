//go:build unix

package logfile

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestMain is also a process that writes to a log.
func TestMain(m *testing.M) {
	if path := os.Getenv("LOGFILE_TEST_WRITE"); path != "" {
		if err := writeTo(path, os.Getenv("LOGFILE_TEST_NUMBER")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

const eachProcess = 3000

// writeTo opens the log, waits for a line on stdin and writes.
func writeTo(path, number string) error {
	f, err := Open(path, 10240, 10)
	if err != nil {
		return err
	}
	fmt.Println("open")
	bufio.NewReader(os.Stdin).ReadString('\n')
	for n := range eachProcess {
		if _, err := fmt.Fprintf(f, "%s %d %s\n", number, n, strings.Repeat("x", n%80)); err != nil {
			return err
		}
	}
	return f.Close()
}

// Two processes that write at once lose nothing, tear nothing and roll over
// as one does.
func TestTwoProcesses(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	const writers = 3
	var start []func() error
	for w := range writers {
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), "LOGFILE_TEST_WRITE="+filepath.Join(dir, "x.log"), "LOGFILE_TEST_NUMBER="+strconv.Itoa(w))
		var stderr strings.Builder
		cmd.Stderr = &stderr
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := cmd.Wait(); err != nil || stderr.Len() > 0 {
				t.Errorf("writer %d: %v: %s", w, err, &stderr)
			}
			if w == 0 { // the last to be waited for
				suffixes(t, dir, 10240, writers, eachProcess)
			}
		}()
		if line, err := bufio.NewReader(out).ReadString('\n'); line != "open\n" {
			t.Fatalf("%q, %v", line, err)
		}
		start = append(start, in.Close)
	}
	for _, f := range start {
		if err := f(); err != nil {
			t.Error(err)
		}
	}
}

func TestNotARegularFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.log")
	if err := os.Symlink(os.DevNull, path); err != nil {
		t.Fatal(err)
	}
	write(t, open(t, path, 10, 2), record(99, "a"), record(99, "b"))
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}

	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	read := make(chan string)
	go func() {
		in, err := os.Open(fifo)
		if err != nil {
			read <- err.Error()
			return
		}
		defer in.Close()
		lines := bufio.NewReader(in)
		a, _ := lines.ReadString('\n')
		b, _ := lines.ReadString('\n')
		read <- a + b
	}()
	f := open(t, fifo, 10, 2)
	write(t, f, record(99, "a"), record(99, "b"))
	if got := <-read; got != record(99, "a")+record(99, "b") {
		t.Errorf("%q", got)
	}
}

// A log names visitors: others on the machine have no business with it.
func TestModes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "logs", "x.log")
	open(t, path, 10, 2)
	for _, p := range []string{path, filepath.Dir(path)} {
		info, err := os.Stat(p)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o007 != 0 {
			t.Errorf("%s: %v", p, info.Mode())
		}
	}
}

// What is full takes half a record at most, and none stays. The limit of a file's
// size stands for the disk; it is the process's, so another process has it.
func TestHalfARecordIsTakenBack(t *testing.T) {
	if path := os.Getenv("LOGFILE_TEST_FULL"); path != "" {
		f := open(t, path, 0, 0)
		signal.Ignore(syscall.SIGXFSZ)
		var limit syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			t.Fatal(err)
		}
		limit.Cur = 150
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			t.Fatal(err)
		}
		write(t, f, record(100, "a"), record(100, "b"), record(50, "c"))
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "x.log")
	cmd := exec.Command(self, "-test.run", "^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), "LOGFILE_TEST_FULL="+path)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s%s", err, out, &stderr)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(b) != record(100, "a")+record(50, "c") || !strings.HasSuffix(stderr.String(), record(100, "b")) {
		t.Errorf("the log is %q, stderr %q", b, &stderr)
	}
}
