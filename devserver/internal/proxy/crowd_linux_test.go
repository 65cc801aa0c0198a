package proxy

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// More requests than there are descriptors for connections to the app wait for each
// other.
func TestDescriptorsRunOut(t *testing.T) {
	if os.Getenv("SERVE") != "" { // the app: descriptors of its own
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println(l.Addr())
		http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			time.Sleep(10 * time.Millisecond) // one that takes a moment
			fmt.Fprint(w, "here")
		}))
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), "SERVE=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	a, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	a = strings.TrimSpace(a)

	const many = 60
	f := forwarding(t, a)
	var conns []*bufio.ReadWriter
	for range many {
		c := dial(t, f.Addrs()[0])
		conns = append(conns, bufio.NewReadWriter(bufio.NewReader(c), bufio.NewWriter(c)))
	}
	ask := func(c *bufio.ReadWriter) error {
		fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		if err := c.Flush(); err != nil {
			return err
		}
		res, err := http.ReadResponse(c.Reader, nil)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("the answer is %s", res.Status)
		}
		return nil
	}
	for _, c := range conns { // each has been accepted
		if err := ask(c); err != nil {
			t.Fatal(err)
		}
	}
	f.Hold()
	f.Forward(a) // with no connection to the app

	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	low := limit
	low.Cur = uint64(len(open)) + 10
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &low); err != nil {
		t.Fatal(err)
	}
	defer syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
	var all sync.WaitGroup
	for _, c := range conns {
		all.Go(func() {
			if err := ask(c); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}
