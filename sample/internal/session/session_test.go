package session

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"testing"
	"time"
)

// load is the session of a browser that has these cookies, and the answer that
// changes are written to.
func load(key string, cookies ...*http.Cookie) (*Session, *httptest.ResponseRecorder) {
	r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
	for _, c := range cookies {
		r.AddCookie(c)
	}
	return Load([]byte(key), w, r), w
}

func TestFlashes(t *testing.T) {
	s, w := load("k")
	for i := range mostFlashes + 2 {
		s.Flash(fmt.Sprint("message ", i))
	}
	cookies := w.Result().Cookies()
	if len(cookies) != 1 {
		t.Fatalf("%d cookies: %v", len(cookies), cookies)
	}
	s, w = load("k", cookies...)
	if got := s.Flashes(); len(got) != mostFlashes || got[0] != "message 2" {
		t.Errorf("%q", got)
	}
	s.Shown()
	if s, _ = load("k", w.Result().Cookies()...); len(s.Flashes()) != 0 {
		t.Errorf("%q were shown and are there", s.Flashes())
	}
}

func TestRemembered(t *testing.T) {
	s, w := load("k")
	s.SignIn(7, true)
	i := slices.IndexFunc(w.Result().Cookies(), func(c *http.Cookie) bool { return c.Name == rememberCookie })
	token := w.Result().Cookies()[i]
	s, w = load("k", token)
	if s.User() != 7 {
		t.Errorf("user %d", s.User())
	}
	// From here on the session has it.
	if s, _ = load("k", w.Result().Cookies()...); s.User() != 7 {
		t.Errorf("by the new session: user %d", s.User())
	}
	s.SignOut()
	if s.User() != 0 {
		t.Errorf("after signing out: user %d", s.User())
	}
}

// Every way to a wrong cookie ends at nobody.
func TestForged(t *testing.T) {
	key := signer("k")
	later, before := strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10), strconv.FormatInt(time.Now().Add(-time.Second).Unix(), 10)
	if s, _ := load("k", &http.Cookie{Name: rememberCookie, Value: key.seal(rememberCookie, []byte("7."+later))}); s.User() != 7 {
		t.Fatal("a true cookie is refused")
	}
	for what, c := range map[string]*http.Cookie{
		"expired":           {Name: rememberCookie, Value: key.seal(rememberCookie, []byte("7."+before))},
		"another key":       {Name: rememberCookie, Value: signer("j").seal(rememberCookie, []byte("7."+later))},
		"another cookie":    {Name: rememberCookie, Value: key.seal(sessionCookie, []byte("7."+later))},
		"no number":         {Name: rememberCookie, Value: key.seal(rememberCookie, []byte("x."+later))},
		"no end":            {Name: rememberCookie, Value: key.seal(rememberCookie, []byte("7"))},
		"no signature":      {Name: rememberCookie, Value: "Ny4x"},
		"nothing":           {Name: rememberCookie, Value: ""},
		"no base64":         {Name: sessionCookie, Value: "%.%"},
		"no JSON":           {Name: sessionCookie, Value: key.seal(sessionCookie, []byte("{"))},
		"the other's token": {Name: sessionCookie, Value: key.seal(rememberCookie, []byte(`{"u":7}`))},
	} {
		if s, _ := load("k", c); s.User() != 0 {
			t.Errorf("%s: user %d", what, s.User())
		}
	}
}
