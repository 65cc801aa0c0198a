//go:build linux || darwin

package term

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"devrun/devserver/internal/fault"
)

type hinted struct{ error }

func (hinted) Hint() string { return "pid 3120 (microblog) has it; stop it, or use --addr :8081" }

var crash = fault.Crash{
	Exit: fault.Exit{Code: 2, Ran: 3*time.Minute + 12*time.Second},
	Trace: fault.Trace{Goroutines: []fault.Goroutine{{
		ID: 51,
		Frames: []fault.Frame{
			{Func: "runtime.throw", File: "/usr/local/go/src/runtime/panic.go", Line: 1},
			{Func: "github.com/x/y.Do", File: "/app/vendor/github.com/x/y/y.go", Line: 2},
			{Func: "main.(*Stats).Hit", File: "/app/stats.go", Line: 33},
			{Func: "main.main", File: "/app/main.go", Line: 9},
		},
		CreatedBy: &fault.Frame{Func: "main.(*App).count", File: "/app/web/middleware.go", Line: 52},
	}}},
}

// The words and looks of every line. want has the looks as words; without them
// it is what a file gets.
var lines = []struct {
	name string
	do   func(*Terminal)
	want string
}{
	{"building", func(t *Terminal) { t.Building("./cmd/microblog") },
		"<dim>devrun:</> building ./cmd/microblog"},
	{"built", func(t *Terminal) { t.Built(1920 * time.Millisecond) },
		"<dim>devrun:</> built in <bold>1.92s</>"},
	{"serving", func(t *Terminal) { t.Serving("http://localhost:8080", 4187) },
		"<dim>devrun:</> <green bold>serving</> <line>http://localhost:8080</> <dim>(pid 4187)</>"},
	{"serving a Unix socket", func(t *Terminal) { t.ServingSocket("unix", "run/\x1b.sock", 4187) },
		"<dim>devrun:</> <green bold>serving</> unix run/^[.sock <dim>(pid 4187)</>"},
	{"mail", func(t *Terminal) { t.MailKept("localhost:8025") },
		"<dim>devrun:</> <dim>mail to localhost:8025 is kept, not sent</>"},
	{"a new mail", func(t *Terminal) { t.NewMail(1, "Welcome", "http://127.0.0.1:1/mail/a") },
		"<dim>devrun:</> <bold>1 new mail</>: Welcome, <line>http://127.0.0.1:1/mail/a</>"},
	{"a new mail that would clear the screen", func(t *Terminal) { t.NewMail(1, "\x1b[2J\n"+strings.Repeat("ü", 60), "u") },
		"<dim>devrun:</> <bold>1 new mail</>: ^[[2J^J" + strings.Repeat("ü", 26) + "…, <line>u</>"},
	{"new mails", func(t *Terminal) { t.NewMail(57, "", "u") },
		"<dim>devrun:</> <bold>57 new mails</>, <line>u</>"},
	{"one file", func(t *Terminal) { t.Saved([]string{"handlers.go"}, Rebuild) },
		"<dim>devrun:</> <bold>handlers.go</> saved"},
	{"two files", func(t *Terminal) { t.Saved([]string{"handlers.go", "store.go"}, Rebuild) },
		"<dim>devrun:</> <bold>handlers.go</> and <bold>store.go</> saved"},
	{"twelve files", func(t *Terminal) { t.Saved(append([]string{"handlers.go"}, make([]string, 11)...), Rebuild) },
		"<dim>devrun:</> <bold>handlers.go</> and 11 more files saved"},
	{"stylesheet", func(t *Terminal) { t.Saved([]string{"static/app.css"}, StylesheetSwapped) },
		"<dim>devrun:</> <bold>static/app.css</> saved, stylesheet swapped"},
	{"asset", func(t *Terminal) { t.Saved([]string{"static/app.js"}, PageReloaded) },
		"<dim>devrun:</> <bold>static/app.js</> saved, page reloaded"},
	{"template", func(t *Terminal) { t.Saved([]string{"templates/edit_profile.html"}, RestartOnly) },
		"<dim>devrun:</> <bold>templates/edit_profile.html</> saved, restarting without a build"},
	{"dotenv", func(t *Terminal) { t.Saved([]string{".env"}, Restart) },
		"<dim>devrun:</> <bold>.env</> saved, restarting"},
	{"no file", func(t *Terminal) { t.Saved(nil, Restart) },
		"<dim>devrun:</> restarting"},
	{"file name that would clear the screen", func(t *Terminal) { t.Saved([]string{"a\x1b[2J\n.go"}, Rebuild) },
		"<dim>devrun:</> <bold>a^[[2J^J.go</> saved"},
	{"still running", func(t *Terminal) { t.StillRunning(42, 4211) },
		"<dim>devrun:</> <dim>generation 42 is still running (pid 4211)</>"},
	{"waiting", func(t *Terminal) { t.WaitingForSave(false) },
		"<dim>devrun:</> <dim>waiting for a save</>"},
	{"waiting with key", func(t *Terminal) { t.WaitingForSave(true) },
		"<dim>devrun:</> waiting for a save, or press <bold>r</> to start again"},
	{"crashed", func(t *Terminal) { t.Crashed(crash) },
		"<dim>devrun:</> <red bold>app crashed</>, exit status 2 after 3m12s\n" +
			"  main.(*Stats).Hit  <bold line>stats.go:33</>, goroutine 51\n" +
			"  started by main.(*App).count, <bold line>web/middleware.go:52</>"},
	{"crashed without a trace", func(t *Terminal) { t.Crashed(fault.Crash{Exit: fault.Exit{Code: -1, Signal: "segmentation fault"}}) },
		"<dim>devrun:</> <red bold>app crashed</>, signal: segmentation fault after 0.00s"},
	{"exited with failure", func(t *Terminal) { t.Exited(fault.Exit{Code: 1, Ran: 520 * time.Millisecond}, nil) },
		"<dim>devrun:</> <red bold>app exited</>, status 1 after 0.52s"},
	{"exited", func(t *Terminal) { t.Exited(fault.Exit{Ran: time.Hour}, nil) },
		"<dim>devrun:</> <yellow bold>app exited</>, status 0 after 1h0m0s"},
	{"killed by the system", func(t *Terminal) { t.KilledBySystem(fault.Exit{Code: -1, Signal: "killed", MaxRSS: 3_900_000_000}) },
		"<dim>devrun:</> <red bold>app was killed</> (signal: killed), 3.9 GB in use; it may have run out of memory"},
	{"terminated by somebody", func(t *Terminal) { t.KilledBySystem(fault.Exit{Code: -1, Signal: "terminated", MaxRSS: 42_000_000}) },
		"<dim>devrun:</> <red bold>app was killed</> (signal: terminated), 42 MB in use"},
	{"does not stay", func(t *Terminal) { t.DoesNotStay() },
		"<dim>devrun:</> the app does not stay up, waiting for a save"},
	{"stopping", func(t *Terminal) { t.Stopping(false) },
		"<dim>devrun:</> <dim>stopping</>"},
	{"stopped", func(t *Terminal) { t.Stopped(120 * time.Millisecond) },
		"<dim>devrun:</> <dim>stopped after 0.12s</>"},
	{"not stopped", func(t *Terminal) { t.NotStopped(3 * time.Second) },
		"<dim>devrun:</> <yellow>the app did not stop within 3s, killing it</>"},
	{"killed", func(t *Terminal) { t.Killed() },
		"<dim>devrun:</> killed"},
	{"error", func(t *Terminal) { t.Error(errors.New("APP_ENV is \"staging\"; it must be production or development")) },
		"<red>devrun:</> APP_ENV is \"staging\"; it must be production or development"},
	{"error with hint", func(t *Terminal) {
		t.Error(fmt.Errorf("listen: %w", hinted{errors.New("address already in use")}))
	},
		"<red>devrun:</> listen: address already in use\n" +
			"<dim>devrun:</> <bold>hint:</> pid 3120 (microblog) has it; stop it, or use --addr :8081"},
	{"error of several lines", func(t *Terminal) { t.Error(errors.New("go list:\n\ta\x07\n\tb\n")) },
		"<red>devrun:</> go list:\n  a^G\n  b"},
	{"notice", func(t *Terminal) { t.Notice("no notifications on /mnt/c, looking every 300ms") },
		"<dim>devrun:</> no notifications on /mnt/c, looking every 300ms"},
	{"wide", func(t *Terminal) { t.Wide("0.0.0.0", "http://192.0.2.17:8080") },
		"<dim>devrun:</> <yellow bold>bound to 0.0.0.0, everyone on this network can reach http://192.0.2.17:8080</>"},
	{"phases", func(t *Terminal) {
		ms := time.Millisecond
		t.Phases([]Phase{{"watch", 3 * ms}, {"compile", 61 * ms}, {"link", 210 * ms}, {"stop", 4 * ms}, {"start", 19 * ms}, {"ready", 2*ms + 400_000}})
	},
		"<dim>devrun:</> <dim>watch 3 · compile 61 · link 210 · stop 4 · start 19 · ready 2 ms</>"},
	{"keys", func(t *Terminal) { t.Help() },
		"<dim>devrun:</> <bold>r</> restart    <bold>b</> build from scratch    <bold>p</> new PIN    <bold>o</> open the app    <bold>q</> quit    <bold>?</> this list"},
	{"overview", func(t *Terminal) { t.Overview("http://127.0.0.1:41873") },
		"<dim>devrun:</> overview <line>http://127.0.0.1:41873</>"},
	{"PIN", func(t *Terminal) { t.PIN("604-118-273") },
		"<dim>devrun:</> console PIN <cyan bold>604-118-273</>"},
	{"console off", func(t *Terminal) { t.ConsoleOff("stderr is not a terminal") },
		"<dim>devrun:</> <yellow>console off</>: stderr is not a terminal"},
	{"console locked", func(t *Terminal) { t.ConsoleLocked(10) },
		"<dim>devrun:</> <yellow bold>10 wrong PINs</>, the console is locked; press <bold>p</> for a new one"},
	{"panic", func(t *Terminal) {
		t.RequestFailed(panicked, "user is nil on line 87", "http://127.0.0.1:41873/failures/7c1e09")
	},
		"<dim>devrun:</> <red bold>panic</> in <bold>POST /edit_profile</>\n" +
			"  <red>runtime error: invalid memory address or nil pointer dereference</>\n" +
			"  user is nil on line 87\n\n" +
			"  <bold>(*App).editProfile</>      <bold line>handlers.go:87</>\n" +
			"  auth.requireLogin.func1 <bold line>auth/auth.go:41</>\n" +
			"  <dim>+ 1 library frame</>\n\n" +
			"<dim>devrun:</> console <line>http://127.0.0.1:41873/failures/7c1e09</> <dim>(goroutine 34 parked)</>"},
	{"panic in a process beside the first", func(t *Terminal) {
		f := panicked
		f.Calls, f.Pid, f.Beside = nil, 5092, true
		t.RequestFailed(f, "", "http://127.0.0.1:41873/failures/7c1e09")
	},
		"<dim>devrun:</> <red bold>panic</> in <bold>POST /edit_profile</>\n" +
			"  <red>runtime error: invalid memory address or nil pointer dereference</>\n" +
			"<dim>devrun:</> console <line>http://127.0.0.1:41873/failures/7c1e09</> <dim>(goroutine 34 of pid 5092 parked)</>"},
	{"panic with nothing kept", func(t *Terminal) {
		f := panicked
		f.Gone, f.Calls = "This request has finished.", nil
		t.RequestFailed(f, "", "http://127.0.0.1:41873/failures/7c1e09")
	},
		"<dim>devrun:</> <red bold>panic</> in <bold>POST /edit_profile</>\n" +
			"  <red>runtime error: invalid memory address or nil pointer dereference</>\n" +
			"<dim>devrun:</> page <line>http://127.0.0.1:41873/failures/7c1e09</>"},
	{"panic after the header", func(t *Terminal) {
		f := panicked
		f.Production.Started, f.Calls, f.Message = true, nil, "a\x07\nb"
		t.RequestFailed(f, "", "http://127.0.0.1:41873/failures/7c1e09")
	},
		"<dim>devrun:</> <red bold>panic</> in <bold>POST /edit_profile</> after the header was sent, the page is on <line>http://127.0.0.1:41873/failures/7c1e09</>\n" +
			"  <red>a^G</>\n  <red>b</>"},
	{"status", func(t *Terminal) {
		f := panicked
		f.How, f.Production.Status = fault.Status, 500
		t.RequestFailed(f, "", "")
	},
		"<dim>devrun:</> <red bold>500</> from <bold>POST /edit_profile</>, written in <bold line>handlers.go:87</>"},
	{"same panic", func(t *Terminal) {
		t.SameFailure(panicked, 2, time.Date(2026, 11, 22, 17, 41, 10, 0, time.UTC))
	},
		"<dim>devrun:</> same panic in <bold>POST /edit_profile</>, 2 times since 17:41:10"},
	{"exit called", func(t *Terminal) {
		t.Exited(fault.Exit{Code: 1, Ran: time.Second}, &fault.Frame{File: "/app/main.go", Line: 31})
	},
		"<dim>devrun:</> <red bold>app exited</>, status 1 after 1.00s: os.Exit called in <bold line>main.go:31</>"},
	{"crash of a request", func(t *Terminal) {
		c := crash
		c.Trace.Goroutines = slices.Clone(c.Trace.Goroutines)
		c.Trace.Goroutines[0].Labels = map[string]string{"devrun": "GET /user/susan #17"}
		t.Crashed(c)
	},
		"<dim>devrun:</> <red bold>app crashed</>, exit status 2 after 3m12s\n" +
			"  main.(*Stats).Hit  <bold line>stats.go:33</>, goroutine 51\n" +
			"  started by GET /user/susan, <bold line>web/middleware.go:52</>"},
	{"build failed", func(t *Terminal) { t.BuildFailed(diagnostics[:3], "") },
		"<dim>devrun:</> <red bold>build failed</>, 3 errors in 2 files\n\n" +
			"  <bold line>handlers.go:87:2</>   undefined: usre\n" +
			"  <bold line>handlers.go:97:17</>  cannot use 42 (untyped int constant) as string value in argument to a.flash\n" +
			"  <bold line>store.go:31:15</>     not enough arguments in call to f\n" +
			"                         have (int)\n" +
			"                         want (string)\n"},
	{"build failed without a message", func(t *Terminal) { t.BuildFailed(nil, "") },
		"<dim>devrun:</> <red bold>build failed</>"},
	{"error page", func(t *Terminal) { t.ErrorPage("http://localhost:8080") },
		"<dim>devrun:</> error page <line>http://localhost:8080</>"},
	{"linker error", func(t *Terminal) {
		t.BuildFailed([]fault.Diagnostic{{Message: "main.f: relocation target main.g not defined"}}, "")
	},
		"<dim>devrun:</> <red bold>build failed</>, 1 error\n\n  main.f: relocation target main.g not defined\n"},
}

