package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Processes that start at once on an empty database share the work.
func TestMigrationsAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, db database) {
		const n = 6
		all := make([]*server, n)
		for i := range all {
			all[i] = &server{t: t, dir: t.TempDir(), db: db, command: []string{binary}}
			all[i].launch(nil)
		}
		for _, s := range all {
			s.settle()
		}
		if got := db.count(t, `SELECT COUNT(*) FROM schema_version`); got != 3 {
			t.Errorf("%d migrations were noted", got)
		}
		all[0].as(t, "susan")
		if a := newVisitor(t, all[n-1].url).post("/login", "username", "susan", "password", "cat"); !a.to("/index") {
			t.Errorf("through another process: %v", a)
		}
		// A database that is ahead is left alone.
		if _, err := db.open(t).Exec(`INSERT INTO schema_version (version) VALUES (99)`); err != nil {
			t.Fatal(err)
		}
		if out, code := once(t, []string{"APP_ENV=development", "DATABASE_URL=" + db.url}); code != 1 || !strings.Contains(out, "it is at version 99 and this microblog knows 3: run the newer one") {
			t.Errorf("exit status %d\n%s", code, out)
		}
	})
}

// The file of SQLite is where the address says, whatever its name is like.
func TestSQLiteFile(t *testing.T) {
	t.Parallel()
	for address, file := range map[string]string{"": "app.db", "sqlite:///one.db": "one.db", "sqlite:///odd %41?#&name.db": "odd %41?#&name.db"} {
		s := start(t, database{name: "sqlite", url: address})
		s.as(t, "susan")
		if fi, err := os.Stat(filepath.Join(s.dir, file)); err != nil || fi.Size() == 0 {
			entries, _ := os.ReadDir(s.dir)
			t.Errorf("%q: %v; there are %v", address, err, entries)
		}
	}
}

// What cannot start says in one sentence why.
func TestRefusesToStart(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		env  []string
		want string
	}{
		{nil, "SECRET_KEY is not set; production needs one to sign its cookies, for example the output of: openssl rand -hex 32"},
		{[]string{"APP_ENV=staging"}, `the mode is "staging"; APP_ENV can be production or development`},
		{[]string{"SECRET_KEY=x", "LOG_LEVEL=loud"}, `LOG_LEVEL is "loud"; it can be DEBUG, INFO, WARN or ERROR`},
		{[]string{"SECRET_KEY=x", "MICROBLOG_BUG=all"}, `MICROBLOG_BUG is "all"; the one bug there is to bring back is username`},
		{[]string{"SECRET_KEY=x", "MICROBLOG_BUG=username", "HOST=0.0.0.0"}, "MICROBLOG_BUG is set and HOST is 0.0.0.0; with the bug, production is only for 127.0.0.1"},
		{[]string{"MAIL_SERVER=127.0.0.1", "ADMINS=ann@example.com", "MAIL_PORT=abc"}, `MAIL_PORT is "abc"; it is a number from 1 to 65535`},
		{[]string{"MAIL_SERVER=127.0.0.1"}, "MAIL_SERVER is set and ADMINS is not: name who gets the mails"},
		{[]string{"SECRET_KEY=x", "DATABASE_URL=mysql://root:geheim@host/x"}, "DATABASE_URL is neither sqlite:///file.db nor postgres://user:password@host/database"},
		{[]string{"SECRET_KEY=x", "DATABASE_URL=sqlite:////no/such/directory/app.db"}, "/no/such/directory/app.db: unable to open database file"},
		{[]string{"SECRET_KEY=x", "DATABASE_URL=postgres://u:geheim@127.0.0.1:1/x"}, "open the PostgreSQL database: failed to connect to"},
		{[]string{"SECRET_KEY=x", "PORT=99999"}, "invalid port; HOST and PORT say where to listen"},
	} {
		out, code := once(t, c.env)
		if code != 1 || !strings.Contains(out, c.want) || strings.Contains(out, "geheim") || strings.Count(out, "\n") > 3 {
			t.Errorf("%v: exit status %d\n%s", c.env, code, out)
		}
	}
}

// The tutorial's users are one command away, in development.
func TestSeed(t *testing.T) {
	t.Parallel()
	db := onSQLite(t)
	if out, code := once(t, []string{"APP_ENV=development", "DATABASE_URL=" + db.url}, "seed"); code != 0 {
		t.Fatalf("exit status %d\n%s", code, out)
	}
	v := newVisitor(t, start(t, db).url)
	v.signIn("susan")
	if a := v.get("/index"); !a.shows("<b>Beautiful day in Portland!</b>", "<b>The Avengers movie was so cool!</b>") {
		t.Error(a)
	}
	out, code := once(t, []string{"SECRET_KEY=x", "DATABASE_URL=" + db.url}, "seed")
	if code != 1 || !strings.Contains(out, "seed makes users whose password everybody knows; it wants APP_ENV=development") {
		t.Errorf("in production: exit status %d\n%s", code, out)
	}
}

// once runs microblog to its end.
func once(t *testing.T, env []string, args ...string) (string, int) {
	t.Helper()
	c := exec.Command(binary, args...)
	c.Dir, c.Env = t.TempDir(), append(cleanEnv(), env...)
	out, err := c.CombinedOutput()
	if c.ProcessState == nil {
		t.Fatal(err)
	}
	return string(out), c.ProcessState.ExitCode()
}
