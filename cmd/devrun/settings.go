package main

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"devrun/devserver"
)

// Settings are what devrun was told, from whichever source.
type Settings struct {
	Mode    Mode
	Dir     string // absolute
	Package string // "" when none was named
	Args    []string

	Addr, Host             string
	Grace, Poll            time.Duration
	Tags, LDFlags, GCFlags string
	Race                   bool
	SMTP                   bool
	Console                string
	Park                   devserver.Park
	Pages                  string
	Editor                 string
	Force                  bool
	NoColor, Verbose       bool
}

// Mode is whether the app is run for its developer or for its users.
type Mode string

// The modes.
const (
	Development Mode = "development"
	Production  Mode = "production"
)

// setting is one row of the table that flags, help, .env.example and the table
// in README.md are made from.
type setting struct {
	flag  string // "" when there is none
	short string // one letter, or ""
	env   string // "" when there is none
	arg   string // what stands for the value in the help; "" for a switch
	value string // the default
	means string // one sentence for all places

	// The names of before are accepted, and in no help; "" when there are none.
	oldFlag, oldEnv string

	// set puts a value into its field. Its error says what is wrong with the
	// value; the name and the value are said before it.
	set func(*Settings, string) error
}

// variables are the names of its environment variable, the present one first.
func (s setting) variables() []string {
	if s.oldEnv == "" {
		return []string{s.env}
	}
	return []string{s.env, s.oldEnv}
}

// minPoll keeps polling from being a busy loop.
const minPoll = 10 * time.Millisecond

// settings is the table, in the order of the help.
var settings = []setting{
	{env: "APP_ENV", arg: "mode", value: string(Production),
		means: "development watches, rebuilds and reloads; production builds and becomes the app; FLASK_ENV counts if APP_ENV is not set",
		set:   func(s *Settings, v string) error { s.Mode = Mode(v); return nil }},
	{flag: "dir", short: "C", arg: "directory", value: ".",
		means: "the app's directory: where it runs and has its .env files",
		set:   func(s *Settings, v string) error { s.Dir = v; return nil }},
	{flag: "addr", env: "DEVRUN_ADDR", arg: "host:port",
		means: "public address instead of the one the app asks for, as in localhost:8081 or :8081",
		set:   setAddr},
	{flag: "host", env: "DEVRUN_HOST", arg: "host", value: "localhost",
		means: "public host; 0.0.0.0 lets the whole network in",
		set:   setHost},
	{flag: "grace", env: "DEVRUN_GRACE", arg: "time", value: "3s",
		means: "how long the app may take to stop before it is killed",
		set:   func(s *Settings, v string) error { return setDuration(&s.Grace, v, 0) }},
	{flag: "poll", env: "DEVRUN_POLL", arg: "time", value: "0",
		means: "look for saves at this interval; 0 uses file-system events, and polls only where there are none",
		set:   func(s *Settings, v string) error { return setDuration(&s.Poll, v, minPoll) }},
	{flag: "tags", env: "DEVRUN_TAGS", arg: "list",
		means: "build tags, as for go build",
		set:   func(s *Settings, v string) error { s.Tags = v; return nil }},
	{flag: "ldflags", env: "DEVRUN_LDFLAGS", arg: "flags",
		means: "linker flags, as for go build",
		set:   func(s *Settings, v string) error { s.LDFlags = v; return nil }},
	{flag: "gcflags", env: "DEVRUN_GCFLAGS", arg: "flags",
		means: "compiler flags, as for go build",
		set:   func(s *Settings, v string) error { s.GCFlags = v; return nil }},
	{flag: "race", env: "DEVRUN_RACE", value: "false",
		means: "build with the race detector",
		set:   func(s *Settings, v string) error { return setBool(&s.Race, v) }},
	{flag: "smtp", env: "DEVRUN_SMTP", value: "false",
		means: "take the mail that the app sends and show it; MAIL_SERVER and MAIL_PORT are set for the app where they are not",
		set:   func(s *Settings, v string) error { return setBool(&s.SMTP, v) }},
	{flag: "console", env: "DEVRUN_CONSOLE", arg: "when", value: ConsoleAuto,
		means: "the console, which evaluates Go where a request failed: auto (only with a terminal), on, off",
		set:   setConsole},
	{flag: "park", env: "DEVRUN_PARK", arg: "number[,5xx]", value: "10",
		oldFlag: "hold", oldEnv: "DEVRUN_HOLD",
		means: "how many panicked requests stay parked for the console, the newest ones; add ,5xx to park 5xx answers too",
		set:   setPark},
	{flag: "pages", env: "DEVRUN_PAGES", arg: "when", value: PagesOn,
		means: "devrun's page in the browser when a request failed: on, off (the app's answer, whoever asks); failed builds and crashes have theirs anyway",
		set:   setPages},
	{flag: "editor", env: "DEVRUN_EDITOR", arg: "name", value: "vscode",
		means: "editor that links to source open: " + editorNames() + ", or an address with {file}, {line} and {column}",
		set:   setEditor},
	{flag: "force", env: "DEVRUN_FORCE", value: "false",
		means: "development even though this process looks deployed",
		set:   func(s *Settings, v string) error { return setBool(&s.Force, v) }},
	{flag: "no-color", env: noColor,
		means: "no colour and no links, even on a terminal",
		set:   func(s *Settings, v string) error { return setBool(&s.NoColor, v) }},
	{flag: "verbose", short: "v", env: "DEVRUN_VERBOSE", value: "false",
		means: "say how a save was built or why it was ignored, and where its time went",
		set:   func(s *Settings, v string) error { return setBool(&s.Verbose, v) }},
}