var panicked = fault.Failure{
	How: fault.Panicked, Goroutine: 34, Message: "runtime error: invalid memory address or nil pointer dereference",
	Request: fault.Request{Method: "POST", URI: "/edit_profile?token=s3cr3t"},
	Calls: []fault.Call{
		{Frame: fault.Frame{Func: "main.(*App).editProfile", File: "/app/handlers.go", Line: 87}},
		{Frame: fault.Frame{Func: "example.com/x.y/auth.requireLogin.func1", File: "/app/auth/auth.go", Line: 41}},
		{Frame: fault.Frame{Func: "net/http.HandlerFunc.ServeHTTP", File: "/usr/local/go/src/net/http/server.go", Line: 2322}},
	},
}

var diagnostics = []fault.Diagnostic{
	{File: "/app/handlers.go", Rel: "handlers.go", Line: 87, Col: 2, Message: "undefined: usre"},
	{File: "/app/handlers.go", Rel: "handlers.go", Line: 97, Col: 17, Message: "cannot use 42 (untyped int constant) as string value in argument to a.flash"},
	{File: "/app/store.go", Rel: "store.go", Line: 31, Col: 15, Message: "not enough arguments in call to f\n\thave (int)\n\twant (string)"},
}

// wide leaves every line on one row.
const wide = 250

