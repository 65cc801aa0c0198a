//go:build linux

package serving

import (
	"errors"
	"fmt"
	"net"
	"net/rpc"
	"net/rpc/jsonrpc"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
)

// delve builds the debugger once for all tests.
var delve = sync.OnceValues(func() (string, error) {
	return e2e.Build("testdata/delve", "dlv", "github.com/go-delve/delve/cmd/dlv")
})

// debugger is a headless Delve that is attached to the app, and a client of it.
type debugger struct {
	*rpc.Client
	t     *testing.T
	ended chan struct{}
}

// attach starts Delve on the app's process.
func attach(r *e2e.Rig, port int) debugger {
	t := r.T
	t.Helper()
	path, err := delve()
	if err != nil {
		t.Fatal(err)
	}
	var out e2e.Output
	cmd := exec.Command(path, "attach", fmt.Sprint(r.AppPid()), "--headless", "--accept-multiclient", "--api-version=2", fmt.Sprintf("--listen=127.0.0.1:%d", port))
	cmd.Env = append(cmd.Environ(), "HOME="+t.TempDir(), "XDG_CONFIG_HOME=") // it keeps settings and telemetry
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	d := debugger{t: t, ended: make(chan struct{})}
	go func() {
		cmd.Wait()
		close(d.ended)
	}()
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-d.ended
	})
	suite.Until(t, "Delve is attached", func() error {
		if strings.Contains(out.String(), "operation not permitted") {
			t.Skip("this user may not attach a debugger: set kernel.yama.ptrace_scope to 0")
		}
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return fmt.Errorf("%w\n%s", err, out.String())
		}
		d.Client = jsonrpc.NewClient(c)
		return nil
	})
	return d
}

// call asks Delve for one of its documented JSON-RPC calls.
func (d debugger) call(name string, in, out any) {
	d.t.Helper()
	if err := d.Call("RPCServer."+name, in, out); err != nil {
		d.t.Fatalf("%s: %v", name, err)
	}
}

// stopsIn sets a breakpoint, makes a request and waits until Delve has halted
// the app there.
func stopsIn(r *e2e.Rig, d debugger, function string) {
	r.T.Helper()
	var ignored any
	d.call("CreateBreakpoint", map[string]any{"Breakpoint": map[string]any{"functionName": function}}, &ignored)
	halted := make(chan error, 1)
	var state struct {
		State struct {
			CurrentThread struct {
				Function struct{ Name string }
			} `json:"currentThread"`
		}
	}
	go func() { halted <- d.Call("RPCServer.Command", map[string]any{"name": "continue"}, &state) }()
	go func() { _, _, _ = e2e.Ask("POST", r.URL("/echo"), nil) }() // in flight when the app ends
	select {
	case err := <-halted:
		if at := state.State.CurrentThread.Function.Name; err != nil || at != function {
			r.T.Fatalf("halted in %q, %v", at, err)
		}
	case <-time.After(suite.Patience):
		r.T.Fatalf("not halted within %v", suite.Patience)
	}
}

// A save replaces an app that a debugger has halted, which can neither hear
// SIGTERM nor be waited for; the client goes on with the new one at the same
// address; and an app that the debugger kills is a crash like others.
func testDebugger(t *testing.T, mode string) {
	r := e2e.New(t, mode).Start("--ldflags=-w=0", "--grace=500ms") // with debug info, for variables
	port := suite.FreePort(t)
	const function = "example.test/app/web.echo"
	pid := r.AppPid()
	d := attach(r, port)
	stopsIn(r, d, function)
	r.SetVersion("v2")
	r.Served("v2")
	r.Says(`^devrun: the app did not stop within 500ms, killing it$`)
	var ignored any
	_ = d.Call("RPCServer.Detach", map[string]any{"Kill": false}, &ignored) // of a process that is gone
	d.Close()
	select {
	case <-d.ended:
	case <-time.After(suite.Patience):
		t.Fatal("Delve does not end with its client")
	}
	e2e.Gone(t, pid)

	d = attach(r, port)
	stopsIn(r, d, function)
	if err := d.Call("RPCServer.Detach", map[string]any{"Kill": true}, &ignored); err != nil {
		t.Error(err)
	}
	r.Says(`killed`)
	r.SetVersion("v3")
	r.Served("v3")
	suite.Until(t, "one app runs", func() error {
		children := e2e.Children(r.Cmd.Process.Pid) // tools that are at work with low priority, too
		if apps := strings.Count(strings.Join(children, " "), "app"); apps != 1 {
			return errors.New(strings.Join(children, " "))
		}
		return nil
	})
}
