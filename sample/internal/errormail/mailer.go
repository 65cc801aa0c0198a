// Package errormail mails errors to those who run the app, out of the way of its
// requests.
//
// Its promises: logging an error never waits for a mail; memory is bounded; the
// same error is mailed once in five minutes, with the number of those that were
// not; at most thirty mails go out in an hour; what cannot be mailed is counted
// and logged as a warning, which is never mailed; a mail holds the request's
// method and path, its id, the user's id, the error and the stack, and nothing
// that a visitor typed.
package errormail

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"devrun/sample/internal/scrub"
)

const (
	queued   = 32              // reports that wait for the server
	kinds    = 256             // different errors that are told apart
	window   = 5 * time.Minute // from one mail of an error to the next of the same
	hourly   = 30              // mails
	pause    = 5 * time.Second // after a mail that failed
	flushFor = 3 * time.Second // that Close takes at most
	logEvery = time.Minute     // a line about what was dropped

	dialTimeout = 5 * time.Second
	sendTimeout = 10 * time.Second // from the dial to the end of a mail
)

// clock is the time; tests have their own.
type clock interface {
	Now() time.Time
	At(time.Time) <-chan time.Time
}

type realClock struct{}

func (realClock) Now() time.Time                  { return time.Now() }
func (realClock) At(t time.Time) <-chan time.Time { return time.After(time.Until(t)) }

// Mailer mails errors in a goroutine of its own.
type Mailer struct {
	cfg     Config
	clock   clock
	queue   chan report
	closing chan struct{} // closed when nothing more is taken
	done    chan struct{} // closed when nothing more is sent
	ctx     context.Context
	cancel  context.CancelFunc // ends the mail under way

	mu      sync.Mutex
	closed  bool
	seen    map[string]*kind
	dropped int // since it was logged

	// Of the goroutine alone.
	sent    []time.Time // within the last hour
	failure string      // of the last mail, "" after one that was sent
	logged  time.Time   // when drops were
	held    []report    // under way when it was closed
	unsent  int         // reports that Close leaves
}

// kind is an error that was mailed.
type kind struct {
	first report
	more  int       // of it since
	due   time.Time // for the next mail, if there are more
}

// New returns a Mailer that runs until Close. It does not look whether the server
// is there.
func New(cfg Config) (*Mailer, error) { return start(cfg, realClock{}) }

func start(cfg Config, c clock) (*Mailer, error) {
	if cfg.Server == "" {
		return nil, errors.New("MAIL_SERVER is not set: there is nowhere to mail errors to")
	}
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if _, err := compose(cfg, report{}); err != nil {
		return nil, err
	}
	m := &Mailer{
		cfg: cfg, clock: c, queue: make(chan report, queued),
		closing: make(chan struct{}), done: make(chan struct{}), seen: map[string]*kind{},
	}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	go m.run()
	return m, nil
}

// Handler returns a handler that mails records of ERROR and above. Of their
// attributes it takes request_id, user_id, err (or error) and stack, outside of
// groups.
func (m *Mailer) Handler() slog.Handler { return scrub.Handler(handler{m: m}) }

// Close sends what waits, for at most three seconds and not beyond the end of
// ctx. It returns an error when something was not sent.
func (m *Mailer) Close(ctx context.Context) error {
	m.mu.Lock()
	first := !m.closed
	m.closed = true
	m.mu.Unlock()
	if first {
		close(m.closing)
	}
	ctx, cancel := context.WithTimeout(ctx, flushFor)
	defer cancel()
	defer context.AfterFunc(ctx, m.cancel)()
	<-m.done
	m.cancel()
	if m.unsent > 0 {
		return fmt.Errorf("%d mails of errors were not sent", m.unsent)
	}
	return nil
}

// take decides what becomes of a report, at once.
func (m *Mailer) take(r report) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := m.seen[r.key]
	switch {
	case k != nil && !m.closed:
		k.more++
		return
	case m.closed || len(m.seen) >= kinds:
		m.dropped++
		return
	}
	select {
	case m.queue <- r:
		m.seen[r.key] = &kind{first: r, due: m.clock.Now().Add(window)}
	default:
		m.dropped++
	}
}