func TestLinesOnATerminal(t *testing.T) {
	for _, l := range lines {
		t.Run(l.name, func(t *testing.T) {
			s := openScreen(t, wide)
			l.do(s.terminal(Options{Verbose: true, Root: "/app"}))
			if got := tagged(s.end()); got != l.want+"\n" {
				t.Errorf("got  %q\nwant %q", got, l.want+"\n")
			}
		})
	}
}

func TestTheWordsAreTheSameWithoutColour(t *testing.T) {
	words := strings.NewReplacer("<dim>", "", "<bold>", "", "<red>", "", "<yellow>", "", "<red bold>", "", "<yellow bold>", "",
		"<green bold>", "", "<cyan bold>", "", "<line>", "", "<bold line>", "", "</>", "")
	options := Options{Verbose: true, Root: "/app"}
	where := map[string]func(t *testing.T, do func(*Terminal)) string{
		"file": func(t *testing.T, do func(*Terminal)) string { return inFile(t, options, do) },
	}
	for name, env := range map[string][]string{"NO_COLOR": {"NO_COLOR", "1"}, "dumb": {"TERM", "dumb"}, "--no-color": nil} {
		where[name] = func(t *testing.T, do func(*Terminal)) string {
			s, o := openScreen(t, wide, append(env, "TERM_PROGRAM", "WezTerm")...), options
			o.NoColor = env == nil
			do(s.terminal(o))
			return s.end()
		}
	}
	for name, run := range where {
		t.Run(name, func(t *testing.T) {
			for _, l := range lines {
				if got, want := run(t, l.do), words.Replace(l.want)+"\n"; got != want {
					t.Errorf("%s: got %q, want %q", l.name, got, want)
				}
			}
		})
	}
}

