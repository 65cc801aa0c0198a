package hook

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"devrun/devserver/internal/wire"
	"devrun/devserver/suite"
)

// told fails a request, answers it and returns what devrun was told.
func (p *process) told(url string) *wire.Failure {
	p.t.Helper()
	done := p.ask(&client, "GET", url, nil)
	f := p.failure()
	p.show(f.ID)
	p.page(done)
	return f
}

// What a panic's value says of itself, however it behaves.
func TestValues(t *testing.T) {
	p, url := failing(t, nil)
	f := p.told(url + "/chain")
	equal(t, "chain", f.Error, &wire.Error{Type: "*fmt.wrapError", Text: "load: no user 7\nread: unexpected EOF", Causes: []wire.Error{
		{Type: "*errors.joinError", Text: "no user 7\nread: unexpected EOF", Causes: []wire.Error{
			{Type: "*main.notFound", Text: "no user 7"},
			{Type: "*fmt.wrapError", Text: "read: unexpected EOF", Causes: []wire.Error{{Type: "*errors.errorString", Text: "unexpected EOF"}}},
		}},
	}})
	f = p.told(url + "/cycle")
	equal(t, "cycle", f.Error, &wire.Error{Type: "*main.cycle", Text: "cycle", Causes: []wire.Error{{Type: "*main.cycle", Note: "the same error again"}}})
	f = p.told(url + "/nested")
	equal(t, "panics", f.Panics, []wire.Error{{Type: "string", Text: "first"}})
	f = p.told(url + "/repanic")
	if len(f.Panics) != 0 {
		t.Errorf("raised again: %+v", f.Panics)
	}
	for _, c := range [][2]string{
		{"fine", "fine"},
		{"panics", "(main.evil) its method for this panics: evil"},
		{"exits", "(main.evil) its methods did not return"},
		{"locks", "(main.evil) its methods did not return"}, // and leaves the lock behind
	} {
		f = p.told(url + "/evil?how=" + c[0])
		equal(t, c[0], f.Text+" "+f.Type, c[1]+" main.evil")
	}
	equal(t, "alive", get(t, url+"/ok")[:3], "ok ")
}

