//go:build linux

package main

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"devrun/devserver/suite"
)

// devrun is the runner beside microblog. It is built when a test needs it.
var devrun = sync.OnceValues(func() (string, error) {
	path := filepath.Join(filepath.Dir(binary), "devrun")
	return path, goBuild(path, "../cmd/devrun")
})

// newDevrun is a microblog to be run under devrun.
func newDevrun(t *testing.T, db database) *server {
	t.Helper()
	runner, err := devrun()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return &server{t: t, dir: dir, db: db, command: []string{runner}}
}

// startDevrun is start under devrun, in development.
func startDevrun(t *testing.T, db database, env ...string) *server {
	t.Helper()
	s := newDevrun(t, db)
	s.run(append(env, "APP_ENV=development"))
	return s
}

// shared are the microblogs under devrun that tests have one after the other, on
// each database one.
var shared = map[string]*struct {
	sync.Mutex
	server *server
}{"sqlite": {}, "postgres": {}}

// underDevrun is an empty database with a microblog under devrun on it, until the
// test ends.
func underDevrun(t *testing.T, name string) database {
	t.Helper()
	one := shared[name]
	one.Lock()
	t.Cleanup(one.Unlock)
	if one.server == nil {
		db := database{name: name, url: "sqlite:///" + filepath.Join(filepath.Dir(binary), "shared.db")}
		if name == "postgres" {
			db = onPostgres(t)
		}
		s := newDevrun(t, db)
		s.begin([]string{"APP_ENV=development"})
		one.server = s
		s.settle()
	}
	db := one.server.db
	db.shared = one.server
	for _, table := range []string{"post", `"user"`} {
		if _, err := db.open(t).Exec("DELETE FROM " + table); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

func stopDevruns() {
	for _, one := range shared {
		if one.server != nil {
			interrupt(one.server.cmd.Process)
			<-one.server.done // devrun ends what does not end by itself
		}
	}
}

// The chapter's failure in development has devrun's page, with the database's words
// and the line of the app, and nothing of production happens.
func TestLongFailureUnderDevrun(t *testing.T) {
	suite.Long(t)
	onOne(t, func(t *testing.T, db database) {
		s := startDevrun(t, db, "MICROBLOG_BUG=username")
		susan, _ := s.as(t, "susan"), s.as(t, "john")
		a := susan.do("POST", "/edit_profile", form("username", "john"), "Accept", "text/html")
		words := "UNIQUE constraint failed: user.username"
		if db.name == "postgres" {
			words = "duplicate key value violates unique constraint"
		}
		if a.StatusCode != 500 || !a.shows(words, "profile.go") || a.shows("The administrator has been notified") {
			t.Errorf("the page: %v", a)
		}
		suite.Until(t, "devrun tells of the line", func() error {
			return matches(s.log.String(), `\(\*app\)\.editProfile +profile\.go:\d+`)
		})
		if a := susan.get("/user/susan"); a.StatusCode != 200 || !a.shows("<h1>User: susan</h1>") {
			t.Errorf("after the failure: %v", a)
		}
		if a := susan.get("/nope"); a.StatusCode != 404 || !a.shows("<h1>Not Found</h1>") {
			t.Errorf("what is not there: %v", a)
		}
		if _, err := os.Stat("logs"); !os.IsNotExist(err) {
			t.Errorf("development made logs: %v", err)
		}
	})
}
