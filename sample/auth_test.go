package main

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// Who is not logged in is asked to, with one message, and with the page to go on to.
func TestLoginRequired(t *testing.T) {
	everywhere(t, func(t *testing.T, db database) {
		s := start(t, db)
		v := newVisitor(t, s.url)
		for path, next := range map[string]string{
			"/": "%2F", "/index": "%2Findex", "/edit_profile": "%2Fedit_profile", "/user/bob?x=1": "%2Fuser%2Fbob%3Fx%3D1",
		} {
			v = newVisitor(t, s.url)
			if a := v.get(path); !a.to("/login?next=" + next) {
				t.Errorf("GET %s: %v", path, a)
			}
		}
		const flash = "Please log in to access this page."
		if a := v.get("/login"); strings.Count(a.body, flash) != 1 {
			t.Errorf("not one message: %v", a)
		}
		if a := v.get("/login"); a.shows(flash) {
			t.Error("the message was shown again")
		}
	})
}

// A form that is filled in wrong says what is wrong with each field, and no password
// comes back.
func TestRegister(t *testing.T) {
	everywhere(t, func(t *testing.T, db database) {
		v := newVisitor(t, start(t, db).url)
		v.register("susan", "susan@example.com")
		if a := v.get("/login"); !a.shows("<li>Congratulations, you are now a registered user!</li>", "<title>Sign In - Microblog</title>", `New User? <a href="/register">Click to Register!</a>`) {
			t.Errorf("after registering: %v", a)
		}
		if a := v.tryRegister("susan", "susan@example.com"); a.StatusCode != 200 || !a.shows(problem("Please use a different username."), problem("Please use a different email address.")) {
			t.Errorf("twice: %v", a)
		}
		if n := db.count(t, `SELECT COUNT(*) FROM "user"`); n != 1 {
			t.Errorf("%d users", n)
		}
		if a := v.post("/register"); a.StatusCode != 200 || strings.Count(a.body, "[This field is required.]") != 4 {
			t.Errorf("all blank: %v", a)
		}
		a := v.post("/register", "username", "   ", "email", "bad", "password", "secret-a", "password2", "secret-b")
		if a.StatusCode != 200 || strings.Count(a.body, `class="error"`) != 3 ||
			!a.shows(problem("This field is required."), problem("Invalid email address."), problem("Field must be equal to password."), `value="   "`, `value="bad"`) {
			t.Errorf("all wrong: %v", a)
		}
		if a.shows("secret-") {
			t.Errorf("a password came back: %v", a)
		}
		// As the original has it: names and addresses differ by case.
		v.register("Susan", "Susan@example.com")
	})
}

// A wrong password and an unknown user look the same and take as long.
func TestLogin(t *testing.T) {
	everywhere(t, func(t *testing.T, db database) {
		s := start(t, db)
		v := newVisitor(t, s.url)
		v.register("susan", "susan@example.com")
		took := map[string][]time.Duration{}
		for range 5 {
			for _, name := range []string{"susan", "nobody", "Susan"} {
				began := time.Now()
				a := v.post("/login?next=%2Findex", "username", name, "password", "dog")
				took[name] = append(took[name], time.Since(began))
				if !a.to("/login") {
					t.Errorf("%s: %v", name, a)
				}
				if a := v.get("/login"); strings.Count(a.body, "<li>Invalid username or password</li>") != 1 {
					t.Errorf("%s: %v", name, a)
				}
			}
		}
		// Least of five: the work itself, without the machine's other work.
		if known, unknown := slices.Min(took["susan"]), slices.Min(took["nobody"]); unknown*10 < known || known*10 < unknown {
			t.Errorf("a wrong password took %v, an unknown user %v", known, unknown)
		}
		if a := v.post("/login", "username", " <b> ", "password", "  "); a.StatusCode != 200 ||
			strings.Count(a.body, problem("This field is required.")) != 1 || !a.shows(`value=" &lt;b&gt; "`, "novalidate") {
			t.Errorf("blank password: %v", a)
		}
		v.signIn("susan")
		for _, path := range []string{"/", "/index"} {
			if a := v.get(path); a.StatusCode != 200 || !a.shows("<h1>Hi, susan!</h1>", "<title>Home - Microblog</title>", `<a href="/user/susan">Profile</a>`) {
				t.Errorf("GET %s: %v", path, a)
			}
		}
		for _, path := range []string{"/login", "/register"} {
			if a := v.get(path); !a.to("/index") {
				t.Errorf("%s for somebody who has signed in: %v", path, a)
			}
		}
	})
}

func TestNext(t *testing.T) {
	for in, want := range map[string]string{
		"/user/susan": "/user/susan", "/index?x=1#y": "/index?x=1#y",
		"": "/index", "evil": "/index", "//evil.test": "/index", "http://evil.test/": "/index", "///evil.test": "/index",
		`/\evil.test`: "/index", `\\evil.test`: "/index", "javascript:alert(1)": "/index", "/\r\nX: 1": "/index", "/\tx": "/index", "/%zz": "/index",
	} {
		if got := next(in); got != want {
			t.Errorf("next(%q) = %q, want %q", in, got, want)
		}
	}
}

