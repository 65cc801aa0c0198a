//go:build linux

package microblog

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
	"devrun/sample/pgtest"
)

// TestLongEditsUnderLoad: while somebody uses microblog and it is edited, every
// request is answered, nobody has to log in again, and every error is in a mail and
// in the log. It is in production as far as it can tell. Each start is one line of
// the log, no line of it is torn, and the mails have the errors of the moment before
// a restart, too. What microblog writes, beside its source, restarts nothing.
func TestLongEditsUnderLoad(t *testing.T) {
	suite.Long(t)
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		r := ofSample(t)
		editUnderLoad(t, r, database{
			url:    "sqlite:///app.db", // as are the logs, within what devrun watches
			driver: "sqlite",
			source: "file:" + filepath.Join(r.Dir, "app.db") + "?_busy_timeout=10000",
			object: `CREATE TRIGGER objection BEFORE INSERT ON post BEGIN SELECT RAISE(ABORT, 'an objection'); END`,
		})
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		url := onPostgres(t)
		editUnderLoad(t, ofSample(t), database{
			url:    url,
			driver: "pgx",
			source: url,
			object: `CREATE FUNCTION object() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'an objection'; END $$;
				CREATE TRIGGER objection BEFORE INSERT ON post FOR EACH ROW EXECUTE FUNCTION object()`,
		})
	})
}

// database is what the test knows of the one that microblog works on.
type database struct {
	url            string // DATABASE_URL
	driver, source string // by which the test opens it
	object         string // statements after which no post is accepted
}

// onPostgres is the address of an empty database on a server that ends with the
// test.
func onPostgres(t *testing.T) string {
	t.Helper()
	pgtest.Need(t)
	server, err := pgtest.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	url, err := server.Database()
	if err != nil {
		t.Fatal(err)
	}
	return url
}

// editUnderLoad edits a microblog.
func editUnderLoad(t *testing.T, r *e2e.Rig, on database) {
	const edits = 10
	r.Env = append(r.Env, "MICROBLOG_ENV=production", "ADMINS=ann@example.com", "MAIL_SERVER=", "MAIL_PORT=",
		"SECRET_KEY=load", "DATABASE_URL="+on.url)
	// The page of a failure takes its time on a busy machine; its request is not to
	// be cut off.
	r.Launch("--smtp", "--grace", "1m", "./sample")
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	susan := &http.Client{Jar: jar, Timeout: 2 * suite.Patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	post := func(path string, want int, fields url.Values) error {
		status, err := patiently(func() (*http.Response, error) { return susan.PostForm(r.URL(path), fields) })
		if err == nil && status != want {
			err = fmt.Errorf("POST %s: status %d", path, status)
		}
		return err
	}
	suite.Until(t, "susan is registered", func() error {
		return post("/register", http.StatusFound, url.Values{"username": {"susan"}, "email": {"susan@example.com"}, "password": {"cat"}, "password2": {"cat"}})
	})
	if err := post("/login", http.StatusFound, url.Values{"username": {"susan"}, "password": {"cat"}}); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open(on.driver, on.source)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(on.object); err != nil {
		t.Fatal(err)
	}

	// Five requests in a second, whether those before are answered or not: while the
	// app is built they wait.
	began := time.Now()
	ctx, stop := context.WithCancel(t.Context())
	var using sync.WaitGroup
	var pages, failures atomic.Int64
	look := func() {
		status, err := patiently(func() (*http.Response, error) { return susan.Get(r.URL("/index")) })
		if err != nil {
			t.Error(err)
			return
		}
		if pages.Add(1); status != http.StatusOK {
			t.Errorf("GET /index: status %d", status)
		}
	}
	fail := func() {
		if err := post("/posts", http.StatusInternalServerError, url.Values{"post": {"hello"}}); err != nil {
			t.Error(err)
			return
		}
		failures.Add(1)
	}
	using.Go(func() {
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			using.Go([]func(){look, fail}[n%2])
		}
	})
	started := func(n int) string { return fmt.Sprintf(" INFO: Microblog startup %d [in ", n) }
	printed := func() string { return r.Stdout.String() + r.Stderr.String() }
	last := `"Microblog startup"`
	edit := func(n int) {
		next := fmt.Sprintf("%q", fmt.Sprint("Microblog startup ", n))
		r.Replace("sample/main.go", last, next)
		suite.Until(t, "the edit runs", func() error {
			if !strings.Contains(printed(), started(n)) {
				return fmt.Errorf("no start says %s", next)
			}
			return nil
		})
		last = next
	}
	for n := range edits - 1 {
		edit(n)
	}
	stop()
	using.Wait()
	t.Logf("%d edits in %v, with %d pages and %d errors", edits-1, time.Since(began).Round(time.Second), pages.Load(), failures.Load())
	if pages.Load() == 0 || failures.Load() == 0 {
		t.Error("nothing was asked, or nothing failed")
	}
	edit(edits - 1) // ends the last process that has failed
	suite.Until(t, "every error is mailed", func() error {
		if n := mailedErrors(t, r); n != int(failures.Load()) {
			return fmt.Errorf("%d are, of %d", n, failures.Load())
		}
		return nil
	})
	for n := range edits {
		if got := strings.Count(printed(), started(n)); got != 1 {
			t.Errorf("edit %d started %d times", n, got)
		}
	}
	if got := strings.Count(printed(), "Microblog startup"); got != edits+1 {
		t.Errorf("%d starts for %d edits", got, edits)
	}
	whole(t, filepath.Join(r.Dir, "logs"))
}

