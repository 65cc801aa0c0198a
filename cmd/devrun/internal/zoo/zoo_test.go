//go:build linux

// Package zoo runs published web apps under devrun, from their source: what nobody
// wrote with devrun in mind.
package zoo

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
)

func TestMain(m *testing.M) { e2e.Main(m) }

// app is a published app, and what is done with it.
type app struct {
	name            string
	module, version string // where its source is; none: prepare writes it
	pkg             string // the program, from the module's directory

	// prepare adds what the module lacks, and sets how the app is started.
	prepare func(v *visit)
	// ask asks the app for a path; nil is a GET. It gives the whole answer as text.
	ask func(v *visit, path string) (string, error)

	ready string            // a path that answers the same whenever the app runs
	page  string            // a path that answers with a page of HTML
	edits map[string]edit   // by behaviour
	not   map[string]string // behaviours that the app does not have, and why
}

// edit is a save, or some at once, and where it is seen.
type edit struct {
	changes []change
	path    string
	want    []string // all of them in the answer
	says    string   // a pattern of what devrun says of it
}

// change puts new in the place of old, the first in the file. Without old the file is
// a new one.
type change struct{ file, old, new string }

// behaviour is what every app is put through. Each leaves the app as it was.
type behaviour struct {
	name string
	test func(v *visit, e edit)
}

var behaviours = []behaviour{
	{"start", testStart},
	{neutral, testEdit},
	{line, testEdit},
	{embedded, testEdit},
	{added, testEdit},
	{style, testEdit},
	{config, testEdit},
	{"a broken and a mended build", testBroken},
	{panicking, testFailure},
	{failing, testFailure},
	{"two branches", testBranches},
	{"Ctrl-C", testInterrupt},
	{"production", testProduction},
}

// The behaviours that need an edit of each app.
const (
	neutral   = "an edit within a line"
	line      = "a line added where everything imports it"
	embedded  = "a template or an embedded file"
	added     = "a new embedded file"
	style     = "a stylesheet"
	config    = "the configuration"
	panicking = "a panic"
	failing   = "a 500 by the app's helper"
)

var apps = []*app{&miniflux, &pocketbase, &caddy, &prefork, &grpc, &cgo, &syncthing, &prometheus}

// Published apps behave under devrun as they do without: they start, show what is
// saved, fail with a page, follow git, and end.
func TestZoo(t *testing.T) {
	suite.Zoo(t)
	defer printTable()
	for _, a := range apps {
		t.Run(a.name, a.test)
	}
}

// visit is one app of the zoo at work.
type visit struct {
	*e2e.Rig
	app   *app
	whole *testing.T               // of all behaviours
	args  []string                 // the app's
	plain map[string]time.Duration // what an edit takes with go build and a start
	first string                   // what the app answers without devrun
	took  time.Duration            // from the save to the answer, of the last behaviour
}

func (a *app) test(t *testing.T) {
	v := &visit{Rig: e2e.NewOf(t, "notify", download(t, a)...), app: a, whole: t, plain: map[string]time.Duration{}}
	a.prepare(v)
	v.branches()
	v.withoutDevrun()
	for _, b := range behaviours {
		if why, ok := a.not[b.name]; ok {
			note(row{app: a.name, behaviour: b.name, result: "left out: " + why})
			continue
		}
		e, ok := a.edits[b.name]
		if !ok && needsEdit(b.name) {
			t.Errorf("%s: neither an edit nor a reason to leave it out", b.name)
		}
		took := row{app: a.name, behaviour: b.name, plain: v.plain[b.name], result: "failed"}
		ok = t.Run(b.name, func(t *testing.T) {
			v.T, v.took = t, 0
			b.test(v, e)
		})
		v.T, took.devrun = t, v.took
		if ok {
			took.result = "passed"
		} else if b.name != "production" {
			v.again()
		}
		note(took)
	}
}

func needsEdit(name string) bool {
	return slices.Contains([]string{neutral, line, embedded, added, style, config, panicking, failing}, name)
}

// download gives the directory of an app's module in the module cache.
func download(t *testing.T, a *app) []string {
	t.Helper()
	if a.module == "" {
		return nil
	}
	cmd := exec.Command("go", "mod", "download", "-json", a.module+"@"+a.version)
	cmd.Dir = t.TempDir() // not of the module that is tested
	out, err := cmd.Output()
	var module struct{ Dir, Error string }
	if err == nil {
		err = json.Unmarshal(out, &module)
	}
	if err != nil || module.Dir == "" {
		t.Fatalf("download %s: %v\n%s", a.module, err, out)
	}
	return []string{module.Dir}
}

// apply saves an edit and returns what takes it back.
func (v *visit) apply(e edit) (undo func()) {
	v.T.Helper()
	before := map[string]string{}
	for _, c := range e.changes {
		if _, ok := before[c.file]; !ok && c.old != "" {
			before[c.file] = v.Read(c.file)
		}
	}
	for _, c := range e.changes {
		if c.old == "" {
			v.Write(c.file, c.new)
		} else {
			v.Replace(c.file, c.old, c.new)
		}
	}
	return func() {
		v.T.Helper()
		for _, c := range e.changes {
			if text, ok := before[c.file]; ok {
				v.Write(c.file, text)
			} else if err := os.Remove(filepath.Join(v.Dir, c.file)); err != nil {
				v.T.Fatal(err)
			}
		}
	}
}

// ask asks the app, and gives the status, the header and the text of the answer.
func (v *visit) ask(path string) (string, error) {
	if v.app.ask != nil {
		return v.app.ask(v, path)
	}
	resp, body, err := e2e.Ask("GET", v.URL(path), nil)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d %v\n%s", resp.StatusCode, resp.Header, body), nil
}

// shows waits until a path answers with all of these.
func (v *visit) shows(limit time.Duration, path string, want ...string) (answer string) {
	v.T.Helper()
	suite.Within(v.T, limit, path+" shows "+strings.Join(want, ", "), func() error {
		select {
		case <-v.Ended:
			v.T.Fatalf("devrun ended with %v", v.Cmd.ProcessState)
		default:
		}
		var err error
		if answer, err = v.ask(path); err != nil {
			return err
		}
		for _, w := range want {
			if !strings.Contains(answer, w) {
				return fmt.Errorf("no %s in %s", w, answer)
			}
		}
		return nil
	})
	return answer
}

// row is a line of the table that is printed at the end.
type row struct {
	app, behaviour string
	devrun, plain  time.Duration
	result         string
}

var rows []row

func note(r row) { rows = append(rows, r) }

func printTable() {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\napp\tbehaviour\tdevrun\tgo build and start\t")
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.app, r.behaviour, seconds(r.devrun), seconds(r.plain), r.result)
	}
	w.Flush()
}

func seconds(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return fmt.Sprintf("%.2fs", d.Seconds())
}
