package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"devrun/devserver/suite"
	"devrun/sample/internal/store"
)

// Both ways of running have the same page for what is not there.
func TestNotFound(t *testing.T) {
	onOne(t, func(t *testing.T, db database) {
		for _, env := range []string{"development", "production"} {
			s := start(t, db, "APP_ENV="+env)
			anonymous := newVisitor(t, s.url)
			signedIn := s.as(t, env)
			check := func(v *visitor, method, path string) {
				t.Helper()
				a := v.do(method, path, "")
				if a.StatusCode != 404 || a.Header.Get("Content-Type") != "text/html; charset=utf-8" ||
					method != "HEAD" && !a.shows("<h1>Not Found</h1>", `<a href="/index">Back</a>`) || method == "HEAD" && a.body != "" {
					t.Errorf("%s: %s %s: %v", env, method, path, a)
				}
			}
			for _, path := range []string{"/nope", "/index/", "/user/", "/static/x.css", "/static/", "/user/a/b"} {
				check(anonymous, "GET", path)
				check(signedIn, "GET", path)
			}
			for _, path := range []string{"/user/nobody", "/user/%ff", "/user/%00", "/user/a%2Fb", "/user/susan/"} {
				check(signedIn, "GET", path)
			}
			check(anonymous, "POST", "/nope")
			check(anonymous, "PUT", "/nope")
			check(anonymous, "HEAD", "/nope")
			if log := s.log.String(); strings.Contains(log, " ERROR: ") || strings.Contains(log, "panic") {
				t.Errorf("%s: a page that is not there was logged", env)
			}
		}
	})
}

func TestMethods(t *testing.T) {
	everywhere(t, testMethods)
}

func testMethods(t *testing.T, db database) {
	s := start(t, db)
	v := newVisitor(t, s.url)
	for _, c := range []struct{ method, path, allow string }{
		{"PUT", "/login", "GET, HEAD, OPTIONS, POST"},
		{"DELETE", "/login", "GET, HEAD, OPTIONS, POST"},
		{"BREW", "/login", "GET, HEAD, OPTIONS, POST"},
		{"POST", "/", "GET, HEAD, OPTIONS"},
		{"POST", "/user/susan", "GET, HEAD, OPTIONS"},
		{"GET", "/posts", "OPTIONS, POST"},
	} {
		a := v.do(c.method, c.path, "")
		if a.StatusCode != 405 || a.Header.Get("Allow") != c.allow || !a.shows("<h1>Method Not Allowed</h1>") || len(a.body) != 153 {
			t.Errorf("%s %s: %v, Allow %q", c.method, c.path, a, a.Header.Get("Allow"))
		}
		a = v.do("OPTIONS", c.path, "")
		if a.StatusCode != 200 || a.body != "" || a.Header.Get("Allow") != c.allow {
			t.Errorf("OPTIONS %s: %v, Allow %q", c.path, a, a.Header.Get("Allow"))
		}
	}
	head, get := v.do("HEAD", "/login", ""), v.get("/login")
	if head.StatusCode != 200 || head.body != "" || head.ContentLength != int64(len(get.body)) {
		t.Errorf("HEAD /login: %v, Content-Length %d, the page has %d bytes", head, head.ContentLength, len(get.body))
	}
	if strings.Contains(s.log.String(), " ERROR: ") {
		t.Error("a wrong method was logged as an error")
	}
}

// A failure of the database is a page that tells the visitor nothing of it, and one
// record in the log. With the chapter's bug, a taken name is such a failure.
func TestServerError(t *testing.T) {
	onBoth(t, func(t *testing.T, db database) {
		s := start(t, db, "MICROBLOG_BUG=username")
		susan, _ := s.as(t, "susan"), s.as(t, "john")
		fail := func() {
			t.Helper()
			a := susan.post("/edit_profile", "username", "john", "about_me", "secret text")
			if a.StatusCode != 500 || !a.shows("<h1>An unexpected error has occurred</h1>", "The administrator has been notified. Sorry for the inconvenience!",
				`<a href="/index">Back</a>`, `href="/user/susan"`, a.Header.Get("X-Request-Id")) {
				t.Errorf("the failure: %v", a)
			}
			for _, inside := range []string{"UNIQUE", "duplicate key", "constraint", "goroutine", ".go", "secret text"} {
				if a.shows(inside) {
					t.Errorf("the visitor is told of %q: %v", inside, a)
				}
			}
		}
		fail()
		record := regexp.MustCompile(`(?m)^.* ERROR: Exception on /edit_profile \[POST\] request_id=[A-Z2-7]{26} err="the username is taken: .*(UNIQUE constraint failed: user.username|ix_user_username).*" user_id=\d+ \[in .+/errors\.go:\d+\]\n(  .*\n)*  main\.\(\*app\)\.editProfile\(.*\n  \t.*/profile\.go:\d+ `)
		var log string
		suite.Until(t, "the failure is logged", func() error {
			log = s.log.String()
			if n := len(record.FindAllString(log, -1)); n != 1 {
				return fmt.Errorf("%d records match %v", n, record)
			}
			return nil
		})
		for _, private := range []string{"secret text", "argon2id", "session=", "john"} {
			if strings.Contains(log, private) {
				t.Errorf("the log has %q", private)
			}
		}
		if a := susan.get("/user/susan"); a.StatusCode != 200 || !a.shows("<h1>User: susan</h1>") || a.shows("secret text") {
			t.Errorf("after the failure: %v", a)
		}
		open := s.connections()
		for range 99 {
			fail()
		}
		for range 50 {
			if a := susan.get("/index"); a.StatusCode != 200 {
				t.Fatalf("after the failures: %v", a)
			}
		}
		if now := s.connections(); now > open+1 { // the pool may have opened one more
			t.Errorf("%d connections after 100 failures, %d after one", now, open)
		}
	})
}

