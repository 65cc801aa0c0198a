package proc

import (
	"io"
	"os"
	"time"
)

// stdio is what the app is connected to: the ends that it inherits, and ours.
type stdio struct {
	stdin, stdout, stderr, hook *os.File   // the app's
	child                       []*os.File // those of them that were opened for it
	files                       []*os.File // more that it inherits

	streams   []*stream
	channel   *os.File   // to the hook, or nil
	lines     []line     // to the hooks in other processes
	terminals []*os.File // ours
	input     *os.File   // the one of terminals that is the app's stdin, or nil
}

func openStdio(c Command, t *tail) (*stdio, error) {
	s := &stdio{stdin: c.Stdin, files: c.Files}
	if err := s.open(c, t); err != nil {
		s.closeChild()
		s.close()
		return nil, err
	}
	return s, nil
}

// pipe returns the app's end of a new output.
func (s *stdio) pipe(w io.Writer, t *tail) (*os.File, error) {
	ours, child, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	s.add(ours, child, w, t)
	return child, nil
}

func (s *stdio) add(ours, child *os.File, w io.Writer, t *tail) {
	if w == nil {
		w = io.Discard
	}
	s.child = append(s.child, child)
	s.streams = append(s.streams, &stream{from: ours, to: w, tail: t})
}

// closeChild closes the app's ends in devrun.
func (s *stdio) closeChild() {
	for _, f := range s.child {
		f.Close()
	}
}

// finish ends all reading, at the latest after the given time.
func (s *stdio) finish(after time.Duration) {
	for _, l := range s.lines {
		l.SetReadDeadline(time.Now().Add(after)) // fails for one that has ended
	}
	for _, f := range s.ours() {
		if f.SetReadDeadline(time.Now().Add(after)) != nil {
			// Windows has no deadlines for pipes.
			time.AfterFunc(after, func() { f.Close() })
		}
	}
}

func (s *stdio) close() {
	for _, f := range s.ours() {
		f.Close()
	}
}

func (s *stdio) ours() []*os.File {
	var files []*os.File
	for _, o := range s.streams {
		files = append(files, o.from)
	}
	if s.channel != nil {
		files = append(files, s.channel)
	}
	return files
}
