//go:build unix

package gograph

import (
	"context"
	"testing"

	"devrun/devserver/suite"
)

func TestCancelledKillsTheTree(t *testing.T) {
	dir := tree(t, map[string]string{"go.mod": mod("example.com/app"), "main.go": emptyMain})
	err := suite.CancelGo(t, func(ctx context.Context) error {
		_, err := Load(ctx, Options{Dir: dir, Package: "."})
		return err
	})
	if err != context.Canceled {
		t.Errorf("error %v", err)
	}
}
