package console

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"sync"
	"time"
)

const (
	// idleTrust ends the trust in a page that nobody used for so long: a night's
	// sleep keeps it, a weekend does not.
	idleTrust = 12 * time.Hour

	// maxTrusted is more tabs than anybody unlocks; the one that was used longest
	// ago makes room.
	maxTrusted = 100

	tokenBytes = 32
)

type digest [sha256.Size]byte

// trust is the sessions of this run. They are kept as hashes, so that looking
// one up says nothing about those that are there.
type trust struct {
	now func() time.Time

	mu   sync.Mutex
	used map[digest]time.Time
}

func newTrust() *trust { return &trust{now: time.Now, used: map[digest]time.Time{}} }

// grant starts a session and returns its token, which is kept nowhere.
func (t *trust) grant() string {
	token := randomToken(tokenBytes)
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.used) == maxTrusted {
		var oldest digest
		at := t.now()
		for key, used := range t.used {
			if !used.After(at) {
				oldest, at = key, used
			}
		}
		delete(t.used, oldest)
	}
	t.used[sha256.Sum256([]byte(token))] = t.now()
	return token
}

// holds reports whether the request comes from a session, and keeps it alive.
// What a page asks by itself is asked without one.
func (t *trust) holds(r *http.Request) bool {
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return false
	}
	token, ok := strings.CutPrefix(values[0], "Bearer ")
	if !ok || len(token) != base64.RawURLEncoding.EncodedLen(tokenBytes) {
		return false
	}
	key := digest(sha256.Sum256([]byte(token)))
	t.mu.Lock()
	defer t.mu.Unlock()
	used, ok := t.used[key]
	if !ok {
		return false
	}
	now := t.now()
	if now.Sub(used) > idleTrust {
		delete(t.used, key)
		return false
	}
	t.used[key] = now
	return true
}

// any reports whether there is a session.
func (t *trust) any() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, used := range t.used {
		if t.now().Sub(used) <= idleTrust {
			return true
		}
	}
	return false
}

func randomToken(bytes int) string {
	b := make([]byte, bytes)
	rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}
