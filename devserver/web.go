package devserver

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"

	"devrun/devserver/internal/console"
	"devrun/devserver/internal/page"
	"devrun/devserver/internal/reload"
)

// web is what browsers see of devrun: the app's public addresses, its own, and what
// tells the two to load anew.
type web struct {
	hub       *reload.Hub
	pages     *page.Pages
	listeners *listeners
	console   *console.Console
	mail      *mail // nil: none is taken
	announced bool  // where devrun's own pages are
}

func (l *loop) openWeb(remembered memory) error {
	w, g := &l.web, l.sources.Graph
	w.hub = reload.New(rand.Text())
	w.hub.Notice = l.term.Notice
	modules := map[string]string{} // directories of those under development, by path
	for _, m := range g.Modules {
		modules[m.Path] = m.Dir
	}
	app := page.App{
		Name: appName(g), Version: l.cfg.Version, Go: g.GoVersion + " " + g.GOOS + "/" + g.GOARCH,
		Root: l.cfg.Dir, Modules: modules, Editor: l.cfg.Editor,
		Snippet: func(method string) string { return w.hub.Snippet(method, "") },
	}
	if l.cfg.SMTP {
		var err error
		if w.mail, err = openMail(l.queue, l.term); err != nil {
			return err
		}
		app.Unread = w.mail.box.Unseen
	}
	w.pages = page.New(app)
	internal := http.NewServeMux()
	internal.Handle("/__devrun/", w.hub.Handler())
	internal.Handle("/__devrun/page.css", page.Assets())
	internal.Handle("/__devrun/page.js", page.Assets())
	said := func(ctx context.Context, name, value string) bool { return l.failures.said(ctx, name, value) }
	w.listeners = newListeners(l.cfg, remembered, internal, w.hub, w.pages, l.term, l.lost, said)
	l.failures = &failures{
		queue: l.queue, term: l.term, pages: w.pages, visitors: w.listeners.visitors, state: l.pageState,
		wanted: func() { l.prepareDebugger(true) }, wait: debuggerWait, off: l.cfg.NoPages,
	}
	if w.mail != nil {
		w.mail.pages = w.pages
		w.mail.now = func() (failures int, s page.State) {
			l.queue.do(func() { failures, s = len(l.failures.list), l.pageState() })
			return failures, s
		}
	}
	var err error
	if w.console, err = l.openConsole(); err != nil {
		return err
	}
	if l.failures.console = w.console; w.mail != nil {
		w.mail.console = w.console
	}
	return nil
}

func (w *web) close() error {
	var err error
	if w.hub != nil {
		w.hub.Close()
	}
	if w.console != nil {
		err = errors.Join(err, w.console.Close())
	}
	if w.mail != nil {
		err = errors.Join(err, w.mail.server.Close())
	}
	if w.listeners != nil {
		err = errors.Join(err, w.listeners.close())
	}
	return err
}

// announceConsole prints, once, where devrun's own pages are and what unlocks
// them.
func (l *loop) announceConsole() {
	w := &l.web
	if w.announced {
		return
	}
	w.announced = true
	l.term.Overview(w.console.URL())
	if w.mail != nil {
		w.mail.announce(l.sources.environ.Vars)
	}
	if pin := w.console.PIN(); pin != "" {
		l.term.PIN(pin)
	} else if l.cfg.Console == ConsoleOnTerminal { // who has turned it off knows why
		l.term.ConsoleOff("stderr is not a terminal; --console=on prints the PIN anyway")
	}
}
