//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package term

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	xterm "golang.org/x/term"
)

// background is how often a process that was put in the background looks
// whether it is back: not every shell sends a signal then.
const background = time.Second

// keyboard reads a terminal in cbreak mode. The mode is only ever set or read
// while devrun is in the foreground: a process in the background would be
// stopped for it.
type keyboard struct {
	fd      int
	keys    chan Key
	signals chan os.Signal
	wake    *os.File // a byte here ends the wait of read
	woken   *os.File
	done    chan struct{}
	running sync.WaitGroup

	saved *xterm.State // the mode to give back; read's until it has ended
}

// openKeyboard takes over the keyboard, or reports that in is none.
func openKeyboard(in *os.File) (*keyboard, bool) {
	fd := int(in.Fd())
	if !xterm.IsTerminal(fd) {
		return nil, false
	}
	woken, wake, err := os.Pipe()
	if err != nil {
		return nil, false
	}
	k := &keyboard{
		fd:      fd,
		keys:    make(chan Key, 64), // a pasted line need not wait for its reader
		signals: make(chan os.Signal, 8),
		wake:    wake,
		woken:   woken,
		done:    make(chan struct{}),
	}
	if max(fd, int(woken.Fd())) < unix.FD_SETSIZE {
		_, err = k.take()
	} else {
		err = unix.EMFILE // select cannot wait for it
	}
	if err != nil {
		woken.Close()
		wake.Close()
		return nil, false
	}
	signal.Notify(k.signals, unix.SIGCONT, unix.SIGPIPE)
	k.running.Go(k.read)
	k.running.Go(k.watch)
	return k, true
}

// watch wakes read when devrun goes on after having been stopped. SIGPIPE needs
// no act: that it is noticed makes a write fail instead of ending the process.
func (k *keyboard) watch() {
	for {
		select {
		case <-k.done:
			return
		case s := <-k.signals:
			if s == unix.SIGCONT {
				k.poke()
			}
		}
	}
}

// poke ends the wait of read. The pipe's other end is closed only after read
// has ended, so a write cannot fail before nobody waits.
func (k *keyboard) poke() { _, _ = k.wake.Write([]byte{0}) }

// read delivers what is typed, as long as devrun is in the foreground.
func (k *keyboard) read() {
	defer close(k.keys)
	buf := make([]byte, 256)
	for {
		ours, err := k.take()
		if err != nil {
			return // hung up
		}
		typed, woken, err := k.wait(ours)
		if err != nil {
			return
		}
		if woken {
			if _, err := unix.Read(int(k.woken.Fd()), buf); err != nil {
				return
			}
		}
		select {
		case <-k.done:
			return
		default:
		}
		if !typed || !foreground(k.fd) {
			continue
		}
		n, err := unix.Read(k.fd, buf)
		if errors.Is(err, unix.EINTR) || errors.Is(err, unix.EAGAIN) {
			continue
		}
		if n <= 0 {
			return // hung up
		}
		for _, c := range buf[:n] {
			select {
			case k.keys <- Key(c):
			case <-k.done:
				return
			}
		}
	}
}

// wait returns when there is something to read. It uses select because poll
// does not know terminals on macOS.
func (k *keyboard) wait(foreground bool) (typed, woken bool, err error) {
	var set unix.FdSet
	wake := int(k.woken.Fd())
	set.Set(wake)
	last := wake
	var limit *unix.Timeval
	if foreground {
		set.Set(k.fd)
		last = max(last, k.fd)
	} else {
		tv := unix.NsecToTimeval(background.Nanoseconds())
		limit = &tv
	}
	_, err = unix.Select(last+1, &set, nil, nil, limit)
	if errors.Is(err, unix.EINTR) {
		return false, false, nil
	}
	if err != nil {
		return false, false, err
	}
	return foreground && set.IsSet(k.fd), set.IsSet(wake), nil
}

// take puts the terminal into cbreak mode without echo, if devrun is in the
// foreground and it is not so yet, and reports whether keys can be read now. What
// it finds the first time is what close gives back.
func (k *keyboard) take() (bool, error) {
	if !foreground(k.fd) {
		return false, nil
	}
	if k.saved == nil {
		saved, err := xterm.GetState(k.fd)
		if err != nil {
			return false, err
		}
		k.saved = saved
	}
	mode, err := unix.IoctlGetTermios(k.fd, getTermios)
	if err != nil {
		return false, err
	}
	if mode.Lflag&(unix.ICANON|unix.ECHO) == 0 {
		return true, nil
	}
	mode.Lflag &^= unix.ICANON | unix.ECHO
	mode.Cc[unix.VMIN], mode.Cc[unix.VTIME] = 1, 0
	return true, unix.IoctlSetTermios(k.fd, setTermios, mode)
}

// foreground reports whether the terminal is devrun's to use: it is not when
// the shell has put devrun in the background. A terminal that does not control
// devrun stops nobody.
func foreground(fd int) bool {
	group, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP)
	return err != nil || group == unix.Getpgrp()
}

// close gives the keyboard back and returns when nothing reads it any more.
func (k *keyboard) close() error {
	signal.Stop(k.signals)
	close(k.done)
	k.poke()
	k.running.Wait()
	k.wake.Close()
	k.woken.Close()
	if k.saved == nil || !foreground(k.fd) {
		return nil
	}
	if err := xterm.Restore(k.fd, k.saved); err != nil && !errors.Is(err, unix.EIO) {
		return fmt.Errorf("give the terminal back: %w", err)
	}
	return nil
}

func notifyResize(c chan<- os.Signal) { signal.Notify(c, unix.SIGWINCH) }
