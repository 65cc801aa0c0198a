package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"devrun/devserver"
)

// production is what produce leaves to others.
type production struct {
	build  func(ctx context.Context, output string) error
	notice func(text string) // says something worth knowing
}

// produce builds the app and becomes it. It returns only if that
// fails; on Windows, where a process cannot become another, also when the app
// has ended.
//
// The binary is kept in the user's cache directory, one for each app, so that
// starts do not fill the disk. It is put there under its name when it is
// complete: a process that still runs the one before keeps its own.
func produce(ctx context.Context, s Settings, environ []string, p production) error {
	dir, err := binaryDir(s, p.notice)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, appName(s))
	fresh := fmt.Sprintf("%s.%d", path, os.Getpid())
	defer os.Remove(fresh)
	if err := p.build(ctx, fresh); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := os.Rename(fresh, path); err != nil {
		return fmt.Errorf("put the app in place: %w", err)
	}
	if err := os.Chdir(s.Dir); err != nil {
		return fmt.Errorf("start the app: %w", err)
	}
	environ = slices.DeleteFunc(slices.Clone(environ), func(e string) bool { return strings.HasPrefix(e, "PWD=") })
	if err := become(path, append([]string{path}, s.Args...), append(environ, "PWD="+s.Dir)); err != nil {
		if errors.Is(err, os.ErrPermission) {
			return &failure{fmt.Errorf("start %s: %w", path, err), "programs may not be run from there; set XDG_CACHE_HOME to another directory"}
		}
		return err
	}
	return nil
}

// failure is an error of devrun with a hint.
type failure struct {
	error
	hint string
}

func (f *failure) Hint() string  { return f.hint }
func (f *failure) Unwrap() error { return f.error }

// binaryDir is the directory for the binary of an app, readable by the user
// alone. Without a cache directory that is nobody else's, as in a container without
// HOME, it is a temporary one that stays: the process that made it is the app by then.
func binaryDir(s Settings, notice func(string)) (string, error) {
	key := sha256.Sum256([]byte(s.Dir + "\x00" + s.Package))
	dir, err := devserver.CacheDir(hex.EncodeToString(key[:8]))
	if err == nil && writable(dir) {
		return dir, nil
	}
	if _, none := os.UserCacheDir(); err != nil && none == nil {
		notice("cache not used: " + err.Error())
	}
	dir, err = os.MkdirTemp("", "devrun-app-")
	if err != nil {
		return "", &failure{fmt.Errorf("cannot create a directory for the app: %w", err), "set XDG_CACHE_HOME or TMPDIR to a writable directory"}
	}
	return dir, nil
}

func writable(dir string) bool {
	f, err := os.CreateTemp(dir, "try-")
	if err != nil {
		return false
	}
	f.Close()
	return os.Remove(f.Name()) == nil
}

// appName is what the process is called: the last part of the package, which
// is the directory for "." and when no package was named.
func appName(s Settings) string {
	name := filepath.Base(filepath.Join(s.Dir, filepath.FromSlash(s.Package)))
	if name == string(filepath.Separator) || name == "." {
		name = "app"
	}
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	return name
}
