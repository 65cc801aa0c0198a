//go:build unix

package build

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"devrun/devserver/suite"
)

func TestCancelKillsTheGroup(t *testing.T) {
	r := app(t, map[string]string{"main.go": hello})
	r.GOFLAGS = " " // known, so that what hangs is the build
	err := suite.CancelGo(t, func(ctx context.Context) error {
		_, err := Run(ctx, r)
		return err
	})
	if err != context.Canceled {
		t.Errorf("error %v", err)
	}
	if left(t, r) != "" {
		t.Errorf("%s is left", left(t, r))
	}
}

func TestCancelRealBuild(t *testing.T) {
	r := app(t, map[string]string{"main.go": hello})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := Run(ctx, r)
		done <- err
	}()
	suite.Until(t, "the build has begun or is done", func() error {
		work, err := filepath.Glob(filepath.Join(filepath.Dir(r.Output), "build-*", "go-build*", "*"))
		if err == nil && len(work) == 0 && len(done) == 0 {
			return errors.New("no work directory yet")
		}
		return err
	})
	cancel()
	if err := <-done; err != context.Canceled {
		t.Errorf("error %v", err)
	}
	if left(t, r) != "" {
		t.Errorf("%s is left", left(t, r))
	}
	mustRun(t, r)
}

func TestSilentFailure(t *testing.T) {
	suite.FakeGo(t, "exit 3\n")
	f := mustFail(t, app(t, map[string]string{}))
	if f.Error() != "1 error: go build ended with exit status 3 and said nothing" {
		t.Errorf("error %q", f.Error())
	}
}

func TestLargeOutput(t *testing.T) {
	suite.FakeGo(t, "[ \"$1\" = env ] && exit\necho './x.go:1:2: first'\nyes './y.go:3:4: again and again, '$(printf %0500d) | head -c 20000000\nexit 1\n")
	f := mustFail(t, app(t, map[string]string{}))
	if len(f.Output) < outputLimit || len(f.Output) > outputLimit+100 || f.Diagnostics[0].Message != "first" {
		t.Errorf("%d bytes kept, first %+v", len(f.Output), f.Diagnostics[0])
	}
}
