//go:build linux

// Package attacks tests what nobody may do to a developer by way of devrun: a
// page in the browser, somebody in the network, another user of the machine, the
// app itself and the data that it gets. Each attack is tried on the devrun that a
// user runs, from outside.
package attacks

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
)

func TestMain(m *testing.M) { e2e.Main(m) }

// attack is one kind of attack. The site is shared by all attacks but those that
// are apart, which start a devrun of their own in other surroundings and are given
// none.
type attack struct {
	n     int
	what  string
	run   func(t *testing.T, s *site)
	apart bool
	long  bool   // of the long suite: takes a second or more
	also  string // a test of one package that tries more of the kind: file and function
}

const (
	atConsole = "devserver/internal/console/attack_test.go TestAttacks"
	atPIN     = "devserver/internal/console/unlock_test.go TestGuessingAtOnce"
	atPage    = "devserver/internal/page/hostile_test.go TestHostileHTML"
)

var attacks = []attack{
	{n: 1, what: "page by a rebound name", run: rebindPage},
	{n: 2, what: "questions by a rebound name", run: rebindQuestions, also: atConsole},
	{n: 3, what: "spellings of Host", run: hostSpellings, also: "devserver/internal/gate/gate_test.go TestAttacksAreRefused"},
	{n: 4, what: "absolute form and no Host", run: absoluteForm, also: atConsole},
	{n: 5, what: "forwarded Host", run: forwardedHost, also: atConsole},
	{n: 6, what: "questions of another origin", run: crossOrigin, also: atConsole},
	{n: 7, what: "spellings of Origin", run: originSpellings, also: atConsole},
	{n: 8, what: "fetch metadata", run: fetchMetadata, also: atConsole},
	{n: 9, what: "simple forms", run: simpleForms, also: atConsole},
	{n: 10, what: "other methods", run: otherMethods, also: atConsole},
	{n: 11, what: "preflights", run: preflights, also: atConsole},
	{n: 12, what: "missing and guessed secrets", run: guessedSecrets, also: atConsole},
	{n: 13, what: "values without the PIN", run: valuesWithoutPIN, also: atConsole},

	{n: 14, what: "ten wrong PINs", run: guessTen, also: atPIN},
	{n: 15, what: "10 000 PINs at once", run: guessMany, long: true, also: atPIN},
	{n: 16, what: "lock out", run: lockOut, also: atPIN},
	{n: 17, what: "reset the counter", run: resetCounter, also: atPIN},
	{n: 18, what: "measure the PIN", run: measurePIN, also: atPIN},
	{n: 19, what: "forged trust", run: forgeTrust, long: true, also: atConsole},
	{n: 20, what: "attributes of cookies", run: noCookies},
	{n: 21, what: "cookies of the app", run: cookiesOfTheApp},
	{n: 22, what: "script in the app", run: pivotOf},
	{n: 23, what: "forwarded peer", run: forwardedPeer, long: true},
	{n: 24, what: "forwarded peer for the app", run: forwardedToTheApp},
	{n: 25, what: "paths", run: traverse, also: atConsole},
	{n: 26, what: "tricks with queries", run: queryTricks, also: atConsole},
	{n: 27, what: "files that are no source", run: claimedFiles, long: true},
	{n: 28, what: "links and devices", run: linkedFiles, long: true},

	{n: 29, what: "markup in the text of a panic", run: markupInText, long: true, also: atPage},
	{n: 30, what: "markup in values and types", run: markupInValues, long: true, also: atPage},
	{n: 31, what: "markup in the request", run: markupInRequest, also: atPage},
	{n: 32, what: "markup in names of files", run: markupInNames, apart: true, long: true, also: atPage},
	{n: 33, what: "links", run: hostileLinks, long: true, also: "devserver/internal/page/editor_test.go TestEditorSetting"},
	{n: 34, what: "start of an editor", run: startEditor},
	{n: 35, what: "escapes for the terminal", run: escapes, also: "devserver/internal/term/filter_test.go TestTheAppCannotRewriteTheScreen"},
	{n: 36, what: "giant values", run: giantValues, long: true, also: "devserver/internal/inspect/bounds_linux_test.go TestLarge"},
	{n: 37, what: "recursion", run: recursion},
	{n: 38, what: "evil methods", run: evilMethods, long: true},
	{n: 39, what: "broken chains of errors", run: brokenChains, long: true},
	{n: 40, what: "extremes of the stack", run: stackExtremes, long: true},
	{n: 41, what: "source that is missing", run: missingSource, long: true},

	{n: 42, what: "redaction", run: redaction, also: "devserver/internal/fault/redact_test.go TestRedacted"},
	{n: 43, what: "what is copied", run: copied, long: true},
	{n: 44, what: "injected headers", run: injectHeaders, also: atConsole},
	{n: 45, what: "pages and scripts in other pages", run: embed},
	{n: 46, what: "streams of another origin", run: crossStreams, also: atConsole},
	{n: 47, what: "5 000 streams", run: manyStreams, long: true},
	{n: 48, what: "slow connections", run: slowConnections, long: true},
	{n: 49, what: "smuggled requests", run: smuggling, also: atConsole},
	{n: 50, what: "disguised paths", run: confusePrefix},

	{n: 51, what: "forged reports of the app", run: forgeReports, long: true},
	{n: 52, what: "imitated pages", run: imitatePage},
	{n: 53, what: "another user of the machine", run: otherUser},
	{n: 54, what: "temporary files", run: temporaryFiles, apart: true, long: true},
	{n: 55, what: "bombs in .env files", run: dotenvBombs, long: true},
	{n: 56, what: "wide bind", run: wideBind, long: true},
	{n: 57, what: "tunnels", run: tunnel},
	{n: 58, what: "abuse of the console", run: abuseEval, long: true},
	{n: 59, what: "requests that are held", run: hold, long: true},
	{n: 60, what: "production that runs", run: productionRuns},
	{n: 61, what: "production that was built", run: productionBinary},
	{n: 62, what: "development by mistake", run: misuse, long: true},
	{n: 63, what: "prefetch", run: prefetch},

	{n: 65, what: "pages that are loaded ahead", run: preloaded, also: "devserver/internal/page/failure_test.go TestWhoSees"},
	{n: 66, what: "metadata pushed out", run: pushedOut, also: "devserver/internal/hook/failure_linux_test.go TestRequest"},
	{n: 67, what: "browsers that say nothing", run: untrusted, long: true, also: "devserver/internal/page/failure_test.go TestWhoSees"},

	{n: 64, what: "logs", run: logs},
}

