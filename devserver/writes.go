package devserver

import (
	"maps"
	"os"
)

// writes are what the app's processes do to files: that is no save.
type writes struct {
	files map[string]written // those that one was seen to write
	left  map[string]bool    // states in which it has left one, as of wire.Stamp
}

// written is by whom a file was written last, and the number of the app's start then.
type written struct {
	by     *image // nil when that has ended
	starts int
}

// maxLeft bounds the states that are remembered; what is forgotten counts as saved.
const maxLeft = 4096

// began is for a file that a process is about to write, after so many starts of the app.
func (w *writes) began(path string, by *image, starts int) {
	if w.files == nil {
		w.files = map[string]written{}
	}
	w.files[path] = written{by, starts}
}

// ended is for the state in which the app leaves a file.
func (w *writes) ended(stamp string) {
	if w.left == nil || len(w.left) >= maxLeft {
		w.left = map[string]bool{}
	}
	w.left[stamp] = true
}

// over is for the end of a process: what it had open stays as it is now.
func (w *writes) over(in *image) {
	for path, last := range w.files {
		if last.by != in {
			continue
		}
		w.files[path] = written{starts: last.starts}
		if fi, err := os.Stat(path); err == nil {
			w.ended(stampOf(fi))
		}
	}
}

// forget leaves out what has does not report any more.
func (w *writes) forget(starts int) {
	maps.DeleteFunc(w.files, func(path string, _ written) bool { return !w.has(path, starts) })
}

// has reports whether one of the last processes has written the file; what is written
// at the start, one that was ended soon may not have come to.
func (w *writes) has(path string, starts int) bool {
	last, ok := w.files[path]
	return ok && starts-last.starts < inARow
}

// own reports whether the app itself has changed the file: removed one of its own, left
// it in the state that it is in, or emptied it, as it does when it opens one.
func (w *writes) own(path string, starts int) bool {
	if !w.has(path, starts) {
		return false
	}
	fi, err := os.Stat(path)
	return err != nil || fi.Size() == 0 || w.left[stampOf(fi)]
}
