// Package password hashes passwords with Argon2id and compares them.
package password

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"runtime"
	"strings"

	"golang.org/x/crypto/argon2"
)

// What a hash costs: 19 MiB and two passes, the least that OWASP recommends.
const (
	memory  = 19 << 10 // KiB
	passes  = 2
	threads = 1
	saltLen = 16
	keyLen  = 32
)

// slots bounds how many hashes are computed at once, and with it the memory.
var slots = make(chan struct{}, runtime.GOMAXPROCS(0))

// Hash returns what to keep of a password. It says how it was made, so that
// what a hash costs can change later.
func Hash(password string) string {
	salt := make([]byte, saltLen)
	rand.Read(salt)
	key := derive(password, salt, memory, passes, threads, keyLen)
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, memory, passes, threads, b64.EncodeToString(salt), b64.EncodeToString(key))
}

// Matches reports whether a hash is of that password. A hash that cannot be
// read, as the "" of a user who does not exist, matches none and takes as long.
func Matches(hash, password string) bool {
	var version int
	var m, t uint32
	var p uint8
	f := strings.Split(hash, "$")
	if len(f) == 6 && f[1] == "argon2id" {
		_, verr := fmt.Sscanf(f[2], "v=%d", &version)
		_, perr := fmt.Sscanf(f[3], "m=%d,t=%d,p=%d", &m, &t, &p)
		salt, serr := b64.DecodeString(f[4])
		key, kerr := b64.DecodeString(f[5])
		if verr == nil && perr == nil && serr == nil && kerr == nil && version == argon2.Version && t > 0 && p > 0 && len(key) > 0 {
			return subtle.ConstantTimeCompare(key, derive(password, salt, m, t, p, uint32(len(key)))) == 1
		}
	}
	derive(password, make([]byte, saltLen), memory, passes, threads, keyLen)
	return false
}

var b64 = base64.RawStdEncoding

func derive(password string, salt []byte, m, t uint32, p uint8, length uint32) []byte {
	slots <- struct{}{}
	defer func() { <-slots }()
	return argon2.IDKey([]byte(password), salt, t, m, p, length)
}