func TestRequest(t *testing.T) {
	p, base := failing(t, nil)
	form := url.Values{"name": {"susan", "x"}, "big": {strings.Repeat("<", 100_000)}}
	done := p.ask(&client, "POST", base+"/nil/7?q=1&q=2&bad=%zz", strings.NewReader(form.Encode()))
	r := p.failure().Request
	equal(t, "request", fmt.Sprint(r.Method, r.URI, r.Proto, r.Host == strings.TrimPrefix(base, "http://"), r.TLS), fmt.Sprint("POST", "/nil/7?q=1&q=2&bad=%zz", "HTTP/1.1", true, false))
	equal(t, "route", r.Route, "POST /nil/{id}")
	equal(t, "query", r.Form, []wire.Field{{Name: "q", Values: []string{"1", "2"}}}) // the app did not read the body
	if !slices.ContainsFunc(r.Header, func(f wire.Field) bool { return f.Name == "X-Client" && f.Values[0] == "test" }) {
		t.Errorf("header %v", r.Header)
	}
	p.show("1")
	p.page(done)

	// However much comes, the message stays within its bounds.
	req, err := http.NewRequest("GET", base+"/huge?q="+strings.Repeat("%3C", 20_000), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 500 {
		req.Header.Set(fmt.Sprintf("A-%d", i), strings.Repeat("<", 1500))
	}
	for _, name := range wire.WhoAsks {
		req.Header.Set(name, "told"+strings.Repeat(" and told", 1000))
	}
	go client.Do(req)
	f := p.failure()
	if n, m := len(f.Request.Header)-len(wire.WhoAsks), len(f.Response.Header); n <= 0 || n > 30 || m == 0 || m > 30 {
		t.Errorf("%d and %d header fields", n, m)
	}
	for _, name := range wire.WhoAsks { // what tells who asks is there all the same
		if !slices.ContainsFunc(f.Request.Header, func(f wire.Field) bool { return f.Name == name && strings.HasPrefix(f.Values[0], "told and") }) {
			t.Errorf("%s got lost", name)
		}
	}
	if n := len(f.Error.Causes); n != 16 || f.Error.Note != "and 84 more" || len(f.Text) < 10_000 {
		t.Errorf("%d causes, note %q, text of %d bytes", n, f.Error.Note, len(f.Text))
	}
}

// Without an answer the app goes on as if alone.
func TestLongNoAnswer(t *testing.T) {
	suite.Long(t)
	t.Parallel()
	p, url := failing(t, nil)
	start := time.Now()
	panicked := p.ask(&client, "GET", url+"/nil", nil)
	p.failure()
	recovered := p.ask(&client, "GET", url+"/recovered", nil)
	again := p.failure().ID
	bare := p.ask(&client, "GET", url+"/bare", nil)
	p.say(wire.Message{Kind: wire.Proceed, ID: p.failure().ID})
	p.next(wire.Finished)
	if a := p.wait(panicked); a.err == nil {
		t.Errorf("answer %+v", a)
	}
	if a := p.wait(recovered); a.err != nil || a.res.StatusCode != 500 || a.body != "sorry: "+nilText+"\n" || a.res.Header.Get("X-App") != "1" {
		t.Errorf("answer %+v", a)
	}
	if a := p.wait(bare); a.err != nil || a.res.StatusCode != 503 || a.body != "" {
		t.Errorf("answer %+v", a)
	}
	if d := time.Since(start); d < wire.HoldFor {
		t.Errorf("after %s", d)
	}
	p.gone(again)
	p.say(wire.Message{Kind: wire.Answer, ID: again, Response: &wire.Response{}}) // too late
	equal(t, "left", get(t, url+"/left"), "/recovered")
}

// The handler of a 5xx goes on once devrun has looked, and its answer is whole.
func TestStatus(t *testing.T) {
	p, url := failing(t, nil)
	done := p.ask(&client, "GET", url+"/error", nil)
	f := p.failure()
	equal(t, "response", f.Response.Status, 500)
	p.say(wire.Message{Kind: wire.Proceed, ID: f.ID})
	m := p.next(wire.Finished)
	equal(t, "body", string(m.Response.Body), "no such table: users\nmore")
	equal(t, "size", m.Response.Size, 25)
	want := []wire.Field{{Name: "Content-Type", Values: []string{"text/plain; charset=utf-8"}}, {Name: "X-App", Values: []string{"1"}}, {Name: "X-Content-Type-Options", Values: []string{"nosniff"}}}
	equal(t, "header", m.Response.Header, want)
	p.show(f.ID)
	p.page(done)

	// A 5xx, then a panic: two failures, and the first has no answer.
	done = p.ask(&client, "GET", url+"/both", nil)
	first := p.failure()
	p.say(wire.Message{Kind: wire.Proceed, ID: first.ID})
	second := p.failure()
	equal(t, "how", first.How+" "+second.How, "status panic")
	if m := p.next(wire.Finished); m.ID != first.ID || m.Response.Status != 0 || second.ID == first.ID {
		t.Errorf("finished %+v", m)
	}
	p.show(second.ID)
	p.page(done)
}

// The app's own answer goes out, with the address of its failure, where devrun says so.
func TestOwn(t *testing.T) {
	const address = "http://127.0.0.1:1/failures/X"
	p1, url1 := failing(t, nil)
	p2, url2, client2 := secure(t)
	for _, server := range []struct {
		p      *process
		url    string
		client *http.Client
	}{{p1, url1, &client}, {p2, url2, client2}} {
		p := server.p
		own := func(f *wire.Failure) {
			t.Helper()
			p.say(wire.Message{Kind: wire.Proceed, ID: f.ID, Address: address, Own: true})
		}
		for _, c := range []struct {
			path, how string
			status    int
			body      string
		}{
			{"/error", "status", 500, "no such table: users\nmore"},
			{"/bare", "status", 503, ""},
			{"/template", "status", 200, "<h1>susan</h1>template: page:1:20: executing \"page\" at <.Nope>: can't evaluate field Nope in type main.user\n"},
			{"/elsewhere", "status", 500, "elsewhere\n"},
			{"/recovered", "recovered", 500, "sorry: " + nilText + "\n"},
			{"/silent", "recovered", 500, ""},
		} {
			done := p.ask(server.client, "GET", server.url+c.path, nil)
			f := p.failure()
			equal(t, c.path, f.How, c.how)
			own(f)
			a := p.wait(done)
			if a.err != nil || a.res.StatusCode != c.status || a.body != c.body || !slices.Equal(a.res.Header[wire.FailureHeader], []string{address}) {
				t.Errorf("%s: answer %+v", c.path, a)
			}
			m := p.next(wire.Finished)
			equal(t, c.path, fmt.Sprint(m.ID, m.Response.Status, string(m.Response.Body)), fmt.Sprint(f.ID, c.status, c.body))
			if slices.ContainsFunc(m.Response.Header, func(f wire.Field) bool { return f.Name == wire.FailureHeader }) {
				t.Errorf("%s: told of devrun's header: %+v", c.path, m.Response.Header)
			}
			if f.Stays {
				p.gone(f.ID)
			}
		}

		// A page that does not come leaves the address all the same, in what is flushed.
		done := p.ask(server.client, "GET", server.url+"/flushing", nil)
		f := p.failure()
		equal(t, "flushed", f.Response.Started, false)
		p.say(wire.Message{Kind: wire.Proceed, ID: f.ID, Address: address})
		if a := p.wait(done); a.err != nil || a.body != "first\nsecond\n" || a.res.Header.Get(wire.FailureHeader) != address {
			t.Errorf("flushed: answer %+v", a)
		}
		equal(t, "flushed", p.next(wire.Finished).Response.Started, true)

		// A panic has no answer, and stays.
		done = p.ask(server.client, "GET", server.url+"/nil", nil)
		f = p.failure()
		own(f)
		if a := p.wait(done); a.err == nil {
			t.Errorf("a panic is answered: %+v", a)
		}
		p.say(wire.Message{Kind: wire.Release, ID: f.ID})
		p.gone(f.ID)

		// Raised again it takes the answer back, and fails anew.
		done = p.ask(server.client, "GET", server.url+"/again", nil)
		f = p.failure()
		own(f)
		second := p.failure()
		equal(t, "raised again", f.How+" "+second.How, "recovered panic")
		if m := p.next(wire.Finished); m.ID != f.ID || m.Response.Status != 0 {
			t.Errorf("finished %+v", m)
		}
		p.show(second.ID)
		p.page(done)
		p.gone(f.ID)
		equal(t, "after it", fetch(t, server.client, server.url+"/ok")[:3], "ok ")
	}
}

// The time that devrun takes is not the app's: an answer that comes after it is not too
// late for the server.
func TestOwnAndWriteTimeout(t *testing.T) {
	p, url := failing(t, nil, "-write=300ms")
	done := p.ask(&client, "GET", url+"/error", nil)
	f := p.failure()
	time.Sleep(400 * time.Millisecond) // devrun is at work
	p.say(wire.Message{Kind: wire.Proceed, ID: f.ID, Address: "http://127.0.0.1:1/", Own: true})
	if a := p.wait(done); a.err != nil || a.body != "no such table: users\nmore" {
		t.Errorf("answer %+v", a)
	}
}

// The mark of a goroutine is there as long as it is where it failed.
func TestMark(t *testing.T) {
	p, url := failing(t, nil)
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	marked := func(f wire.Failure) bool {
		t.Helper()
		var b [8]byte
		if _, err := mem.ReadAt(b[:], int64(f.Mark.Addr)); err != nil {
			t.Fatal(err)
		}
		return f.Mark.Value != 0 && binary.NativeEndian.Uint64(b[:]) == f.Mark.Value
	}
	seen := map[wire.Mark]bool{}
	for range 20 {
		// Of a status: until it may proceed, though the same goroutine fails again at once.
		done := p.ask(&client, "GET", url+"/both", nil)
		first := *p.failure()
		if !marked(first) {
			t.Fatal("a status has no mark")
		}
		p.say(wire.Message{Kind: wire.Proceed, ID: first.ID})
		second := *p.failure()
		if marked(first) || !marked(second) {
			t.Fatalf("after it went on: %v, where it is now: %v", marked(first), marked(second))
		}
		p.next(wire.Finished)
		p.show(second.ID)
		p.page(done)
		// Of a panic: until it is released.
		if !marked(second) {
			t.Fatal("a parked panic has no mark")
		}
		p.say(wire.Message{Kind: wire.Release, ID: second.ID})
		p.gone(second.ID)
		if marked(second) {
			t.Fatal("a panic that has gone on has its mark")
		}
		for _, m := range []wire.Mark{first.Mark, second.Mark} {
			if seen[m] {
				t.Fatalf("the mark %v comes twice", m)
			}
			seen[m] = true
		}
	}
}

// How many stay, and who goes.
func TestPark(t *testing.T) {
	p, url := failing(t, []string{wire.Park + "=2"})
	var ids []string
	for range 3 {
		ids = append(ids, p.told(url+"/silent").ID)
	}
	p.gone(ids[0])
	p.say(wire.Message{Kind: wire.Release, ID: ids[2]})
	p.gone(ids[2])
	p.say(wire.Message{Kind: wire.Release, ID: "nobody"})
	equal(t, "left", get(t, url+"/left")+get(t, url+"/left"), "/silent/silent")
	p.say(wire.Message{Kind: wire.Release})
	p.gone(ids[1])

	p, url = failing(t, []string{wire.Park + "=0"})
	p.gone(p.told(url + "/silent").ID)
	equal(t, "left", get(t, url+"/left"), "/silent")
}

// A 5xx without a panic stays, too, if that is asked for.
func TestParkedStatus(t *testing.T) {
	p, url := failing(t, []string{wire.Park + "=1" + wire.ParkStatus})
	var ids []string
	for range 2 {
		done := p.ask(&client, "GET", url+"/error", nil)
		f := p.failure()
		equal(t, "failure", fmt.Sprint(f.How, " ", f.Stays, " ", f.Response.Status), "status true 500")
		p.show(f.ID)
		p.page(done)
		ids = append(ids, f.ID)
	}
	p.gone(ids[0])
	p.say(wire.Message{Kind: wire.Release})
	p.gone(ids[1])

	p, url = failing(t, []string{wire.Park + "=0" + wire.ParkStatus})
	p.ask(&client, "GET", url+"/error", nil)
	equal(t, "stays", p.failure().Stays, false)
}

// What cannot be evaluated is answered.
func TestEval(t *testing.T) {
	p, url := failing(t, nil)
	p.say(wire.Message{Kind: wire.Eval, ID: "77", Seq: 3, Expr: &wire.Expr{}})
	m := p.next(wire.Result)
	equal(t, "result", fmt.Sprint(m.ID, m.Seq, m.Result.Error), fmt.Sprint("77", 3, "the goroutine is no longer parked"))
	id := p.told(url + "/silent").ID
	for i, x := range []*wire.Expr{
		{Types: []wire.Type{{}, {Kind: "int", Name: "int"}}, Code: &wire.Node{Op: "show", Slots: []int{1}, Args: []*wire.Node{{Op: "binary", Name: "+", Type: 1, Args: []*wire.Node{{Op: "const", Type: 1, Text: []byte("40")}, {Op: "const", Type: 1, Text: []byte("2")}}}}}},
		{Limit: 50e6, Code: &wire.Node{Op: "for", Args: []*wire.Node{nil, nil, nil, nil}}},
	} {
		p.say(wire.Message{Kind: wire.Eval, ID: id, Seq: i, Expr: x})
		m := p.next(wire.Result)
		equal(t, "result", m.Result.Text+m.Result.Error, []string{"42", "still running after 0.05 s; it continues in the background"}[i])
	}
	get(t, url+"/ok")
}

// A parked frame keeps a live context, with the deadline that the app gave it.
func TestContext(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		want string
	}{"plain": {nil, "<nil> false"}, "deadline": {[]string{"-until=1h"}, "<nil> true"}} {
		t.Run(name, func(t *testing.T) {
			p, url := failing(t, nil, c.args...)
			f := p.told(url + "/context") // the client closes its connection
			time.Sleep(20 * time.Millisecond)
			p.say(wire.Message{Kind: wire.Release, ID: f.ID})
			p.gone(f.ID)
			equal(t, "context", get(t, url+"/left"), c.want)
		})
	}
}

