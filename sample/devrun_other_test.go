//go:build !linux

package main

import "testing"

func underDevrun(t *testing.T, _ string) database {
	t.Helper()
	t.Skip("NOT TESTED UNDER DEVRUN: the test of it is for Linux")
	return database{}
}

func stopDevruns() {}
