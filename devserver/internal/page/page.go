package page

import (
	"bytes"
	"html/template"
	"net/http"
	"time"

	"devrun/devserver/internal/fault"
	"devrun/devserver/internal/srctree"
)

// App is what all pages say about the app.
type App struct {
	Name    string                     // last element of its package path
	Version string                     // of devrun
	Go      string                     // toolchain and platform: "go1.26.8 linux/amd64"
	Root    string                     // absolute directory that paths are shown relative to; files below it are the app's own
	Modules map[string]string          // module path to directory, of all modules under development; also finds the files of a -trimpath build
	Editor  string                     // a name (vscode, goland, vim …), "none", or a template of links with {file}, and {line} and {col} where wanted; "" is vscode
	Unread  func() int                 // how many mails nobody has looked at; nil without a mailbox
	Snippet func(method string) string // the live-reload tag, asked for at every request: html that goes out as it is; nil for none
}

// Running is the app that still answers while a newer one does not build.
type Running struct {
	Generation int
	Pid        int
	Built      time.Time
}

// Pages makes the pages of one app.
type Pages struct {
	Tree   *srctree.Tree
	app    App
	editor editor
	scans  scans
}

// New returns the Pages of app. An Editor that is none of these makes pages
// without links.
func New(app App) *Pages {
	app.Name, app.Version, app.Go = fault.Cut(oneLine(app.Name), 100), fault.Cut(oneLine(app.Version), 100), fault.Cut(oneLine(app.Go), 100)
	p := &Pages{Tree: srctree.New(app.Root, app.Modules), app: app}
	p.editor, _ = parseEditor(app.Editor) // no editor on error, as documented
	return p
}

// BuildFailed returns the page of a build that failed, status 500; running is
// nil when no app answers behind it.
func (p *Pages) BuildFailed(b fault.Build, running *Running) http.Handler {
	v := newBuildView(b, running)
	return &answer{
		status:   http.StatusInternalServerError,
		html:     p.fit(func(l limits) page { return p.buildPage(v, l) }),
		json:     v.json(),
		markdown: v.markdown(),
		text:     v.text(),
		snippet:  p.app.Snippet,
	}
}

// Crashed returns the page of an app that ended by itself, status 500. The hint
// is a sentence about what can be done, or "".
func (p *Pages) Crashed(c fault.Crash, hint string) http.Handler {
	v := p.newCrashView(c, hint)
	return &answer{
		status:   http.StatusInternalServerError,
		html:     p.fit(func(l limits) page { return p.crashPage(v, l) }),
		json:     v.json(),
		markdown: v.markdown(),
		text:     v.text(),
		snippet:  p.app.Snippet,
	}
}

// Waiting returns the page for requests that were held for too long, status 503:
// what is under way since then, as a short phrase ("still building"). It asks
// again by itself, unless it would then ask for something else: a form that was sent is
// not sent again.
func (p *Pages) Waiting(since time.Time, what string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.waiting(since, what, r.Method == http.MethodGet || r.Method == http.MethodHead).ServeHTTP(w, r)
	})
}

// page is what the layout shows around the content of one kind of page.
type page struct {
	App   App
	Kind  string // names the template of the content
	CSS   string // addresses of the assets
	JS    string
	Title string

	State  string // of the dot: "bad", "work"
	Label  string // the same in a word
	Status string // at the right of the top bar

	Refresh         int // seconds until the page loads again, 0 for never
	NoScriptRefresh int // the same for browsers without JavaScript
	Rebuilding      string

	Tag      string
	TagClass string // "" is State
	Kick     []string
	At       time.Time
	Before   string // headline: what stands before and behind its text, paler
	Text     string
	After    string
	Why      []fault.Prose
	Primary  link // the button of the page
	Copy     bool // there is a #markdown to copy
	Keys     []keyHelp

	// Of failures only.
	Asked   *asked
	GoType  string // of the panic's value
	Nav     *nav
	Mail    *mailNav      // nil without a mailbox
	Inlined template.HTML // in place of CSS and JS
	Comment template.HTML
	Failure string // address of the script of the console
	Wait    string // answers when the page is out of date
	Resend  bool   // to load it again is to send a form again

	Content any
}

// asked is the request in a few words.
type asked struct{ Method, URI string }

// nav is the way around on devrun's own address.
type nav struct {
	Current string // "failures", "overview", "mail"
	Kept    int
}

// mailNav is the way to the mailbox.
type mailNav struct{ Unread int }

type keyHelp struct {
	Keys []string
	Does string
}

// link leads to the editor; URL is "" when there is no editor or no file.
type link struct {
	Text string
	URL  template.URL
}

// limits are how much of the data goes into a page.
type limits struct {
	items    int // errors, or frames of a goroutine
	excerpts int // of them with source
	libs     int // library calls with source
	others   int // other goroutines, and frames of each
	message  int // bytes of one message
	output   int // bytes of compiler output, and of stderr
	around   int // lines on each side in a stack's source
	values   int // variables and parts of them, on the whole page
	call     int // variables of one call
	text     int // bytes of one value
}

// maxPage is the size in bytes that an html page stays below, so that it is there
// at once and an editor of its source does not choke.
const maxPage = 150 << 10

// fits are tried in turn until a page fits; all but the first two are for pages
// that are hostile or hopeless, and the last one fits always.
//
// The source of library calls is in the page and not fetched when a call is opened:
// on the app's address nothing can be fetched, without a script nothing is, and a
// stack of net/http with a router and middleware has less than thirty of them.
var fits = []limits{
	{items: 100, excerpts: 30, libs: 30, others: 20, message: 2000, output: 24 << 10, around: 7, values: 320, call: 120, text: 300},
	{items: 100, excerpts: 30, libs: 6, others: 20, message: 2000, output: 24 << 10, around: 7, values: 320, call: 120, text: 300},
	{items: 100, excerpts: 8, others: 8, message: 400, output: 8 << 10, around: 3, values: 120, call: 40, text: 120},
	{items: 20, excerpts: 2, others: 2, message: 100, output: 1 << 10, around: 1, values: 30, call: 10, text: 60},
}

// slot marks in the rendered page where the live-reload tag of the moment goes.
// No data can contain it: html/template escapes the "<".
const slot = "<!--snippet-->"

// Reloads reports that the page says it loads again by itself, which only a script
// can do.
func (v page) Reloads() bool {
	return v.Asked == nil && v.Nav == nil && v.Inlined == "" && v.Kind != "plain" && v.NoScriptRefresh == 0
}

// Slot is for the layout; the constant is the only html that is not escaped.
func (page) Slot() template.HTML { return slot }

func (p *Pages) fit(make func(limits) page) (html []byte) {
	for _, l := range fits {
		if html = p.render(make(l)); len(html) < maxPage {
			break
		}
	}
	return html
}

func (p *Pages) render(v page) []byte {
	v.App, v.CSS, v.JS = p.app, cssURL, jsURL
	if v.Nav != nil {
		v.Failure = failureURL
		if p.app.Unread != nil {
			v.Mail = &mailNav{p.app.Unread()}
		}
	}
	var b bytes.Buffer
	if err := layouts[v.Kind].Execute(&b, v); err != nil {
		panic(err) // a mistake in a template of this package, not in the data
	}
	return b.Bytes()
}