func (m *Mailer) run() {
	defer close(m.done)
	for {
		select {
		case <-m.closing:
			m.flush()
			return
		default:
		}
		select {
		case <-m.closing:
		case r := <-m.queue:
			m.deliver(r)
		case <-m.nextDigest():
			for _, r := range m.digests(m.clock.Now()) {
				m.deliver(r)
			}
		}
		m.logDrops(false)
	}
}

// flush sends what is left, until the server does not take one.
func (m *Mailer) flush() {
	left := m.held
	for len(m.queue) > 0 { // nothing is added any more
		left = append(left, <-m.queue)
	}
	left = append(left, m.digests(m.clock.Now().Add(window))...)
	for i, r := range left {
		if m.capped() || m.try(r) != nil {
			m.unsent = len(left) - i
			break
		}
	}
	m.logDrops(true)
}

// nextDigest tells when the next digest is due, if there is one to come.
func (m *Mailer) nextDigest() <-chan time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	var next time.Time
	for _, k := range m.seen {
		if next.IsZero() || k.due.Before(next) {
			next = k.due
		}
	}
	if next.IsZero() {
		return nil
	}
	return m.clock.At(next)
}

// digests are due by now. An error that did not happen again is forgotten.
func (m *Mailer) digests(now time.Time) (due []report) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for key, k := range m.seen {
		switch {
		case k.due.After(now):
		case k.more == 0:
			delete(m.seen, key)
		default:
			r := k.first
			r.more, r.since = k.more, k.due.Add(-window)
			due = append(due, r)
			k.more, k.due = 0, now.Add(window)
		}
	}
	return due
}

// deliver sends a report, again and again while the server cannot be reached. If
// the Mailer is closed meanwhile, it is held.
func (m *Mailer) deliver(r report) {
	for {
		if m.capped() {
			m.drop(1 + r.more)
			return
		}
		err := m.try(r)
		if err == nil {
			return
		}
		refused := permanent(err)
		if refused {
			m.forget(r)
		}
		m.logDrops(false)
		select {
		case <-m.clock.At(m.clock.Now().Add(pause)): // also not to try a wrong password too often
		case <-m.closing:
			if !refused {
				m.held = append(m.held, r)
			}
			return
		}
		if refused {
			return
		}
	}
}

// try sends a report once and says in the log when the state of affairs changes.
func (m *Mailer) try(r report) error {
	err := m.send(m.ctx, r)
	if err == nil {
		m.sent = append(m.sent, m.clock.Now())
		if m.failure != "" {
			m.failure = ""
			m.log().Info("errors are mailed again")
		}
		return nil
	}
	if text := m.safe(err); text != m.failure {
		m.failure = text
		m.log().Warn("an error could not be mailed", "reason", text)
	}
	return err
}

// capped holds when the mails of this hour are used up.
func (m *Mailer) capped() bool {
	ago := m.clock.Now().Add(-time.Hour)
	for len(m.sent) > 0 && !m.sent[0].After(ago) {
		m.sent = m.sent[1:]
	}
	return len(m.sent) >= hourly
}

// forget has the next error like r mailed, since r was not.
func (m *Mailer) forget(r report) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if k := m.seen[r.key]; k != nil {
		m.dropped += k.more
		delete(m.seen, r.key)
	}
	m.dropped += 1 + r.more
}

func (m *Mailer) drop(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dropped += n
}

// logDrops says what was dropped, not more often than once a minute.
func (m *Mailer) logDrops(now bool) {
	if !now && !m.logged.IsZero() && m.clock.Now().Sub(m.logged) < logEvery {
		return
	}
	m.mu.Lock()
	n := m.dropped
	m.dropped = 0
	m.mu.Unlock()
	if n > 0 {
		m.logged = m.clock.Now()
		m.log().Warn("errors were not mailed: too many, or the mail server does not take them", "count", n)
	}
}

func (m *Mailer) log() *slog.Logger {
	if m.cfg.Log != nil {
		return m.cfg.Log
	}
	return slog.Default()
}
