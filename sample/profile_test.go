package main

import (
	"fmt"
	"html"
	"net/url"
	"strings"
	"sync"
	"testing"

	"devrun/devserver/suite"
)

// A profile has its user's posts, and only the own one can be edited.
func TestProfile(t *testing.T) {
	everywhere(t, func(t *testing.T, db database) {
		s := start(t, db)
		susan := s.as(t, "susan")
		s.as(t, "john")
		for _, body := range []string{"Test post #1", "Test post #2"} {
			if a := susan.post("/posts", "post", body); !a.to("/index") {
				t.Fatal(a)
			}
		}
		a := susan.get("/user/susan")
		if a.StatusCode != 200 || strings.Count(a.body, "avatar/f3fc30174d7fd74ab6ca3c36d198fcb9?d=identicon&amp;s=36") != 2 ||
			!a.shows("<h1>User: susan</h1>", "avatar/f3fc30174d7fd74ab6ca3c36d198fcb9?d=identicon&amp;s=128", "says:<br><b>Test post #1</b>", "says:<br><b>Test post #2</b>",
				"Edit your profile", "Last seen on: 20", "<title>Welcome to Microblog</title>") {
			t.Errorf("/user/susan: %v", a)
		}
		if a := susan.get("/user/john"); a.StatusCode != 200 || !a.shows("<h1>User: john</h1>", "avatar/d4c74594d841139328695756648b6bd6?d") || a.shows("Edit your profile") {
			t.Errorf("/user/john: %v", a)
		}
		if a := susan.get("/user/Susan"); a.StatusCode != 404 {
			t.Errorf("/user/Susan: %v", a)
		}
	})
}

// Every request is a sign of its user, and of nobody else.
func TestLastSeen(t *testing.T) {
	onOne(t, func(t *testing.T, db database) {
		s := start(t, db, "MICROBLOG_BUG=username")
		susan, _ := s.as(t, "susan"), s.as(t, "john")
		for _, visit := range []struct {
			what string
			do   func() answer
			want int
		}{
			{"GET /nope", func() answer { return susan.get("/nope") }, 404},
			{"HEAD /index", func() answer { return susan.do("HEAD", "/index", "") }, 200},
			{"a stylesheet", func() answer { return susan.get("/static/app.css") }, 200},
			{"PUT /login", func() answer { return susan.do("PUT", "/login", "") }, 405},
			{"a POST that fails", func() answer { return susan.post("/edit_profile", "username", "john") }, 500},
		} {
			before, others := db.lastSeen(t, "susan"), db.lastSeen(t, "john")
			if a := visit.do(); a.StatusCode != visit.want {
				t.Errorf("%s: %v", visit.what, a)
			}
			if after := db.lastSeen(t, "susan"); !after.After(before) {
				t.Errorf("%s: last seen %v, before it %v", visit.what, after, before)
			}
			if after := db.lastSeen(t, "john"); !after.Equal(others) {
				t.Errorf("%s: somebody else was seen", visit.what)
			}
		}
	})
}

// A name that is taken changes nothing, and says so.
func TestEditProfile(t *testing.T) {
	onBoth(t, func(t *testing.T, db database) {
		s := start(t, db, "LOG_LEVEL=DEBUG")
		susan, _ := s.as(t, "susan"), s.as(t, "john")
		if a := susan.get("/edit_profile"); a.StatusCode != 200 || !a.shows("<h1>Edit Profile</h1>", `value="susan"`, `maxlength="140"`) {
			t.Errorf("the form: %v", a)
		}
		a := susan.post("/edit_profile", "username", "john", "about_me", "mine")
		if a.StatusCode != 200 || !a.shows(problem("Please use a different username."), `value="john"`, "mine</textarea>", `href="/user/susan"`) {
			t.Errorf("a taken name: %v", a)
		}
		if n := db.count(t, `SELECT COUNT(*) FROM "user" WHERE username = 'susan' AND about_me IS NULL`); n != 1 {
			t.Error("the refused form changed something")
		}
		// Two for each registration and one for the taken name. What is logged comes
		// here some time after the answer.
		const questions, change = 5, `UPDATE \"user\" SET username`
		logged := func(what string, n int) {
			t.Helper()
			suite.Until(t, what, func() error {
				if now := strings.Count(s.log.String(), what); now != n {
					return fmt.Errorf("%q is logged %d times, not %d", what, now, n)
				}
				return nil
			})
		}
		logged("SELECT EXISTS", questions)
		if a := susan.post("/edit_profile", "username", "susan", "about_me", "new"); !a.to("/edit_profile") {
			t.Errorf("the same name: %v", a)
		}
		logged(change, 1)
		logged("SELECT EXISTS", questions)
		if a := susan.get("/edit_profile"); !a.shows("<li>Your changes have been saved.</li>", "\nnew</textarea>") {
			t.Errorf("after it: %v", a)
		}
		if a := susan.post("/edit_profile", "username", "sue", "about_me", "new"); !a.to("/edit_profile") {
			t.Errorf("another name: %v", a)
		}
		if a := susan.get("/user/susan"); a.StatusCode != 404 {
			t.Errorf("/user/susan: %v", a)
		}
		if a := susan.get("/user/sue"); a.StatusCode != 200 || !a.shows("<h1>User: sue</h1>", `<p class="about">new</p>`) {
			t.Errorf("/user/sue: %v", a)
		}
		if a := susan.post("/edit_profile", "username", " "); a.StatusCode != 200 || !a.shows(problem("This field is required.")) {
			t.Errorf("no name: %v", a)
		}
	})
}

