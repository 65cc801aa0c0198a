package watcher

import (
	"cmp"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// fallbackPoll is the interval where the Watcher itself chose to poll: what a
	// person just about does not feel, at 10 to 30 ms of looking for 5,000 files.
	fallbackPoll = 300 * time.Millisecond

	// pollShare bounds what polling costs: the pause is at least this many times
	// as long as the last look took.
	pollShare = 5

	// scanShare is the same after a look that an event caused, so that a file
	// written in a loop takes a third of a core at most. A look takes far less
	// than a millisecond, so no save feels it.
	scanShare = 2

	// hashSlice and hashPause share the time for background hashes: slices short
	// enough to delay no change, a quarter of one core while there are any.
	hashSlice = 3 * time.Millisecond
	hashPause = 9 * time.Millisecond

	// retryPause is for directories that could not be read for a passing reason.
	retryPause = time.Second
)

// ErrClosed is returned by Watch after Close.
var ErrClosed = errors.New("watcher is closed")

// Options are the choices that hold for the life of a Watcher.
type Options struct {
	Poll   time.Duration // over 0: poll at this interval; 0: notifications, and polling only where they cannot work
	Notice func(string)  // told, each kind once, in one sentence, of fallbacks and recoveries; must not call the Watcher; may be nil
}

// Watcher compares a scope with its snapshot. Its methods may be called from any
// goroutine.
type Watcher struct {
	opts    Options
	mail    *mailbox
	calls   chan func()
	batches chan Batch
	quit    chan struct{}
	stop    sync.Once
	running sync.WaitGroup

	// The rest belongs to run.
	snap    *snapshot
	pending *pending
	poll    time.Duration // 0 while notifications serve
	said    map[string]bool
	rest    time.Time     // no look because of events before this
	next    time.Time     // the next poll
	hash    time.Time     // the next slice of background hashes
	retry   time.Time     // zero while nothing failed
	git     time.Time     // when to see again whether git is still at work; zero if it is not
	still   time.Duration // gitStill; tests take longer
	closing error
}

// New starts a Watcher with nothing in its scope. It fails only if Options are
// impossible: where notifications are not to be had, it polls.
func New(opts Options) (*Watcher, error) {
	if opts.Poll < 0 {
		return nil, fmt.Errorf("poll interval %s is negative", opts.Poll)
	}
	w := &Watcher{
		opts:    opts,
		mail:    &mailbox{wake: make(chan struct{}, 1)},
		calls:   make(chan func()),
		batches: make(chan Batch),
		quit:    make(chan struct{}),
		pending: &pending{},
		poll:    opts.Poll,
		said:    make(map[string]bool),
		still:   gitStill,
	}
	ws := newWatches(nil)
	w.snap = newSnapshot(ws, w.pending)
	if w.poll == 0 {
		fs, err := fsnotify.NewWatcher()
		if err != nil {
			w.usePolling(limit(err))
		} else {
			ws.fs = fs
			w.running.Go(func() { w.mail.listen(fs.Events, fs.Errors) })
		}
	}
	w.running.Go(w.run)
	return w, nil
}

// Watch replaces the scope and returns when its snapshot is taken: whatever
// changes afterwards is reported. Files already known keep their baseline, and
// changes that nobody has taken stay. It refuses trees that are the root of the
// file system or hold the home directory.
func (w *Watcher) Watch(sc Scope) error {
	sc, err := sc.clean()
	if err != nil {
		return err
	}
	return w.do(func() {
		w.look(func() { w.snap.apply(sc) })
	})
}

// Add puts single files into the scope, ignored or not, until Watch replaces it. When it
// returns they are part of the snapshot; added are those that did not count before.
func (w *Watcher) Add(files ...string) (added []string, err error) {
	sc, err := Scope{Files: files}.clean()
	if err != nil {
		return nil, err
	}
	err = w.do(func() {
		w.look(func() { added = w.snap.add(sc.Files) })
	})
	return added, err
}

// Rescan compares everything and returns when that is done; what it found can
// be taken at once, unless git is at work. After Close it does nothing.
func (w *Watcher) Rescan() {
	_ = w.do(func() { // the error is ErrClosed
		w.look(func() { w.snap.all(pass{deep: true}) })
		w.pending.firm = true
	})
}

// Batches is where changes come out. While a batch is not taken, later changes
// go into it; a file that came and went leaves no trace. Close closes it.
func (w *Watcher) Batches() <-chan Batch { return w.batches }

// Close ends the Watcher and returns when all its goroutines have ended. Changes
// not taken are dropped. It may be called again.
func (w *Watcher) Close() error {
	w.stop.Do(func() { close(w.quit) })
	w.running.Wait()
	return w.closing
}

// do has run execute f.
func (w *Watcher) do(f func()) error {
	done := make(chan struct{})
	select {
	case w.calls <- func() { f(); close(done) }:
		<-done
		return nil
	case <-w.quit:
		return ErrClosed
	}
}

