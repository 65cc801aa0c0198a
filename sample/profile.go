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

// profileForm shows the form as the profile is.
func (a *app) profileForm(w http.ResponseWriter, r *http.Request) {
	u, form := visitOf(r).user, editProfileForm()
	form.Field("username").Value = u.Username
	form.Field("about_me").Value = u.AboutMe
	a.editProfilePage(w, r, form)
}

// editProfile takes the form. It asks whether the name is taken only if that is
// a new one; of two visitors who ask at once, the database refuses the slower.
func (a *app) editProfile(w http.ResponseWriter, r *http.Request) {
	v, form := visitOf(r), editProfileForm()
	form.Read(r.PostForm)
	username, about := form.Value("username"), form.Value("about_me")
	if username != v.user.Username && !a.cfg.UncheckedUsername {
		if err := a.refuseTaken(r, form, "username", usernameTaken, a.store.UsernameTaken); err != nil {
			a.fail(w, r, err)
			return
		}
	}
	if !form.Valid() {
		a.editProfilePage(w, r, form)
		return
	}
	switch err := a.store.UpdateProfile(r.Context(), v.user.ID, username, about); {
	case err == nil:
		v.session.Flash("Your changes have been saved.")
		redirect(w, r, "/edit_profile")
	case !errors.Is(err, store.ErrUsernameTaken):
		a.fail(w, r, err)
	case a.cfg.UncheckedUsername:
		panic(err) // the chapter's bug: nobody has thought of this
	default:
		form.Refuse("username", usernameTaken)
		a.editProfilePage(w, r, form)
	}
}

func (a *app) editProfilePage(w http.ResponseWriter, r *http.Request, form *forms.Form) {
	a.render(w, r, http.StatusOK, "edit_profile.html", page{Title: "Edit Profile", Form: form})
}
