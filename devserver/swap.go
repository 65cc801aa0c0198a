package devserver

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"devrun/devserver/internal/fault"
	"devrun/devserver/internal/page"
	"devrun/devserver/internal/proc"
	"devrun/devserver/internal/reload"
	"devrun/devserver/internal/term"
	"devrun/devserver/internal/wire"
)

// app is the process of one generation.
type app struct {
	gen      int
	built    time.Time
	binary   *binary
	proc     *proc.Process
	look     looking
	results  answers[wire.EvalValue]
	peeks    answers[wire.Memory]
	ready    bool      // it listens
	idle     bool      // and has for a while
	stopping bool      // it was asked to end
	typed    time.Time // when a key last went to it
}

// swap puts b in the place of what runs: the old process first ends, then the
// new one starts, so that the two never share a database or a lock.
func (l *loop) swap(b *binary) {
	l.good, l.next = b, b
	if l.app == nil {
		l.start()
		return
	}
	l.stopApp()
	l.present()
}

// stopApp asks the app to end; exited reports that it did.
func (l *loop) stopApp() {
	if l.app == nil || l.app.stopping {
		return
	}
	l.app.stopping = true
	l.starts.begins(time.Now())
	for _, f := range l.failures { // a request that waits for a debugger would keep the app from ending
		if f.app == l.app {
			l.onHurry(f)
		}
	}
	gen, p, grace := l.app.gen, l.app.proc, l.cfg.Grace
	late := time.AfterFunc(grace, func() { l.tell(overdue{gen}) })
	go func() {
		_ = p.Send(wire.Message{Kind: wire.Release}) // what is parked holds things; an app that cannot be told is stopped all the same
		p.Stop(grace)
		late.Stop()
	}()
}

func (l *loop) start() {
	b := l.next
	l.next, l.crash = nil, nil
	l.clock.files, l.saved = l.saved, nil
	l.clock.stopped = time.Now()
	if !b.hooked {
		l.fronts.yield()
	}
	p, err := l.launch(b.path)
	if err != nil {
		l.term.Error(err)
		l.noteCrash(fault.Crash{Generation: b.gen, At: time.Now(), Exit: fault.Exit{Code: -1, Stderr: []string{err.Error()}}})
		l.afterCrash()
		return
	}
	l.clock.started = time.Now()
	l.starts.act(l.clock.started)
	l.written.forget(l.starts.acts)
	a := &app{gen: b.gen, built: b.at, binary: b, proc: p}
	l.app, l.exit = a, nil
	if b.path != l.ran { // other code may read other files
		l.ran, l.facts.opened = b.path, map[string]bool{}
	}
	go func() {
		if b.hooked {
			for m := range p.Messages() {
				if m.Kind == wire.Peeked { // the loop may be waiting for who waits for this
					a.peeks.deliver(m.Seq, m.Memory)
					continue
				}
				l.tell(said{b.gen, m})
			}
			a.peeks.close()
		} else if addr := p.FirstPort(); addr != "" {
			l.tell(said{b.gen, wire.Message{Kind: wire.Listening, Network: "tcp", Wanted: addr, Addr: addr}})
		}
		exit := <-p.Exited()
		l.tell(exited{b.gen, exit, p.Err()})
	}()
	l.present()
	l.removeGenerations()
}