// What only dead variables of a parked goroutine refer to stays, and without the
// pins it does not: else the test would prove nothing.
func TestLongPins(t *testing.T) {
	suite.Long(t)
	for name, c := range map[string]struct {
		binary string
		want   string
		gogc   string
	}{
		"pinned": {shared(t, "faults"), "0", "400"},
		"not":    {unpinned(t), "3", "100"},
	} {
		t.Run(name, func(t *testing.T) {
			p := run(t, c.binary, nil, "127.0.0.1:0")
			url := "http://" + p.serving().Addr
			f := p.told(url + "/keep")
			equal(t, "collected", f.Collected, name == "not")
			equal(t, "freed", get(t, url+"/freed"), c.want)
			p.say(wire.Message{Kind: wire.Release})
			p.gone(f.ID)
			equal(t, "freed when released", get(t, url+"/freed"), "3")
			equal(t, "GOGC", get(t, url+"/gogc"), c.gogc)
		})
	}
	p, url := failing(t, []string{"GOGC=123"})
	equal(t, "GOGC", get(t, url+"/gogc"), "123")
	p.kill()
}

// A collection during a request is told, and not one before it.
func TestCollected(t *testing.T) {
	p, url := failing(t, nil)
	for range 3 {
		equal(t, "collected", p.told(url+"/collected").Collected, true)
		suite.Until(t, "the end of the collection is known", func() error {
			if p.told(url + "/nil").Collected {
				return errors.New("still said to be collected")
			}
			return nil
		})
	}
}

