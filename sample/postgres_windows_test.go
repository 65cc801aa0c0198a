package main

import (
	"os"
	"testing"
)

func postgresURL(t *testing.T) func(database string) string {
	t.Skip("NOT TESTED ON POSTGRESQL: the tests start none on Windows")
	return nil
}

func stopPostgres() {}

// interrupt ends a process: there is no asking.
func interrupt(p *os.Process) { p.Kill() }
