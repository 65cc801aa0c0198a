package main

import (
	"fmt"
	"strings"
	"testing"
)

func TestPosts(t *testing.T) {
	everywhere(t, func(t *testing.T, db database) {
		s := start(t, db)
		john, susan := s.as(t, "john"), s.as(t, "susan")
		if a := john.get("/index"); !a.shows("Nobody has said anything here yet.") {
			t.Errorf("empty: %v", a)
		}
		if a := john.post("/posts", "post", "Beautiful day in Portland!"); !a.to("/index") {
			t.Fatal(a)
		}
		for i := range perPage {
			if a := susan.post("/posts", "post", fmt.Sprintf("post <%d>", i)); !a.to("/index") {
				t.Fatal(a)
			}
		}
		a := susan.get("/index")
		if strings.Count(a.body, "<article") != perPage || a.shows("Portland") || a.shows("Newer posts") ||
			!a.shows(`<a href="/index?page=2" rel="next">Older posts</a>`, "<li>Your post is now live!</li>", "post &lt;0&gt;") ||
			strings.Index(a.body, "post &lt;1&gt;") < strings.Index(a.body, "post &lt;2&gt;") {
			t.Errorf("the first page: %v", a)
		}
		a = susan.get("/index?page=2")
		if strings.Count(a.body, "<article") != 1 || a.shows("Older posts") ||
			!a.shows(`<a href="/index?page=1" rel="prev">Newer posts</a>`, `<a href="/user/john">john</a> says:<br><b>Beautiful day in Portland!</b>`) {
			t.Errorf("the second page: %v", a)
		}
		for _, page := range []string{"0", "-1", "x", "99999999999999999999", "9223372036854775807"} {
			if a := susan.get("/index?page=" + page); a.StatusCode != 200 || strings.Count(a.body, "<article") != perPage {
				t.Errorf("page=%s: %v", page, a)
			}
		}
		if a := susan.get("/user/john"); strings.Count(a.body, "<article") != 1 || a.shows("post &lt;") {
			t.Errorf("john's: %v", a)
		}
		for text, want := range map[string]string{
			" ": "This field is required.", strings.Repeat("x", 141): "Field must be between 1 and 140 characters long.", "a\x00b": "Field contains characters that are not text.",
		} {
			if a := susan.post("/posts", "post", text); a.StatusCode != 200 || !a.shows(problem(want), "<h1>Hi, susan!</h1>") {
				t.Errorf("%.20q: %v", text, a)
			}
		}
		if n := db.count(t, `SELECT COUNT(*) FROM post`); n != perPage+1 {
			t.Errorf("%d posts", n)
		}
		if a := newVisitor(t, s.url).post("/posts", "post", "anonymous"); !a.to("/login?next=%2Fposts") {
			t.Errorf("anonymous: %v", a)
		}
	})
}
