package main

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"time"

	"devrun/sample/internal/session"
	"devrun/sample/internal/store"
)

// visit is what is known of one request.
type visit struct {
	id       string // names the request in the log
	session  *session.Session
	user     *store.User // nil: nobody has signed in
	response *response
}

type visitKey struct{}

func visitOf(r *http.Request) *visit { return r.Context().Value(visitKey{}).(*visit) }

// begin makes the visit of a request. It does not fail: there is no error page
// without one.
func (a *app) begin(w http.ResponseWriter, r *http.Request) (http.ResponseWriter, *http.Request) {
	v := &visit{
		id:       rand.Text(),
		session:  session.Load(a.cfg.Secret, w, r),
		response: &response{ResponseWriter: w},
	}
	w.Header().Set("X-Request-Id", v.id)
	return v.response, r.WithContext(context.WithValue(r.Context(), visitKey{}, v))
}

// response knows whether an answer has begun: then it is too late for another.
type response struct {
	http.ResponseWriter
	begun bool
}

func (w *response) WriteHeader(status int) {
	w.begun = true
	w.ResponseWriter.WriteHeader(status)
}

func (w *response) Write(b []byte) (int, error) {
	w.begun = true
	return w.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// maxForm is the largest form that is read, in bytes; the biggest honest one
// is below 4 kB.
const maxForm = 64 << 10

// sameOrigin refuses forms that other sites send.
var sameOrigin = http.NewCrossOriginProtection()

// acceptForm reads the form that a request may bring. If it is not to be had,
// the request is answered and the result is false.
func (a *app) acceptForm(w http.ResponseWriter, r *http.Request) bool {
	if err := sameOrigin.Check(r); err != nil {
		http.Error(w, "this form was sent from another site", http.StatusForbidden)
		return false
	}
	if r.Method != http.MethodPost {
		return true
	}
	r.Body = http.MaxBytesReader(visitOf(r).response.ResponseWriter, r.Body, maxForm)
	var tooLarge *http.MaxBytesError
	switch err := r.ParseForm(); {
	case errors.As(err, &tooLarge):
		http.Error(w, "this form is too large", http.StatusRequestEntityTooLarge)
	case err != nil:
		http.Error(w, "this form cannot be read", http.StatusBadRequest)
	default:
		return true
	}
	return false
}

// identify finds the user of the session, and notes that they were here. If
// that fails, the request is answered and the result is false.
func (a *app) identify(w http.ResponseWriter, r *http.Request) bool {
	v := visitOf(r)
	if v.session.User() == 0 {
		return true
	}
	u, err := a.store.Seen(r.Context(), v.session.User(), time.Now())
	switch {
	case errors.Is(err, store.ErrNotFound):
		return true // the account is gone
	case err != nil:
		a.fail(w, r, err)
		return false
	}
	v.user = &u
	return true
}
