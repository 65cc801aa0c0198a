//go:build linux

package peers

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
)

// Seen in another runner, by reading: its list of browsers was read and changed
// at the same time. Here devrun runs with the race detector.
func testChurn(t *testing.T) {
	r := e2e.New(t, "notify")
	r.Env = append(r.Env, "GORACE=atexit_sleep_ms=0 exitcode=66")
	path, err := e2e.Build("", "devrun-race", "devrun/cmd/devrun", "-race")
	if err != nil {
		t.Fatal(err)
	}
	r.Change = func(c *exec.Cmd) { c.Path = path }
	r.Start()
	pid := r.Cmd.Process.Pid
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var browsers sync.WaitGroup
	for i := range 16 {
		browsers.Go(func() {
			for ctx.Err() == nil {
				// Each leaves at once, or after an event or two.
				_ = events(ctx, r, func(n int) bool { return n < i%3 }, io.Discard)
			}
		})
	}
	stays := make(chan error, 1)
	var seen bytes.Buffer
	go func() {
		stays <- events(ctx, r, func(int) bool {
			return !strings.Contains(seen.String(), "the-last.css")
		}, &seen)
	}()
	for i := range 100 {
		r.Write("static/app.css", fmt.Sprintf("p { color: rgb(%d, 0, 0); }\n", i))
		if i%25 == 0 {
			r.Write("templates/page.html", fmt.Sprintf("<p>%d</p>\n", i))
			r.Answers("/template", fmt.Sprintf("<p>%d</p>", i))
		}
	}
	r.Write("static/the-last.css", "p {}\n")
	select {
	case err := <-stays:
		if err != nil {
			t.Errorf("the browser that stays: %v", err)
		}
	case <-time.After(suite.Patience):
		t.Errorf("the browser that stays was not told of the last save")
	}
	cancel()
	browsers.Wait()
	r.Served("v1")
	r.Cmd.Process.Signal(os.Interrupt)
	if code := r.Exit(); code != 130 || strings.Contains(r.Stderr.String(), "DATA RACE") {
		t.Errorf("devrun (pid %d) ended with %d", pid, code)
	}
}

// events reads devrun's events as a browser does, as long as more says so,
// which is told how many there were. It comes back when its stream ends.
func events(ctx context.Context, r *e2e.Rig, more func(n int) bool, to io.Writer) error {
	n := 0
	for first := true; first || more(n); first = false {
		req, err := http.NewRequestWithContext(ctx, "GET", r.URL("/__devrun/events"), nil)
		if err != nil {
			return err
		}
		resp, err := (&http.Client{Transport: e2e.Client.Transport}).Do(req)
		if err != nil {
			return err
		}
		for lines := bufio.NewScanner(resp.Body); more(n) && lines.Scan(); {
			fmt.Fprintln(to, lines.Text())
			if strings.HasPrefix(lines.Text(), "data: ") {
				n++
			}
		}
		resp.Body.Close()
	}
	return nil
}
