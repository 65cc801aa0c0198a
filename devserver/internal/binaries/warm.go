package binaries

import (
	"io/fs"
	"os"

	"devrun/devserver/internal/diskcache"
)

// maxWarm is of how many apps the binary is kept for the next run.
const maxWarm = 10

// tidyWarm forgets the apps that were not run for longest.
func tidyWarm(base string) {
	apps, _ := diskcache.Oldest(base, maxWarm, fs.FileInfo.IsDir) // what cannot be read cannot be tidied
	for _, dir := range apps {
		os.RemoveAll(dir)
	}
}
