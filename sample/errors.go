package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
)

// fail ends a request that met err. In development err goes on as a panic, so
// that what watches the app shows it where it happened; in production it is
// logged and the visitor gets the error page.
func (a *app) fail(w http.ResponseWriter, r *http.Request, err error) {
	if gone := r.Context().Err(); gone != nil && errors.Is(err, gone) {
		return // the visitor has left, and with that stopped the work
	}
	if a.cfg.development() {
		panic(err)
	}
	a.serverError(w, r, err)
}

// recovered makes a panic the error page, too.
func (a *app) recovered(w http.ResponseWriter, r *http.Request) {
	v := recover()
	if v == nil {
		return
	}
	err, ok := v.(error)
	if !ok {
		err = fmt.Errorf("%v", v)
	}
	if errors.Is(err, http.ErrAbortHandler) {
		panic(v)
	}
	a.serverError(w, r, err)
}

// serverError logs what went wrong, with the stack, and shows the visitor a
// page that says nothing of it. The page is made of what is known already: it
// asks no database, which may be what is broken.
func (a *app) serverError(w http.ResponseWriter, r *http.Request, err error) {
	v := visitOf(r)
	details := []any{"request_id", v.id, "err", err, "stack", string(debug.Stack())}
	if v.user != nil {
		details = append(details, "user_id", v.user.ID)
	}
	slog.ErrorContext(r.Context(), fmt.Sprintf("Exception on %s [%s]", r.URL.Path, r.Method), details...)
	if v.response.begun {
		panic(http.ErrAbortHandler) // cuts the connection: half a page is not to look whole
	}
	body, err := a.pages.execute("500.html", page{visit: v, Flashes: v.session.Flashes()})
	if err != nil {
		slog.ErrorContext(r.Context(), "the error page failed", "request_id", v.id, "err", err)
		http.Error(w, "An unexpected error has occurred", http.StatusInternalServerError)
		return
	}
	v.session.Shown()
	send(w, http.StatusInternalServerError, body)
}

func (a *app) notFound(w http.ResponseWriter, r *http.Request) {
	a.render(w, r, http.StatusNotFound, "404.html", page{})
}

// unmatched answers what no pattern takes. The mux knows whether only the
// method is wrong.
func (a *app) unmatched(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
		probe := r.Clone(r.Context())
		probe.Method = method
		if _, pattern := a.mux.Handler(probe); pattern != "" {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) == 0 {
		a.notFound(w, r)
		return
	}
	allowed = append(allowed, http.MethodOptions)
	slices.Sort(allowed)
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	if r.Method == http.MethodOptions {
		return
	}
	send(w, http.StatusMethodNotAllowed, []byte(methodNotAllowed))
}

const methodNotAllowed = `<!doctype html>
<html lang=en>
<title>405 Method Not Allowed</title>
<h1>Method Not Allowed</h1>
<p>The method is not allowed for the requested URL.</p>
`
