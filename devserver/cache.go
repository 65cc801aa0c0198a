package devserver

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// CacheDir is the directory of that name below devrun's own in the user's cache. It is
// made if need be, and is readable by the user alone. Some of what is there is run or
// compiled into apps, so an error says that nobody else was kept from putting
// something there; there is an error, too, if the user has no cache.
func CacheDir(name string) (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(base, "devrun", name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return "", err
	}
	return dir, ownPath(dir)
}

// cache gives out the directories in which something is kept for the next run.
type cache struct {
	why error // why one is not used, nil if all are
}

// open is the directory of that name, "" if there is none.
func (c *cache) open(name string) string {
	dir, err := CacheDir(name)
	if err != nil {
		c.why = cmp.Or(c.why, err)
		return ""
	}
	return dir
}

// dir is open for one in which all is devrun's; it is "" as well if something there
// could be somebody else's.
func (c *cache) dir(name string) string {
	dir := c.open(name)
	if dir == "" {
		return ""
	}
	if err := ownTree(dir); err != nil {
		c.why = cmp.Or(c.why, err)
		return ""
	}
	return dir
}

// ownPath returns an error unless dir is a directory that only this user can change
// and look into, where nobody else can put another one.
func ownPath(dir string) error {
	for d := dir; ; d = filepath.Dir(d) {
		fi, err := os.Lstat(d)
		if err != nil {
			return err
		}
		if err := owned(d, fi, d == dir); err != nil || d == filepath.Dir(d) {
			return err
		}
	}
}

// ownTree returns an error if something below dir could be somebody else's. Where
// ownPath has returned nil before, nobody can change that any more.
func ownTree(dir string) error {
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) { // another devrun tidies
				return nil
			}
			return err
		}
		if e.IsDir() && strings.HasPrefix(e.Name(), "build-") { // a linker on its way, which nobody else uses
			return fs.SkipDir
		}
		fi, err := e.Info()
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case !fi.Mode().IsRegular() && !fi.IsDir():
			return fmt.Errorf("%s is not a file", path)
		}
		return ownFile(path, fi)
	})
}

// of is the directory in the one of that name for the app alone; it need not be there.
func (c *cache) of(name string, cfg Config) string {
	dir := c.dir(name)
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, cfg.id(8))
}

// id tells the app from others, in that many bytes.
func (c Config) id(bytes int) string {
	sum := sha256.Sum256([]byte(c.Dir + "\x00" + c.Package))
	return hex.EncodeToString(sum[:bytes])
}
