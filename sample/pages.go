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
)

//go:embed templates static
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
	Title   string
	User    *user
	Flashes []string
	Posts   []post
	Form    *loginForm
}

// pages are the parsed templates, each with the base.
type pages struct{ byName map[string]*template.Template }

func parsePages(files fs.FS) (*pages, error) {
	names, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		return nil, err
	}
	p := &pages{byName: map[string]*template.Template{}}
	for _, n := range names {
		if path.Base(n) == "base.html" {
			continue
		}
		t, err := template.ParseFS(files, "templates/base.html", n)
		if err != nil {
			return nil, err
		}
		p.byName[path.Base(n)] = t
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

// render answers with a page, the session's user and its flashes.
func (a *app) render(w http.ResponseWriter, r *http.Request, status int, name string, data page) {
	s := sessionOf(r)
	data.User, data.Flashes = s.user, s.takeFlashes()
	body, err := a.pages.execute(name, data)
	if err != nil {
		a.serverError(w, r, err, nil)
		return
	}
	send(w, status, body)
}

func send(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(body)))
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
