package main

import (
	"net/http"
	"net/url"
	"strings"
)

// post is a line of the home page.
type post struct{ Author, Body string }

func (a *app) index(w http.ResponseWriter, r *http.Request) {
	a.render(w, r, http.StatusOK, "index.html", page{Title: "Home", Posts: []post{
		{"John", "Beautiful day in Portland!"},
		{"Susan", "The Avengers movie was so cool!"},
	}})
}

// loginForm is the form of the login page, with what was wrong in it.
type loginForm struct {
	Username, Password string
	Remember           bool
	Errors             map[string]string
}

const required = "This field is required."

func (f *loginForm) valid() bool {
	f.Errors = map[string]string{}
	if strings.TrimSpace(f.Username) == "" {
		f.Errors["username"] = required
	}
	if strings.TrimSpace(f.Password) == "" {
		f.Errors["password"] = required
	}
	return len(f.Errors) == 0
}

func (a *app) login(w http.ResponseWriter, r *http.Request) {
	s := sessionOf(r)
	if s.user != nil {
		http.Redirect(w, r, "/index", http.StatusFound)
		return
	}
	form := &loginForm{}
	if r.Method == http.MethodPost {
		if err := r.ParseForm(); err != nil {
			http.Error(w, "the form could not be read", http.StatusBadRequest)
			return
		}
		form.Username, form.Password = r.PostForm.Get("username"), r.PostForm.Get("password")
		switch r.PostForm.Get("remember_me") {
		case "", "false", "False":
		default:
			form.Remember = true
		}
		if form.valid() {
			u := a.users.check(form.Username, form.Password)
			if u == nil {
				s.flash("Invalid username or password")
				http.Redirect(w, r, "/login", http.StatusFound)
				return
			}
			s.signIn(u, form.Remember)
			http.Redirect(w, r, next(r.URL.Query().Get("next")), http.StatusFound)
			return
		}
	}
	a.render(w, r, http.StatusOK, "login.html", page{Title: "Sign In", Form: form})
}

func (a *app) logout(w http.ResponseWriter, r *http.Request) {
	sessionOf(r).signOut()
	http.Redirect(w, r, "/index", http.StatusFound)
}

// signedIn sends visitors who are not signed in to the login page.
func (a *app) signedIn(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s := sessionOf(r)
		if s.user == nil {
			s.flash("Please log in to access this page.")
			http.Redirect(w, r, "/login?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusFound)
			return
		}
		h(w, r)
	}
}

// next is where to go after the login: the page that was asked for if it is
// one of this site, else home. It must begin with one slash, so that a browser
// can't read a host into it.
func next(s string) string {
	const home = "/index"
	if !strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//") || strings.ContainsFunc(s, func(r rune) bool { return r == '\\' || r < ' ' || r == 0x7f }) {
		return home
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "" || u.Host != "" || u.Opaque != "" {
		return home
	}
	return s
}
