package page

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"devrun/devserver/internal/fault"
	"devrun/devserver/internal/srctree"
)

// Place is where the page of a failure is read.
type Place struct {
	// Away: on the app's own address, as the answer that failed. The page is then
	// one document that needs nothing else, in a sandbox where no script of the app
	// can read it. Otherwise it is on devrun's own address, with the console.
	Away bool

	ConsoleURL string // Away: address of the same failure on devrun's origin, or ""
	Script     bool   // Away: it is no navigation that asks, so html would be put to another use
	WaitURL    string // Away: on that origin, answers when the page is out of date; "" for none

	Kept           int    // failures that are kept, for the navigation; not Away
	Previous, Next string // addresses of the neighbours, or ""; not Away
	State          State  // of the app; not Away
}

// Failed returns the page of a request that failed. Secrets are left out of every
// form, whoever asks. Its status is that of the app's answer, or 500; on devrun's
// own address it is 200.
//
// It is made anew for each request, which decides who reads: see seesAll.
func (p *Pages) Failed(f fault.Failure, at Place) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.newFailureView(f, at).answer(seesAll(at.Away, r.Header), negotiate(r.Header.Values("Accept"), at.Script)).ServeHTTP(w, r)
	})
}

// seesAll says whether who asks gets the variables and the request, or only the
// message, the stack and the way to the whole page. On the app's address a script
// of the app may read what it fetches, and what is framed may be dressed up, so
// only a navigation of the whole window sees all, and a client that is no browser.
//
// A service worker reads what the browser loads ahead for it (navigation preload),
// though that looks like a navigation in all else. Over plain HTTP to a name that is
// not loopback a browser says nothing of what it is loading: who has the other marks
// of one may be a script.
func seesAll(away bool, h http.Header) bool {
	has := func(name string) bool { return h.Values(name) != nil }
	switch {
	case !away:
		return true // the gate has seen to it
	case has("Service-Worker-Navigation-Preload"):
		return false
	case has("Sec-Fetch-Mode"), has("Sec-Fetch-Dest"), has("Sec-Fetch-Site"):
		return h.Get("Sec-Fetch-Mode") == "navigate" && h.Get("Sec-Fetch-Dest") == "document"
	}
	return !strings.Contains(h.Get("User-Agent"), "Mozilla/") && !slices.ContainsFunc(marks, has)
}

// marks are headers that a browser adds to a request, or a script, and that other
// clients do without. None can be kept back by a script in all browsers.
var marks = []string{"Accept-Language", "Origin", "Referer", "Upgrade-Insecure-Requests", "X-Requested-With"}

// failureView is a failure as all forms of its page need it, bounded and without
// secrets.
type failureView struct {
	fault.Failure
	pages  *Pages
	at     Place
	frames []srctree.Frame // of Calls
	total  int             // calls that there were
	root   int             // the app's innermost call, -1 for none
	bad    []int
	source *sources
}

func (p *Pages) newFailureView(f fault.Failure, at Place) *failureView {
	if f.Error != nil { // that of the cause is the same, with notes
		f.Error, f.Cause.Error = cmp.Or(f.Cause.Error, f.Error), nil
	}
	v := &failureView{Failure: fault.Redacted(boundedFailure(f)), pages: p, at: at, total: len(f.Calls), root: -1}
	v.source = newSources(cmp.Or(f.Built, f.At))
	v.source.scans = &p.scans
	for i, c := range v.Calls {
		fr := p.Tree.Frame(c.Frame)
		v.frames = append(v.frames, fr)
		if fr.Own && v.root < 0 {
			v.root, v.bad = i, []int{i}
		}
	}
	for _, p := range v.Cause.Why {
		for i := range p {
			p[i].Text = oneLine(p[i].Text)
		}
	}
	return v
}

// Bounds of a failure, next to those of a crash.
const (
	maxFields = 100
	maxValues = 5000      // of all variables together
	maxLong   = 4 << 10   // bytes of one text
	maxTexts  = 512 << 10 // bytes of all texts; beyond them each is cut to maxShort
	maxShort  = 64
)

// bounds are what is left of a failure's size.
type bounds struct{ bytes, values, errors int }

func (b *bounds) cut(s string, n int) string {
	if b.bytes <= 0 {
		n = min(n, maxShort)
	}
	s = fault.Cut(s, n)
	b.bytes -= len(s)
	return s
}

