package main

import (
	"errors"
	"net/http"
	"strings"
	"unicode/utf8"

	"devrun/sample/internal/forms"
	"devrun/sample/internal/store"
)

func (a *app) profile(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("username")
	if !utf8.ValidString(name) || strings.ContainsRune(name, 0) {
		a.notFound(w, r) // nobody can be called so
		return
	}
	u, err := a.store.User(r.Context(), name)
	if errors.Is(err, store.ErrNotFound) {
		a.notFound(w, r)
		return
	}
	if err != nil {
		a.fail(w, r, err)
		return
	}
	n := pageNumber(r)
	posts, err := a.store.PostsOf(r.Context(), u.ID, (n-1)*perPage, perPage+1)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.render(w, r, http.StatusOK, "user.html", page{Profile: &u, Posts: paged(posts, n, u.Path())})
}

func editProfileForm() *forms.Form {
	return &forms.Form{Submit: "Submit", Fields: []*forms.Field{
		{Name: "username", Label: "Username", Type: "text", Autocomplete: "off", Required: true, Rules: []forms.Rule{forms.Length(1, 64), forms.Segment}},
		{Name: "about_me", Label: "About me", Type: forms.Area, MaxLength: 140, Rules: []forms.Rule{forms.Length(0, 140)}},
	}}
}

func (a *app) editProfile(w http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	form := editProfileForm()
	if r.Method == http.MethodPost {
		form.Read(r.PostForm)
		if name := form.Value("username"); name != v.user.Username && !a.cfg.UncheckedUsername {
			if err := a.refuseTaken(r, form, "username", usernameTaken, a.store.UsernameTaken); err != nil {
				a.fail(w, r, err)
				return
			}
		}
		if form.Valid() {
			err := a.store.UpdateProfile(r.Context(), v.user.ID, form.Value("username"), form.Value("about_me"))
			switch {
			case err == nil:
				v.session.Flash("Your changes have been saved.")
				redirect(w, r, "/edit_profile")
				return
			case !errors.Is(err, store.ErrUsernameTaken):
				a.fail(w, r, err)
				return
			case a.cfg.UncheckedUsername:
				panic(err) // the chapter's bug: nobody has thought of this
			}
			form.Refuse("username", usernameTaken) // somebody was faster since we asked
		}
	} else {
		form.Field("username").Value = v.user.Username
		form.Field("about_me").Value = v.user.AboutMe
	}
	a.render(w, r, http.StatusOK, "edit_profile.html", page{Title: "Edit Profile", Form: form})
}