// launch puts a binary in the app's place and starts it there.
func (l *loop) launch(binary string) (*proc.Process, error) {
	if err := l.place.put(binary); err != nil {
		return nil, err
	}
	return proc.Start(proc.Command{
		Path: l.place.path, Args: l.cfg.Args, Env: append(withDebug(l.withMail(l.environ)), wire.Park+"="+l.cfg.Hold.env()), Dir: l.cfg.Dir,
		Stdin: l.cfg.Stdin, StdinTTY: l.typed != nil,
		Stdout: l.term.App(term.Stdout), StdoutTTY: l.term.IsTerminal(term.Stdout),
		Stderr: l.term.App(term.Stderr), StderrTTY: l.term.IsTerminal(term.Stderr),
		Size: l.size,
	})
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

// onSaid handles a message of the hook; one of an older process is dropped.
func (l *loop) onSaid(e said) error {
	if l.app == nil || l.app.gen != e.gen {
		return nil
	}
	switch m := e.m; m.Kind { // also of one that is to stop: it answers its last requests
	case wire.Failed:
		if m.Failure != nil {
			l.onFailed(*m.Failure)
		}
	case wire.Finished:
		if m.Response != nil {
			l.onFinished(m.ID, *m.Response)
		}
	case wire.Released:
		l.onReleased(m.ID)
	case wire.Result:
		l.app.results.deliver(m.Seq, m.Result)
	case wire.Exiting:
		if m.Exit != nil {
			l.onExiting(*m.Exit)
		}
	case wire.Wrote:
		l.written[m.Path] = l.starts.acts
	}
	if l.app.stopping {
		return nil
	}
	switch e.m.Kind {
	case wire.Listening:
		key, err := l.fronts.listening(e.gen, e.m)
		if err != nil && (e.gen > 1 || l.app.ready) {
			l.term.Error(err) // the rest of the app goes on
			return nil
		}
		if err != nil {
			return err
		}
		if !l.graph.HasHTTP {
			l.announce(e.gen, key)
		} else {
			time.AfterFunc(announceAfter, func() { l.tell(announce{e.gen, key}) })
		}
		l.ready()
	case wire.Serving:
		if key := l.fronts.serving(e.gen, e.m); key != "" {
			l.announce(e.gen, key)
		}
	case wire.Opened:
		l.facts.opened[e.m.Path] = true
	case wire.Notice:
		l.term.Notice(e.m.Text)
	}
	return nil
}

// announceAfter is how long a listener has to turn out to be one of net/http
// before its address is printed as if it were: other servers speak HTTP too.
const announceAfter = 100 * time.Millisecond

// announce prints the address of a front, once a generation.
func (l *loop) announce(gen int, key string) {
	if l.app == nil || l.app.gen != gen || l.app.stopping {
		return
	}
	if url := l.fronts.announce(gen, key); url != "" {
		l.term.Serving(url, l.app.proc.Pid())
		l.announceConsole()
	}
}

// ready is called when the app listens on a port: the first makes it ready.
func (l *loop) ready() {
	if l.app.ready {
		l.present()
		return
	}
	l.app.ready, l.crashes = true, 0
	gen := l.app.gen
	if l.state() == serving {
		l.hub.Serving(gen)
	}
	l.present()
	time.AfterFunc(settleAfter, func() { l.tell(settle{gen}) })
	time.AfterFunc(debuggerAfter, func() { l.tell(idle{gen}) })
	if l.state() != serving {
		return // a newer generation is on its way already
	}
	l.hub.Publish(reload.Event{Kind: reload.Reload, Generation: gen})
	l.console.Notify(gen)
	l.endSave()
}

// onExited handles the end of a process: the one that was asked for makes
// room for the next, any other is a crash.
func (l *loop) onExited(e exited) error {
	if l.app == nil || l.app.gen != e.gen {
		return nil
	}
	was := l.app
	l.app = nil
	l.endFailures(was)
	was.look.close()
	was.results.close()
	if d := was.binary.debugger; d != nil && (l.good == nil || l.good.debugger != d) {
		d.close()
	}
	if e.err != nil && !was.stopping {
		l.term.Notice("of the app's process: " + e.err.Error())
	}
	switch {
	case l.closing:
		return nil
	case was.stopping && l.next == nil && l.failed != nil:
		// It made room for a binary that a newer save took back, and that save
		// does not build: the binary is the newest there is.
		l.next = l.good
		l.start()
		l.show(l.buildPage())
		l.present()
		return nil
	case l.next != nil:
		l.start()
		return nil
	case was.stopping:
		return nil // a newer build is under way
	}
	if port, ok := taken(e.exit.Stderr); ok && !was.ready {
		if err := l.portTaken(port, was.gen == 1); err != nil {
			return err
		}
	}
	l.noteCrash(fault.Crash{Generation: was.gen, At: time.Now(), Exit: e.exit})
	switch {
	case l.crash.Trace.Kind != "":
		l.term.Crashed(*l.crash)
	case e.exit.Signal != "":
		l.term.KilledBySystem(e.exit)
	default:
		l.term.Exited(e.exit, l.exit)
	}
	if !was.ready {
		l.crashes++
	}
	l.afterCrash()
	return nil
}

// afterCrash tells the user and the browsers what the state is now that
// nothing runs.
func (l *loop) afterCrash() {
	if l.build == nil && l.failed == nil {
		if l.crashes >= 3 {
			l.term.DoesNotStay()
		} else {
			l.term.WaitingForSave(l.typed != nil)
		}
	}
	l.present()
	if l.state() == crashed || l.state() == failed {
		l.hub.Publish(reload.Event{Kind: reload.Failed, Generation: l.gen})
	}
}

// lives reports whether there is a process that was not asked to end.
func (l *loop) lives() bool { return l.app != nil && !l.app.stopping }

// noteCrash notes how the app ended and makes the page that says so.
func (l *loop) noteCrash(c fault.Crash) {
	if c.Exit.Code == 2 || c.Exit.Signal != "" { // as the Go runtime ends a program
		c.Trace = fault.ParseTrace(c.Exit.Stderr)
	}
	l.crash = &c
	if c.Generation == l.gen {
		l.endSaveAs(page.SaveCrashed, "the app ended before it was ready")
	}
	if l.failed != nil {
		l.show(l.buildPage()) // what still ran does not any more
		return
	}
	hint := ""
	if l.good != nil && !l.good.hooked {
		hint = sentence(l.unhooked())
	}
	l.show(l.pages.Crashed(c, hint))
}

// bindError is how net reports a port that is in use, wherever in a line the
// app prints it.
var bindError = regexp.MustCompile(`listen tcp[46]? \S*?:(\d+): bind: (?:address already in use|Only one usage of each socket address)`)

// taken finds the port that the app could not have in the last lines of its
// stderr.
func taken(stderr []string) (port int, ok bool) {
	for _, line := range slices.Backward(stderr) {
		if m := bindError.FindStringSubmatch(line); m != nil {
			port, err := strconv.Atoi(m[1])
			return port, err == nil
		}
	}
	return 0, false
}

// portTaken says who has the port that the app asked for. At the first start
// there is nothing to wait for, so it is an error of the run.
func (l *loop) portTaken(port int, first bool) error {
	err := inUse(fmt.Sprintf("localhost:%d", port), port, "or give the app another port")
	if first {
		return err
	}
	l.term.Error(err)
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

// removeGenerations deletes the binaries that are not needed any more.
func (l *loop) removeGenerations() {
	dirs, err := filepath.Glob(filepath.Join(l.dir, "gen-*"))
	if err != nil {
		return
	}
	for _, d := range dirs {
		if l.good != nil && d == filepath.Dir(l.good.path) {
			continue
		}
		if l.build != nil && d == l.genDir(l.build.gen) {
			continue
		}
		os.RemoveAll(d)
	}
}
