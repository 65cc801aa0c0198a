package mailbox

import (
	"cmp"
	"crypto/rand"
	"slices"
	"strings"
	"sync"
)

const (
	maxKept  = 500       // mails
	maxBytes = 100 << 20 // of them together
)

// Letter is a mail that is kept.
type Letter struct {
	ID string
	Message
	Subject string
	Sender  string // the From of its header, or of the envelope
	Begins  string // the first line of its text
	Seen    bool
}

// Box keeps the newest mails in memory: at most 500 and 100 MB. Its methods may
// be called from any goroutine.
type Box struct {
	mu      sync.Mutex
	letters []Letter // oldest first
	bytes   int
	version int
	watches map[chan struct{}]bool
}

// New returns an empty Box.
func New() *Box { return &Box{watches: map[chan struct{}]bool{}} }

// Add keeps a mail.
func (b *Box) Add(m Message) Letter {
	c := Parse(m.Raw)
	l := Letter{ID: strings.ToLower(rand.Text()), Message: m, Subject: c.Get("Subject"), Sender: cmp.Or(c.Get("From"), m.From)}
	for line := range strings.Lines(c.Text) {
		if l.Begins = strings.TrimSpace(line); l.Begins != "" {
			break
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.letters = append(b.letters, l)
	b.bytes += len(m.Raw)
	for len(b.letters) > maxKept || b.bytes > maxBytes {
		b.remove(0)
	}
	b.changed()
	return l
}

// remove is for callers that hold mu.
func (b *Box) remove(i int) {
	b.bytes -= len(b.letters[i].Raw)
	b.letters = slices.Delete(b.letters, i, i+1)
}

// List is all that is kept, the newest first.
func (b *Box) List() []Letter {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := slices.Clone(b.letters)
	slices.Reverse(list)
	return list
}

// Unseen is how many nobody has looked at.
func (b *Box) Unseen() (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.letters {
		if !l.Seen {
			n++
		}
	}
	return n
}

// Look is a mail that is looked at now.
func (b *Box) Look(id string) (Letter, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := b.index(id)
	if i < 0 {
		return Letter{}, false
	}
	if !b.letters[i].Seen {
		b.letters[i].Seen = true
		b.changed()
	}
	return b.letters[i], true
}

// Delete removes a mail and says whether it was there.
func (b *Box) Delete(id string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := b.index(id)
	if i < 0 {
		return false
	}
	b.remove(i)
	b.changed()
	return true
}

// Clear removes all.
func (b *Box) Clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.letters, b.bytes = nil, 0
	b.changed()
}

func (b *Box) index(id string) int {
	return slices.IndexFunc(b.letters, func(l Letter) bool { return l.ID == id })
}

// Watch returns a channel that tells that something is different, once for
// changes that were not taken yet, and what ends it.
func (b *Box) Watch() (changes <-chan struct{}, end func()) {
	c := make(chan struct{}, 1)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.watches[c] = true
	return c, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.watches, c)
	}
}

// Version is another number after each change.
func (b *Box) Version() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.version
}

// changed is for callers that hold mu.
func (b *Box) changed() {
	b.version++
	for c := range b.watches {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}
