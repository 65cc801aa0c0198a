package devserver

import (
	"fmt"
	"slices"
	"time"

	"devrun/devserver/internal/binaries"
	"devrun/devserver/internal/fault"
	"devrun/devserver/internal/page"
	"devrun/devserver/internal/reload"
	"devrun/devserver/internal/wire"
)

// turn tells the process what has happened, and does what is to be done now.
func (l *loop) turn(happened any) {
	var then order
	l.process, then = turn(l.process, happened)
	switch {
	case then.stop != nil:
		l.stop(then.stop)
	case then.launch != nil:
		l.start(*then.launch)
	}
}

// swap puts a binary in the place of what runs.
func (l *loop) swap(b *binaries.Binary) {
	l.builds.good = &generation{l.saves.gen, b}
	l.turn(linked{l.builds.good})
	l.present()
}

// stop asks the app to end; exited is when it has.
func (l *loop) stop(a *app) {
	l.habits.starts.begins(time.Now())
	l.failures.hurryAll(a) // a request that waits for a debugger would keep the app from ending
	l.present()            // what comes is not for it
	l.web.listeners.drain()
	a.stop(l.cfg.Grace, func() {
		l.queue.tell(func() {
			if l.process.any() == a && l.cfg.Grace > 0 {
				l.term.NotStopped(l.cfg.Grace)
			}
		})
	})
}

func (l *loop) start(g generation) {
	if g.gen == l.saves.gen { // else it has nothing of what was saved
		l.saves.started(time.Now())
	}
	if !g.binary.Hooked() {
		l.web.listeners.yield()
	}
	a, err := l.launcher.launch(g, l.web.mail.tell(l.sources.environ.Vars))
	if err != nil {
		l.term.Error(err)
		l.crashed(notStarted(g.gen, err))
		return
	}
	l.saves.clock.started = time.Now()
	l.habits.started(g.binary.Path, l.saves.clock.started)
	go a.listen(slices.Clone(a.images),
		func(in *image, m wire.Message) { l.queue.tell(func() { l.onSaid(a, in, m) }) },
		func(in *image) { l.queue.tell(func() { l.onLeft(a, in) }) },
		func(e fault.Exit, err error) { l.queue.tell(func() { l.onExited(a, e, err) }) },
	)
	l.turn(launched{a})
	l.seek(a, seekAfter)
	l.present()
	l.builds.maker.Tidy(l.builds.good.binary, l.saves.gen)
}

// onSaid handles a message of the hook; one of an older process is dropped.
func (l *loop) onSaid(a *app, in *image, m wire.Message) {
	if l.process.any() != a {
		return
	}
	switch m.Kind { // also of one that is to stop: it answers its last requests
	case wire.Hello:
		if !slices.Contains(a.images, in) {
			a.images = append(a.images, in)
		}
	case wire.Failed:
		if m.Failure != nil {
			l.failures.failed(a, in, *m.Failure)
		}
	case wire.Finished:
		if m.Response != nil {
			l.failures.finished(in, m.ID, *m.Response)
		}
	case wire.Released:
		l.failures.released(in, m.ID, lives(l.process) == a)
	case wire.Result:
		in.results.deliver(m.Seq, m.Result)
	case wire.Exiting:
		if m.Exit != nil && in.channel.Pid == a.proc.Pid() {
			a.exit = l.ownFrame(m.Exit.Frames)
		}
	case wire.Wrote:
		l.habits.writes.began(m.Path, in, l.habits.starts.acts)
	case wire.Left:
		l.habits.writes.ended(m.Stamp)
	case wire.Listening:
		if m.Network == "unix" {
			a.binds(m.Addr)
		}
	}
	if lives(l.process) != a {
		return
	}
	switch m.Kind {
	case wire.Hello:
		if in.channel.Pid == a.proc.Pid() {
			l.onInherited(a, in)
		}
	case wire.Listening:
		switch {
		case m.Network != "unix":
			l.onListening(a, in, m)
		case !l.sources.HasHTTP:
			l.onSocket(a, m)
		}
	case wire.Serving:
		if key := l.web.listeners.serving(a.gen, in, m); key != "" {
			l.announce(a, key)
		} else {
			l.onSocket(a, m)
		}
	case wire.Opened:
		l.onOpened(a, m)
	case wire.Notice:
		l.term.Notice(m.Text)
	}
}

// ownFrame is the innermost frame in the user's code, nil for none.
func (l *loop) ownFrame(frames []wire.Frame) *fault.Frame {
	for _, f := range frames {
		if fr := frameOf(f); l.term.IsApp(fr.File) {
			return &fr
		}
	}
	return nil
}

// announceAfter is how long a listener has to turn out to be one of net/http
// before its address is printed as if it were: other servers speak HTTP too.
const announceAfter = 100 * time.Millisecond

// onInherited opens the addresses that the app was given: it has them from its start on.
func (l *loop) onInherited(a *app, in *image) {
	for _, port := range l.launcher.given.ports {
		l.onListening(a, in, wire.Message{Kind: wire.Listening, Network: "tcp", Wanted: port.public.Addr().String(), Addr: port.app})
	}
}

