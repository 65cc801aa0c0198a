package password

import (
	"strings"
	"testing"
)

func TestMatches(t *testing.T) {
	long := strings.Repeat("x", 100) // bcrypt would stop at 72
	for _, password := range []string{"cat", "", "🐈", long} {
		hash := Hash(password)
		if !Matches(hash, password) {
			t.Errorf("%q does not match its own hash %s", password, hash)
		}
		if Matches(hash, password+"x") {
			t.Errorf("%q matches the hash of %q", password+"x", password)
		}
		if len(hash) > 256 {
			t.Errorf("%d characters do not fit", len(hash))
		}
	}
	if one, other := Hash("cat"), Hash("cat"); one == other {
		t.Error("two hashes are one: there is no salt")
	}
}

// A hash of another cost is one all the same; what is no hash matches nothing.
func TestOtherHashes(t *testing.T) {
	cheap := "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$" + b64.EncodeToString(derive("cat", []byte("saltsalt"), 8, 1, 1, 32))
	if !Matches(cheap, "cat") || Matches(cheap, "dog") {
		t.Error("a hash of another cost is not read")
	}
	for _, hash := range []string{"", "cat", "$argon2id$v=19$m=8,t=0,p=1$c2FsdHNhbHQ$AAAA", "$argon2id$v=19$m=8,t=1,p=0$c2FsdHNhbHQ$AAAA",
		"$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$", "$argon2id$v=16$m=8,t=1,p=1$c2FsdHNhbHQ$AAAA", "$argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$AAAA", strings.ToUpper(cheap)} {
		if Matches(hash, "cat") {
			t.Errorf("cat matches %q", hash)
		}
	}
}
