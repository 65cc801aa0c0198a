// Devrun runs a Go web app while it is being written, and builds it for its users.
// devrun --help says how; package devserver does it.
package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"devrun/devserver"
)

func main() { os.Exit(run(os.Args[1:], os.Environ())) }

// run does what the command line asks for and returns the exit status.
func run(args, environ []string) int {
	if len(args) > 0 && args[0] == "smtp" {
		return runSMTP(args[1:])
	}
	inv, err := parse(args, environ, os.Stdout)
	if inv.Done {
		return exitStopped
	}
	cfg := inv.config()
	for _, notice := range inv.Notices {
		devserver.Notice(cfg, notice)
	}
	if err != nil {
		devserver.Fail(cfg, err)
		return exitStatus(err)
	}
	stop, kill, interrupted := untilSignal()
	cfg.Interrupted = interrupted
	if inv.Settings.Mode == Development {
		err = devserver.Run(stop, kill, cfg)
	} else {
		err = produce(stop, inv.Settings, inv.Environ, production{
			build:  func(ctx context.Context, output string) error { return devserver.Build(ctx, cfg, output) },
			notice: func(text string) { devserver.Notice(cfg, text) },
		})
	}
	switch {
	case interrupted():
		return exitInterrupted
	case stop.Err() != nil:
		return exitStopped
	case err != nil && !errors.Is(err, devserver.ErrReported):
		devserver.Fail(cfg, err)
	}
	return exitStatus(err)
}

// again is how soon after a signal the same one is taken for an echo: a shell
// and a wrapper may both pass on one Control-C.
const again = 150 * time.Millisecond

// stuck is how long the end may take that cannot wait: then something blocks
// that should not, such as a terminal that takes no output.
const stuck = 10 * time.Second

// untilSignal returns two contexts: the first ends with the first signal that
// asks for a stop, the second with the next; interrupted tells whether one of
// them was Control-C.
func untilSignal() (stop, kill context.Context, interrupted func() bool) {
	stop, cancelStop := context.WithCancel(context.Background())
	kill, cancelKill := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) { // as under nohup, which the app in production inherits
			signal.Notify(signals, s)
		}
	}
	var byKeyboard atomic.Bool
	go func() {
		var first time.Time
		for s := range signals {
			if s == os.Interrupt {
				byKeyboard.Store(true)
			}
			switch {
			case first.IsZero():
				first = time.Now()
				cancelStop()
			case time.Since(first) > again:
				cancelKill()
				time.AfterFunc(stuck, func() { os.Exit(exitInterrupted) })
			}
		}
	}()
	return stop, kill, byKeyboard.Load
}

var consoles = map[string]devserver.Console{ConsoleAuto: devserver.ConsoleOnTerminal, ConsoleOn: devserver.ConsoleOn, ConsoleOff: devserver.ConsoleOff}

// config is what package devserver needs to know.
func (inv *invocation) config() devserver.Config {
	s := inv.Settings
	return devserver.Config{
		Dir: s.Dir, Package: s.Package, Args: s.Args, Environ: inv.environ,
		Addr: s.Addr, Host: s.Host, Grace: s.Grace, Poll: s.Poll,
		Tags: s.Tags, LDFlags: s.LDFlags, GCFlags: s.GCFlags, Race: s.Race,
		SMTP: s.SMTP, Console: consoles[s.Console], Park: s.Park, NoPages: s.Pages == PagesOff,
		Editor: linkTemplate(s.Editor), Verbose: s.Verbose, NoColor: s.NoColor, Version: version(),
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
	}
}

// environ reads the environment anew.
func (inv *invocation) environ() (devserver.Environ, error) {
	var e devserver.Environ
	inv.Env.notice = func(text string) { e.Notices = append(e.Notices, text) }
	var err error
	e.Vars, e.Files, err = inv.Env.Load()
	return e, err
}

// exitStatus is that of an error which has one, else 1.
func exitStatus(err error) int {
	var own interface{ ExitStatus() int }
	switch {
	case err == nil:
		return exitStopped
	case errors.As(err, &own):
		return own.ExitStatus()
	}
	return exitFailed
}
