package devserver

import (
	"os/exec"
	"runtime"
	"time"

	"devrun/devserver/internal/term"
)

// sameHand is the pause after which a byte may be meant for somebody else.
const sameHand = 100 * time.Millisecond

// onKey handles one byte of the keyboard and reports whether the user wants
// to quit. While the app reads its standard input the keyboard is the app's.
func (l *loop) onKey(k term.Key) (quit bool) {
	if l.end.begun() {
		return false
	}
	// An app that reads line by line is not reading for a moment between two:
	// what follows closely goes where the byte before went.
	if a := l.process.any(); a != nil && (time.Since(a.typed) < sameHand || a.proc.ReadsStdin()) {
		a.typed = time.Now()
		if _, err := a.proc.Input().Write([]byte{byte(k)}); err == nil {
			return false
		}
	}
	switch k {
	case term.KeyRestart:
		l.startAgain()
	case term.KeyBuild:
		l.saves.begin(time.Time{})
		l.term.Building(l.cfg.Package)
		l.builds.maker.Forget()
		l.load()
		l.rebuild()
	case term.KeyPIN:
		if pin := l.web.console.NewPIN(); pin != "" {
			l.term.PIN(pin)
		}
	case term.KeyOpen:
		if url := l.web.listeners.url(); url != "" {
			if err := browse(url); err != nil {
				l.term.Notice("open " + url + " in a browser: " + err.Error())
			}
		}
	case term.KeyQuit, 4: // or end of file
		return true
	case term.KeyHelp, 'h':
		l.term.Help()
	}
	return false
}

// startAgain starts the app anew from its newest binary, and builds it if the newest
// sources are not in any.
func (l *loop) startAgain() {
	if l.onItsWay() {
		return
	}
	l.saves.begin(time.Time{})
	if l.builds.failed != nil {
		l.term.Building(l.cfg.Package)
		l.load() // what was wrong may have been the machine's fault
		l.rebuild()
		return
	}
	l.newGeneration()
	l.swap(l.builds.good.binary)
}

// browse opens url in the user's browser.
func browse(url string) error {
	var c *exec.Cmd
	switch runtime.GOOS {
	case "darwin":
		c = exec.Command("open", url)
	case "windows":
		c = exec.Command("rundll32", "url.dll,FileProtocolHandler", url)
	default:
		c = exec.Command("xdg-open", url)
	}
	if err := c.Start(); err != nil {
		return err
	}
	go c.Wait() // the opener's own failures are on its stderr, which nobody reads
	return nil
}

// resize hands a new size of the terminal on to the app.
func (l *loop) resize() {
	a := l.process.any()
	if a == nil {
		return
	}
	if rows, cols := l.launcher.size(); rows > 0 {
		if err := a.proc.Resize(rows, cols); err != nil {
			l.term.Notice("the app's terminal cannot be resized: " + err.Error())
		}
	}
}
