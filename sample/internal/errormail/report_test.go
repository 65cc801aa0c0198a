package errormail

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"strings"
	"testing"

	"devrun/sample/internal/mailtest"
)

// What a visitor typed is in no mail, wherever the app puts it.
func TestWhatIsMailed(t *testing.T) {
	s := mailtest.Serve(t, nil)
	_, log, _ := mailing(t, realClock{}, s.Port, nil)
	log.With("form", "hunter2").WithGroup("g").With("err", "hunter2").Error("first", "request_id", "hunter2")
	log.Error("second", "password", "hunter2", "cookie", "session=hunter2", slog.Group("request", "err", "hunter2"),
		"err", errors.New("rename: duplicate key\nDetail: Key (username)=(hunter2) already exists."))
	log.Error("third", "err", errors.New(`strconv.Atoi: parsing "hunter2": invalid syntax`))
	log.Error("line\nbreak\x1b[31m", "user_id", "1\nrequest: forged", "stack", "goroutine 1 [running]:\nmain.f()\n\t/a.go:1 +0x1\nrequest: \x1b[31m\r\n")
	for _, m := range mails(t, s, 4) {
		if strings.Contains(m.Text, "hunter2") || strings.ContainsAny(m.Text, "\x1b\r") {
			t.Error(m.Text)
		}
	}
	if body := s.Got()[3].Text; !strings.HasPrefix(body, `line\nbreak\x1b[31m`+"\n") || !strings.Contains(body, `user: 1\nrequest: forged`+"\n") {
		t.Error(body)
	}
}

// A record costs the request that logs it so much.
func BenchmarkHandle(b *testing.B) {
	m, err := New(Config{Server: "127.0.0.1", Port: 1, Admins: []string{"ann@example.com"}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close(context.Background())
	log, stack := slog.New(m.Handler()), string(debug.Stack())
	for i := 0; b.Loop(); i++ {
		log.Error("Exception on /edit_profile [POST]", "request_id", i, "user_id", 1, "stack", stack,
			"err", errors.New(`update user: ERROR: duplicate key value violates unique constraint "ix_user_username" (SQLSTATE 23505)`))
	}
}

func TestFingerprint(t *testing.T) {
	stack := func(line string) string {
		return "goroutine 7 [running]:\nruntime/debug.Stack()\n\t/usr/local/go/src/runtime/debug/stack.go:26 +0x5e\nmain.recovered({0x1, 0x2})\n\t/app/errors.go:30 +0x1\n" +
			"panic({0x7, 0x8})\n\t/usr/local/go/src/runtime/panic.go:787 +0x132\nruntime.panicmem(...)\n\t/usr/local/go/src/runtime/panic.go:262\n" +
			"main.(*app).index(0xc00001)\n\t/app/handlers.go:" + line + " +0x1d\nmain.main()\n\t/app/main.go:9 +0x1\n"
	}
	if got := site(stack("15"), "/app/errors.go:31"); got != "/app/handlers.go:15" {
		t.Errorf("site %s", got)
	}
	for logged, want := range map[string]string{"": "/app/errors.go:30", "/app/errors.go:31": "/app/handlers.go:15"} {
		if got := site(strings.Replace(stack("15"), "panic({", "main.(*app).fail({", 1), logged); got != want {
			t.Errorf("without a panic, logged at %q: site %s", logged, got)
		}
	}
	if got := site(string(debug.Stack()), ""); !strings.Contains(got, "/errormail/report_test.go:") {
		t.Errorf("site %s", got)
	}
	a := report{message: "Exception on /user/a [GET]", err: "index out of range [5] with length 3", stack: stack("15")}
	for name, c := range map[string]struct {
		b    report
		same bool
	}{
		"another request and other numbers": {report{message: "Exception on / [POST]", err: "index out of range [7] with length 0", stack: stack("15"), requestID: "x"}, true},
		"another line":                      {report{message: a.message, err: a.err, stack: stack("16")}, false},
		"another error":                     {report{message: a.message, err: "nil map", stack: a.stack}, false},
	} {
		if same := a.fingerprint() == c.b.fingerprint(); same != c.same {
			t.Errorf("%s: %s and %s", name, a.fingerprint(), c.b.fingerprint())
		}
	}
}

// What is kept of an error, and mailed, has a size.
func TestHugeError(t *testing.T) {
	s := mailtest.Serve(t, nil)
	_, log, _ := mailing(t, realClock{}, s.Port, nil)
	huge := strings.Repeat("word ", 1<<20)
	log.Error(huge, "err", errors.New(huge), "stack", huge, "request_id", huge)
	if m := mails(t, s, 1)[0]; len(m.Text) > maxStack+4*maxText {
		t.Errorf("%d bytes", len(m.Text))
	}
}
