// Package logfile writes the log of production: lines in the format of Python's
// logging, in a file that is rolled over before it reaches a size.
package logfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"
)

// File is a log file with a number of older ones beside it: path.1 is the
// newest of them. It follows the rule of Python's RotatingFileHandler, but counts
// bytes where that counts characters: a record that would bring the file to
// maxBytes or beyond begins a new one. A record is never split, so one that is
// larger than maxBytes is alone in its file.
//
// Processes that have the same file open, as the old and the new one of a
// restart, lose nothing of each other's: each record is written, and each file
// rolled over, under a lock of the file itself. Windows has no such lock; there
// one process writes.
type File struct {
	path     string
	maxBytes int64
	backups  int

	mu       sync.Mutex
	file     *os.File // nil after it could not be opened anew
	regular  bool     // it is neither a device nor a pipe: those are nobody's to lock or move
	closed   bool
	failing  bool      // said already
	fallback io.Writer // gets what the file does not take
}

// Open opens the file for appending, and makes it and its directory if they are
// missing. With a maxBytes or a backups of 0, and if path is not a regular file, it
// grows without end. A record that cannot be written later, because the disk is
// full or the directory is gone, goes to stderr.
func Open(path string, maxBytes int64, backups int) (*File, error) {
	path, err := filepath.Abs(path) // whatever the working directory becomes
	if err != nil {
		return nil, fmt.Errorf("log file: %w", err)
	}
	f := &File{path: path, maxBytes: maxBytes, backups: backups, fallback: os.Stderr}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return nil, fmt.Errorf("log file: %w", err)
	}
	if err := f.open(); err != nil {
		return nil, fmt.Errorf("log file: %w", err)
	}
	return f, nil
}

// Write appends record, which is whole lines. When the file does not take it, it
// goes to stderr, and the error is that of stderr.
func (f *File) Write(record []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return 0, os.ErrClosed
	}
	err := f.append(record)
	if err == nil {
		f.failing = false
		return len(record), nil
	}
	if !f.failing {
		f.failing = true
		fmt.Fprintf(f.fallback, "log file: %v; until it can be written again, the log goes to stderr\n", err)
	}
	return f.fallback.Write(record)
}

// Close closes the file. Writes after it fail with os.ErrClosed.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	return f.close()
}

func (f *File) open() error {
	file, err := os.OpenFile(f.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o640)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		return errors.Join(err, file.Close())
	}
	f.file, f.regular = file, info.Mode().IsRegular()
	return nil
}

func (f *File) close() error {
	if f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.file = nil
	return err
}

func (f *File) append(record []byte) error {
	info, err := f.current()
	for err == nil && f.full(info, len(record)) {
		if err := f.roll(); err != nil {
			return errors.Join(err, f.unlock())
		}
		info, err = f.current() // which others may have filled meanwhile
	}
	if err != nil {
		return err
	}
	n, err := f.file.Write(record)
	if err != nil && n > 0 && f.regular {
		err = errors.Join(err, f.file.Truncate(info.Size())) // no half record
	}
	return errors.Join(err, f.unlock())
}

// full is the rule.
func (f *File) full(info os.FileInfo, record int) bool {
	return f.maxBytes > 0 && f.backups > 0 && f.regular &&
		info.Size() > 0 && info.Size()+int64(record) >= f.maxBytes
}

// current locks the file that has the path, which is another one than before
// when another process has rolled it over or somebody has removed it.
func (f *File) current() (os.FileInfo, error) {
	for {
		if f.file == nil {
			if err := f.open(); err != nil {
				return nil, err
			}
		}
		if !f.regular {
			return f.file.Stat()
		}
		if err := lock(f.file); err != nil {
			return nil, fmt.Errorf("lock %s: %w", f.path, err)
		}
		info, err := f.file.Stat()
		if err != nil {
			return nil, errors.Join(err, f.unlock())
		}
		if named, err := os.Stat(f.path); err == nil && os.SameFile(info, named) {
			return info, nil
		}
		if err := f.close(); err != nil { // unlocks it
			return nil, err
		}
	}
}

func (f *File) unlock() error {
	if f.file == nil || !f.regular {
		return nil
	}
	return unlock(f.file)
}

// roll moves every file on by one and leaves the path free. The file stays locked
// until it has its new name, so that nobody else moves the same ones: whoever
// waits for the lock finds afterwards that the path names another file.
func (f *File) roll() error {
	if !locks { // Windows renames no file that is open
		if err := f.close(); err != nil {
			return err
		}
	}
	for i := f.backups - 1; i >= 0; i-- {
		if err := os.Rename(f.name(i), f.name(i+1)); err != nil && !(i > 0 && errors.Is(err, os.ErrNotExist)) {
			return err
		}
	}
	return f.close()
}

// name is that of the i-th backup; 0 is the file itself.
func (f *File) name(i int) string {
	if i == 0 {
		return f.path
	}
	return f.path + "." + strconv.Itoa(i)
}
