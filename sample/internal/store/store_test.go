package store

import (
	"path/filepath"
	"sync"
	"testing"
)

// Whoever opens a new database at the same time waits for the one that is first.
func TestOpenAtOnce(t *testing.T) {
	for range 40 {
		address := "sqlite:///" + filepath.Join(t.TempDir(), "new.db")
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				s, err := Open(t.Context(), address)
				if err != nil {
					t.Error(err)
					return
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
}