// onListening opens an address for the app. The first makes it ready.
func (l *loop) onListening(a *app, in *image, m wire.Message) {
	_, was := l.process.(ready)
	key, err := l.web.listeners.listening(a.gen, in, m)
	switch {
	case err != nil && (a.gen > 1 || was):
		l.term.Error(err) // the rest of the app goes on
		return
	case err != nil:
		l.fail(err)
		return
	case !l.sources.HasHTTP:
		l.announce(a, key)
	default:
		l.after(announceAfter, a, func() { l.announce(a, key) })
	}
	if was {
		l.present()
		return
	}
	l.onReady(a)
}

// onReady is for an app that has begun to listen: the requests go on, and browsers load
// anew.
func (l *loop) onReady(a *app) {
	l.turn(listens{})
	l.launcher.early = 0
	l.after(settleAfter, a, func() { l.web.listeners.closeOlder(a.gen) })
	l.after(idleAfter, a, func() { l.onIdle(a) })
	newest := l.state() == stateServing // else one is on its way already
	if newest {
		l.web.hub.Serving(a.gen)
	}
	l.present()
	if newest {
		l.web.hub.Publish(reload.Event{Kind: reload.Reload, Generation: a.gen})
		l.web.console.Notify(a.gen)
		l.term.Phases(l.saves.end())
	}
}

// announce prints the address of a front, once a generation.
func (l *loop) announce(a *app, key string) {
	if lives(l.process) != a {
		return
	}
	switch scheme, addr := l.web.listeners.announce(a.gen, key, l.sources.hasOtherServer()); scheme {
	case "":
		return
	case "tcp":
		l.term.ServingSocket(scheme, addr, a.pid())
	default:
		l.term.Serving(scheme+"://"+addr, a.pid())
	}
	l.announceConsole()
}

// settleAfter is how long after its first port an app may take to open the
// others, before those of the generation before are closed.
const settleAfter = 5 * time.Second

// onLeft handles the end of one of the app's processes, or of its image: what it listened
// on is not there any more, unless another has it too.
func (l *loop) onLeft(a *app, in *image) {
	l.failures.ended(in)
	l.habits.writes.over(in)
	in.view.close()
	in.results.close()
	a.images = slices.DeleteFunc(a.images, func(other *image) bool { return other == in })
	if l.process.any() == a && l.web.listeners.left(in) {
		l.present()
	}
}

// onExited handles the end of the app: one that was asked for makes room for the
// next, any other is a crash.
func (l *loop) onExited(a *app, e fault.Exit, trouble error) {
	if l.process.any() != a {
		return
	}
	if err := a.removeSockets(); err != nil {
		l.term.Error(err)
	}
	if l.builds.good.binary != a.binary {
		a.binary.Close()
	}
	if lives(l.process) == a {
		l.onCrashed(a, e, trouble)
		return
	}
	l.turn(exited{})
	if l.builds.failed != nil && !l.end.begun() {
		l.web.listeners.show(l.buildPage()) // it does not run any more
		l.present()
	}
}

// onCrashed says how the app has ended by itself.
func (l *loop) onCrashed(a *app, e fault.Exit, trouble error) {
	if trouble != nil {
		l.term.Notice("app process: " + trouble.Error())
	}
	if _, early := l.process.(starting); early {
		if err := taken(e.Stderr); err != nil && a.gen == 1 {
			l.turn(exited{})
			l.fail(err) // at the first start there is nothing to wait for
			return
		} else if err != nil {
			l.term.Error(err)
		}
		l.launcher.early++
	}
	crash := crashOf(a.gen, e)
	switch {
	case crash.Trace.Kind != "":
		l.term.Crashed(crash)
	case e.Signal != "":
		l.term.KilledBySystem(e)
	default:
		l.term.Exited(e, a.exit)
	}
	l.crashed(crash)
}

// crashed makes the page for a crash, and tells the user and the browsers what the
// state is now that nothing runs.
func (l *loop) crashed(c fault.Crash) {
	l.turn(exited{})
	if c.Generation == l.saves.gen {
		l.saves.endAs(page.SaveCrashed, "the app ended before it was ready")
	}
	hint := ""
	if b := l.builds.good.binary; !b.Hooked() {
		hint = sentence(unhooked(b))
	}
	if l.builds.failed != nil {
		l.web.listeners.show(l.buildPage()) // what still ran does not any more
	} else {
		l.web.listeners.show(l.web.pages.Crashed(c, hint))
	}
	if l.state() == stateCrashed {
		if l.launcher.early >= 3 {
			l.term.DoesNotStay()
		} else {
			l.term.WaitingForSave(l.typed != nil)
		}
	}
	l.present()
	if now := l.state(); now == stateCrashed || now == stateFailed {
		l.web.hub.Publish(reload.Event{Kind: reload.Failed, Generation: l.saves.gen})
	}
}

// unhooked says why an app without the hook shows less.
func unhooked(b *binaries.Binary) error { return fmt.Errorf("%w: %s", errUnhooked, b.Unhooked) }
