package gocmd

import (
	"encoding/json"
	"fmt"
	"os"

	"devrun/devserver/internal/diskcache"
)

// overlay is the file that -overlay takes.
type overlay struct {
	Replace map[string]string // path in the build -> file to read instead
}

// ReadOverlay gives what the file of an -overlay says: the file that is read instead,
// by path in the build.
func ReadOverlay(file string) (map[string]string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the overlay: %w", err)
	}
	var o overlay
	if err := json.Unmarshal(text, &o); err != nil {
		return nil, fmt.Errorf("read the overlay %s: %w", file, err)
	}
	return o.Replace, nil
}

// WriteOverlay writes the file for an -overlay; a go command may be reading the one
// before.
func WriteOverlay(file string, replace map[string]string) error {
	text, err := json.Marshal(overlay{replace})
	if err == nil {
		err = diskcache.Write(file, text)
	}
	if err != nil {
		return fmt.Errorf("write the overlay: %w", err)
	}
	return nil
}