func boundedFailure(f fault.Failure) fault.Failure {
	b := &bounds{maxTexts, maxValues, 5 * maxSteps}
	f.Message, f.Production.Body = fault.Cut(f.Message, maxText), fault.Cut(f.Production.Body, maxText)
	q := &f.Request
	for _, s := range []*string{&f.ID, &f.Type, &f.Gone, &f.Values.Why, &f.Values.Way, &q.Method, &q.Proto, &q.Host, &q.Remote, &q.Route} {
		*s = b.cut(*s, maxName)
	}
	q.URI = b.cut(q.URI, maxLong)
	f.Notes = slices.Clone(f.Notes[:min(len(f.Notes), 20)])
	for i := range f.Notes {
		f.Notes[i] = b.cut(f.Notes[i], maxName)
	}
	// The innermost calls come first: they are what the page is about.
	f.Calls = slices.Clone(f.Calls[:min(len(f.Calls), maxFrames)])
	for i := range f.Calls {
		c := &f.Calls[i]
		c.Func, c.File, c.Why = fault.Cut(c.Func, maxName), fault.Cut(c.File, maxName), b.cut(c.Why, maxName)
		c.Vars = b.valuesOf(c.Vars, 0)
	}
	if f.CreatedBy != nil {
		by := *f.CreatedBy
		by.Func, by.File = fault.Cut(by.Func, maxName), fault.Cut(by.File, maxName)
		f.CreatedBy = &by
	}
	for _, list := range []*[]fault.Field{&q.Header, &q.Form, &f.Production.Header} {
		*list = slices.Clone((*list)[:min(len(*list), maxFields)])
		for i := range *list {
			field := &(*list)[i]
			field.Name = b.cut(field.Name, maxName)
			field.Values = slices.Clone(field.Values[:min(len(field.Values), maxFields)])
			for j := range field.Values {
				field.Values[j] = b.cut(field.Values[j], maxLong)
			}
		}
	}
	if f.Error != nil {
		f.Error = &b.errorsOf([]fault.Error{*f.Error})[0]
	} else if f.Cause.Error != nil {
		f.Cause.Error = &b.errorsOf([]fault.Error{*f.Cause.Error})[0]
	}
	f.Panics = b.errorsOf(f.Panics)
	f.Cause.Note = b.cut(f.Cause.Note, maxText)
	f.Cause.Why = slices.Clone(f.Cause.Why)
	for i, p := range f.Cause.Why {
		f.Cause.Why[i] = cutWords(p, maxText)
	}
	return f
}

func (b *bounds) errorsOf(list []fault.Error) []fault.Error {
	var out []fault.Error
	for _, e := range list {
		if b.errors--; b.errors < 0 {
			break
		}
		e.Type, e.Text, e.Note = b.cut(e.Type, maxName), b.cut(e.Text, maxText), b.cut(e.Note, maxName)
		e.Causes = b.errorsOf(e.Causes)
		out = append(out, e)
	}
	return out
}

// maxDeep is how deep values are looked at; an inspector is done long before.
const maxDeep = 20

func (b *bounds) valuesOf(list []fault.Value, depth int) []fault.Value {
	if depth > maxDeep {
		return nil
	}
	var out []fault.Value
	for _, v := range list {
		if b.values--; b.values < 0 {
			break
		}
		v.Name, v.Type, v.Text = b.cut(v.Name, maxName), b.cut(v.Type, maxName), b.cut(v.Text, maxLong)
		v.Cycle, v.Unreadable = b.cut(v.Cycle, maxName), b.cut(v.Unreadable, maxName)
		v.Children = b.valuesOf(v.Children, depth+1)
		out = append(out, v)
	}
	return out
}

// status is that of the answer.
func (v *failureView) status() int {
	switch {
	case !v.at.Away:
		return http.StatusOK
	case v.Production.Status >= 500 && v.Production.Status <= 599:
		return v.Production.Status
	}
	return http.StatusInternalServerError
}

// answer makes only the form that is asked for.
func (v *failureView) answer(all bool, as form) *answer {
	a := &answer{status: v.status(), varies: v.at.Away}
	if v.at.Away {
		a.policy, a.failure, a.script = awayPolicy(v.at.WaitURL), v.at.ConsoleURL, v.at.Script
	}
	switch as {
	case asHTML:
		a.html = v.html(all)
	case asJSON, asOwnJSON:
		a.json = v.json(all)
	case asMarkdown:
		a.markdown = v.markdown(all)
	default:
		a.text = v.text(all)
	}
	return a
}

// inlined are the stylesheet and the script of a page that stands alone; their
// text is always the same, so their hashes are what its policy allows.
var inlined = func() template.HTML {
	return template.HTML("<style>" + string(css) + "</style>\n<script>" + awayScript + "</script>")
}()

var awayScript = string(js) + string(waitJS)

// awayPolicy is that of a page on the app's address: an origin of its own, which
// nobody else has, and nothing from anywhere but the answer of wait.
func awayPolicy(wait string) string {
	connect := "'none'"
	if o := originOf(wait); o != "" {
		connect = o
	}
	return "sandbox allow-scripts allow-popups allow-popups-to-escape-sandbox allow-top-navigation-to-custom-protocols; " +
		"default-src 'none'; script-src " + hashOf(awayScript) + "; style-src " + hashOf(string(css)) + "; connect-src " + connect +
		"; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

func hashOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// originOf returns the origin of a http or https address, or "" for what is none:
// it goes into a header.
func originOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil ||
		strings.ContainsFunc(u.Host, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`;,'"\`, r) }) {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
