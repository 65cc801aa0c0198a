package main

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"os"
	"path"
	"strconv"
	"strings"

	"devrun/sample/internal/forms"
	"devrun/sample/internal/store"
)

//go:embed all:templates static
var embedded embed.FS

// files are the templates and the static files: in development those on
// disk, so that an edit needs no build, else those in the binary.
func files(development bool) fs.FS {
	if development {
		for _, dir := range []string{".", "sample"} {
			if _, err := os.Stat(path.Join(dir, "templates", "base.html")); err == nil {
				return os.DirFS(dir)
			}
		}
	}
	return embedded
}

// page is what a template can show.
type page struct {
	*visit
	Title   string
	Flashes []string
	Form    *forms.Form
	Profile *store.User
	Posts   posts
}

// User is who has signed in, nil if nobody has.
func (p page) User() *store.User { return p.user }

// Request is the name of the request in the log.
func (p page) Request() string { return p.id }

// pages are the parsed templates. Those whose names begin with an underscore,
// and the base, are parts of the others.
type pages struct{ byName map[string]*template.Template }

func parsePages(files fs.FS) (*pages, error) {
	parts, err := template.ParseFS(files, "templates/base.html", "templates/_*.html")
	if err != nil {
		return nil, err
	}
	names, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		return nil, err
	}
	p := &pages{byName: map[string]*template.Template{}}
	for _, n := range names {
		name := path.Base(n)
		if name == "base.html" || strings.HasPrefix(name, "_") {
			continue
		}
		t, err := parts.Clone()
		if err != nil {
			return nil, err
		}
		if p.byName[name], err = t.ParseFS(files, n); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// execute renders to memory, so that a template that fails can still become
// an error page.
func (p *pages) execute(name string, data page) ([]byte, error) {
	t := p.byName[name]
	if t == nil {
		return nil, fmt.Errorf("there is no template %s", name)
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "base.html", data); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// render answers with a page, and with the messages that wait to be shown.
func (a *app) render(w http.ResponseWriter, r *http.Request, status int, name string, data page) {
	data.visit = visitOf(r)
	data.Flashes = data.session.Flashes()
	body, err := a.pages.execute(name, data)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	data.session.Shown()
	send(w, status, body)
}

// policy lets pages load what is ours, and the users' pictures.
const policy = "default-src 'self'; img-src 'self' https://www.gravatar.com; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

func send(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Add("Vary", "Cookie")
	w.WriteHeader(status)
	w.Write(body) // a visitor who has gone is no error of ours
}

// static serves the files below static; a directory is not listed.
func (a *app) static(files fs.FS) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		name := path.Join("static", r.PathValue("file"))
		fi, err := fs.Stat(files, name)
		if err != nil || fi.IsDir() {
			a.notFound(w, r)
			return
		}
		w.Header().Set("Cache-Control", "no-cache")
		http.ServeFileFS(w, r, files, name)
	}
}
