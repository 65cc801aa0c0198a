package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
)

// become runs the program at path and waits for it: a process cannot be
// replaced here. Control-C reaches the app by itself, and is its to answer.
func become(path string, argv, environ []string) error {
	signal.Ignore(os.Interrupt)
	c := exec.Command(path, argv[1:]...)
	c.Env = environ
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := c.Run()
	if ended, ok := errors.AsType[*exec.ExitError](err); ok {
		os.Exit(ended.ExitCode())
	}
	if err != nil {
		return fmt.Errorf("start %s: %w", path, err)
	}
	os.Exit(exitStopped)
	return nil
}
