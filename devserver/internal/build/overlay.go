package build

import (
	"maps"
	"path/filepath"

	"devrun/devserver/internal/gocmd"
)

// mergeOverlays returns an overlay file that holds ours and the one that the user
// has in GOFLAGS, which the go command would drop for ours. It writes to tmp.
func mergeOverlays(r Request, tmp string) (string, error) {
	users := given(r.GOFLAGS, "overlay", "")
	if len(users) == 0 || users[len(users)-1] == "" {
		return r.Overlay, nil
	}
	user := users[len(users)-1]
	if !filepath.IsAbs(user) {
		user = filepath.Join(r.Dir, user)
	}
	merged := map[string]string{}
	for _, file := range []string{user, r.Overlay} {
		replace, err := gocmd.ReadOverlay(file)
		if err != nil {
			return "", err
		}
		maps.Copy(merged, replace)
	}
	file := filepath.Join(tmp, "overlay.json")
	return file, gocmd.WriteOverlay(file, merged)
}
