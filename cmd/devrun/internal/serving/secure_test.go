//go:build linux

package serving

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
)

var secure = e2e.Behaviours{
	{"over TLS", testTLS},
	{"over HTTP/2 without TLS", testH2C},
}

// visitor asks for pages as a browser does, over HTTP/2, and counts its connections.
type visitor struct {
	r     *e2e.Rig
	base  string
	c     *http.Client
	conns atomic.Int64
}

func visit(r *e2e.Rig, scheme string) *visitor {
	v := &visitor{r: r, base: fmt.Sprintf("%s://localhost:%d", scheme, r.Port)}
	tr := &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, Protocols: &http.Protocols{},
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			v.conns.Add(1)
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
	}
	tr.Protocols.SetHTTP2(scheme == "https")
	tr.Protocols.SetUnencryptedHTTP2(scheme == "http")
	v.c = &http.Client{Timeout: suite.Patience, Transport: tr}
	r.T.Cleanup(tr.CloseIdleConnections)
	return v
}

// get returns the answer to a navigation.
func (v *visitor) get(path string) (status int, body string, err error) {
	req, err := http.NewRequest("GET", v.base+path, nil)
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Accept", "text/html")
	req.Header.Set("Sec-Fetch-Dest", "document")
	req.Header.Set("Sec-Fetch-Mode", "navigate")
	res, err := v.c.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if res.ProtoMajor != 2 {
		err = errors.Join(err, errors.New(res.Proto))
	}
	return res.StatusCode, string(b), err
}

// shows waits until a navigation is answered with all that.
func (v *visitor) shows(path string, parts ...string) {
	v.r.T.Helper()
	suite.Until(v.r.T, fmt.Sprintf("%s shows %q", path, parts), func() error {
		status, body, err := v.get(path)
		for _, part := range parts {
			if err == nil && !strings.Contains(body, part) {
				err = fmt.Errorf("%d %.300q without %q", status, body, part)
			}
		}
		return err
	})
}

// testTLS: an app over TLS has all that one in the clear has. A connection is not
// noticed to be devrun's: it outlives builds, crashes and restarts.
func testTLS(t *testing.T, mode string) {
	r := e2e.New(t, mode)
	cert, key := suite.Certificate(t)
	r.Env = append(r.Env, "CERT="+cert, "CERT_KEY="+key)
	v := visit(r, "https")
	v.lives(fmt.Sprintf("https://localhost:%d", r.Port))
	// A client that was not there before has the page of what is wrong, too.
	visit(r, "https").shows("/", "exit status 3")
}

// testH2C: an app that speaks HTTP/2 in the clear has all that, too.
func testH2C(t *testing.T, mode string) {
	r := e2e.New(t, mode)
	r.Env = append(r.Env, "H2C=1")
	visit(r, "http").lives(fmt.Sprintf("http://localhost:%d", r.Port))
}

// lives sees an app through a save, a failed build and its end.
func (v *visitor) lives(url string) {
	r := v.r
	r.Launch()
	r.Says(`^devrun: serving ` + url + ` \(pid \d+\)$`)
	v.shows("/", "v1", "/__devrun/reload.js")

	ctx, stop := context.WithCancel(r.T.Context())
	failed := make(chan error, 1)
	go func() {
		defer close(failed)
		for ctx.Err() == nil {
			if status, body, err := v.get("/version"); err != nil || status != http.StatusOK {
				failed <- fmt.Errorf("%d %s, %v", status, body, err)
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}()
	point := r.Point()
	r.SetVersion("v2")
	r.SaysAfter(point, `^devrun: serving `+url)
	v.shows("/version", "v2")
	stop()
	for err := range failed {
		r.T.Error(err)
	}
	if n := v.conns.Load(); n != 1 {
		r.T.Errorf("%d connections, want 1", n)
	}

	good := r.Read("main.go")
	r.Write("main.go", good+"\nfunc broken( {\n")
	v.shows("/", "<title>build failed: syntax error")
	r.Write("main.go", good)
	v.shows("/", "v2", "/__devrun/reload.js")
	v.get("/exit?code=3")
	v.shows("/", "exit status 3")
	if n := v.conns.Load(); n != 1 {
		r.T.Errorf("%d connections, want 1", n)
	}
}
