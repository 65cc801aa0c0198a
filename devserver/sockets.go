package devserver

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"devrun/devserver/internal/wire"
)

// socket is a Unix socket in the file system on which a process of the app listens.
type socket struct {
	path      string
	file      fs.FileInfo // as it was then
	announced bool
}

// binds notes a socket of the app's.
func (a *app) binds(path string) {
	path = filepath.Clean(path)
	if info, err := os.Lstat(path); err == nil { // else it is gone already
		a.sockets = append(a.sockets, &socket{path: path, file: info})
	}
}

// socketAt is the socket of the app's at path, nil if there is none.
func (a *app) socketAt(path string) *socket {
	for _, s := range a.sockets {
		if s.path == filepath.Clean(path) {
			return s
		}
	}
	return nil
}

// removeSockets removes what the app, which has ended, has left behind: the next could
// not bind it. One that was made anew since, or on which somebody listens, is left alone.
func (a *app) removeSockets() error {
	var errs []error
	for _, s := range a.sockets {
		info, err := os.Lstat(s.path)
		if err != nil || info.Mode().Type() != fs.ModeSocket || !os.SameFile(info, s.file) || !info.ModTime().Equal(s.file.ModTime()) {
			continue
		}
		c, err := net.DialTimeout("unix", s.path, time.Second)
		switch {
		case err == nil:
			c.Close()
		case errors.Is(err, syscall.ECONNREFUSED):
			errs = append(errs, os.Remove(s.path))
		}
	}
	return errors.Join(errs...)
}

// onSocket is for a Unix socket that the app serves. It makes an app ready that has no
// port; one that has had a port gets the time to open it again.
func (l *loop) onSocket(a *app, m wire.Message) {
	s := a.socketAt(m.Addr)
	if s == nil || s.announced {
		return
	}
	s.announced = true
	wait := announceAfter
	if len(l.web.listeners.order) > 0 {
		wait = settleAfter
	}
	l.after(wait, a, func() {
		if _, ok := l.process.(starting); ok {
			l.onReady(a)
		}
	})
	name := l.rel(s.path)
	if !filepath.IsLocal(name) {
		name = s.path
	}
	l.after(announceAfter, a, func() { // ports come first
		if lives(l.process) == a {
			l.term.ServingSocket("unix", name, a.pid())
			l.announceConsole()
		}
	})
}
