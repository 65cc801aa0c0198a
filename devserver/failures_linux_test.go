package devserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"devrun/devserver/internal/fault"
)

const failingApp = `package main

import (
	"log"
	"net"
	"net/http"
	"os"
	"strings"
)

func main() {
	http.HandleFunc("/fail", func(w http.ResponseWriter, r *http.Request) { fail(w, strings.Repeat(r.FormValue("name"), 3)) })
	log.Fatal(http.ListenAndServe(net.JoinHostPort("127.0.0.1", os.Getenv("PORT")), nil))
}

func fail(w http.ResponseWriter, name string) {
	http.Error(w, "no luck", http.StatusInternalServerError)
	log.Println(name)
}
`

// stepped is a loop that does one thing after the other for a test.
type stepped struct {
	*loop
	t *testing.T
}

// until has the loop go on until ok holds.
func (l *stepped) until(what string, ok func() bool) {
	l.t.Helper()
	limit := time.After(2 * time.Minute)
	for !ok() {
		select {
		case f := <-l.queue.calls:
			f()
		case <-time.After(5 * time.Millisecond): // ok may be of what the loop is not told
		case <-limit:
			l.t.Fatalf("%s: not within two minutes", what)
		}
	}
}

// newStepped is devrun with an app of one file, of which nothing is built yet.
func newStepped(t *testing.T, source string, env ...string) *stepped {
	t.Helper()
	app := t.TempDir()
	for name, text := range map[string]string{"go.mod": "module example.test/failing\n\ngo 1.25\n", "main.go": source} {
		if err := os.WriteFile(filepath.Join(app, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	environ := Environ{Vars: append(os.Environ(), env...)}
	cfg := Config{
		Dir: app, Package: ".", Grace: time.Minute, Park: Park{Requests: 10}, Stdout: out, Stderr: out, NoColor: true,
		Environ: func() (Environ, error) { return environ, nil },
	}
	if cfg.Stdin, err = os.Open(os.DevNull); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cfg.Stdin.Close() })
	made, err := newSources(context.Background(), &cfg, environ)
	if err != nil {
		t.Fatal(err)
	}
	l, err := newLoop(cfg, t.TempDir(), made)
	if err != nil {
		t.Fatal(err)
	}
	s := &stepped{loop: l, t: t}
	t.Cleanup(func() {
		l.beginStop(false)
		s.until("the end", l.ended)
		if err := errors.Join(l.end.err, l.close()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// A request that was let go before its variables were read is not shown with those of
// the one that its goroutine served next, however much the two look alike.
func TestVariablesAreOfTheRequest(t *testing.T) {
	l := newStepped(t, failingApp, "PORT=0")
	l.rebuild()
	l.until("the app serves", func() bool { return l.state() == stateServing })
	url := l.web.listeners.url()
	ask := func(name string) (answered chan string) {
		answered = make(chan string, 1)
		go func() {
			resp, err := http.Get(url + "/fail?name=" + name)
			if err != nil {
				answered <- err.Error()
				return
			}
			defer resp.Body.Close()
			text, err := io.ReadAll(resp.Body)
			answered <- fmt.Sprint(resp.StatusCode, " ", err, " ", string(text))
		}()
		return answered
	}

	// There is no debug information until the second failure is there, which waits for it.
	l.failures.wait = time.Hour
	let := make(chan struct{})
	l.tasks.idle.start(l.queue, func() task {
		return func(context.Context) func() { <-let; return l.idleDone }
	})
	for try := range 10 {
		name := func(which string) string { return fmt.Sprint(which, try) }
		before := len(l.failures.list)
		one := ask(name("one"))
		l.until("the first failure", func() bool { return len(l.failures.list) > before })
		first := l.failures.list[before]
		l.failures.hurry(first) // it has waited long enough
		l.until("the first answer", func() bool { return len(one) == 1 })
		two := ask(name("two"))
		l.until("the second failure", func() bool { return len(l.failures.list) > before+1 })
		second := l.failures.list[before+1]
		if first.Goroutine != second.Goroutine { // it was another worker that was free
			l.failures.hurry(second)
			l.until("the second answer", func() bool { return len(two) == 1 })
			continue
		}
		close(let)
		l.until("both are examined", func() bool { return second.Values.Here && (first.Values.Here || first.late) })
		if text := values(second.Failure); !strings.Contains(text, strings.Repeat(name("two"), 3)) {
			t.Errorf("the second is shown with %s", text)
		}
		if text := values(first.Failure); first.Values.Here || text != "" || !strings.Contains(first.Values.Why, "had finished") {
			t.Errorf("the first is shown with %q (%s)", text, first.Values.Why)
		}
		l.until("the second answer", func() bool { return len(two) == 1 })
		if got := <-two; !strings.HasPrefix(got, "500 <nil> ") || strings.Contains(got, strings.Repeat(name("one"), 3)) {
			t.Errorf("the second answer is %.2000s", got)
		}
		return
	}
	close(let)
	t.Error("no two requests were served by the same goroutine")
}

// values are the texts of all variables of f.
func values(f fault.Failure) string {
	var s strings.Builder
	for _, c := range f.Calls {
		for _, v := range c.Vars {
			fmt.Fprintln(&s, v.Name, v.Text)
		}
	}
	return s.String()
}