// unpinned is the app whose hook does not have the part.
func unpinned(t *testing.T) string {
	t.Helper()
	all := parts
	defer func() { parts = all }()
	parts = slices.DeleteFunc(slices.Clone(all), func(p part) bool { return p.name == "pins" })
	return project{module: "example.com/app", dir: absolute(t, "testdata/faults"), flags: []string{"-gcflags=-N -l"}}.build(t)
}

// Rubbish of devrun's costs the app nothing, and its end still ends the app.
func TestRubbish(t *testing.T) {
	p, url := failing(t, nil)
	for _, text := range []string{`{"kind":"answer"}`, `{"kind":"eval","id":"1"}`, `{"kind":"release","id":"x"}`, `{"kind":"what"}`, `{}`} {
		if _, err := p.channel.WriteString(text + "\n"); err != nil {
			t.Fatal(err)
		}
	}
	p.next(wire.Result)
	p.told(url + "/nil")
	if _, err := p.channel.WriteString("rubbish\n" + strings.Repeat("x", 3*wire.MaxMessage) + "\n"); err != nil {
		t.Fatal(err)
	}
	equal(t, "alive", get(t, url+"/ok")[:3], "ok ")
	p.channel.Close()
	select {
	case <-p.ended:
	case <-time.After(suite.Patience):
		t.Error("the app lives on")
	}
}

