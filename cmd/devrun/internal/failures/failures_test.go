//go:build linux

// Package failures tests what becomes of a request that fails: the page in all
// its forms, the console, and what nobody else may learn.
package failures

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"devrun/cmd/devrun/internal/e2e"
	"devrun/devserver/suite"
)

func TestMain(m *testing.M) { e2e.Main(m) }

const own = "cmd/devrun/internal/failures/testdata/"

// plain is a rig with the app on net/http alone.
func plain(t *testing.T) *e2e.Rig {
	t.Helper()
	return e2e.NewOf(t, "notify", e2e.Path(t, own+"nethttp"))
}

// failure is the form of the page for programs.
type failure struct {
	Kind, How, Error, Type, Why, ID string
	Generation                      int
	Console                         string
	Request                         *struct{ Proto string }
	Chain                           *chained
	Panics                          []chained
	Frames                          []frame
	Production                      *struct {
		Status int
		Body   string
	}
	Values struct {
		Here     bool
		Why, Way string
	}
	Gone  string
	Notes []string
}

type chained struct {
	Type, Text string
	Causes     []chained
}

type frame struct {
	Func, Rel string
	Line      int
	App       bool
	Vars      []value
}

type value struct {
	Name, Type, Text string
	Nil, Redacted    bool
	Unreadable       string
	Shadowed         bool
	Children         []value
}

// of is the variable with that name, as text.
func (f frame) of(name string) string {
	for _, v := range f.Vars {
		switch {
		case v.Name != name || v.Shadowed:
		case v.Nil:
			return "nil"
		case v.Redacted:
			return "redacted"
		default:
			return v.Text + v.Unreadable
		}
	}
	return "no such variable"
}

// root is the app's innermost call.
func (f failure) root() frame {
	if at := f.rootAt(); at >= 0 {
		return f.Frames[at]
	}
	return frame{}
}

// rootAt is its number, -1 if there is none.
func (f failure) rootAt() int {
	return slices.IndexFunc(f.Frames, func(fr frame) bool { return fr.App })
}

// asked is a failure as an answer to a request for JSON.
func asked(client *http.Client, url string, header ...string) (status int, f failure, body string, err error) {
	resp, body, err := ask(client, url, append([]string{"Accept", ownJSON}, header...)...)
	if err != nil {
		return 0, f, body, err
	}
	if err := json.Unmarshal([]byte(body), &f); err != nil || f.Kind != "failure" {
		return resp.StatusCode, f, body, fmt.Errorf("GET %s: %d, no failure (%w):\n%s", url, resp.StatusCode, err, body)
	}
	return resp.StatusCode, f, body, nil
}

func ask(client *http.Client, url string, header ...string) (*http.Response, string, error) {
	req, err := http.NewRequest("GET", url, nil)
	if err != nil {
		return nil, "", err
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp, string(b), err
}

// fails makes a request that fails and returns what was answered.
func fails(r *e2e.Rig, path string, header ...string) failure {
	r.T.Helper()
	status, f, _, err := asked(e2e.Client, r.URL(path), header...)
	if err != nil {
		r.T.Fatal(err)
	}
	if status < 500 {
		r.T.Errorf("GET %s: status %d", path, status)
	}
	return f
}

// warm waits until the debugger of the app is linked, which a failing request
// starts at the latest.
func warm(t *testing.T, client *http.Client, url string) {
	t.Helper()
	suite.Until(t, "variables are read", func() error {
		_, f, _, err := asked(client, url)
		if err == nil && !f.Values.Here {
			err = errors.New(f.Values.Why)
		}
		return err
	})
}

// line is where a mark is in a file of the rig's app.
func line(t testing.TB, file, mark string) int {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range strings.Split(string(b), "\n") {
		if strings.HasSuffix(l, "// "+mark) {
			return i + 1
		}
	}
	t.Fatalf("%s has no line that is marked %s", filepath.Base(file), mark)
	return 0
}
