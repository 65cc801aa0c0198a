//go:build linux

package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"devrun/devserver/suite"
)

// URL is an address of the app as devrun serves it.
func (r *Rig) URL(path string) string { return fmt.Sprintf("http://127.0.0.1:%d%s", r.Port, path) }

// Client asks without keeping connections, as a new visitor would.
var Client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: suite.Patience}

// Ask sends a request, header values given as name, value pairs.
func Ask(method, url string, body io.Reader, header ...string) (*http.Response, string, error) {
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		return nil, "", err
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := Client.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp, string(b), err
}

// Get asks the app through devrun and wants an answer.
func (r *Rig) Get(path string, header ...string) (int, string) {
	r.T.Helper()
	resp, body, err := Ask("GET", r.URL(path), nil, header...)
	if err != nil {
		r.T.Fatalf("GET %s: %v", path, err)
	}
	return resp.StatusCode, body
}

// Served waits until the app of that version answers.
func (r *Rig) Served(version string) {
	r.T.Helper()
	r.Answers("/version", version)
}

// Answers waits until path answers 200 with a body that is want but for white
// space around it.
func (r *Rig) Answers(path, want string) {
	r.T.Helper()
	suite.Until(r.T, "GET "+path+" is "+want, func() error {
		select {
		case <-r.Ended:
			r.T.Fatalf("devrun ended with %v", r.Cmd.ProcessState)
		default:
		}
		resp, body, err := Ask("GET", r.URL(path), nil)
		if err != nil {
			return err
		}
		if resp.StatusCode != 200 || strings.TrimSpace(body) != want {
			return fmt.Errorf("%d %q", resp.StatusCode, body)
		}
		return nil
	})
}

// Raw sends a request with any Host and reads the head of the answer.
func (r *Rig) Raw(method, path string, header ...string) (*http.Response, error) {
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", r.Port))
	if err != nil {
		return nil, err
	}
	r.T.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(suite.Patience))
	host := fmt.Sprintf("localhost:%d", r.Port)
	var rest strings.Builder
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			host = header[i+1]
		} else {
			fmt.Fprintf(&rest, "%s: %s\r\n", header[i], header[i+1])
		}
	}
	if _, err := fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%s\r\n", method, path, host, rest.String()); err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("no answer: %w", err)
	}
	return resp, err
}

// Hammer asks for path every few milliseconds until stop is called, which
// returns how many requests there were and which failed.
func Hammer(url string, every time.Duration) (stop func() (n int, failed []string)) {
	ctx, cancel := context.WithCancel(context.Background())
	var mu sync.Mutex
	var n int
	var failed []string
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			wg.Go(func() {
				resp, body, err := Ask("GET", url, nil)
				mu.Lock()
				defer mu.Unlock()
				n++
				switch {
				case err != nil:
					failed = append(failed, err.Error())
				case resp.StatusCode != 200:
					failed = append(failed, fmt.Sprintf("%d %q", resp.StatusCode, body))
				}
			})
		}
	})
	return func() (int, []string) {
		cancel()
		wg.Wait()
		return n, failed
	}
}

// Overview is devrun's own page, in a form of it that is accepted.
func (r *Rig) Overview(accept string) string {
	r.T.Helper()
	own := strings.TrimPrefix(r.Says(`^devrun: overview http://127\.0\.0\.1:\d+`), "devrun: overview ")
	resp, body, err := Ask("GET", own+"/", nil, "Accept", accept)
	if err != nil || resp.StatusCode != http.StatusOK {
		r.T.Fatalf("the overview: %v\n%s", err, body)
	}
	return body
}