// A login goes on to the page that was asked for, as far as it is one of the app's
// own.
func TestLoginGoesOn(t *testing.T) {
	everywhere(t, func(t *testing.T, db database) {
		s := start(t, db)
		newVisitor(t, s.url).register("susan", "susan@example.com")
		for next, want := range map[string]string{
			"/user/susan": "/user/susan", "//evil.test": "/index", `/\evil.test`: "/index", "javascript:alert(1)": "/index", "/\r\nX: 1": "/index",
		} {
			a := newVisitor(t, s.url).post("/login?next="+url.QueryEscape(next), "username", "susan", "password", "cat")
			if !a.to(want) || a.Header.Get("X") != "" {
				t.Errorf("next=%q: %v %v", next, a, a.Header)
			}
		}
	})
}

// Who is to be remembered is for a year, and who is not until the browser ends.
func TestRememberMe(t *testing.T) {
	everywhere(t, func(t *testing.T, db database) {
		s := start(t, db)
		newVisitor(t, s.url).register("susan", "susan@example.com")
		login := func(remember string) []*http.Cookie {
			a := newVisitor(t, s.url).post("/login", "username", "susan", "password", "cat", "remember_me", remember)
			if !a.to("/index") {
				t.Fatal(a)
			}
			return a.Cookies()
		}
		for _, off := range []string{"", "false", "False"} {
			for _, c := range login(off) {
				if !c.HttpOnly || c.MaxAge != 0 || !c.Expires.IsZero() {
					t.Errorf("remember_me=%q: %v", off, c)
				}
			}
		}
		cookies := login("y")
		i := slices.IndexFunc(cookies, func(c *http.Cookie) bool { return c.Name == "remember_token" })
		if i < 0 {
			t.Fatalf("no remember cookie in %v", cookies)
		}
		token := cookies[i]
		if left := time.Until(token.Expires); !token.HttpOnly || left < 364*24*time.Hour || left > 366*24*time.Hour {
			t.Errorf("remember cookie: %v", token)
		}
		index := func(value string) answer {
			return newVisitor(t, s.url).do("GET", "/index", "", "Cookie", "remember_token="+value)
		}
		if a := index(token.Value); a.StatusCode != 200 || !a.shows("Hi, susan!") {
			t.Errorf("with the remember cookie alone: %v", a)
		}
		forged := []string{"x", token.Value + "x", "x" + token.Value, strings.Replace(token.Value, ".", "A.", 1), token.Value[:len(token.Value)-1]}
		for _, value := range forged {
			if a := index(value); !a.to("/login?next=%2Findex") {
				t.Errorf("forged cookie %q: %v", value, a)
			}
		}
	})
}

// After a logout nothing is left of the login.
func TestLogout(t *testing.T) {
	everywhere(t, func(t *testing.T, db database) {
		s := start(t, db)
		v := newVisitor(t, s.url)
		if a := v.get("/logout"); !a.to("/index") {
			t.Errorf("anonymous: %v", a)
		}
		v.register("susan", "susan@example.com")
		for _, method := range []string{"GET", "HEAD"} {
			if a := v.post("/login", "username", "susan", "password", "cat", "remember_me", "y"); !a.to("/index") {
				t.Fatal(a)
			}
			a := v.do(method, "/logout", "")
			if !a.to("/index") || !strings.Contains(strings.Join(a.Header["Set-Cookie"], "\n"), "remember_token=; Path=/; Max-Age=0") {
				t.Errorf("%s /logout: %v %v", method, a, a.Header)
			}
			if a := v.do("HEAD", "/index", ""); !a.to("/login?next=%2Findex") {
				t.Errorf("after %s /logout: %v", method, a)
			}
		}
	})
}

// A session outlives the process, for the cookies are all there is of it.
func TestSessionOutlivesRestart(t *testing.T) {
	onOne(t, func(t *testing.T, db database) {
		before := start(t, db)
		v := before.as(t, "susan")
		after := start(t, db)
		u, err := url.Parse(before.url)
		if err != nil {
			t.Fatal(err)
		}
		other := newVisitor(t, after.url)
		for _, c := range v.client.Jar.Cookies(u) {
			if a := other.do("GET", "/index", "", "Cookie", c.String()); a.StatusCode != 200 {
				t.Errorf("in the new process: %v", a)
			}
		}
		stranger := start(t, db, "SECRET_KEY=another")
		for _, c := range v.client.Jar.Cookies(u) {
			if a := newVisitor(t, stranger.url).do("GET", "/index", "", "Cookie", c.String()); !a.to("/login?next=%2Findex") {
				t.Errorf("with another SECRET_KEY: %v", a)
			}
		}
		if _, err := db.open(t).Exec(`DELETE FROM "user"`); err != nil {
			t.Fatal(err)
		}
		if a := v.get("/index"); !a.to("/login?next=%2Findex") {
			t.Errorf("without an account: %v", a)
		}
	})
}
