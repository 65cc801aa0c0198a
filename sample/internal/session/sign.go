package session

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
)

// signer is a key that signs cookies. What is signed for one cookie is not
// valid in another.
type signer []byte

func (s signer) seal(cookie string, b []byte) string {
	return b64.EncodeToString(b) + "." + b64.EncodeToString(s.mac(cookie, b))
}

// open returns what was sealed in a cookie of the request.
func (s signer) open(r *http.Request, cookie string) ([]byte, bool) {
	c, err := r.Cookie(cookie)
	if err != nil {
		return nil, false
	}
	content, signature, _ := strings.Cut(c.Value, ".")
	b, err := b64.DecodeString(content)
	if err != nil {
		return nil, false
	}
	mac, err := b64.DecodeString(signature)
	return b, err == nil && hmac.Equal(mac, s.mac(cookie, b))
}

func (s signer) mac(cookie string, b []byte) []byte {
	m := hmac.New(sha256.New, s)
	m.Write([]byte(cookie + "\x00"))
	m.Write(b)
	return m.Sum(nil)
}

var b64 = base64.RawURLEncoding.Strict()
