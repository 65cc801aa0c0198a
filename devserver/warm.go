package devserver

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"

	"devrun/devserver/internal/diskcache"
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
	apps, _ := diskcache.Oldest(base, maxWarm, fs.FileInfo.IsDir) // what cannot be read cannot be tidied
	for _, dir := range apps {
		os.RemoveAll(dir)
	}
}
