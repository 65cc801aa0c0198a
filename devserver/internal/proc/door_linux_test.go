package proc

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"devrun/devserver/internal/diskcache"
	"devrun/devserver/internal/wire"
)

// withDoor is an app in a directory of its own, and the path of its door.
func withDoor(t *testing.T, name string, args ...string) (*app, string) {
	t.Helper()
	dir := t.TempDir()
	binary := filepath.Join(dir, "app")
	if err := diskcache.Copy(must1(os.Executable()), binary); err != nil {
		t.Fatal(err)
	}
	door := filepath.Join(dir, wire.Door)
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "DOOR", door)
	}
	a := start(t, func(c *Command) {
		c.Path, c.Args = binary, append([]string{"role", name}, args...)
		c.Welcome = wire.Message{Kind: wire.Welcome, Park: "3"}
	}, "")
	if main := <-a.Channels(); main.Pid != a.Pid() {
		t.Errorf("the first channel is that of pid %d", main.Pid)
	}
	return a, door
}

// A process of the app that runs its binary speaks with devrun as the first one does,
// and the app goes on in it when the first has ended well.
func TestTheAppGoesOnInAnotherProcess(t *testing.T) {
	a, door := withDoor(t, "leave", "join", "DOOR")
	c, ok := <-a.Channels()
	if !ok {
		t.Fatal("nobody has come")
	}
	if m := <-c.Messages(); m.Go != "joined" {
		t.Errorf("it says %+v", m)
	}
	if pid := a.sees(t, "welcome"); pid != strconv.Itoa(c.Pid) {
		t.Errorf("pid %d, it says %s", c.Pid, pid)
	}
	<-a.exited
	select {
	case e := <-a.Exited():
		t.Fatalf("the app has ended: %+v", e)
	default:
	}
	if err := c.Send(wire.Message{Kind: wire.Release, ID: "7"}); err != nil {
		t.Error(err)
	}
	if e := a.ends(t); e.Code != 7 {
		t.Errorf("ended with %+v, want the status of the process that went on", e)
	}
	if _, ok := <-a.Channels(); ok {
		t.Error("one more channel")
	}
	if _, err := os.Lstat(door); err == nil {
		t.Error("the door is still there")
	}
}

// Stopping the app ends the process that it goes on in.
func TestStopEndsWhoHasTakenOver(t *testing.T) {
	a, _ := withDoor(t, "leave", "join", "DOOR")
	c := <-a.Channels()
	<-a.exited
	a.Stop(0)
	mustBeGone(t, c.Pid)
}

// A main process that fails ends the app, whatever it has started.
func TestAFailedAppLeavesNoOther(t *testing.T) {
	a, _ := withDoor(t, "hook", "fail", "join", "DOOR")
	c := <-a.Channels()
	a.sees(t, "welcome")
	if err := a.main.Send(wire.Message{}); err != nil {
		t.Error(err)
	}
	if e := a.ends(t); e.Code != 5 {
		t.Errorf("ended with %+v", e)
	}
	mustBeGone(t, c.Pid)
}

// Nobody else comes in: not a process of the app that runs another program, and not one
// that runs the app's and is none of its processes.
func TestTheDoorIsForTheAppAlone(t *testing.T) {
	other := filepath.Join(t.TempDir(), "other")
	if err := diskcache.Copy(must1(os.Executable()), other); err != nil {
		t.Fatal(err)
	}
	a, door := withDoor(t, "block")
	a.sees(t, "ready")
	stranger := exec.Command(a.cmd.Path, "role", "join", door)
	if out, err := stranger.Output(); err != nil || string(out) != "refused\n" {
		t.Errorf("a process that is not of the app: %q, %v", out, err)
	}
	b, _ := withDoor(t, "hook", "run", other, "role", "join", "DOOR")
	b.sees(t, "refused")
}