func TestExit(t *testing.T) {
	p, url := failing(t, nil)
	p.ask(&client, "GET", url+"/exit", nil)
	e := p.next(wire.Exiting).Exit
	equal(t, "place", at(&wire.Failure{Frames: e.Frames}), line(t, "faults", "EXIT"))
	equal(t, "top", e.Frames[0].Func, "log.Fatal")
	<-p.ended
	equal(t, "output", fmt.Sprint(p.out.String(), p.cmd.ProcessState.ExitCode()), "fatal\n1")
}

// A crash in a goroutine names the request that started it.
func TestLabels(t *testing.T) {
	p, url := failing(t, []string{"GODEBUG=tracebacklabels=1"})
	p.ask(&client, "GET", url+"/label?secret=1", nil)
	<-p.ended
	if want := `labels:{"devrun": "GET /label #1"}`; !strings.Contains(p.out.String(), want) {
		t.Errorf("no %s in\n%s", want, &p.out)
	}
}

// While many requests wait for a devrun that says nothing, the others fail as if
// the app were alone.
func TestFlood(t *testing.T) {
	p, url := failing(t, nil)
	var done []<-chan answered
	for range 100 {
		done = append(done, p.ask(&client, "GET", url+"/recovered", nil))
	}
	alone := 0
	for range 64 {
		p.failure()
	}
	suite.Until(t, "all requests are answered", func() error {
		for _, d := range done {
			select {
			case a := <-d:
				if a.err != nil || a.body != "sorry: "+nilText+"\n" {
					t.Fatalf("answer %+v", a)
				}
				alone++
			default:
			}
		}
		if alone < 36 {
			return fmt.Errorf("%d answers of 36", alone)
		}
		return nil
	})
	equal(t, "alone", alone, 36)
}