// inFile returns what a file gets that is both stdout and stderr.
func inFile(t *testing.T, o Options, do func(*Terminal)) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	o.Out, o.Err = f, f
	do(New(o))
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestPhasesAreForTheVerbose(t *testing.T) {
	if got := inFile(t, Options{}, func(t *Terminal) { t.Phases([]Phase{{"watch", 1}}) }); got != "" {
		t.Errorf("got %q", got)
	}
}

func TestDiagnosticsWrapUnderTheMessage(t *testing.T) {
	s := openScreen(t, 72)
	diags := append([]fault.Diagnostic{}, diagnostics...)
	diags = append(diags, fault.Diagnostic{Rel: strings.Repeat("deep/", 8) + "x.go", Line: 1, Message: "too far right for a column"},
		fault.Diagnostic{Rel: "ü.go", Line: 1, Col: 1, Message: strings.Repeat("界", 30)})
	s.terminal(Options{NoColor: true}).BuildFailed(diags, "")
	want := `devrun: build failed, 5 errors in 4 files

  handlers.go:87:2   undefined: usre
  handlers.go:97:17  cannot use 42 (untyped int constant) as string
                     value in argument to a.flash
  store.go:31:15     not enough arguments in call to f
                         have (int)
                         want (string)
  deep/deep/deep/deep/deep/deep/deep/deep/x.go:1
                     too far right for a column
  ü.go:1:1           界界界界界界界界界界界界界界界界界界界界界界界界界
                     界界界界界

`
	if got := s.end(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestMoreThanTenErrorsAreOnThePage(t *testing.T) {
	var many []fault.Diagnostic
	for i := range 14 {
		many = append(many, fault.Diagnostic{Rel: "a.go", Line: i + 1, Message: "bad"})
	}
	last := func(diags []fault.Diagnostic, url string) string {
		all := strings.Split(strings.TrimSpace(inFile(t, Options{}, func(t *Terminal) { t.BuildFailed(diags, url) })), "\n")
		return all[len(all)-1]
	}
	for _, c := range []struct {
		n         int
		url, want string
	}{
		{14, "http://localhost:8080", "devrun: 4 more errors, all of them are on http://localhost:8080"},
		{11, "", "devrun: 1 more error"},
		{10, "http://localhost:8080", "  a.go:10  bad"},
	} {
		if got := last(many[:c.n], c.url); got != c.want {
			t.Errorf("%d errors: got %q, want %q", c.n, got, c.want)
		}
	}
}

func TestTheBuildingLineGivesWayToTheResult(t *testing.T) {
	const built = "\x1b[1A\r\x1b[2Kdevrun: built in 0.33s\n"
	for _, c := range []struct {
		name    string
		between func(*Terminal)
		want    string
	}{
		{"still last", func(*Terminal) {}, built},
		{"the app wrote", func(t *Terminal) { fmt.Fprintln(t.App(Stdout), "hello") }, "hello\ndevrun: built in 0.33s\n"},
		{"devrun wrote", func(t *Terminal) { t.Notice("polling") }, "devrun: polling\ndevrun: built in 0.33s\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := openScreen(t, 80)
			term := s.terminal(Options{NoColor: true})
			term.Building("./cmd/microblog")
			c.between(term)
			term.Built(330 * time.Millisecond)
			if got, want := s.end(), "devrun: building ./cmd/microblog\n"+c.want; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
	t.Run("it took two rows", func(t *testing.T) {
		s := openScreen(t, 20)
		term := s.terminal(Options{NoColor: true})
		term.Building("./cmd/microblog")
		term.Built(330 * time.Millisecond)
		if got, want := s.end(), "devrun: building ./cmd/microblog\ndevrun: built in 0.33s\n"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
	t.Run("how far it is", func(t *testing.T) {
		s := openScreen(t, 80)
		term := s.terminal(Options{NoColor: true})
		term.Building(".")
		for done := range 3 {
			term.Progress(".", done, 71, done == 0)
		}
		term.Notice("polling")
		term.Progress(".", 3, 71, false)
		term.Built(330 * time.Millisecond)
		up := "\x1b[1A\r\x1b[2K"
		want := "devrun: building .\n" + up + "devrun: building ., 0 of 71 packages\n" + up + "devrun: building ., 1 of 71 packages\n" +
			up + "devrun: building ., 2 of 71 packages\ndevrun: polling\ndevrun: built in 0.33s\n"
		if got := s.end(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		got := inFile(t, Options{}, func(t *Terminal) { t.Progress(".", 5, 71, true); t.Progress(".", 6, 71, false) })
		if want := "devrun: building ., 5 of 71 packages\n"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
	t.Run("in a file both are kept", func(t *testing.T) {
		got := inFile(t, Options{}, func(t *Terminal) { t.Building("."); t.Built(330 * time.Millisecond) })
		if want := "devrun: building .\ndevrun: built in 0.33s\n"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestLinksOnlyWhereTheTerminalIsKnownToHaveThem(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		env     []string
		options Options
		want    string
	}{
		{"known", []string{"TERM_PROGRAM", "WezTerm"}, Options{}, "{file://" + host + "/app/a%20b.go}<bold line>a b.go:3:7</>{}"},
		{"to the editor", []string{"TERM", "foot"}, Options{FileURL: func(file string, line, col int) string {
			return fmt.Sprintf("vscode://file%s:%d:%d", file, line, col)
		}}, "{vscode://file/app/a b.go:3:7}<bold line>a b.go:3:7</>{}"},
		{"tmux", []string{"TERM_PROGRAM", "WezTerm", "TMUX", "/tmp/x"}, Options{}, "<bold line>a b.go:3:7</>"},
		{"unknown", nil, Options{}, "<bold line>a b.go:3:7</>"},
		{"no colour", []string{"TERM_PROGRAM", "WezTerm"}, Options{NoColor: true}, "a b.go:3:7"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := openScreen(t, wide, c.env...)
			s.terminal(c.options).BuildFailed([]fault.Diagnostic{{File: "/app/a b.go", Rel: "a b.go", Line: 3, Col: 7, Message: "bad"}}, "")
			if got := tagged(s.end()); !strings.Contains(got, "\n  "+c.want+"  bad\n") {
				t.Errorf("got %q, want %q in it", got, c.want)
			}
		})
	}
}

func TestWhichTerminalsHaveLinks(t *testing.T) {
	for env, want := range map[string]bool{
		"": false, "TERM=xterm-256color": false, "TERM=xterm-kitty": true, "TERM_PROGRAM=Apple_Terminal": false, "TERM_PROGRAM=vscode": true,
		"VTE_VERSION=4904": false, "VTE_VERSION=7600": true, "WT_SESSION=x": true, "KONSOLE_VERSION=200800": false, "KONSOLE_VERSION=220401": true,
	} {
		name, value, _ := strings.Cut(env, "=")
		got := linksSupported(func(n string) string {
			if n == name {
				return value
			}
			return ""
		})
		if got != want {
			t.Errorf("%s: %v, want %v", env, got, want)
		}
	}
}

func TestDurations(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0.00s", 330 * time.Millisecond: "0.33s", 59_994 * time.Millisecond: "59.99s",
		59_996 * time.Millisecond: "1m0s", 192 * time.Second: "3m12s", 2*time.Hour + 5*time.Second: "2h0m5s",
	} {
		if got := took(d); got != want {
			t.Errorf("took(%v) = %s, want %s", d, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		3 * time.Second: "3s", 500 * time.Millisecond: "500ms", time.Minute: "1m", 10 * time.Second: "10s", time.Hour: "1h", 90 * time.Minute: "1h30m", 0: "0s",
	} {
		if got := short(d); got != want {
			t.Errorf("short(%v) = %s, want %s", d, got, want)
		}
	}
}
