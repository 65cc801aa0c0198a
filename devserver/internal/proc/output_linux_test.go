package proc

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

func mustBeLines(t *testing.T, got string, n int) {
	t.Helper()
	if len(got) != 1000*n {
		t.Fatalf("%d bytes, want %d", len(got), 1000*n)
	}
	i := 0
	for line := range strings.Lines(got) {
		if want := fmt.Sprintf("%0999d\n", i); line != want {
			t.Fatalf("line %d is %q", i, line)
		}
		i++
	}
}

func TestFlood(t *testing.T) {
	const n = 10_000 // lines of 1000 bytes
	a := start(t, nil, "flood", fmt.Sprint(n))
	e := a.ends(t)
	mustBeLines(t, a.out.String(), n)
	mustBeLines(t, a.err.String(), n)
	if len(e.Stderr) != 200 || e.Stderr[0] != fmt.Sprintf("%0999d", n-200) || e.Stderr[199] != fmt.Sprintf("%0999d", n-1) {
		t.Errorf("a tail of %d lines", len(e.Stderr))
	}
}

// slow takes nothing until it is let go.
type slow struct {
	buffer
	called, let chan struct{}
}

func (s *slow) Write(b []byte) (int, error) {
	select {
	case s.called <- struct{}{}:
	default:
	}
	<-s.let
	return s.buffer.Write(b)
}

// What waits in the pipe when the time is over is copied nevertheless.
func TestSlowWriterGetsAll(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close() // a stranger holds it
	text := strings.Repeat("x", 60_000)
	if _, err := w.WriteString(text); err != nil {
		t.Fatal(err)
	}
	to := &slow{called: make(chan struct{}, 1), let: make(chan struct{})}
	s := stream{from: r, to: to, tail: &tail{}}
	done := make(chan error)
	go func() { done <- s.copy() }()
	<-to.called
	if err := r.SetReadDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	close(to.let)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if got := to.String(); got != text {
		t.Errorf("%d bytes of %d", len(got), len(text))
	}
}

func TestStopDoesNotWaitForAWriter(t *testing.T) {
	to := &slow{called: make(chan struct{}, 1), let: make(chan struct{})}
	a := start(t, func(c *Command) { c.Stdout = to }, "block")
	<-to.called
	if a.Stop(time.Minute) {
		t.Error("killed")
	}
	select {
	case e := <-a.Exited():
		t.Errorf("%v came before the output", e)
	default:
	}
	close(to.let)
	a.ends(t)
	if got := to.String(); got != "ready\n" {
		t.Errorf("got %q", got)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("nobody there") }

func TestBrokenWriterDoesNotStopTheApp(t *testing.T) {
	a := start(t, func(c *Command) { c.Stdout, c.Stderr = broken{}, nil }, "flood", "1000")
	if e := a.ends(t); e.Code != 0 || len(e.Stderr) != 200 {
		t.Errorf("ended with %v, tail of %d", e, len(e.Stderr))
	}
	if err := a.Err(); err == nil || !strings.Contains(err.Error(), "nobody there") {
		t.Errorf("got %v", err)
	}
}

// stderr waits until the lines that were written so far are those that ok wants.
func stderr(t *testing.T, p *Process, ok func(lines []string) bool) {
	t.Helper()
	patience := time.After(time.Minute)
	for {
		lines, more := p.Stderr()
		if ok(lines) {
			return
		}
		select {
		case <-more: // never, when it is nil
		case <-patience:
			t.Fatalf("stderr stays %.500q", lines)
		}
	}
}

func TestStderrWhileItIsWritten(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	a := start(t, func(c *Command) { c.Stdin = r }, "warn")
	if lines, more := a.Stderr(); len(lines) != 0 || more == nil {
		t.Errorf("at first %q, more %v", lines, more)
	}
	for _, step := range []struct{ write, want string }{
		{"one\ntw", "one"}, {"o\n", "one two"}, {"\nfour\r\n", "one two  four"},
	} {
		_, more := a.Stderr()
		_, again := a.Stderr()
		if _, err := w.WriteString(step.write); err != nil {
			t.Fatal(err)
		}
		<-more
		<-again // whoever waits is told
		stderr(t, a.Process, func(lines []string) bool { return strings.Join(lines, " ") == step.want })
	}
	_, more := a.Stderr()
	w.Close()
	<-more
	stderr(t, a.Process, func([]string) bool { _, more := a.Stderr(); return more == nil })
	a.ends(t)
}

func TestStderrOfAFlood(t *testing.T) {
	const n = 20_000 // lines of 1000 bytes
	a := start(t, nil, "flood", fmt.Sprint(n))
	last := fmt.Sprintf("%0999d", n-1)
	stderr(t, a.Process, func(lines []string) bool {
		size := 0
		for i, line := range lines {
			size += len(line) + 1
			if len(line) != 999 || i > 0 && line <= lines[i-1] {
				t.Fatalf("line %d is %q", i, line)
			}
		}
		if size > 2*tailBytes {
			t.Fatalf("%d bytes", size)
		}
		return len(lines) > 0 && lines[len(lines)-1] == last && size >= tailBytes-1000
	})
	a.ends(t)
}

func TestTail(t *testing.T) {
	long := strings.Repeat("y", 3*tailBytes)
	numbers := ""
	for i := range 30 {
		numbers += fmt.Sprintf("%d\n", i)
	}
	for name, c := range map[string]struct {
		in      string
		crashed bool
		want    []string
	}{
		"nothing":         {"", false, nil},
		"one line":        {"a\n", false, []string{"a"}},
		"unfinished":      {"a\nb", false, []string{"a", "b"}},
		"carriage return": {"a\r\nb\r\n", false, []string{"a", "b"}},
		"empty lines":     {"\n\na\n\n", false, []string{"", "", "a", ""}},
		"many":            {numbers, false, []string{"25", "26", "27", "28", "29"}},
		"endless":         {long, false, []string{long[:tailBytes]}},
		"long before":     {long + "\nb\n", false, []string{"b"}},
		"crash":           {"log\npanic: old\nx\npanic: p\n" + numbers, true, strings.Split("panic: p\n"+strings.TrimSpace(numbers), "\n")},
		"short crash":     {"panic: old\n" + numbers + "panic: p\n", true, []string{"26", "27", "28", "29", "panic: p"}},
		"signal":          {"SIGABRT: abort\nlog\nSIGSEGV: segmentation violation\nPC=0x1 m=0\n" + numbers, true, strings.Split("SIGSEGV: segmentation violation\nPC=0x1 m=0\n"+strings.TrimSpace(numbers), "\n")},
		"no signal":       {"SIGABRT: logged\n" + numbers, true, []string{"25", "26", "27", "28", "29"}},
		"no crash":        {"panic: said\n" + numbers, false, []string{"25", "26", "27", "28", "29"}},
	} {
		for _, size := range []int{1, 7, 32 << 10} {
			if size < 1000 && len(c.in) > 1000 {
				continue
			}
			tl := tail{lines: 5}
			for in := c.in; in != ""; {
				n := min(size, len(in))
				tl.add([]byte(in[:n]))
				in = in[n:]
			}
			if cap(tl.buf) > 4*tailBytes {
				t.Errorf("%s: keeps %d bytes", name, cap(tl.buf))
			}
			got := tl.last(c.crashed)
			if strings.Join(got, "\n") != strings.Join(c.want, "\n") || len(got) != len(c.want) {
				t.Errorf("%s in pieces of %d: got %.200q, want %.200q", name, size, got, c.want)
			}
		}
	}
}
