package page

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

const ms = time.Millisecond

// someSaves is one save of every kind, the newest first.
func someSaves() []Save {
	at := time.Date(2026, 11, 22, 17, 38, 2, 0, time.Local)
	var all []Save
	for i, s := range []Save{
		{Files: []string{"handlers.go"}, Outcome: "building", Phases: []Phase{{"watch", 3 * ms}}},
		{Files: []string{"handlers.go"}, Outcome: SaveDirect, Phases: []Phase{{"watch", 4 * ms}, {"compile", 212 * ms}, {"link", 118 * ms}, {"stop", 22 * ms}, {"start", 41 * ms}, {"ready", 37400 * time.Microsecond}}},
		{Files: []string{"handlers.go", "store.go"}, Outcome: SaveNotBuilt, Note: "3 errors in 2 files", Phases: []Phase{{"watch", 5 * ms}, {"build", 790 * ms}}},
		{Files: []string{"static/app.css"}, Outcome: SaveStyle, Phases: []Phase{{"watch", 3 * ms}}},
		{Files: []string{"static/app.js"}, Outcome: SaveReload, Phases: []Phase{{"watch", 2 * ms}}},
		{Files: []string{"templates/edit_profile.html"}, Outcome: SaveRestart, Phases: []Phase{{"watch", 3 * ms}, {"stop", 19 * ms}, {"start", 40 * ms}, {"ready", 36 * ms}}},
		{Files: []string{"internal/storage/migrations/20261122_add_last_seen_to_users_table.go", "b.go", "c.go"}, Outcome: SaveGoBuild, Note: "a file was added or removed in internal/storage",
			Phases: []Phase{{"watch", 6 * ms}, {"build", 900 * ms}, {"stop", 31 * ms}, {"start", 58 * ms}, {"ready", 44 * ms}}},
		{Files: []string{"store.go"}, Outcome: SaveCrashed, Note: "the app ended before it was ready", Phases: []Phase{{"watch", 4 * ms}, {"compile", 188 * ms}, {"link", 120 * ms}, {"stop", 20 * ms}, {"start", 40 * ms}}},
		{Files: []string{"store.go"}, Outcome: SaveOvertaken, Note: "the app was replaced before it was ready", Phases: []Phase{{"watch", 4 * ms}, {"compile", 201 * ms}, {"link", 119 * ms}, {"stop", 20 * ms}, {"start", 40 * ms}}},
		{Files: []string{"go.mod"}, Outcome: SaveGoBuild, Note: "the go command has not been asked yet what the app consists of",
			Phases: []Phase{{"watch", 4 * ms}, {"build", 12480 * ms}, {"stop", 20 * ms}, {"start", 39 * ms}, {"ready", 35 * ms}}},
	} {
		s.At = at.Add(-time.Duration(i) * time.Minute)
		if s.Outcome != SaveStyle && s.Outcome != SaveReload {
			s.Generation = 42 - i
		}
		all = append(all, s)
	}
	return all
}

// savedRow is what a row of the list shows.
type savedRow struct {
	said   string   // all text of the line, without that in the bar
	more   string   // that below, when it is opened
	label  string   // of the bar for who does not see it
	in     string   // the text in the bar
	kinds  []string // of the segments
	x, w   []float64
	cut    bool
	marked string // text that is marked as bad
}

