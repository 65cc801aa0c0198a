package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The cookies: both are signed, so the server keeps nothing and a restart
// signs nobody out.
const (
	sessionCookie  = "session"
	rememberCookie = "remember_token"
	rememberFor    = 365 * 24 * time.Hour
)

// sessions makes sessions from cookies.
type sessions struct{ key []byte }

// session is what the browser's cookie says, for one request. Changes are
// written to the answer's header at once.
type session struct {
	sessions
	w    http.ResponseWriter
	user *user
	data data
}

// data is the content of the session cookie.
type data struct {
	User    int      `json:"u,omitempty"`
	Flashes []string `json:"f,omitempty"`
}

type sessionKey struct{}

func sessionOf(r *http.Request) *session { return r.Context().Value(sessionKey{}).(*session) }

// load reads the session of a request and puts it into its context.
func (a *app) load(w http.ResponseWriter, r *http.Request) *http.Request {
	s := &session{sessions: a.sessions, w: w}
	if c, err := r.Cookie(sessionCookie); err == nil {
		if b, ok := s.open(sessionCookie, c.Value); ok && json.Unmarshal(b, &s.data) != nil {
			s.data = data{}
		}
	}
	if s.user = a.users.byID[s.data.User]; s.user == nil {
		if c, err := r.Cookie(rememberCookie); err == nil {
			if b, ok := s.open(rememberCookie, c.Value); ok {
				id, until, _ := strings.Cut(string(b), ".")
				if n, err := strconv.ParseInt(until, 10, 64); err == nil && time.Now().Unix() < n {
					uid, _ := strconv.Atoi(id) // no user has the id of a number that is none
					s.user = a.users.byID[uid]
				}
			}
		}
	}
	return r.WithContext(context.WithValue(r.Context(), sessionKey{}, s))
}

func (s *session) flash(text string) {
	s.data.Flashes = append(s.data.Flashes, text)
	s.save()
}

// takeFlashes returns the messages to show and forgets them.
func (s *session) takeFlashes() []string {
	f := s.data.Flashes
	if len(f) > 0 {
		s.data.Flashes = nil
		s.save()
	}
	return f
}

func (s *session) signIn(u *user, remember bool) {
	s.user, s.data.User = u, u.ID
	s.save()
	if remember {
		until := time.Now().Add(rememberFor)
		value := strconv.Itoa(u.ID) + "." + strconv.FormatInt(until.Unix(), 10)
		s.set(&http.Cookie{Name: rememberCookie, Value: s.seal(rememberCookie, []byte(value)), Expires: until})
	}
}

func (s *session) signOut() {
	s.user, s.data.User = nil, 0
	s.save()
	s.set(&http.Cookie{Name: rememberCookie, MaxAge: -1})
}

func (s *session) save() {
	b, err := json.Marshal(s.data)
	if err != nil {
		panic(err) // strings and a number always marshal
	}
	s.set(&http.Cookie{Name: sessionCookie, Value: s.seal(sessionCookie, b)})
}

// set replaces the cookie of that name in the answer.
func (s *session) set(c *http.Cookie) {
	c.Path, c.HttpOnly, c.SameSite = "/", true, http.SameSiteLaxMode
	h := s.w.Header()
	var kept []string
	for _, line := range h["Set-Cookie"] {
		if !strings.HasPrefix(line, c.Name+"=") {
			kept = append(kept, line)
		}
	}
	h["Set-Cookie"] = append(kept, c.String())
}

// seal signs b for the cookie of that name.
func (s sessions) seal(name string, b []byte) string {
	enc := base64.RawURLEncoding
	return enc.EncodeToString(b) + "." + enc.EncodeToString(s.mac(name, b))
}

// open returns what was sealed for the cookie of that name.
func (s sessions) open(name, value string) ([]byte, bool) {
	enc := base64.RawURLEncoding
	body, sig, _ := strings.Cut(value, ".")
	b, err := enc.DecodeString(body)
	if err != nil {
		return nil, false
	}
	mac, err := enc.DecodeString(sig)
	return b, err == nil && hmac.Equal(mac, s.mac(name, b))
}

func (s sessions) mac(name string, b []byte) []byte {
	m := hmac.New(sha256.New, s.key)
	m.Write([]byte(name + "\x00"))
	m.Write(b)
	return m.Sum(nil)
}
