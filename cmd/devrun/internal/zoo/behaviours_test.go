//go:build linux

package zoo

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
)

// firstBuild is how long the first build of the largest app may take.
const firstBuild = time.Hour

// limit is how long a save may take: longer for an app that takes the go command long.
func (v *visit) limit() time.Duration {
	return suite.Patience + 3*slices.Max(append(slices.Collect(maps.Values(v.plain)), 0))
}

// launch starts devrun on the app and waits until the app answers.
func (v *visit) launch() {
	v.T.Helper()
	defer func(t *testing.T) { v.T = t }(v.T)
	v.T = v.whole // devrun stays when a behaviour has ended
	v.Launch(slices.Concat([]string{"-v", v.app.pkg, "--"}, v.args)...)
	suite.Within(v.T, firstBuild, "the first build", func() error {
		if text := v.Stderr.String(); !regexp.MustCompile(`(?m)^devrun: (built in|build failed|unchanged since)`).MatchString(text) {
			return errors.New(text)
		}
		return nil
	})
	v.shows(suite.Patience, v.app.ready, v.first)
}

// testStart: the app answers as it does without devrun, with devrun's script in its
// pages, and has the hook.
func testStart(v *visit, _ edit) {
	v.launch()
	v.Says(fmt.Sprintf(`^devrun: serving http://localhost:%d `, v.Port))
	if text := v.Stderr.String(); strings.Contains(text, "without devrun's hook") {
		v.T.Errorf("no hook")
	}
	if v.app.page != "" {
		answer, err := v.askPage(v.app.page)
		if err != nil || !strings.Contains(answer, "/__devrun/") {
			v.T.Errorf("the page has no script of devrun's: %v\n%s", err, answer)
		}
	}
	v.Hurry()
	suite.Within(v.T, firstBuild, "saves are built without the go command", func() error {
		if text := v.Stderr.String(); !regexp.MustCompile(`(?m)^devrun: (prelinking is|falling back to go build)`).MatchString(text) {
			return errors.New(text)
		}
		return nil
	})
}

// askPage asks for a page as a browser does.
func (v *visit) askPage(path string) (string, error) {
	_, body, err := e2e.Ask("GET", v.URL(path), nil, "Accept", "text/html", "Sec-Fetch-Dest", "document", "Sec-Fetch-Mode", "navigate")
	return body, err
}

// again starts devrun anew on what the app was in the beginning, after a behaviour
// that has failed.
func (v *visit) again() {
	v.T.Helper()
	v.stop()
	v.Git("checkout", "-qf", "a")
	v.Git("clean", "-fdq")
	v.Rig = &e2e.Rig{T: v.T, Dir: v.Dir, Cache: v.Cache, Port: v.Port, Env: v.Env, Ended: make(chan struct{})}
	v.launch()
}

func (v *visit) stop() {
	v.T.Helper()
	v.Cmd.Process.Signal(os.Interrupt)
	v.Exit()
}

// testEdit: what is saved is served, and what is taken back as well.
func testEdit(v *visit, e edit) {
	point := v.Point()
	began := time.Now()
	undo := v.apply(e)
	v.shows(v.limit(), e.path, e.want...)
	v.took = time.Since(began)
	if e.says != "" {
		v.SaysAfter(point, e.says)
	}
	if slow := regexp.MustCompile(`(?m)^devrun: falling back to go build.*`).FindString(v.Stderr.String()[point:]); slow != "" {
		v.T.Error(slow)
	}
	undo()
	v.without(e.path, e.want[0])
	v.shows(suite.Patience, v.app.ready, v.first)
}

// without waits until an answer no longer has this text.
func (v *visit) without(path, text string) {
	v.T.Helper()
	suite.Within(v.T, v.limit(), path+" without "+text, func() error {
		answer, err := v.ask(path)
		if err == nil && strings.Contains(answer, text) {
			err = errors.New(answer)
		}
		return err
	})
}

// testBroken: a build that fails is answered with its errors, and the save that mends
// it is served.
func testBroken(v *visit, _ edit) {
	e := v.app.edits[neutral]
	file := e.changes[0].file
	good := v.Read(file)
	lines := strings.Count(good, "\n")
	point := v.Point()
	v.Write(file, good+"\nvar zooKeeper int = \"none\"\n")
	v.SaysAfter(point, `^devrun: build failed`)
	if v.app.page != "" { // else it is not HTTP/1, and the app that still runs answers
		v.shows(suite.Patience, v.app.ready, fmt.Sprintf("%s:%d:21: cannot use", file, lines+2))
	}
	v.Write(file, good)
	undo := v.apply(e)
	began := time.Now()
	v.shows(v.limit(), e.path, e.want...)
	v.took = time.Since(began)
	undo()
	v.without(e.path, e.want[0])
}

// testFailure: the answer to a request that fails names an address with what devrun knows
// of it, and the app goes on.
func testFailure(v *visit, e edit) {
	undo := v.apply(e)
	v.fails(e.path, append([]string{"GET " + e.path}, e.want...)...)
	if v.app.ready != e.path {
		v.shows(suite.Patience, v.app.ready, v.first)
	}
	undo()
	v.without(e.path, e.want[0])
	v.shows(suite.Patience, v.app.ready, v.first)
}

