package devserver

import (
	"os/exec"
	"runtime"
	"time"

	"devrun/devserver/internal/reload"
	"devrun/devserver/internal/term"
)

// sameHand is the pause after which a byte may be meant for somebody else.
const sameHand = 100 * time.Millisecond

// onKey handles one byte of the keyboard and reports whether the user wants
// to quit. While the app reads its standard input the keyboard is the app's.
func (l *loop) onKey(k term.Key) (quit bool) {
	if l.closing {
		return false
	}
	// An app that reads line by line is not reading for a moment between two:
	// what follows closely goes where the byte before went.
	if l.app != nil && (time.Since(l.app.typed) < sameHand || l.app.proc.ReadsStdin()) {
		l.app.typed = time.Now()
		if _, err := l.app.proc.Input().Write([]byte{byte(k)}); err == nil {
			return false
		}
	}
	switch k {
	case term.KeyRestart:
		l.again()
	case term.KeyBuild:
		l.beginSave(time.Time{})
		l.term.Building(l.cfg.Package)
		l.builder.Forget()
		l.load()
		l.rebuild()
	case term.KeyPIN:
		if pin := l.console.NewPIN(); pin != "" {
			l.term.PIN(pin)
		}
	case term.KeyOpen:
		if url := l.fronts.url(); url != "" {
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

// again restarts the app from its newest binary, if there is one.
func (l *loop) again() {
	if l.good == nil || l.build != nil || l.next != nil {
		return
	}
	l.beginSave(time.Time{})
	if l.failed != nil { // the newest sources are not in any binary
		l.rebuild()
		return
	}
	l.gen++
	l.hub.Publish(reload.Event{Kind: reload.Building, Generation: l.gen})
	l.swap(l.good.again(l.gen))
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

// size is that of the terminal, for the app's own.
func (l *loop) size() (rows, cols uint16) {
	c, r, _ := l.term.Size() // 0 is how a terminal says that it does not know
	return uint16(r), uint16(c)
}

// resize hands a new size of the terminal on to the app.
func (l *loop) resize() {
	if l.app == nil {
		return
	}
	if rows, cols := l.size(); rows > 0 {
		if err := l.app.proc.Resize(rows, cols); err != nil {
			l.term.Notice("the app does not learn of the terminal's new size: " + err.Error())
		}
	}
}
