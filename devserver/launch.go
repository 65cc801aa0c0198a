package devserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"devrun/devserver/internal/binaries"
	"devrun/devserver/internal/fault"
	"devrun/devserver/internal/proc"
	"devrun/devserver/internal/term"
	"devrun/devserver/internal/wire"
)

// app is what runs in one generation: a process, and those of the same binary that
// descend from it.
type app struct {
	gen    int
	binary *binaries.Binary
	proc   *proc.Process
	begun  time.Time
	images []*image     // that speak, oldest first
	idle   bool         // it has been ready for a while
	typed  time.Time    // when a key last went to it
	exit   *fault.Frame // where it has called os.Exit

	sockets []*socket // in the file system
}

// pid is the process to name to a person: the main one, or who has taken over from it.
func (a *app) pid() int {
	if len(a.images) > 0 {
		return a.images[0].channel.Pid
	}
	return a.proc.Pid()
}

// tells waits until the app's processes have told what they have done by now, but not
// for long; done is called then, on another goroutine.
func (a *app) tells(done func()) {
	images := slices.Clone(a.images)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), tellsWithin)
		defer cancel()
		for _, in := range images {
			in.sync(ctx)
		}
		done()
	}()
}

// tellsWithin bounds the wait for an app that is stopped, or at a debugger's breakpoint.
const tellsWithin = 200 * time.Millisecond

// writing reports of a file whether a process of the app has it open to write now.
func (a *app) writing() func(path string) bool {
	var open []os.FileInfo
	for _, in := range a.images {
		open = append(open, proc.Writing(in.channel.Pid)...)
	}
	return func(path string) bool {
		fi, err := os.Stat(path)
		return err == nil && slices.ContainsFunc(open, func(o os.FileInfo) bool { return os.SameFile(o, fi) })
	}
}

// launcher starts processes of the app.
type launcher struct {
	place    place
	cfg      Config
	term     *term.Terminal
	keyboard bool
	given    inherited
	early    int // how many in a row have ended before they were ready
}

// launch puts a binary in the app's place and starts it there.
func (l *launcher) launch(g generation, env []string) (*app, error) {
	if err := l.place.put(g.binary.Path); err != nil {
		return nil, err
	}
	begun := time.Now()
	p, err := proc.Start(proc.Command{
		Path: l.place.path, Args: l.cfg.Args, Env: append(withDebug(env), wire.Park+"="+l.cfg.Park.env()), Dir: l.cfg.Dir,
		Files: l.given.files, Welcome: wire.Message{Kind: wire.Welcome, Park: l.cfg.Park.env()},
		Stdin: l.cfg.Stdin, StdinTTY: l.keyboard,
		Stdout: l.term.App(term.Stdout), StdoutTTY: l.term.IsTerminal(term.Stdout),
		Stderr: l.term.App(term.Stderr), StderrTTY: l.term.IsTerminal(term.Stderr),
		Size: l.size,
	})
	if err != nil {
		return nil, err
	}
	a := &app{gen: g.gen, binary: g.binary, proc: p, begun: begun}
	if g.binary.Hooked() {
		a.images = []*image{{channel: <-p.Channels()}} // the main process's is there
	}
	return a, nil
}

// size is that of the terminal, for the app's own.
func (l *launcher) size() (rows, cols uint16) {
	c, r, _ := l.term.Size() // 0 is how a terminal says that it does not know
	return uint16(r), uint16(c)
}

// withDebug is env with what a failure needs of the runtime: a stack that stays
// where it is, and the request's name in a crash report. The user's own settings
// stay.
func withDebug(env []string) []string {
	const ours = "gcshrinkstackoff=1,tracebacklabels=1"
	value := ours
	for _, e := range env {
		if theirs, ok := strings.CutPrefix(e, "GODEBUG="); ok && theirs != "" {
			value = ours + "," + theirs
		}
	}
	return append(slices.Clip(env), "GODEBUG="+value)
}

// listen hands on what the app's processes say, and tells the end of each and of all.
func (a *app) listen(main []*image, said func(*image, wire.Message), left func(*image), exited func(fault.Exit, error)) {
	if len(main) > 0 {
		var all sync.WaitGroup
		all.Go(func() { main[0].listen(said, left) })
		for c := range a.proc.Channels() {
			all.Go(func() { (&image{channel: c}).listen(said, left) })
		}
		all.Wait()
	} else if addr := a.proc.FirstPort(); addr != "" {
		said(&image{}, wire.Message{Kind: wire.Listening, Network: "tcp", Wanted: addr, Addr: addr})
	}
	exit := <-a.proc.Exited()
	exited(exit, a.proc.Err())
}

// stop has the process end, by force after grace; late is called then.
func (a *app) stop(grace time.Duration, late func()) {
	timer := time.AfterFunc(grace, late)
	images := slices.Clone(a.images)
	go func() {
		for _, in := range images {
			_ = in.channel.Send(wire.Message{Kind: wire.Release}) // what is parked holds things; an app that cannot be told is stopped all the same
		}
		a.proc.Stop(grace)
		timer.Stop()
	}()
}

// bindError is how net reports a port that is in use, wherever in a line the
// app prints it.
var bindError = regexp.MustCompile(`listen tcp[46]? \S*?:(\d+): bind: (?:address already in use|Only one usage of each socket address)`)

// taken finds the port that the app could not have in the last lines of its
// stderr, and says who has it; nil if that was not the matter.
func taken(stderr []string) error {
	for _, line := range slices.Backward(stderr) {
		if m := bindError.FindStringSubmatch(line); m != nil {
			port, err := strconv.Atoi(m[1])
			if err != nil {
				return nil
			}
			return inUse(fmt.Sprintf("localhost:%d", port), port, "or give the app another port")
		}
	}
	return nil
}

// inUse is the error for an address that somebody else has.
func inUse(addr string, port int, remedy string) error {
	err := fmt.Errorf("listen on %s: address already in use", addr)
	if pid, name, ok := proc.Holder(port); ok {
		return hinted{err, fmt.Sprintf("pid %d (%s) has it; stop it, %s", pid, name, remedy)}
	}
	return hinted{err, "another program has it; stop it, " + remedy}
}

// crashOf is how a process has ended by itself.
func crashOf(gen int, e fault.Exit) fault.Crash {
	c := fault.Crash{Generation: gen, At: time.Now(), Exit: e}
	if e.Code == 2 || e.Signal != "" { // as the Go runtime ends a program
		c.Trace = fault.ParseTrace(e.Stderr)
	}
	return c
}

// notStarted is the crash of a process that there has not been.
func notStarted(gen int, err error) fault.Crash {
	return crashOf(gen, fault.Exit{Code: -1, Stderr: []string{err.Error()}})
}

var errUnhooked = errors.New("the app runs without devrun's hook, so a failure shows only what the app wrote to stderr")
