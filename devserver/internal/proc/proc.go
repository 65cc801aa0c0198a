package proc

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"devrun/devserver/internal/fault"
	"devrun/devserver/internal/wire"
)

// Process is an app that was started.
type Process struct {
	cmd  *exec.Cmd
	std  *stdio
	tree *tree
	tail *tail

	began, ended time.Time     // ended is set before exited is closed
	exited       chan struct{} // the main process has ended
	gone         chan struct{} // the tree has, and the main process is waited for
	killed       bool          // set before gone is closed

	main     *Channel
	door     *door // nil if there is none
	callers  chan caller
	channels chan *Channel
	exit     chan fault.Exit
	wake     chan struct{} // deadline was changed
	hungUp   chan struct{} // a process that had joined may have ended
	copying  sync.WaitGroup

	mu       sync.Mutex
	deadline time.Time // when the grace ends; zero until somebody stops the app
	waited   bool      // the process id is no longer the app's
	errs     []error
}

const (
	// backlog is how many messages may wait to be taken: an app that says more
	// at once is not sane, and it must not be made to wait.
	backlog = 8192

	// maxJoined is how many processes beside the main one may speak that nobody has
	// heard of yet; a prefork server starts one for each processor.
	maxJoined = 256

	// drainTime bounds the wait for the end of the output once the tree is
	// gone: it comes at once, unless a process that is not of the tree holds
	// the other end.
	drainTime = 250 * time.Millisecond

	// killTime bounds the wait for descendants after SIGKILL: those of another
	// user cannot be killed, and a restart must not hang for them.
	killTime = 5 * time.Second

	// minPause and maxPause bound the time between two looks at the tree: the
	// first is shorter than a process takes to end, the last is cheap to repeat
	// for as long as a grace lasts.
	minPause = time.Millisecond
	maxPause = 50 * time.Millisecond
)

// Start starts the app. When it returns, the program runs; an error says why
// it cannot.
func Start(c Command) (*Process, error) {
	path, err := filepath.Abs(c.Path)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Path, err)
	}
	p := &Process{
		tail:     &tail{lines: c.Tail},
		exited:   make(chan struct{}),
		gone:     make(chan struct{}),
		callers:  make(chan caller),
		channels: make(chan *Channel, maxJoined),
		exit:     make(chan fault.Exit, 1),
		wake:     make(chan struct{}, 1),
		hungUp:   make(chan struct{}, 1),
	}
	p.std, err = openStdio(c, p.tail)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Path, err)
	}
	env := c.Env
	if env == nil {
		env = os.Environ()
	}
	p.cmd = &exec.Cmd{
		Path: path,
		Args: append([]string{c.Path}, c.Args...),
		Env:  env[:len(env):len(env)],
		Dir:  c.Dir,
	}
	p.std.attach(p.cmd)
	p.tree = newTree(p.cmd, p.exited)

	if c.Welcome.Kind != "" {
		p.door, err = openDoor(path)
		p.fail(err) // the main process has a channel all the same
	}

	started := make(chan error)
	go p.hold(started)
	err = <-started
	p.std.closeChild()
	if err != nil {
		p.std.close()
		p.closeDoor()
		return nil, explain(p.cmd, err)
	}
	for _, s := range p.std.streams {
		p.copying.Go(func() { p.fail(s.copy()) })
	}
	p.main = newChannel(p.Pid(), nil, p.fail)
	if p.std.channel != nil {
		p.main.line = p.std.channel
	}
	p.channels <- p.main
	p.copying.Go(p.main.receive)
	if p.door != nil {
		p.copying.Go(p.answerDoor)
	}
	go p.control(c.Welcome)
	return p, nil
}

// Pid is the process id of the app, which leads its session and group.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Channels gives the channel of the main process, and then those of others that run the app's
// binary, as they come: the children of a prefork server, what a supervisor starts, the
// main process when it has executed itself. It is closed before Exited delivers.
func (p *Process) Channels() <-chan *Channel { return p.channels }

// Exited delivers once, after the tree is gone, all that it wrote was copied
// and all goroutines of p are done.
func (p *Process) Exited() <-chan fault.Exit { return p.exit }

// Err is what went wrong so far between devrun and the app: a message that
// was none, an output that could not be written, a process that cannot be
// killed; nil when nothing did.
func (p *Process) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return errors.Join(p.errs...)
}

func (p *Process) fail(err error) {
	if err == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.errs = append(p.errs, err)
}

// Stop asks the whole tree to end, kills what is left of it after grace, and
// returns when it is gone; killed says that something was left. Of several
// calls the one that ends first counts, for all of them.
func (p *Process) Stop(grace time.Duration) (killed bool) {
	if !gentle {
		grace = 0
	}
	deadline := time.Now().Add(grace)
	p.mu.Lock()
	if p.deadline.IsZero() || deadline.Before(p.deadline) {
		p.deadline = deadline
	}
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default: // control has a look at the deadline anyway
	}
	<-p.gone
	return p.killed
}