// fails waits until a path is answered with the address of a failure that shows all of these.
func (v *visit) fails(path string, want ...string) {
	v.T.Helper()
	named := regexp.MustCompile(`X-Devrun-Failure:\[([^\]]+)\]`)
	suite.Within(v.T, v.limit(), path+" fails with "+strings.Join(want, ", "), func() error {
		answer, err := v.ask(path)
		if err != nil {
			return err
		}
		at := named.FindStringSubmatch(answer)
		if at == nil {
			return fmt.Errorf("no failure in %s", answer)
		}
		_, text, err := e2e.Ask("GET", at[1], nil)
		for _, w := range want {
			if err == nil && !strings.Contains(text, w) {
				err = fmt.Errorf("no %s in %s", w, text)
			}
		}
		return err
	})
}

// branched are the edits that the other branch has.
var branched = []string{neutral, line, embedded}

// branches commits the app on branch a, and with some edits on branch b.
func (v *visit) branches() {
	v.T.Helper()
	v.Git("init", "-q")
	v.Git("add", "-A")
	v.Git("commit", "-qm", "a")
	v.Git("checkout", "-qb", "b")
	for _, name := range branched {
		v.apply(v.app.edits[name])
	}
	v.Git("commit", "-qam", "b")
	v.Git("checkout", "-q", "a")
}

// testBranches: a checkout is one save, with all that it changes.
func testBranches(v *visit, _ edit) {
	for _, branch := range []string{"b", "a"} {
		point, builds := v.Point(), v.Builds()
		began := time.Now()
		v.Git("checkout", "-q", branch)
		for _, name := range branched {
			switch e, ok := v.app.edits[name]; {
			case !ok:
			case branch == "b":
				v.shows(v.limit(), e.path, e.want...)
			default:
				v.without(e.path, e.want[0])
			}
		}
		if branch == "b" {
			v.took = time.Since(began)
		}
		v.SaysAfter(point, `^devrun: watch `)
		said := v.Stderr.String()[point:] // files that come while it builds are added to the save
		if n := len(regexp.MustCompile(`(?m)^devrun: watch `).FindAllString(said, -1)); n != 1 || v.Builds()-builds != 1 {
			v.T.Errorf("the checkout of %s is %d saves and %d builds:\n%s", branch, n, v.Builds()-builds, said)
		}
	}
	v.shows(suite.Patience, v.app.ready, v.first)
}

// testInterrupt: after Ctrl-C nothing is left, and the port is free.
func testInterrupt(v *visit, _ edit) {
	if len(v.processes()) < 2 {
		v.T.Fatalf("the app's processes are not known: %v", v.processes())
	}
	began := time.Now()
	v.Cmd.Process.Signal(os.Interrupt)
	if code := v.Exit(); code != 130 {
		v.T.Errorf("exit status %d", code)
	}
	v.took = time.Since(began)
	v.allGone()
}

// allGone waits until no process is left, and takes the port.
func (v *visit) allGone() {
	v.T.Helper()
	suite.Until(v.T, "all processes are gone", func() error {
		if left := v.processes(); len(left) > 0 {
			return fmt.Errorf("%q", left)
		}
		return nil
	})
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", v.Port))
	if err != nil {
		v.T.Fatalf("the port is in use: %v", err)
	}
	l.Close()
}

// processes are those that run for this app: they have its environment.
func (v *visit) processes() (names []string) {
	mark := []byte("XDG_CACHE_HOME=" + filepath.Dir(v.Cache) + "\x00")
	environs, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		v.T.Fatal(err)
	}
	for _, f := range environs {
		if env, err := os.ReadFile(f); err != nil || !bytes.Contains(env, mark) {
			continue // gone, or not this user's
		}
		args, _ := os.ReadFile(filepath.Join(filepath.Dir(f), "cmdline"))
		names = append(names, filepath.Base(filepath.Dir(f))+" "+strings.ReplaceAll(string(args), "\x00", " "))
	}
	return names
}

// testProduction: built for its users, the app answers the same, and devrun is not in
// it.
func testProduction(v *visit, _ edit) {
	r := &e2e.Rig{T: v.T, Dir: v.Dir, Cache: v.Cache, Port: v.Port, Env: append(slices.Clone(v.Env), "APP_ENV=production"), Ended: make(chan struct{})}
	v.Rig = r
	r.Launch(append([]string{v.app.pkg, "--"}, v.args...)...)
	v.shows(firstBuild, v.app.ready, v.first)
	if v.app.page != "" {
		if answer, err := v.askPage(v.app.page); err != nil || strings.Contains(answer, "__devrun") {
			v.T.Errorf("devrun is in the page: %v\n%s", err, answer)
		}
	}
	r.Cmd.Process.Signal(os.Interrupt)
	r.Exit()
	v.allGone()
}