// patiently sends a request and returns the status of the app's answer. On a busy
// machine a build takes longer than devrun holds a request; the page that says so
// asks again, and so does this.
func patiently(send func() (*http.Response, error)) (int, error) {
	for deadline := time.Now().Add(2 * suite.Patience); ; {
		resp, err := send()
		if err != nil {
			return 0, err
		}
		resp.Body.Close()
		waits := resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") != ""
		if !waits || time.Now().After(deadline) {
			return resp.StatusCode, nil
		}
	}
}

// mailedErrors counts the errors that are in the mailbox: a mail is one, or says
// how many more there were.
func mailedErrors(t *testing.T, r *e2e.Rig) (n int) {
	t.Helper()
	own := strings.TrimPrefix(r.Says(`^devrun: overview http://127\.0\.0\.1:\d+`), "devrun: overview ")
	var box struct {
		Mails []struct{ URL, Subject string }
	}
	ask(t, own+"/mail/", &box)
	for _, m := range box.Mails {
		var mail struct{ Text string }
		ask(t, own+m.URL, &mail)
		if m.Subject != "Microblog Failure" || !strings.HasPrefix(mail.Text, "Exception on /posts [POST]") {
			t.Fatalf("%s: %s", m.Subject, mail.Text)
		}
		if more := moreSince.FindStringSubmatch(mail.Text); more != nil {
			count, err := strconv.Atoi(more[1])
			if err != nil {
				t.Fatal(err)
			}
			n += count
		} else {
			n++
		}
	}
	return n
}

var moreSince = regexp.MustCompile(`(?m)^and (\d+) more since `)

// ask gets what devrun tells programs.
func ask(t *testing.T, url string, into any) {
	t.Helper()
	_, body, err := e2e.Ask("GET", url, nil, "Accept", "application/json")
	if err == nil {
		err = json.Unmarshal([]byte(body), into)
	}
	if err != nil {
		t.Fatalf("GET %s: %v: %s", url, err, body)
	}
}

// whole wants log files to consist of records.
func whole(t *testing.T, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "microblog.log*"))
	if err != nil || len(files) < 2 {
		t.Fatalf("log files: %q, %v", files, err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if len(text) >= 10_240 || !logRecord.Match(text) {
			t.Errorf("%s, of %d bytes, is not of whole records:\n%s", f, len(text), text)
		}
	}
}

var logRecord = regexp.MustCompile(`^(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]+: .+ \[in .+:\d+\]\n(?:  .*\n)*)+$`)

// ofSample is a rig with a module that has nothing but the sample, to be edited.
func ofSample(t *testing.T) *e2e.Rig {
	t.Helper()
	r := e2e.NewOf(t, "notify")
	if err := os.CopyFS(filepath.Join(r.Dir, "sample"), os.DirFS(e2e.Path(t, "sample"))); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		b, err := os.ReadFile(e2e.Path(t, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(r.Dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return r
}
