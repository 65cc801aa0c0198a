package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"net/http"
	"time"
)

//go:embed assets templates
var files embed.FS

var (
	css, cssHash           = asset("assets/page.css")
	js, jsHash             = asset("assets/page.js")
	waitJS, _              = asset("assets/wait.js")
	failureJS, failureHash = asset("assets/failure.js")
	cssURL                 = cssPath + "?v=" + cssHash
	jsURL                  = jsPath + "?v=" + jsHash
	failureURL             = failurePath + "?v=" + failureHash
	savesCSS, savesCSSHash = asset("assets/saves.css")
	savesCSSURL            = savesCSSPath + "?v=" + savesCSSHash
	mailCSS, mailCSSHash   = asset("assets/mail.css")
	mailJS, mailJSHash     = asset("assets/mail.js")
	mailCSSURL             = mailCSSPath + "?v=" + mailCSSHash
	mailJSURL              = mailJSPath + "?v=" + mailJSHash
)

const (
	cssPath = "/__devrun/page.css"
	jsPath  = "/__devrun/page.js"

	// On devrun's own address only.
	failurePath  = "/__devrun/failure.js"
	savesCSSPath = "/__devrun/saves.css"
	mailCSSPath  = "/__devrun/mail.css"
	mailJSPath   = "/__devrun/mail.js"
)

// layouts are the kinds of page: each is the layout, the components and a content.
var layouts = map[string]*template.Template{}

func init() {
	base := template.Must(template.New("layout.html").Funcs(template.FuncMap{
		"clock": func(t time.Time) string { return t.Local().Format("15:04:05") },
		"stamp": func(t time.Time) string { return t.Format(time.RFC3339) },
	}).ParseFS(files, "templates/layout.html", "templates/parts.html"))
	for _, kind := range []string{"build", "crash", "plain", "failure", "failures", "mail"} {
		layouts[kind] = template.Must(template.Must(base.Clone()).ParseFS(files, "templates/"+kind+".html"))
	}
}

func asset(name string) (data []byte, hash string) {
	data, err := files.ReadFile(name)
	if err != nil {
		panic(err) // not embedded: this package does not work at all
	}
	sum := sha256.Sum256(data)
	return data, hex.EncodeToString(sum[:6])
}

// Assets returns the handler of the stylesheet and the scripts of the pages, at
// /__devrun/page.css, page.js, failure.js, saves.css, mail.css and mail.js. They hold no
// data of the app.
func Assets() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var data []byte
		var hash, mime string
		switch r.URL.Path {
		case cssPath:
			data, hash, mime = css, cssHash, "text/css; charset=utf-8"
		case jsPath:
			data, hash, mime = js, jsHash, "text/javascript; charset=utf-8"
		case failurePath:
			data, hash, mime = failureJS, failureHash, "text/javascript; charset=utf-8"
		case savesCSSPath:
			data, hash, mime = savesCSS, savesCSSHash, "text/css; charset=utf-8"
		case mailCSSPath:
			data, hash, mime = mailCSS, mailCSSHash, "text/css; charset=utf-8"
		case mailJSPath:
			data, hash, mime = mailJS, mailJSHash, "text/javascript; charset=utf-8"
		default:
			http.NotFound(w, r)
			return
		}
		h := w.Header()
		guard(h)
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
			return
		}
		h.Set("Content-Type", mime)
		h.Set("ETag", `"`+hash+`"`)
		// An address with the hash never changes what it means.
		h.Set("Cache-Control", "no-cache")
		if r.URL.Query().Get("v") == hash {
			h.Set("Cache-Control", "max-age=31536000, immutable")
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	})
}
