package console

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"time"
)

const (
	pinDigits = 9

	// maxAttempts at one PIN are more than a person needs who reads it from a
	// terminal, and one in 100 million for whoever guesses.
	maxAttempts = 10
)

// pin is what the developer reads in the terminal and types into the page.
type pin struct {
	mu     sync.Mutex
	digits string
	epoch  int // counts PINs
	failed int // attempts at this one, those under way included
}

func newPIN() *pin { return &pin{digits: randomDigits()} }

func randomDigits() string {
	n, err := rand.Int(rand.Reader, new(big.Int).Exp(big.NewInt(10), big.NewInt(pinDigits), nil))
	if err != nil {
		panic(err) // crypto/rand ends the program itself when the system has no randomness
	}
	return fmt.Sprintf("%0*d", pinDigits, n)
}

func (p *pin) shown() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.digits[:3] + "-" + p.digits[3:6] + "-" + p.digits[6:]
}

func (p *pin) renew() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.digits, p.failed = randomDigits(), 0
	p.epoch++
}

// left is how many attempts there still are.
func (p *pin) left() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maxAttempts - p.failed
}

type verdict int

const (
	wrong  verdict = iota
	right          // the attempt does not count
	locked         // there was no attempt left: nothing was compared
)

// try compares digits with the PIN. The attempt is taken before the comparison,
// so that of any number at once no more than maxAttempts are compared. left is
// what remains; last is true for the one attempt that used up the PIN.
func (p *pin) try(digits string) (v verdict, left int, last bool) {
	p.mu.Lock()
	if p.failed >= maxAttempts {
		p.mu.Unlock()
		return locked, 0, false
	}
	p.failed++
	left, want, epoch := maxAttempts-p.failed, p.digits, p.epoch
	p.mu.Unlock()

	if !same(digits, want) {
		return wrong, left, left == 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.epoch == epoch {
		p.failed--
	}
	return right, maxAttempts - p.failed, false
}

// same takes the same time whatever the two have in common.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// typed returns the digits of a PIN as people write it, with spaces or dashes,
// and whether it can be one.
func typed(s string) (digits string, ok bool) {
	if len(s) > 4*pinDigits {
		return "", false
	}
	digits = strings.NewReplacer(" ", "", "-", "").Replace(s)
	return digits, len(digits) == pinDigits && strings.Trim(digits, "0123456789") == ""
}

// askEvery keeps a page that asks again and again from filling the terminal.
const askEvery = 10 * time.Second

// coalesced calls a function at most once in askEvery.
type coalesced struct {
	call func()

	mu   sync.Mutex
	last time.Time
}

func (c *coalesced) do() {
	c.mu.Lock()
	due := time.Since(c.last) >= askEvery
	if due {
		c.last = time.Now()
	}
	c.mu.Unlock()
	if due && c.call != nil {
		c.call()
	}
}

// reset makes the next call count as the first.
func (c *coalesced) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = time.Time{}
}
