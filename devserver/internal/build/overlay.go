package build

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
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
	merged := overlay{Replace: map[string]string{}}
	for _, file := range []string{user, r.Overlay} {
		text, err := os.ReadFile(file)
		if err != nil {
			return "", fmt.Errorf("read the overlay: %w", err)
		}
		var o overlay
		if err := json.Unmarshal(text, &o); err != nil {
			return "", fmt.Errorf("read the overlay %s: %w", file, err)
		}
		maps.Copy(merged.Replace, o.Replace)
	}
	text, err := json.Marshal(merged)
	if err != nil {
		return "", fmt.Errorf("write the overlay: %w", err)
	}
	file := filepath.Join(tmp, "overlay.json")
	if err := os.WriteFile(file, text, 0o666); err != nil {
		return "", fmt.Errorf("write the overlay: %w", err)
	}
	return file, nil
}

// overlay is the file that -overlay takes.
type overlay struct {
	Replace map[string]string // path in the build -> file to read instead
}