func TestAttacks(t *testing.T) { try(t, false) }

func TestLongAttacks(t *testing.T) { suite.Long(t); try(t, true) }

// try tries those of a suite. Before and after each the developer is served.
func try(t *testing.T, long bool) {
	attacks := slices.DeleteFunc(slices.Clone(attacks), func(a attack) bool { return a.long != long })
	r := newRig(t)
	claiming(r)
	s := launch(r, "--park", "40")
	s.prod = launchProduction(t)
	if long {
		s.more = launch(newRig(t), "--host", "0.0.0.0")
	}
	name := func(a attack) string { return fmt.Sprintf("%02d %s", a.n, a.what) }
	var apart sync.WaitGroup
	defer apart.Wait()
	for _, a := range attacks {
		if a.apart {
			apart.Go(func() { t.Run(name(a), func(t *testing.T) { a.run(t, nil) }) })
		}
	}
	s.open()
	for _, a := range attacks {
		if a.apart {
			continue
		}
		t.Run(name(a), func(t *testing.T) {
			defer s.as(t)()
			s.fresh(t)
			s.honest(t)
			a.run(t, s)
			s.honest(t)
		})
	}
}

// TestComplete: no attack of the list is left out, and the tests that the table
// names are there.
func TestComplete(t *testing.T) {
	const known = 67
	for n := 1; n <= known; n++ {
		if !slices.ContainsFunc(attacks, func(a attack) bool { return a.n == n }) {
			t.Errorf("attack %d is not tried", n)
		}
	}
	for _, a := range attacks {
		if a.n < 1 || a.n > known || a.what == "" {
			t.Errorf("attack %d %q is not on the list", a.n, a.what)
		}
		if a.also == "" {
			continue
		}
		file, function, _ := strings.Cut(a.also, " ")
		text, err := os.ReadFile(e2e.Path(t, file))
		if err != nil || !strings.Contains(string(text), "func "+function+"(t *testing.T)") {
			t.Errorf("attack %d names %s, which is not there: %v", a.n, a.also, err)
		}
	}
}