// Of twenty who want one name at once, one has it. The check before the change lets
// several through, and the database decides.
func TestRace(t *testing.T) {
	const n = 20
	everywhere(t, func(t *testing.T, db database) {
		s := start(t, db)
		all := make([]*visitor, n)
		for i := range all {
			all[i] = s.as(t, fmt.Sprintf("user%d", i))
		}
		race := func(what, form, done string, try func(i int) (answer, error)) {
			t.Helper()
			var won, refused int
			for _, a := range together(t, n, try) {
				switch {
				case a.to(done):
					won++
				case a.StatusCode == 200 && a.shows(problem("Please use a different username."), form):
					refused++
				default:
					t.Errorf("%s: %v", what, a)
				}
			}
			if won != 1 || refused != n-1 {
				t.Errorf("%s: %d successes and %d refusals", what, won, refused)
			}
		}
		race("rename", "<h1>Edit Profile</h1>", "/edit_profile", func(i int) (answer, error) {
			return all[i].try("POST", "/edit_profile", form("username", "same", "about_me", "mine"))
		})
		if got := db.count(t, `SELECT COUNT(*) FROM "user" WHERE username = 'same'`); got != 1 {
			t.Errorf("%d users are called same", got)
		}
		race("register", "<h1>Register</h1>", "/login", func(i int) (answer, error) {
			return newVisitor(t, s.url).try("POST", "/register", form("username", "new", "email", fmt.Sprintf("new%d@example.com", i), "password", "cat", "password2", "cat"))
		})
		if got := db.count(t, `SELECT COUNT(*) FROM "user" WHERE username = 'new'`); got != 1 {
			t.Errorf("%d users are called new", got)
		}
		if strings.Contains(s.log.String(), " ERROR: ") {
			t.Error("a race was logged as an error")
		}
	})
}

// together tries something n times at once.
func together(t *testing.T, n int, try func(i int) (answer, error)) []answer {
	t.Helper()
	answers, errs := make([]answer, n), make([]error, n)
	begin := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-begin
			answers[i], errs[i] = try(i)
		})
	}
	close(begin)
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	return answers
}

// A name in any script is shown as it is and has a page, and one that no address can
// have is refused.
func TestNames(t *testing.T) {
	everywhere(t, func(t *testing.T, db database) {
		s := start(t, db)
		for i, name := range []string{"jürgen ✓ Ω", strings.Repeat("é", 64), "מִיכָאֵל", "👩🏽‍🚀", " lead", "a?b#c%d+e&f", "2026-01-02", `<img src=x onerror=y>`} {
			v := newVisitor(t, s.url)
			v.register(name, fmt.Sprintf("user%d@example.com", i))
			v.signIn(name)
			path := "/user/" + url.PathEscape(name)
			a := v.get(path)
			if a.StatusCode != 200 || !strings.Contains(html.UnescapeString(a.body), "<h1>User: "+name+"</h1>") || a.shows("<img src=x") {
				t.Errorf("%q: %v", name, a)
			}
			if home := v.get("/index"); !strings.Contains(html.UnescapeString(home.body), `<a href="`+path+`">Profile</a>`) {
				t.Errorf("%q: no link to %s in %v", name, path, home)
			}
		}
		v := newVisitor(t, s.url)
		for _, name := range []string{".", "..", "a/b", "a\x00b", "a\nb", "a\x7fb", "a\xffb", strings.Repeat("x", 65)} {
			if a := v.tryRegister(name, "x@example.com"); a.StatusCode != 200 || strings.Count(a.body, `class="error"`) != 1 {
				t.Errorf("register %q: %v", name, a)
			}
			if a := v.post("/login", "username", name, "password", "cat"); a.StatusCode != 200 && !a.to("/login") {
				t.Errorf("log in as %q: %v", name, a)
			}
		}
		if a := v.tryRegister("x", strings.Repeat("x", 121-len("@example.com"))+"@example.com"); a.StatusCode != 200 || !a.shows(problem("Field must be between 1 and 120 characters long.")) {
			t.Errorf("a long email address: %v", a)
		}
		v.register("x", "é@exämple.com")
	})
}

func TestAboutMe(t *testing.T) {
	everywhere(t, func(t *testing.T, db database) {
		v := start(t, db).as(t, "susan")
		save := func(about string) answer { return v.post("/edit_profile", "username", "susan", "about_me", about) }
		for _, about := range []string{"<script>alert(1)</script>\"'&", strings.Repeat("😀", 140), "\r\nleading line", "a\r\nb"} {
			if a := save(about); !a.to("/edit_profile") {
				t.Errorf("%q: %v", about, a)
			}
			if a := v.get("/user/susan"); a.shows("<script>") || !strings.Contains(html.UnescapeString(a.body), `<p class="about">`+about+"</p>") {
				t.Errorf("%q on the profile: %v", about, a)
			}
			if a := v.get("/edit_profile"); a.shows("<script>") || !strings.Contains(html.UnescapeString(a.body), ">\n"+about+"</textarea>") {
				t.Errorf("%q in the form: %v", about, a)
			}
		}
		for _, about := range []string{strings.Repeat("😀", 141), strings.Repeat("\r\n", 71)} {
			if a := save(about); a.StatusCode != 200 || !a.shows(problem("Field must be between 0 and 140 characters long.")) {
				t.Errorf("%q: %v", about, a)
			}
		}
	})
}
