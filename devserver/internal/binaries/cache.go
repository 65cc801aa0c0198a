package binaries

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"

	"devrun/devserver/internal/build"
	"devrun/devserver/internal/diskcache"
	"devrun/devserver/internal/fastbuild"
)

// maxCachedApps is of how many apps the binary is kept for the next run.
const maxCachedApps = 10

// cache keeps the binary for the next run.
func (m *Maker) cache(ctx context.Context, r build.Request, made *fastbuild.Made) error {
	if m.o.BuildCache == "" {
		return nil
	}
	defer tidyBuildCache(filepath.Dir(m.o.BuildCache))
	return m.fast.WriteCache(ctx, m.o.BuildCache, r, made)
}

// tidyBuildCache forgets the apps that were not run for longest.
func tidyBuildCache(base string) {
	apps, _ := diskcache.Oldest(base, maxCachedApps, fs.FileInfo.IsDir) // what cannot be read cannot be tidied
	for _, dir := range apps {
		os.RemoveAll(dir)
	}
}
