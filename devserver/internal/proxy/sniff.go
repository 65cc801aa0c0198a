package proxy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// protocol is what the first bytes of a connection are.
type protocol uint8

const (
	undecided protocol = iota
	http1
	other
)

const (
	// maxLine is the longest beginning looked at: nothing but a request with a
	// long query has a token, a space and then no line end in so many bytes.
	maxLine = 4096

	// maxMethod ends the search for the end of a method.
	maxMethod = 64

	// quiet is how long a side is given to speak, or to go on, before the other
	// is given the word.
	quiet = 200 * time.Millisecond
)

// sniff tells HTTP/1 by its request line. Whatever net/http would accept as a
// request is http1, so that no request reaches the app unseen.
func sniff(b []byte) protocol {
	method := 0
	for method < len(b) && isToken(b[method]) {
		method++
	}
	switch {
	case method > maxMethod:
		return other
	case method == len(b):
		return undecided
	case method == 0 || b[method] != ' ':
		return other
	}
	line, _, whole := bytes.Cut(b, []byte("\n"))
	if !whole {
		if len(b) >= maxLine {
			return http1
		}
		return undecided
	}
	_, version, ok := bytes.Cut(line[method+1:], []byte(" "))
	if ok && bytes.HasPrefix(version, []byte("HTTP/1.")) {
		return http1
	}
	return other
}

var methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"}

// lean decides the undecided when nothing more comes: the beginning of a usual
// method, or a method and a path, is somebody who types a request.
func lean(b []byte) protocol {
	word, rest, space := strings.Cut(string(b), " ")
	if space && strings.HasPrefix(rest, "/") ||
		slices.ContainsFunc(methods, func(m string) bool { return m == word || !space && strings.HasPrefix(m, word) }) {
		return http1
	}
	return other
}

func isToken(c byte) bool {
	return c > ' ' && c < 0x7f && strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) < 0
}

// handle finds out what c speaks and passes it on.
func (f *Front) handle(c *conn) {
	p, app := f.recognise(c)
	switch p {
	case http1:
		if app != nil {
			app.Close()
		}
		f.give(c)
	case other:
		if served := f.agree(c); served != nil {
			if app != nil {
				app.Close()
			}
			f.give(served)
			return
		}
		f.splice(c, app)
	default:
		c.Close()
	}
}

// recognise reads from c until it is clear what it speaks; undecided means that
// c is of no use any more. A client that stays silent may wait for the app to
// speak first: then the app is dialled, and the one who speaks first decides. (A
// browser opens connections ahead of need and is silent on them for minutes;
// they must not become the app's.) If the app was dialled and c is not HTTP, its
// connection is returned too.
func (f *Front) recognise(c *conn) (p protocol, app *conn) {
	buf := make([]byte, 0, maxLine)
	var dead *state // the state in which the app did not take a connection
	for {
		s := f.state.Load()
		patience := quiet
		if len(buf) == 0 && (s.app == nil || s == dead) {
			patience = 0
		}
		n, err := c.readUntil(s.over, patience, buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		c.unread = buf
		if n > 0 {
			if p := sniff(buf); p != undecided {
				return p, nil
			}
			continue
		}
		switch {
		case f.root.Err() != nil:
			return undecided, nil
		case s.over.Err() != nil && errors.Is(err, os.ErrDeadlineExceeded):
			continue
		case len(buf) > 0:
			return lean(buf), nil
		case err == io.EOF && s.app != nil:
			return other, nil // it only wants to listen
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return undecided, nil
		}
		if app = f.dial(s); app == nil {
			dead = s
			continue
		}
		p, buf = f.whoSpeaks(c, app, s, buf)
		c.unread = buf
		switch p {
		case other:
			return other, app
		case http1:
			return http1, app
		}
		app.Close()
		if s.over.Err() == nil && len(buf) == 0 {
			return undecided, nil // the app hung up
		}
	}
}

// whoSpeaks waits for the first word of c or of app, whichever comes first, and
// passes on app's. It is undecided when the state changes, when app hangs up, and
// when the few bytes of c that it returns do not tell.
func (f *Front) whoSpeaks(c, app *conn, s *state, buf []byte) (protocol, []byte) {
	ctx, spoke := context.WithCancel(s.over)
	defer spoke()
	var (
		greeting = make([]byte, maxLine)
		n        int
		hungUp   bool
		heard    = make(chan struct{})
	)
	f.wg.Go(func() {
		defer close(heard)
		var err error
		n, err = app.Read(greeting)
		hungUp = err != nil && !errors.Is(err, os.ErrDeadlineExceeded)
		spoke()
	})
	m, err := c.readUntil(ctx, 0, buf[:cap(buf)])
	app.SetReadDeadline(past)
	<-heard
	app.SetReadDeadline(time.Time{})
	buf = buf[:m]
	switch {
	case n > 0:
		if _, err := c.Write(greeting[:n]); err != nil {
			return undecided, buf[:0]
		}
		return other, buf
	case m > 0:
		return sniff(buf), buf
	case err == io.EOF && !hungUp:
		return other, buf
	}
	return undecided, buf
}

var past = time.Unix(1, 0)

// readUntil is Read that gives up after patience, if that is not 0, and when ctx
// ends; its error is os.ErrDeadlineExceeded then. It leaves no deadline behind.
func (c *conn) readUntil(ctx context.Context, patience time.Duration, p []byte) (int, error) {
	if patience > 0 {
		c.SetReadDeadline(time.Now().Add(patience))
	}
	fired := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		c.SetReadDeadline(past)
		close(fired)
	})
	n, err := c.TCPConn.Read(p)
	if !stop() {
		<-fired
	}
	c.SetReadDeadline(time.Time{})
	return n, err
}
