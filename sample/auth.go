package main

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"devrun/sample/internal/forms"
	"devrun/sample/internal/password"
	"devrun/sample/internal/store"
)

// home is where visitors are sent who have nowhere else to go.
const home = "/index"

const (
	usernameTaken = "Please use a different username."
	emailTaken    = "Please use a different email address."
)

// loginRequired sends visitors who have not signed in to the login page.
func (a *app) loginRequired(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v := visitOf(r)
		if v.user == nil {
			v.session.Flash("Please log in to access this page.")
			redirect(w, r, "/login?next="+url.QueryEscape(r.URL.RequestURI()))
			return
		}
		h(w, r)
	}
}

func loginForm() *forms.Form {
	return &forms.Form{Submit: "Sign In", NoValidate: true, Fields: []*forms.Field{
		{Name: "username", Label: "Username", Type: "text", Autocomplete: "username", Required: true},
		{Name: "password", Label: "Password", Type: "password", Autocomplete: "current-password", Required: true},
		{Name: "remember_me", Label: "Remember Me", Type: "checkbox"},
	}}
}

func (a *app) login(w http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	if v.user != nil {
		redirect(w, r, home)
		return
	}
	form := loginForm()
	if r.Method == http.MethodPost && form.Read(r.PostForm) {
		u, err := a.store.User(r.Context(), form.Value("username"))
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			a.fail(w, r, err)
			return
		}
		if !password.Matches(u.PasswordHash, form.Value("password")) {
			v.session.Flash("Invalid username or password")
			redirect(w, r, "/login")
			return
		}
		v.session.SignIn(u.ID, form.Field("remember_me").Checked())
		redirect(w, r, next(r.URL.Query().Get("next")))
		return
	}
	a.render(w, r, http.StatusOK, "login.html", page{Title: "Sign In", Form: form})
}

func (a *app) logout(w http.ResponseWriter, r *http.Request) {
	visitOf(r).session.SignOut()
	redirect(w, r, home)
}

func registerForm() *forms.Form {
	return &forms.Form{Submit: "Register", Fields: []*forms.Field{
		{Name: "username", Label: "Username", Type: "text", Autocomplete: "username", Required: true, Rules: []forms.Rule{forms.Length(1, 64), forms.Segment}},
		{Name: "email", Label: "Email", Type: "text", Autocomplete: "email", Required: true, Rules: []forms.Rule{forms.Length(1, 120), forms.Email}},
		{Name: "password", Label: "Password", Type: "password", Autocomplete: "new-password", Required: true},
		{Name: "password2", Label: "Repeat Password", Type: "password", Autocomplete: "new-password", Required: true, Rules: []forms.Rule{forms.EqualTo("password")}},
	}}
}

func (a *app) register(w http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	if v.user != nil {
		redirect(w, r, home)
		return
	}
	form := registerForm()
	if r.Method == http.MethodPost {
		registered, err := a.registered(r, form)
		if err != nil {
			a.fail(w, r, err)
			return
		}
		if registered {
			v.session.Flash("Congratulations, you are now a registered user!")
			redirect(w, r, "/login")
			return
		}
	}
	a.render(w, r, http.StatusOK, "register.html", page{Title: "Register", Form: form})
}

// registered makes a user of a form and reports whether it did; if not, the
// form says why.
func (a *app) registered(r *http.Request, form *forms.Form) (bool, error) {
	form.Read(r.PostForm)
	if err := a.refuseTaken(r, form, "username", usernameTaken, a.store.UsernameTaken); err != nil {
		return false, err
	}
	if err := a.refuseTaken(r, form, "email", emailTaken, a.store.EmailTaken); err != nil {
		return false, err
	}
	if !form.Valid() {
		return false, nil
	}
	err := a.store.CreateUser(r.Context(), store.User{
		Username:     form.Value("username"),
		Email:        form.Value("email"),
		PasswordHash: password.Hash(form.Value("password")),
		LastSeen:     time.Now(),
	})
	// Somebody else may have been faster since we asked.
	switch {
	case errors.Is(err, store.ErrUsernameTaken):
		form.Refuse("username", usernameTaken)
	case errors.Is(err, store.ErrEmailTaken):
		form.Refuse("email", emailTaken)
	default:
		return err == nil, err
	}
	return false, nil
}

// refuseTaken adds a problem to a field that has none yet if its value is taken.
func (a *app) refuseTaken(r *http.Request, form *forms.Form, name, problem string, taken func(context.Context, string) (bool, error)) error {
	if field := form.Field(name); len(field.Errors) > 0 {
		return nil
	}
	is, err := taken(r.Context(), form.Value(name))
	if is {
		form.Refuse(name, problem)
	}
	return err
}

// redirect answers with another address to go to.
func redirect(w http.ResponseWriter, r *http.Request, to string) {
	w.Header().Add("Vary", "Cookie")
	http.Redirect(w, r, to, http.StatusFound)
}

// next is where to go after the login: the page that was asked for if it is
// one of this site, else home. It must begin with one slash, so that a browser
// cannot read a host into it.
func next(s string) string {
	unsafe := func(r rune) bool { return r == '\\' || r < ' ' || r == 0x7f }
	if !strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//") || strings.ContainsFunc(s, unsafe) {
		return home
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "" || u.Host != "" || u.Opaque != "" {
		return home
	}
	return s
}
