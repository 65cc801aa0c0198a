package binaries

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// maxWarm is of how many apps the binary is kept for the next run.
const maxWarm = 10

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