// connections counts what the server has open of its database.
func (s *server) connections() int {
	s.t.Helper()
	if s.db.name == "postgres" {
		return s.db.count(s.t, `SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
	}
	fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", s.cmd.Process.Pid)) // none where there is no /proc
	if err != nil {
		s.t.Fatal(err)
	}
	n := 0
	for _, fd := range fds {
		if to, err := os.Readlink(fd); err == nil && strings.HasSuffix(to, ".db") {
			n++
		}
	}
	return n
}

// A failure that is none of the app's own, as of a table that is gone, has the page
// of an error, which asks no database.
func TestDatabaseBroken(t *testing.T) {
	onOne(t, func(t *testing.T, db database) {
		s := start(t, db)
		susan := s.as(t, "susan")
		side := db.open(t)
		if _, err := side.Exec(`ALTER TABLE post RENAME TO elsewhere`); err != nil {
			t.Fatal(err)
		}
		if a := susan.get("/index"); a.StatusCode != 500 || !a.shows("An unexpected error has occurred", `href="/user/susan"`) {
			t.Errorf("without posts: %v", a)
		}
		// Now not even the visitor can be looked up: the page asks no database.
		if _, err := side.Exec(`ALTER TABLE "user" RENAME TO nobody`); err != nil {
			t.Fatal(err)
		}
		if a := susan.get("/index"); a.StatusCode != 500 || !a.shows("An unexpected error has occurred", `href="/login"`) {
			t.Errorf("without users: %v", a)
		}
		for _, undo := range []string{`ALTER TABLE nobody RENAME TO "user"`, `ALTER TABLE elsewhere RENAME TO post`} {
			if _, err := side.Exec(undo); err != nil {
				t.Fatal(err)
			}
		}
		if a := susan.get("/index"); a.StatusCode != 200 {
			t.Errorf("mended: %v", a)
		}
	})
}

// When half of an answer is out, the rest is not an error page: the connection
// is cut, so that nobody takes the half for all.
func TestHalfAnAnswer(t *testing.T) {
	t.Parallel()
	db, err := store.Open(t.Context(), onSQLite(t).url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	a, err := newApp(config{Env: "production", Secret: []byte("for the test")}, db)
	if err != nil {
		t.Fatal(err)
	}
	a.mux.HandleFunc("GET /half", func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte("half"))
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		panic("the other half")
	})
	a.mux.HandleFunc("GET /none", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/css")
		panic("nothing yet")
	})
	srv := httptest.NewServer(a)
	defer srv.Close()
	v := newVisitor(t, srv.URL)
	if half, err := v.try("GET", "/half", ""); !errors.Is(err, io.ErrUnexpectedEOF) || half.body != "half" {
		t.Errorf("%v, %v", half, err)
	}
	if none := v.get("/none"); none.StatusCode != 500 || !none.shows("An unexpected error has occurred") || none.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("%v", none)
	}
}

// A failure in development is not caught: it is for what watches the app.
func TestDevelopmentPanics(t *testing.T) {
	onOne(t, func(t *testing.T, db database) {
		s := start(t, db, "APP_ENV=development", "MICROBLOG_BUG=username")
		susan, _ := s.as(t, "susan"), s.as(t, "john")
		if a, err := susan.try("POST", "/edit_profile", form("username", "john")); err == nil {
			t.Errorf("an answer: %v", a)
		}
		suite.Until(t, "net/http tells of the panic", func() error {
			if log := s.log.String(); !strings.Contains(log, "http: panic serving") || !strings.Contains(log, "(*app).editProfile") {
				return fmt.Errorf("it printed\n%s", log)
			}
			return nil
		})
		if a := susan.get("/user/susan"); a.StatusCode != 200 {
			t.Errorf("after it: %v", a)
		}
		if entries, err := os.ReadDir(s.dir); err != nil || len(entries) != 0 {
			t.Errorf("development left %v, %v", entries, err)
		}
	})
}

// A form of another site changes nothing, and one that is too large or cannot be read
// is refused.
func TestForms(t *testing.T) {
	everywhere(t, func(t *testing.T, db database) {
		s := start(t, db)
		susan := s.as(t, "susan")
		for _, header := range [][2]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "http://evil.test"}} {
			if a := susan.do("POST", "/edit_profile", form("username", "sue"), header[0], header[1]); a.StatusCode != http.StatusForbidden {
				t.Errorf("%v: %v", header, a)
			}
		}
		if a := susan.do("POST", "/edit_profile", form("username", "susan", "about_me", "x"), "Sec-Fetch-Site", "same-origin", "Origin", s.url); !a.to("/edit_profile") {
			t.Errorf("from our own page: %v", a)
		}
		if n := db.count(t, `SELECT COUNT(*) FROM "user" WHERE username = 'susan'`); n != 1 {
			t.Error("a form of another site changed something")
		}
		for _, path := range []string{"/edit_profile", "/login", "/nope"} {
			if a := susan.begin("POST", path, 32<<20, form("username", "x", "password", strings.Repeat("x", maxForm))); a.StatusCode != http.StatusRequestEntityTooLarge {
				t.Errorf("the beginning of 32 MB to %s: %v", path, a)
			}
		}
		if a := susan.post("/login", "username", "x", "password", strings.Repeat("x", maxForm)); a.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("a little too much: %v", a)
		}
		if a := susan.do("POST", "/edit_profile", "username=%zz"); a.StatusCode != http.StatusBadRequest {
			t.Errorf("a form that cannot be read: %v", a)
		}
	})
}
