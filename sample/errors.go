package main

import (
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
)

func (a *app) notFound(w http.ResponseWriter, r *http.Request) {
	a.render(w, r, http.StatusNotFound, "404.html", page{})
}

// serverError logs what went wrong and shows the visitor a page that says
// nothing of it.
func (a *app) serverError(w http.ResponseWriter, r *http.Request, err error, stack []byte) {
	slog.Error(fmt.Sprintf("Exception on %s [%s]", r.URL.Path, r.Method), "err", err, "stack", string(stack))
	body, rerr := a.pages.execute("500.html", page{User: sessionOf(r).user})
	if rerr != nil {
		http.Error(w, "An unexpected error has occurred", http.StatusInternalServerError)
		return
	}
	send(w, http.StatusInternalServerError, body)
}

// recovered turns a panic into the error page. If the answer has begun, the
// connection is cut instead: net/http does that.
func (a *app) recovered(w http.ResponseWriter, r *http.Request) {
	v := recover()
	switch v {
	case nil:
		return
	case http.ErrAbortHandler:
		panic(v)
	}
	a.serverError(w, r, fmt.Errorf("%v", v), debug.Stack())
}
