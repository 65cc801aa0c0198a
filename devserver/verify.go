package devserver

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"devrun/devserver/internal/fastbuild"
)

// verifyAfter is how long nothing has been saved when a binary that was built
// without the go command is compared with the one that go build makes: that takes
// as long as a build, and somebody who is at work is not to feel it.
const verifyAfter = 4 * time.Second

// quiet: the generation has been running for verifyAfter with its debugger ready.
type quiet struct{ gen int }

// verified: the comparison of a binary has ended. err says that it is not what it
// should be, or that this could not be seen; slow why links do not begin early, ahead
// that they do from now on; cold why the binary is not kept.
type verified struct {
	of              *debugger
	err, slow, cold error
	ahead           bool
}

// verify sets off the comparison, and then has the binary kept for the next run and a
// linker begin for the next save.
func (l *loop) verify() {
	if l.closing || l.build != nil || l.errand != nil {
		return
	}
	d := l.app.binary.debugger
	kept, made, warm := d.request, d.made, l.warm
	kept.Background = true
	r := kept
	r.Output = filepath.Join(filepath.Dir(r.Output), "verify", filepath.Base(r.Output))
	l.atLeisure(func(ctx context.Context) any {
		v := verified{of: d}
		if made != nil {
			if v.err = os.Mkdir(filepath.Dir(r.Output), 0o700); v.err == nil || errors.Is(v.err, os.ErrExist) {
				v.err = l.builder.Verify(ctx, r, made)
				os.RemoveAll(filepath.Dir(r.Output))
			}
		}
		if v.err != nil {
			return v
		}
		keep := func() {
			if warm != "" {
				v.cold = l.builder.Keep(ctx, warm, kept, made)
				tidyWarm(filepath.Dir(warm))
			}
		}
		keep()
		if v.ahead, v.slow = l.builder.LinkAhead(ctx, kept, made); v.ahead {
			keep() // that, too
		}
		return v
	})
}

// onVerified builds the app with the go command when what runs is something else.
func (l *loop) onVerified(e verified) {
	l.errandDone()
	if l.closing || errors.Is(e.err, context.Canceled) {
		return
	}
	if e.ahead && l.cfg.Verbose {
		l.term.Notice("links begin before there is a save from now on")
	}
	if e.slow != nil && l.cfg.Verbose && !errors.Is(e.slow, context.Canceled) && e.slow.Error() != l.slowLink {
		l.slowLink = e.slow.Error()
		l.term.Notice("links do not begin early: " + l.slowLink)
	}
	if e.cold != nil && l.cfg.Verbose && !errors.Is(e.cold, context.Canceled) {
		l.term.Notice("the binary is not kept for the next run: " + e.cold.Error())
	}
	if e.err == nil {
		return
	}
	if _, ok := errors.AsType[*fastbuild.Difference](e.err); !ok {
		if l.cfg.Verbose {
			l.term.Notice("the binary could not be compared with go build's: " + e.err.Error())
		}
		return
	}
	l.builder.Disable(e.err.Error())
	l.slowSaid = true
	l.term.Error(hinted{e.err, "the app is built with go build now, and so is every save; please report the line above, with the change that you saved before it"})
	if l.build == nil && l.app != nil && l.app.binary.debugger == e.of {
		l.clock = clock{}
		l.rebuild()
	}
}