// When the console of a failure can be used.
const (
	ConsoleAuto = "auto"
	ConsoleOn   = "on"
	ConsoleOff  = "off"
)

// Whether a failed request is answered with a page on the app's address.
const (
	PagesOn  = "on"
	PagesOff = "off"
)

// noColor is a convention among programs: it counts whatever its value is, if
// it has one.
const noColor = "NO_COLOR"

// source gives a setting's value, and where it is from, if it has one.
type source func(setting) (value, from string, ok bool)

// resolve takes each setting from the first source that has it, else its
// default. It goes on after an error, so that what is right counts, and returns
// the first one.
func resolve(sources ...source) (Settings, error) {
	var s Settings
	var first error
	for _, row := range settings {
		value, from := row.value, ""
		for _, src := range sources {
			if v, f, ok := src(row); ok {
				value, from = v, f
				break
			}
		}
		if from == "" && value == "" {
			continue
		}
		if err := row.set(&s, value); err != nil && first == nil {
			first = usagef("", "%s is %q; %w", from, value, err)
		}
	}
	if host, _, err := net.SplitHostPort(s.Addr); err == nil && host != "" && s.Host != "localhost" && s.Host != host && first == nil {
		first = usagef("leave one of them out", "--addr names the host %s and --host names %s", host, s.Host)
	}
	return s, first
}

func setAddr(s *Settings, v string) error {
	_, port, err := net.SplitHostPort(v)
	if err != nil {
		return fmt.Errorf("it must be host:port, as in localhost:8081 or :8081")
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("the port must be a number from 0 to 65535")
	}
	s.Addr = v
	return nil
}

func setHost(s *Settings, v string) error {
	if net.ParseIP(v) == nil && (v == "" || strings.ContainsAny(v, ":/[] ")) {
		return fmt.Errorf("it must be a name or an IP address without a port, as in 0.0.0.0")
	}
	s.Host = v
	return nil
}

func setConsole(s *Settings, v string) error {
	if v != ConsoleAuto && v != ConsoleOn && v != ConsoleOff {
		return fmt.Errorf("it must be auto, on or off")
	}
	s.Console = v
	return nil
}

func setPages(s *Settings, v string) error {
	if v != PagesOn && v != PagesOff {
		return fmt.Errorf("it must be on or off")
	}
	s.Pages = v
	return nil
}

// mostParked bounds the memory that parked requests keep from being freed.
const mostParked = 1000

func setPark(s *Settings, v string) error {
	number, statuses := strings.CutSuffix(v, ",5xx")
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 || n > mostParked {
		return fmt.Errorf("it must be a number from 0 to %d, optionally followed by ,5xx", mostParked)
	}
	s.Park = devserver.Park{Requests: n, Statuses: statuses}
	return nil
}

func setDuration(to *time.Duration, v string, least time.Duration) error {
	d, err := time.ParseDuration(v)
	switch {
	case err != nil:
		return fmt.Errorf("it must be a duration, as in 3s or 500ms")
	case d < 0:
		return fmt.Errorf("it cannot be negative")
	case d > 0 && d < least:
		return fmt.Errorf("it must be 0 or at least %v", least)
	}
	*to = d
	return nil
}

func setBool(to *bool, v string) error {
	b, err := strconv.ParseBool(v)
	if err != nil {
		return fmt.Errorf("it must be true or false")
	}
	*to = b
	return nil
}

// usageError is a mistake in how devrun was called or set: exit status 2.
type usageError struct {
	err  error
	hint string // what to do about it, or ""
}

// usagef returns a usageError with a hint, which may be "".
func usagef(hint, format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...), hint}
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// Hint is what the user can do.
func (e *usageError) Hint() string { return e.hint }

// ExitStatus is devrun's own for this kind of error.
func (e *usageError) ExitStatus() int { return exitUsage }

// nearest returns the name that takes the fewest edits to become.
func nearest(name string, names []string) string {
	best, fewest := "", len(name)+1
	for _, n := range names {
		if d := edits(name, n); d < fewest {
			best, fewest = n, d
		}
	}
	return best
}

// edits is the number of letters to insert, remove or replace to make b of a.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
