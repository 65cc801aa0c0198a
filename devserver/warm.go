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

// warmDir is where in base what is known of an app is kept for the next run of devrun;
// "" for nowhere if that is base.
func warmDir(base string, cfg Config) string {
	if base == "" {
		return ""
	}
	id := sha256.Sum256([]byte(cfg.Dir + "\x00" + cfg.Package))
	return filepath.Join(base, hex.EncodeToString(id[:8]))
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
