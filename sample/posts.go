package main

import (
	"net/http"
	"strconv"
	"time"

	"devrun/sample/internal/forms"
	"devrun/sample/internal/store"
)

// perPage is how many posts a page shows.
const perPage = 20

// mostPages bounds what a page's number asks of the database.
const mostPages = 1 << 20

// posts are those of one page, with the addresses of the pages beside it, ""
// where there is none.
type posts struct {
	List         []store.Post
	Newer, Older string
}

// paged makes a page of posts that were asked for with one more than it shows.
func paged(list []store.Post, number int, address string) posts {
	var p posts
	if number > 1 {
		p.Newer = address + "?page=" + strconv.Itoa(number-1)
	}
	if len(list) > perPage {
		list = list[:perPage]
		p.Older = address + "?page=" + strconv.Itoa(number+1)
	}
	p.List = list
	return p
}

// pageNumber is what the request's page says, 1 if that is none.
func pageNumber(r *http.Request) int {
	n, err := strconv.Atoi(r.URL.Query().Get("page"))
	if err != nil || n < 1 || n > mostPages {
		return 1
	}
	return n
}

func postForm() *forms.Form {
	return &forms.Form{Action: "/posts", Submit: "Post", Fields: []*forms.Field{
		{Name: "post", Label: "Say something", Type: forms.Area, MaxLength: 140, Required: true, Rules: []forms.Rule{forms.Length(1, 140)}},
	}}
}

func (a *app) index(w http.ResponseWriter, r *http.Request) {
	a.home(w, r, postForm())
}

// publish takes a post. If it cannot, the home page says why.
func (a *app) publish(w http.ResponseWriter, r *http.Request) {
	form := postForm()
	if !form.Read(r.PostForm) {
		a.home(w, r, form)
		return
	}
	v := visitOf(r)
	if err := a.store.CreatePost(r.Context(), v.user.ID, form.Value("post"), time.Now()); err != nil {
		a.fail(w, r, err)
		return
	}
	v.session.Flash("Your post is now live!")
	redirect(w, r, home)
}

func (a *app) home(w http.ResponseWriter, r *http.Request, form *forms.Form) {
	n := pageNumber(r)
	list, err := a.store.Posts(r.Context(), (n-1)*perPage, perPage+1)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	a.render(w, r, http.StatusOK, "index.html", page{Title: "Home", Form: form, Posts: paged(list, n, home)})
}