// Kill kills the tree and returns when it is gone.
func (p *Process) Kill() { p.Stop(0) }

// left is how much of the grace is left, and whether anybody wants the app to
// stop at all.
func (p *Process) left() (time.Duration, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Until(p.deadline), !p.deadline.IsZero()
}

// hold starts the app and waits for its end. The kernel kills the app when
// the thread that started it ends, so that thread is kept until then.
func (p *Process) hold(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p.began = time.Now()
	err := p.tree.start()
	started <- err
	if err != nil {
		return
	}
	p.fail(p.tree.await())
	p.ended = time.Now()
	close(p.exited)
}

// control is the one goroutine that signals the tree and waits for it, so
// that no signal can follow the wait.
func (p *Process) control(welcome wire.Message) {
	p.run(welcome)
	if !p.terminate() {
		p.kill()
	}
	p.mu.Lock()
	p.waited = true
	p.mu.Unlock()
	p.fail(p.tree.reap())
	p.fail(p.tree.err)
	close(p.gone)

	p.closeDoor()
	p.std.finish(drainTime)
	p.copying.Wait()
	p.std.close()
	close(p.channels)

	e := fault.Exit{Pid: p.Pid(), Ran: p.tree.endedAt(p.ended).Sub(p.began)}
	e.Code, e.Signal, e.MaxRSS = p.tree.result()
	e.Stderr = p.tail.last(e.Code == 2 || e.Signal != "") // how Go crashes
	p.exit <- e
}

// run returns when the app has ended or is to be stopped. It goes on in other processes
// of its binary if the main one has ended well, as that of a daemon or of a server that
// was started anew without a gap.
func (p *Process) run(welcome wire.Message) {
	children, stop := childEvents()
	defer stop()
	// A look at the tree reaps orphans and remembers whose they are. One a
	// second is little also for an app that starts a process for each request.
	const every = time.Second
	var due <-chan time.Time
	for exited := p.exited; ; {
		select {
		case <-exited:
			exited = nil
		case <-p.wake:
			return
		case c := <-p.callers:
			p.admit(c, welcome)
			continue
		case <-p.hungUp:
		case <-children:
			if due == nil {
				due = time.After(every)
			}
		case <-due:
			due = nil
			p.tree.others()
		}
		if exited == nil && (p.door == nil || !p.tree.continues()) {
			return
		}
	}
}

// answerDoor takes who comes to the door to where the tree is known.
func (p *Process) answerDoor() {
	for {
		c, err := p.door.accept()
		if err != nil {
			return
		}
		select {
		case p.callers <- c:
		case <-p.gone:
			c.Close()
		}
	}
}

// admit lets a process speak that is of the tree and runs the app's binary.
func (p *Process) admit(c caller, welcome wire.Message) {
	if !p.tree.runs(c.pid) {
		c.Close()
		return
	}
	ch := newChannel(c.pid, c.line, p.fail)
	if ch.Send(welcome) != nil { // it has ended
		c.Close()
		return
	}
	select {
	case p.channels <- ch:
	default:
		c.Close()
		return
	}
	p.std.lines = append(p.std.lines, c.line)
	p.copying.Go(func() {
		ch.receive()
		c.Close()
		select {
		case p.hungUp <- struct{}{}:
		default: // there is to be a look at the tree already
		}
	})
}

func (p *Process) closeDoor() {
	if p.door != nil {
		p.door.close()
	}
}

// terminate asks the tree to end and says whether it has within the grace.
// When the app ended by itself there is none.
func (p *Process) terminate() (gone bool) {
	exited := p.exited
	for pause := minPause; ; {
		left, asked := p.left()
		if !asked {
			return false
		}
		over := p.over() // asked before the look, so that it sees all that the app leaves
		others := p.tree.others()
		if over && len(others) == 0 {
			p.tree.kill(nil) // a child born since that look dies with the group
			return true
		}
		if left <= 0 {
			p.killed = true
			return false
		}
		p.tree.terminate(others)
		if over {
			exited = nil
			left = min(left, pause)
			pause = min(2*pause, maxPause)
		}
		select {
		case <-exited:
		case <-p.wake:
		case <-time.After(left):
		}
	}
}

// kill ends what is left of the tree.
func (p *Process) kill() {
	exited := p.exited
	begun := time.Now()
	for pause := minPause; ; pause = min(2*pause, maxPause) {
		over := p.over()
		others := p.tree.others()
		p.tree.kill(others) // and the group, with a child born since that look
		if !over {
			p.fail(p.tree.giveUp())
		} else {
			exited = nil
			if len(others) == 0 {
				return
			}
			if time.Since(begun) > killTime {
				p.fail(fmt.Errorf("left behind, not even SIGKILL ends them: %v", others))
				return
			}
		}
		select {
		case <-exited:
		case <-time.After(pause):
		}
	}
}

// over says whether the main process has ended.
func (p *Process) over() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}
