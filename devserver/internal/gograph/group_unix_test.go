//go:build unix

package gograph

import (
	"context"
	"testing"

	"devrun/devserver/suite"
)

func TestCancelledKillsTheTree(t *testing.T) {
	dir := tree(t, map[string]string{"go.mod": mod("example.com/app"), "main.go": emptyMain})
	pids := suite.HangingGo(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := Load(ctx, Options{Dir: dir, Package: "."})
		done <- err
	}()
	list := pids()
	cancel()
	if err := <-done; err != context.Canceled {
		t.Errorf("error %v", err)
	}
	for _, pid := range list {
		if suite.Alive(pid) {
			t.Errorf("process %d lives after Load has returned", pid)
		}
	}
}
