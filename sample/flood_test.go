package main

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"devrun/devserver/suite"
	"devrun/sample/internal/mailtest"
)

// floodOf is how many errors a flood has.
func floodOf() int {
	if suite.IsLong() {
		return 1000
	}
	return 200
}

// A mail server that says nothing costs a visitor nothing: two microblogs, one
// with such a server and one without mail, fail in turns and answer equally fast.
// The log has every failure.
func TestFloodAndSilentMailServer(t *testing.T) {
	onOne(t, func(t *testing.T, db database) {
		flood := floodOf()
		silent := start(t, db, mailTo(mailtest.Silent(t))...)
		none := start(t, another(t, db), "MICROBLOG_BUG=username")
		failSilent, failNone := silent.failing(t), none.failing(t)
		var withServer, without []time.Duration
		timed := func(fail func(), took *[]time.Duration) {
			began := time.Now()
			fail()
			*took = append(*took, time.Since(began))
		}
		for i := range flood {
			if i%2 == 0 {
				timed(failSilent, &withServer)
				timed(failNone, &without)
			} else {
				timed(failNone, &without)
				timed(failSilent, &withServer)
			}
		}
		slices.Sort(withServer)
		slices.Sort(without)
		a, b, slowest := withServer[flood/2], without[flood/2], withServer[flood-1]
		t.Logf("median of %d responses is %v with a silent mail server and %v without mail; the slowest with it took %v", flood, a, b, slowest)
		if a > 2*b || slowest > 5*time.Second { // a mail that is waited for takes that long
			t.Errorf("the median is %v with a silent mail server and %v without mail; the slowest took %v", a, b, slowest)
		}
		for _, s := range []*server{silent, none} {
			s.stop(s.cmd, s.done) // all that it wrote is here now
			ids := map[string]bool{}
			for _, m := range regexp.MustCompile(`(?m)^.* ERROR: Exception on /edit_profile \[POST\] request_id=(\w+) .*\]$`).FindAllStringSubmatch(s.log.String(), -1) {
				ids[m[1]] = true
			}
			if len(ids) != flood {
				t.Errorf("the log has %d of %d errors", len(ids), flood)
			}
			// The files have the newest of them, whole and without a gap.
			if log := s.logged(); !strings.HasSuffix(s.log.String(), log) || len(log) < logBackups*logBytes/2 {
				t.Errorf("the %d bytes of the log files are not the end of what went to standard error", len(log))
			}
		}
	})
}

// A thousand times the same error is one mail and a digest. Another one is mailed
// meanwhile.
func TestFloodIsOneMailAndADigest(t *testing.T) {
	onOne(t, func(t *testing.T, db database) {
		flood := floodOf()
		m := mailtest.Serve(t, nil)
		s := start(t, db, mailTo(m.Port)...)
		fail := s.failing(t)
		for i := range flood {
			if i == flood/2 {
				if _, err := db.open(t).Exec(`ALTER TABLE post RENAME TO elsewhere`); err != nil {
					t.Fatal(err)
				}
				susan := newVisitor(t, s.url)
				susan.signIn("susan")
				if a := susan.get("/index"); a.StatusCode != 500 {
					t.Errorf("%v", a)
				}
				received(t, m, 2)
			}
			fail()
		}
		if got := m.Got(); len(got) != 2 || !strings.HasPrefix(got[0].Text, "Exception on /edit_profile [POST]\n") || !strings.HasPrefix(got[1].Text, "Exception on /index [GET]\n") {
			t.Errorf("%d mails, %v", len(got), got)
		}
		s.stop(s.cmd, s.done)
		got := m.Got()
		if len(got) != 3 || !strings.Contains(got[2].Text, fmt.Sprintf("\nand %d more since ", flood-1)) || !strings.HasPrefix(got[2].Text, "Exception on /edit_profile [POST]\n") {
			t.Errorf("%d mails, the last: %v", len(got), got[len(got)-1])
		}
	})
}

// serveAt is a mail server at a port that was free.
func serveAt(t *testing.T, port int) *mailtest.Server {
	t.Helper()
	ln, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", port))
	if err != nil {
		t.Fatal(err)
	}
	return mailtest.ServeOn(t, ln, nil)
}

// A mail server that is not there is one line of the log. When it is back, so are
// the mails.
func TestLongMailServerComesBack(t *testing.T) {
	suite.Long(t)
	onOne(t, func(t *testing.T, db database) {
		port := suite.FreePort(t)
		s := start(t, db, mailTo(port)...)
		fail := s.failing(t)
		fail()
		trouble := `(?m)^.* WARNING: an error could not be mailed reason=".*connection refused" \[in .*\]$`
		suite.Until(t, "the trouble is logged", func() error { return matches(s.log.String(), trouble) })
		for range 20 {
			fail()
		}
		m := serveAt(t, port)
		received(t, m, 1)
		suite.Until(t, "the end of the trouble is logged", func() error { return matches(s.log.String(), ` INFO: errors are mailed again `) })
		if n := len(regexp.MustCompile(trouble).FindAllString(s.log.String(), -1)); n != 1 {
			t.Errorf("the trouble is logged %d times", n)
		}
		s.stop(s.cmd, s.done)
		if got := m.Got(); len(got) != 2 || !strings.Contains(got[1].Text, "\nand 20 more since ") {
			t.Errorf("%d mails, %v", len(got), got)
		}
	})
}

// More different errors than wait for a mail server are counted, and do not pile
// up. Of those that wait, no more than thirty are mailed in an hour.
func TestLongMoreErrorsThanMails(t *testing.T) {
	suite.Long(t)
	onOne(t, func(t *testing.T, db database) {
		const waiting, hourly, kinds = 32, 30, 60
		port := suite.FreePort(t)
		s := start(t, db, mailTo(port)...)
		susan := s.as(t, "susan")
		// The database says what a post says: any number of different errors.
		objection := `CREATE TRIGGER objection BEFORE INSERT ON post BEGIN SELECT RAISE(ABORT, NEW.body); END`
		if db.name == "postgres" {
			objection = `CREATE FUNCTION objection() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '%', NEW.body; END $$;
			CREATE TRIGGER objection BEFORE INSERT ON post FOR EACH ROW EXECUTE FUNCTION objection()`
		}
		if _, err := db.open(t).Exec(objection); err != nil {
			t.Fatal(err)
		}
		fail := func(i int) {
			t.Helper()
			if a := susan.post("/posts", "post", strings.Repeat("x", 1+i)); a.StatusCode != 500 {
				t.Fatalf("%v", a)
			}
		}
		for range 2 {
			for i := range kinds {
				fail(i)
			}
		}
		dropped := func() (n int) {
			for _, m := range regexp.MustCompile(` WARNING: errors were not mailed: .* count=(\d+) `).FindAllStringSubmatch(s.log.String(), -1) {
				count, err := strconv.Atoi(m[1])
				if err != nil {
					t.Fatal(err)
				}
				n += count
			}
			return n
		}
		suite.Until(t, "what is not mailed is counted", func() error {
			if n := dropped(); n < kinds-waiting-1 {
				return fmt.Errorf("%d", n)
			}
			return nil
		})
		m := serveAt(t, port)
		received(t, m, hourly)
		s.stop(s.cmd, s.done)
		if got := m.Got(); len(got) != hourly {
			t.Errorf("%d mails", len(got))
		}
	})
}
