package hook

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"devrun/devserver/internal/wire"
	"devrun/devserver/suite"
)

// BenchmarkRequest is a small answer over one connection, without the hook's
// channel and with it, in turns: the difference is what a request costs.
func BenchmarkRequest(b *testing.B) {
	binary := shared(b, "faults")
	plain := exec.Command(binary, "127.0.0.1:"+unused(b))
	plain.Env = append(os.Environ(), "GOGC=400")
	if err := plain.Start(); err != nil {
		b.Fatal(err)
	}
	defer plain.Wait()
	defer plain.Process.Kill()
	p := run(b, binary, nil, "127.0.0.1:0")
	p.next(wire.Hello)
	p.next(wire.Listening)
	hooked := p.next(wire.Serving).Addr
	for range 2 {
		for _, c := range []struct {
			name, addr string
			pid        int
		}{{"plain", plain.Args[1], plain.Process.Pid}, {"hooked", hooked, p.cmd.Process.Pid}} {
			b.Run(c.name, func(b *testing.B) {
				var conn net.Conn
				suite.Until(b, "the app listens", func() (err error) {
					conn, err = net.Dial("tcp", c.addr)
					return err
				})
				defer conn.Close()
				r := bufio.NewReader(conn)
				before := used(b, c.pid)
				for b.Loop() {
					if _, err := io.WriteString(conn, "GET /ok HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
						b.Fatal(err)
					}
					res, err := http.ReadResponse(r, nil)
					if err != nil {
						b.Fatal(err)
					}
					if body, err := io.ReadAll(res.Body); err != nil || !strings.HasPrefix(string(body), "ok ") {
						b.Fatalf("%q, %v", body, err)
					}
				}
				b.ReportMetric(float64(used(b, c.pid)-before)/float64(b.N), "app-ns/op") // of a processor
			})
		}
	}
}

// used is the processor time that a process has had, in nanoseconds.
func used(b *testing.B, pid int) (ns int64) {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	for _, s := range fields[11:13] { // utime and stime, in hundredths of a second
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		ns += n * 10_000_000
	}
	return ns
}
