package gate

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// askEnv makes the test binary ask an address, and with leaveEnv go before it can be
// told apart: it closes the socket right after sending, or resets the connection.
const (
	askEnv   = "GATE_TEST_ASK"
	leaveEnv = "GATE_TEST_LEAVE"
)

func TestMain(m *testing.M) {
	if url := os.Getenv(askEnv); url != "" {
		if how := os.Getenv(leaveEnv); how != "" {
			if err := leave(strings.TrimPrefix(url, "http://"), how); err != nil {
				fmt.Println(err)
				os.Exit(1)
			}
			os.Exit(0)
		}
		resp, err := http.Get(url)
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		io.Copy(os.Stdout, resp.Body)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// leave sends a request and is gone.
func leave(addr, how string) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	if how == "reset" {
		if err := c.(*net.TCPConn).SetLinger(0); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", addr); err != nil {
		return err
	}
	return c.Close()
}

// late accepts a connection when told to.
type late struct {
	net.Listener
	accept chan struct{}
}

func (l late) Accept() (net.Conn, error) {
	<-l.accept
	return l.Listener.Accept()
}

// Who has closed the socket, or goes while the request is read, is not taken for root,
// whom the kernel names as the owner of what nobody has.
func TestNobodyIsNotLetIn(t *testing.T) {
	exe := asker(t)
	for _, how := range []string{"close", "reset"} {
		for _, uid := range []uint32{0, 65534} {
			for _, first := range []bool{true, false} { // it is gone before the connection is accepted
				t.Run(fmt.Sprint(how, uid, first), func(t *testing.T) {
					ln, err := net.Listen("tcp", "127.0.0.1:0")
					if err != nil {
						t.Fatal(err)
					}
					l, in, ended := late{ln, make(chan struct{})}, make(chan struct{}, 8), make(chan struct{}, 8)
					srv := &httptest.Server{Listener: l, Config: &http.Server{
						ConnContext: Accepted,
						ConnState: func(_ net.Conn, s http.ConnState) {
							if s == http.StateClosed {
								ended <- struct{}{}
							}
						},
						Handler: Policy{Private: true}.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { in <- struct{}{} })),
					}}
					srv.Start()
					defer srv.Close()
					defer close(l.accept)
					cmd := exec.Command(exe)
					cmd.Env, cmd.Dir = []string{askEnv + "=http://" + ln.Addr().String(), leaveEnv + "=" + how}, "/"
					cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
					if !first {
						go func() { l.accept <- struct{}{} }()
					}
					if out, err := cmd.CombinedOutput(); err != nil {
						t.Fatalf("%v: %s", err, out)
					}
					if first {
						l.accept <- struct{}{}
					}
					<-ended
					if got := len(in) > 0; got && (first || uid != 0) {
						t.Error("it was let in")
					}
				})
			}
		}
	}
}

// asker is this program where another user can run it.
func asker(t *testing.T) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("NOT TESTED: only root can ask as another user")
	}
	b, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "gate-")
	if err == nil {
		t.Cleanup(func() { os.RemoveAll(dir) })
		err = os.Chmod(dir, 0o755) // another user runs it
	}
	exe := filepath.Join(dir, "ask")
	if err == nil {
		err = os.WriteFile(exe, b, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	return exe
}

// Another user of the machine, and the same one, over both kinds of loopback.
func TestOtherUser(t *testing.T) {
	exe := asker(t)
	for _, c := range []struct {
		addr    string
		private bool
		uid     uint32
		sudo    string
		in      bool
	}{
		{"127.0.0.1:0", true, 0, "", true},
		{"127.0.0.1:0", true, 65534, "", false},
		{"127.0.0.1:0", true, 65534, "65534", true},
		{"127.0.0.1:0", true, 65534, "1000", false},
		{"127.0.0.1:0", false, 65534, "", true},
		{"[::1]:0", true, 0, "", true},
		{"[::1]:0", true, 65534, "", false},
	} {
		t.Run(fmt.Sprint(c.addr, c.private, c.uid, c.sudo), func(t *testing.T) {
			t.Setenv("SUDO_UID", c.sudo)
			ln, err := net.Listen("tcp", c.addr)
			if err != nil {
				t.Skip("NOT TESTED: ", err)
			}
			srv := &httptest.Server{Listener: ln, Config: &http.Server{ConnContext: Accepted, Handler: Policy{Private: c.private}.Wrap(
				http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "in") }))}}
			srv.Start()
			defer srv.Close()
			cmd := exec.Command(exe)
			cmd.Env, cmd.Dir = []string{askEnv + "=http://" + ln.Addr().String()}, "/"
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: c.uid, Gid: c.uid}}
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if got := string(out) == "in"; got != c.in {
				t.Errorf("the answer is %q", out)
			}
		})
	}
}
