package devserver

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// maxWarm is of how many apps the binary is kept for the next run.
const maxWarm = 10

// warmDir is where what is known of an app is kept for the next run of devrun, "" if
// there is no place for that.
func warmDir(dir, pkg string) string {
	base := ownCache("warm")
	dir, err := filepath.Abs(dir)
	if err != nil || base == "" {
		return ""
	}
	id := sha256.Sum256([]byte(dir + "\x00" + pkg))
	return filepath.Join(base, hex.EncodeToString(id[:8]))
}

// ownCache is a directory for programs that are run later, "" if there is no place
// that nobody else can write to.
func ownCache(name string) string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	dir := filepath.Join(cache, "devrun", name)
	if err := os.MkdirAll(dir, 0o700); err != nil || !ownDir(dir) {
		return ""
	}
	if fi, err := os.Stat(dir); err != nil || fi.Mode().Perm()&0o077 != 0 {
		return ""
	}
	return dir
}

// tidyWarm forgets the apps that were not run for longest.
func tidyWarm(base string) {
	type app struct {
		dir string
		at  time.Time
	}
	var apps []app
	entries, _ := os.ReadDir(base) // what cannot be read cannot be tidied
	for _, e := range entries {
		if fi, err := e.Info(); err == nil && fi.IsDir() {
			apps = append(apps, app{filepath.Join(base, e.Name()), fi.ModTime()})
		}
	}
	slices.SortFunc(apps, func(a, b app) int { return cmp.Or(b.at.Compare(a.at), cmp.Compare(a.dir, b.dir)) })
	for _, a := range apps[min(maxWarm, len(apps)):] {
		os.RemoveAll(a.dir)
	}
}
