//go:build linux

package e2e

import (
	"fmt"
	"os/exec"
	"regexp"
	"syscall"
	"testing"

	"devrun/devserver/suite"
)

// SMTP starts devrun smtp on a port that is free and returns the port and what it
// prints. It is stopped with the test.
func SMTP(t *testing.T, args ...string) (port string, printed *Output) {
	t.Helper()
	printed = new(Output)
	var said Output
	cmd := exec.Command(Binary(t), append([]string{"smtp", "--addr", "127.0.0.1:0"}, args...)...)
	cmd.Stdout, cmd.Stderr = printed, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("devrun smtp ended with %v: %s", err, said.String())
		}
	})
	ready := regexp.MustCompile(`(?m)^devrun: mail to 127\.0\.0\.1:(\d+) is printed here and not delivered`)
	suite.Until(t, "devrun smtp is ready", func() error {
		m := ready.FindStringSubmatch(said.String())
		if m == nil {
			return fmt.Errorf("%q", said.String())
		}
		port = m[1]
		return nil
	})
	return port, printed
}
