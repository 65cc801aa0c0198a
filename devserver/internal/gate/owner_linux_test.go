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
	"syscall"
	"testing"
)

// askEnv makes the test binary ask an address.
const askEnv = "GATE_TEST_ASK"

func TestMain(m *testing.M) {
	if url := os.Getenv(askEnv); url != "" {
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

// Another user of the machine, and the same one, over both kinds of loopback.
func TestOtherUser(t *testing.T) {
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
			srv := &httptest.Server{Listener: ln, Config: &http.Server{Handler: Policy{Private: c.private}.Wrap(
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
