package term

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// say prints one line of devrun.
func (t *Terminal) say(text string) { t.print(t.line(text), false, false) }

func (t *Terminal) line(text string) string { return t.style.dim("devrun:") + " " + text + "\n" }

// Building says that pkg is being built. On a terminal the line gives way to
// the result of the build.
func (t *Terminal) Building(pkg string) {
	t.print(t.line("building "+visible(pkg)), true, false)
}

// Progress says, in the place of Building, how many of the packages that have to
// be built were begun. Where a line cannot be replaced only the first one is said.
func (t *Terminal) Progress(pkg string, done, of int, first bool) {
	t.mu.Lock()
	replaceable := t.err.at.transient
	t.mu.Unlock()
	if first || replaceable {
		t.print(t.line(fmt.Sprintf("building %s, %d of %d packages", visible(pkg), done, of)), true, true)
	}
}

// Built says how long the build took.
func (t *Terminal) Built(d time.Duration) {
	t.print(t.line("built in "+t.style.bold(took(d))), false, true)
}

// Serving says that the app answers at url.
func (t *Terminal) Serving(url string, pid int) { t.serving(t.style.address(url), pid) }

// ServingSocket says that the app answers where no browser asks: network is "unix" or
// "tcp", addr a path or a host:port.
func (t *Terminal) ServingSocket(network, addr string, pid int) {
	t.serving(network+" "+visible(addr), pid)
}

func (t *Terminal) serving(where string, pid int) {
	t.say(t.style.greenBold("serving") + " " + where + " " + t.style.dim(fmt.Sprintf("(pid %d)", pid)))
}

// Effect is what comes of a save.
type Effect string

// The effects of a save.
const (
	Rebuild           Effect = "" // what is usual is not said
	StylesheetSwapped Effect = "stylesheet swapped"
	PageReloaded      Effect = "page reloaded"
	RestartOnly       Effect = "restarting without a build"
	Restart           Effect = "restarting"
)

// Saved names the files, as a person in the app's directory would write them,
// and says what comes of it. No files and no effect give no line.
func (t *Terminal) Saved(files []string, effect Effect) {
	var text string
	switch len(files) {
	case 0:
	case 1:
		text = t.style.bold(files[0]) + " saved"
	case 2:
		text = t.style.bold(files[0]) + " and " + t.style.bold(files[1]) + " saved"
	default:
		text = fmt.Sprintf("%s and %d more files saved", t.style.bold(files[0]), len(files)-1)
	}
	switch {
	case text == "":
		text = string(effect)
	case effect != Rebuild:
		text += ", " + string(effect)
	}
	if text != "" {
		t.print(t.line(text), false, true)
	}
}

// Phase is a part of the time from a save to the answer.
type Phase struct {
	Name string
	Took time.Duration
}

// Phases says where the time went, in milliseconds, if the Terminal is verbose.
func (t *Terminal) Phases(phases []Phase) {
	if !t.opts.Verbose || len(phases) == 0 {
		return
	}
	parts := make([]string, len(phases))
	for i, p := range phases {
		parts[i] = fmt.Sprintf("%s %d", p.Name, p.Took.Round(time.Millisecond).Milliseconds())
	}
	t.say(t.style.dim(strings.Join(parts, " · ") + " ms"))
}

// StillRunning says that the process of an older generation goes on.
func (t *Terminal) StillRunning(generation, pid int) {
	t.say(t.style.dim(fmt.Sprintf("generation %d is still running (pid %d)", generation, pid)))
}

// WaitingForSave says that nothing happens before a save, or before r is
// pressed if canRestart.
func (t *Terminal) WaitingForSave(canRestart bool) {
	if canRestart {
		t.say("waiting for a save, or press " + t.style.bold("r") + " to start again")
		return
	}
	t.say(t.style.dim("waiting for a save"))
}

// Stopping says that devrun ends. An interrupt that came from the keyboard has
// left "^C" on the screen unless Keys took the echo away.
func (t *Terminal) Stopping(interrupted bool) {
	t.mu.Lock()
	if interrupted && t.keyboard == nil && t.err.tty {
		t.err.at.fresh = false
	}
	t.mu.Unlock()
	t.say(t.style.dim("stopping"))
}

// Stopped says how long the app took to stop.
func (t *Terminal) Stopped(d time.Duration) { t.say(t.style.dim("stopped after " + took(d))) }

// NotStopped says that the app outlived its grace.
func (t *Terminal) NotStopped(grace time.Duration) {
	t.say(t.style.yellow("the app did not stop within " + short(grace) + ", killing it"))
}

// Killed says that devrun does not wait any longer. Close is still to be called.
func (t *Terminal) Killed() { t.say("killed") }

// Hinter is an error that knows what can be done about it, in one sentence.
type Hinter interface {
	error
	Hint() string
}

// Error prints an error of devrun itself, and the first hint in its chain.
func (t *Terminal) Error(err error) {
	first, rest, _ := strings.Cut(strings.TrimRight(err.Error(), "\n"), "\n")
	lines := t.style.red("devrun:") + " " + visible(first) + "\n"
	if rest != "" {
		for line := range strings.SplitSeq(rest, "\n") {
			lines += "  " + visible(strings.TrimLeft(line, " \t")) + "\n"
		}
	}
	t.print(lines, false, false)
	var h Hinter
	if errors.As(err, &h) && h.Hint() != "" {
		t.Hint(h.Hint())
	}
}

// Hint says what can be done.
func (t *Terminal) Hint(hint string) { t.say(t.style.bold("hint:") + " " + visible(hint)) }

// Notice says something worth knowing.
func (t *Terminal) Notice(text string) { t.say(visible(text)) }

// Wide warns that the app can be reached from other machines, at url.
func (t *Terminal) Wide(host, url string) {
	t.say(t.style.yellowBold("bound to " + host + ", everyone on this network can reach " + url))
}

// Help lists the keys.
func (t *Terminal) Help() {
	var list []string
	for _, k := range keyHelp {
		list = append(list, t.style.bold(string(k.key))+" "+k.does)
	}
	t.say(strings.Join(list, "    "))
}
