package binaries

import (
	"io/fs"
	"os"

	"devrun/devserver/internal/diskcache"
)

// maxCachedApps is of how many apps the binary is kept for the next run.
const maxCachedApps = 10

// tidyBuildCache forgets the apps that were not run for longest.
func tidyBuildCache(base string) {
	apps, _ := diskcache.Oldest(base, maxCachedApps, fs.FileInfo.IsDir) // what cannot be read cannot be tidied
	for _, dir := range apps {
		os.RemoveAll(dir)
	}
}
