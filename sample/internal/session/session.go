// Package session knows a visitor again by signed cookies. The server keeps
// nothing, so a restart signs nobody out; whoever has the key can sign in as
// anybody.
package session

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The cookies: one for as long as the browser runs, one that remembers.
const (
	sessionCookie  = "session"
	rememberCookie = "remember_token"
	rememberFor    = 365 * 24 * time.Hour
)

// mostFlashes keeps the cookie below what browsers take; the oldest go.
const mostFlashes = 8

// Session is what the cookies of one request say. Changes are written to the
// header of the answer at once.
type Session struct {
	signer signer
	w      http.ResponseWriter
	data   data
}

// data is the content of the session cookie.
type data struct {
	User    int64    `json:"u,omitempty"`
	Flashes []string `json:"f,omitempty"`
}

// Load reads the session of a request from cookies that are signed with key. A
// cookie that is not is as none at all.
func Load(key []byte, w http.ResponseWriter, r *http.Request) *Session {
	s := &Session{signer: key, w: w}
	if b, ok := s.signer.open(r, sessionCookie); ok && json.Unmarshal(b, &s.data) != nil {
		s.data = data{}
	}
	if s.data.User == 0 {
		if id := s.remembered(r); id != 0 {
			s.data.User = id
			s.save()
		}
	}
	return s
}

// remembered is the user of the remember cookie, 0 if it has none.
func (s *Session) remembered(r *http.Request) int64 {
	b, ok := s.signer.open(r, rememberCookie)
	if !ok {
		return 0
	}
	id, until, _ := strings.Cut(string(b), ".")
	user, err1 := strconv.ParseInt(id, 10, 64)
	end, err2 := strconv.ParseInt(until, 10, 64)
	if err1 != nil || err2 != nil || time.Now().Unix() >= end {
		return 0
	}
	return user
}

// User is the ID of who has signed in, 0 if nobody has.
func (s *Session) User() int64 { return s.data.User }

// SignIn makes the visitor a user, if remember also after the browser's end.
func (s *Session) SignIn(user int64, remember bool) {
	s.data.User = user
	s.save()
	if remember {
		until := time.Now().Add(rememberFor)
		value := strconv.FormatInt(user, 10) + "." + strconv.FormatInt(until.Unix(), 10)
		s.set(&http.Cookie{Name: rememberCookie, Value: s.signer.seal(rememberCookie, []byte(value)), Expires: until})
	}
}

// SignOut makes the visitor nobody again.
func (s *Session) SignOut() {
	s.data.User = 0
	s.save()
	s.set(&http.Cookie{Name: rememberCookie, MaxAge: -1})
}

// Flash keeps a message for the next page.
func (s *Session) Flash(text string) {
	s.data.Flashes = append(s.data.Flashes, text)
	if n := len(s.data.Flashes); n > mostFlashes {
		s.data.Flashes = s.data.Flashes[n-mostFlashes:]
	}
	s.save()
}

// Flashes are the messages to show. They stay until Shown.
func (s *Session) Flashes() []string { return s.data.Flashes }

// Shown forgets the messages.
func (s *Session) Shown() {
	if len(s.data.Flashes) > 0 {
		s.data.Flashes = nil
		s.save()
	}
}

func (s *Session) save() {
	b, err := json.Marshal(s.data)
	if err != nil {
		panic(err) // strings and a number always marshal
	}
	s.set(&http.Cookie{Name: sessionCookie, Value: s.signer.seal(sessionCookie, b)})
}

// set replaces the cookie of that name in the answer.
func (s *Session) set(c *http.Cookie) {
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
