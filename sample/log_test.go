package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// record is the first line of a log record; those below it are indented.
var record = regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (DEBUG|INFO|WARNING|ERROR|CRITICAL): .* \[in .+:\d+\]$`)

// logged is the text of the log file and of its backups, oldest first. Each of
// them is as it has to be.
func (s *server) logged() string {
	s.t.Helper()
	entries, err := os.ReadDir(filepath.Join(s.dir, "logs"))
	if err != nil {
		s.t.Fatal(err)
	}
	var all strings.Builder
	for i := len(entries) - 1; i >= 0; i-- {
		path := filepath.Join(s.dir, logPath)
		if i > 0 {
			path += "." + strconv.Itoa(i)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			s.t.Fatalf("%v; there are %v", err, entries)
		}
		if len(text) >= logBytes || len(text) == 0 || len(entries) > 1+logBackups {
			s.t.Errorf("%s has %d bytes, one of %d files", path, len(text), len(entries))
		}
		if !record.MatchString(strings.SplitN(string(text), "\n", 2)[0]) {
			s.t.Errorf("%s begins within a record", path)
		}
		all.Write(text)
	}
	for line := range strings.Lines(all.String()) {
		if line := strings.TrimSuffix(line, "\n"); !record.MatchString(line) && !strings.HasPrefix(line, "  ") {
			s.t.Errorf("no line of a log: %q", line)
		}
	}
	return all.String()
}

// The log of production goes on from start to start. It has what went wrong, and
// nothing of what is not there, of methods, and of visitors.
func TestLog(t *testing.T) {
	onOne(t, func(t *testing.T, db database) {
		s := &server{t: t, dir: t.TempDir(), db: db, command: []string{binary}}
		var printed strings.Builder
		for i := range 3 {
			s.run([]string{"MICROBLOG_BUG=username"})
			v := newVisitor(t, s.url)
			for _, name := range []string{"john", "susan"} {
				if i == 0 {
					v.register(name, name+"@example.com")
				}
			}
			v.signIn("susan")
			v.get("/nope")
			v.do("PUT", "/login", "")
			if a := v.post("/edit_profile", "username", "john", "about_me", "secret text"); a.StatusCode != 500 {
				t.Errorf("%v", a)
			}
			s.stop(s.cmd, s.done)
			printed.WriteString(s.log.String())
		}
		log := s.logged()
		if log != printed.String() {
			t.Errorf("the log file has\n%s\nstandard error\n%s", log, &printed)
		}
		for _, c := range []struct {
			pattern string
			want    int
		}{
			{`(?m)^\S+ \S+ INFO: Microblog startup \[in .+/main\.go:\d+\]$`, 3},
			{`(?m) ERROR: Exception on /edit_profile \[POST\] .* \[in .+/errors\.go:\d+\]$`, 3},
			{`(?m)^\S+ \S+ (ERROR|CRITICAL): `, 3},
			{`(?m)^  main\.\(\*app\)\.editProfile\(`, 3},
			{`/nope|PUT`, 0},
			{`secret text|argon2|session=|john|cat\b|@example`, 0},
		} {
			if n := len(regexp.MustCompile(c.pattern).FindAllString(log, -1)); n != c.want {
				t.Errorf("%s is there %d times, not %d:\n%s", c.pattern, n, c.want, log)
			}
		}
	})
}

// Without a place for the log file, microblog works and says so.
func TestUnwritableLog(t *testing.T) {
	t.Parallel()
	for what, obstruct := range map[string]func(dir string) error{
		"logs is a file":              func(dir string) error { return os.WriteFile(filepath.Join(dir, "logs"), nil, 0o600) },
		"the log file is a directory": func(dir string) error { return os.MkdirAll(filepath.Join(dir, logPath), 0o700) },
		"logs goes where nothing is":  func(dir string) error { return os.Symlink("/no/such/directory", filepath.Join(dir, "logs")) },
	} {
		s := &server{t: t, dir: t.TempDir(), db: onSQLite(t), command: []string{binary}}
		if err := obstruct(s.dir); err != nil {
			t.Fatal(err)
		}
		s.run(nil)
		if err := matches(s.log.String(), `(?m)^.* WARNING: the log goes to standard error only; make the directory writable and start again err="log file: .*logs.*" \[in `); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if err := matches(s.log.String(), ` INFO: Microblog startup `); err != nil || strings.Contains(s.log.String(), "goroutine") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