func TestLongFailureRace(t *testing.T) {
	suite.Long(t)
	needGCC(t)
	binary := project{module: "example.com/app", dir: absolute(t, "testdata/faults"), flags: []string{"-race"}}.build(t)
	p := run(t, binary, []string{wire.Park + "=3"}, "127.0.0.1:0")
	url := "http://" + p.serving().Addr
	for i := range 10 {
		p.told(url + []string{"/nil", "/recovered", "/partial", "/keep", "/silent"}[i%5])
		get(t, url+"/freed")
	}
	p.say(wire.Message{Kind: wire.Release})
	get(t, url+"/ok")
	p.kill()
	if s := p.out.String(); strings.Contains(s, "DATA RACE") || strings.Contains(s, "checkptr") {
		t.Error(s)
	}
}

// The same under an older toolchain, whose panics look different in memory.
func TestLongFailureToolchain(t *testing.T) {
	suite.Long(t)
	const older = "go1.25.14"
	p := project{module: "example.com/app", dir: absolute(t, "testdata/faults"), flags: []string{"-gcflags=-N -l"}, env: []string{"GOTOOLCHAIN=" + older}}
	if out, err := p.command("env", "GOVERSION").CombinedOutput(); err != nil {
		t.Skipf("NOT TESTED, needs the network to get %s: %v\n%s", older, err, out)
	}
	app := run(t, p.build(t), nil, "127.0.0.1:0")
	m := app.next(wire.Hello)
	equal(t, "Go", m.Go, older)
	app.next(wire.Listening)
	url := "http://" + app.next(wire.Serving).Addr
	for _, path := range []string{"/nil", "/nested", "/recovered", "/silent", "/partial", "/keep"} {
		f := app.told(url + path)
		mark := "LOOKUP"
		if path == "/nested" {
			mark = "FIRST"
			equal(t, "panics", f.Panics, []wire.Error{{Type: "string", Text: "first"}})
		}
		equal(t, path, at(f), line(t, "faults", mark))
		if f.Text == "" || f.Moved || f.Collected {
			t.Errorf("%s: %+v", path, f)
		}
	}
	equal(t, "freed", get(t, url+"/freed"), "0")
	if res, err := client.Get(url + "/goexit"); err == nil {
		res.Body.Close()
		t.Errorf("answer %s", res.Status)
	}
	app.kill()
}

func absolute(t *testing.T, name string) string {
	t.Helper()
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return wd + "/" + name
}