func savedRows(t *testing.T, page string) (rows []savedRow) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	class := func(n *html.Node) string { return attribute(n, "class") }
	number := func(s string) float64 {
		f, err := strconv.ParseFloat(strings.TrimSuffix(s, "%"), 64)
		if err != nil {
			t.Error(err)
		}
		return f
	}
	for d := range root.Descendants() {
		if d.Data != "details" || class(d) != "save" {
			continue
		}
		var r savedRow
		for n := range d.Descendants() {
			switch {
			case n.Type == html.TextNode:
				text, to := strings.TrimSpace(n.Data), &r.more
				for a := range n.Ancestors() {
					switch {
					case a.Data == "svg":
						to = &r.in
					case a.Data == "summary" && to != &r.in:
						to = &r.said
					}
				}
				if text != "" {
					*to = strings.TrimSpace(*to + " " + text)
				}
				if class(n.Parent) == "how bad" {
					r.marked = text
				}
			case n.Data == "svg":
				r.label = attribute(n, "aria-label")
			case n.Data == "rect":
				r.kinds = append(r.kinds, class(n))
				r.x, r.w = append(r.x, number(attribute(n, "x"))), append(r.w, number(attribute(n, "width")))
			case n.Data == "line":
				r.cut = true
			}
		}
		rows = append(rows, r)
	}
	return rows
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func TestSaves(t *testing.T) {
	saves := someSaves()
	h := New(testApp(t)).Overview(nil, saves, State{Doing: "serving", Generation: 42})
	text := body(t, h, "text/html")
	contains(t, text, `<h2 id="saves">Saves</h2>`, `href="/__devrun/saves.css?v=`, `<i class="b5"></i>build</span>`)
	lacks(t, text, "No save yet", " style=")
	rows := savedRows(t, text)
	if len(rows) != len(saves) {
		t.Fatalf("%d rows, want %d", len(rows), len(saves))
	}
	for i, want := range []savedRow{
		{said: "17:38:02 handlers.go generation 42 building 3 ms", more: "generation 42: watch 3 ms"},
		{said: "17:37:02 handlers.go generation 41 direct 434 ms", more: "generation 41: watch 4 ms, compile 212 ms, link 118 ms, stop 22 ms, start 41 ms, ready 37 ms"},
		{said: "17:36:02 handlers.go and 1 more generation 40 failed 795 ms 3 errors in 2 files", more: "handlers.go, store.go generation 40: watch 5 ms, build 790 ms", marked: "failed"},
		{said: "17:35:02 static/app.css stylesheet 3 ms", more: "watch 3 ms"},
		{said: "17:34:02 static/app.js page reload 2 ms", more: "watch 2 ms"},
		{said: "17:33:02 templates/edit_profile.html generation 37 restart 98 ms", more: "generation 37: watch 3 ms, stop 19 ms, start 40 ms, ready 36 ms"},
		{said: "17:32:02 internal/storage/migrations/20261122_add_last_seen_to_users_table.go and 2 more generation 36 go build 1039 ms a file was added or removed in internal/storage",
			more: "internal/storage/migrations/20261122_add_last_seen_to_users_table.go, b.go, c.go generation 36: watch 6 ms, build 900 ms, stop 31 ms, start 58 ms, ready 44 ms"},
		{said: "17:31:02 store.go generation 35 crashed 372 ms the app ended before it was ready", more: "generation 35: watch 4 ms, compile 188 ms, link 120 ms, stop 20 ms, start 40 ms", marked: "crashed"},
		{said: "17:30:02 store.go generation 34 overtaken 384 ms the app was replaced before it was ready", more: "generation 34: watch 4 ms, compile 201 ms, link 119 ms, stop 20 ms, start 40 ms"},
		{said: "17:29:02 go.mod generation 33 go build 12 s the go command has not been asked yet what the app consists of", more: "generation 33: watch 4 ms, build 12480 ms, stop 20 ms, start 39 ms, ready 35 ms"},
	} {
		got := rows[i]
		if got.said != want.said || got.more != want.more || got.marked != want.marked {
			t.Errorf("row %d\n%q\n%q %q, want\n%q\n%q %q", i, got.said, got.more, got.marked, want.said, want.more, want.marked)
		}
		if !strings.HasSuffix(got.more, got.label) {
			t.Errorf("row %d: the bar is %q", i, got.label)
		}
		if cut := i == 9; got.cut != cut {
			t.Errorf("row %d: cut is %v", i, got.cut)
		}
		// Three ordinary saves of 434 ms fit.
		whole := max(3*434400*time.Microsecond, saves[i].total())
		x := 0.0
		for j, p := range saves[i].Phases {
			w := 100 * p.Took.Seconds() / whole.Seconds()
			if kind := fmt.Sprintf("b%d", 1+indexOf(p.Name)); got.kinds[j] != kind || !near(got.x[j], x) || !near(got.w[j], w) {
				t.Errorf("row %d: %s is %s from %v %% on, %v %%, want %s %v %v", i, p.Name, got.kinds[j], got.x[j], got.w[j], kind, x, w)
			}
			x += w
		}
	}
	if got := rows[1].in; got != "212" {
		t.Errorf("the bar says %q", got)
	}
	if got := rows[9].in; got != "build 12480" {
		t.Errorf("the bar says %q", got)
	}
}

func indexOf(name string) int {
	for i, n := range strings.Fields("watch ask compile link build stop start ready") {
		if n == name {
			return i
		}
	}
	return -1
}

func near(a, b float64) bool { return a-b < 0.02 && b-a < 0.02 }

func TestSavesForms(t *testing.T) {
	p := New(testApp(t))
	saves := someSaves()
	for range 20 {
		saves[1].Files = append(saves[1].Files, "x.go")
	}
	h := p.Overview(nil, saves, State{Doing: "serving", Generation: 42})
	contains(t, body(t, h, "*/*"),
		"17:36:02  handlers.go, store.go saved, 795 ms (watch 5 ms · build 790 ms): failed, generation 40, 3 errors in 2 files\n",
		"x.go, and 11 more saved, 434 ms")
	var got struct{ Saves []saveJSON }
	if err := json.Unmarshal([]byte(body(t, h, "application/json")), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Saves) != len(saves) {
		t.Fatalf("%d saves", len(got.Saves))
	}
	if s := got.Saves[2]; s.Outcome != SaveNotBuilt || s.Generation != 40 || s.TookMS != 795 || fmt.Sprint(s.Files, s.Phases) != "[handlers.go store.go] [{watch 5} {build 790}]" || !s.Time.Equal(saves[2].At) {
		t.Errorf("json %+v", s)
	}

	h = p.Overview(nil, nil, State{Doing: "serving", Generation: 1})
	text := body(t, h, "text/html")
	contains(t, text, "No save yet. The next one shows up here")
	lacks(t, text, `class="key"`, "<svg class")
	contains(t, body(t, h, "application/json"), `"saves": []`)
	lacks(t, body(t, p.Missing(1, State{}), "text/html"), "No save yet")
}