// run is the only goroutine that touches the snapshot.
func (w *Watcher) run() {
	defer func() {
		w.closing = w.snap.watches.close()
		close(w.batches)
	}()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		now := time.Now()
		w.due(now)
		var batch Batch
		if !w.gitWorks(now) {
			batch = w.pending.offer()
		}
		var out chan<- Batch
		if len(batch) > 0 {
			out = w.batches
		}
		var mail <-chan struct{}
		if !now.Before(w.rest) {
			mail = w.mail.wake
		}
		var alarm <-chan time.Time
		if at := w.alarm(now); !at.IsZero() {
			timer.Reset(time.Until(at))
			alarm = timer.C
		} else {
			timer.Stop()
		}
		select {
		case call := <-w.calls:
			call()
		case <-mail:
			w.events()
		case out <- batch:
			w.pending.taken()
		case <-alarm:
		case <-w.quit:
			return
		}
	}
}

// due does what the clock asks for.
func (w *Watcher) due(now time.Time) {
	everything := func() { w.snap.all(pass{deep: true}) }
	if w.poll > 0 && !now.Before(w.next) || !w.retry.IsZero() && !now.Before(w.retry) {
		w.look(everything)
	}
	if at, ok := w.pending.doubted(); ok && !now.Before(at) {
		w.look(func() { w.snap.some(w.snap.doubtful()) })
		w.pending.firm = true
	}
	if len(w.snap.racy)+len(w.snap.backlog) > 0 && !now.Before(w.hash) {
		w.snap.verify(now, hashSlice)
		w.hash = time.Now().Add(hashPause)
	}
}

const (
	// gitStill is how long nothing has to change until the work of git is taken to be
	// done, though its lock is there: of a commit that is being described, or of a git
	// that was killed. What is polled is seen later by two polls at most.
	gitStill = 300 * time.Millisecond
	// gitLong is how old a lock may be: one that was left must not keep a save back
	// where something else never stops writing.
	gitLong  = 10 * time.Second
	gitPause = 5 * time.Millisecond
)

// gitWorks reports whether changes are on their way that git makes: a checkout is
// one change, and what is in between never was.
func (w *Watcher) gitWorks(now time.Time) bool {
	w.git = time.Time{}
	if len(w.pending.changes) == 0 || now.Sub(w.pending.newest) > w.still+2*w.poll || !w.snap.locked(now.Add(-gitLong)) {
		return false
	}
	w.git = now.Add(gitPause)
	return true
}

// alarm returns the next time for due; zero for none.
func (w *Watcher) alarm(now time.Time) time.Time {
	var at time.Time
	sooner := func(t time.Time) {
		if at.IsZero() || t.Before(at) {
			at = t
		}
	}
	if now.Before(w.rest) {
		sooner(w.rest)
	}
	if w.poll > 0 {
		sooner(w.next)
	}
	if !w.retry.IsZero() {
		sooner(w.retry)
	}
	if t, ok := w.pending.doubted(); ok {
		sooner(t)
	}
	if !w.git.IsZero() {
		sooner(w.git)
	}
	if len(w.snap.backlog) > 0 {
		sooner(w.hash)
	} else if t, ok := w.snap.settled(); ok {
		sooner(later(t, w.hash))
	}
	return at
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// look runs a comparison, then draws the consequences: pauses, fallbacks.
func (w *Watcher) look(compare func()) {
	began := time.Now()
	compare()
	ended := time.Now()
	took := ended.Sub(began)
	w.rest = ended.Add(scanShare * took)
	w.next = ended.Add(max(w.poll, pollShare*took))
	w.retry = time.Time{}
	if w.snap.failed {
		w.retry = ended.Add(max(retryPause, pollShare*took))
	}
	if err := cmp.Or(w.snap.watches.err, w.snap.foreign); err != nil && w.poll == 0 {
		if err := w.snap.watches.close(); err != nil {
			w.say("closing", fmt.Sprintf("file notifications were not released: %v", err))
		}
		w.usePolling(err)
		// What happened between the last watch and now, only a comparison knows.
		w.next = time.Now()
	}
}

// events looks where the mailbox points.
func (w *Watcher) events() {
	names, all, err := w.mail.take()
	if w.poll > 0 {
		return
	}
	if err != nil {
		w.say("lost", fmt.Sprintf("some file notifications were lost (%v), comparing everything instead", err))
	}
	w.look(func() {
		if all {
			w.snap.watches.reset()
			w.snap.all(pass{deep: true})
			return
		}
		dirty := make(map[*node]bool)
		for name, op := range names {
			for _, n := range w.snap.watches.awake(name, op) {
				dirty[n] = true
			}
		}
		w.snap.some(dirty)
	})
}

func (w *Watcher) usePolling(why error) {
	w.poll = fallbackPoll
	w.say("polling", fmt.Sprintf("%v, looking for changes every %s instead", why, w.poll))
}

// say gives a notice once.
func (w *Watcher) say(kind, sentence string) {
	if w.opts.Notice != nil && !w.said[kind] {
		w.said[kind] = true
		w.opts.Notice(sentence)
	}
}
