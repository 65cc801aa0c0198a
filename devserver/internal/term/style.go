package term

import (
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/fatih/color"
)

// style gives text its look, by the names of ANSI so that the user's own palette
// decides. Every function makes its text visible first, so that text from
// outside cannot bring a look of its own.
//
// Red means that something failed, yellow that it is worth a look, green that
// the app answers.
type style struct {
	dim, bold, red, redBold, yellow, yellowBold, greenBold, cyanBold, underline, boldUnderline func(string) string

	links bool
}

func newStyle(colour, links bool) style {
	look := func(attributes ...color.Attribute) func(string) string {
		c := color.New(attributes...)
		c.EnableColor()
		return func(s string) string {
			if s = visible(s); !colour || s == "" {
				return s
			}
			return c.Sprint(s)
		}
	}
	return style{
		dim:           look(color.Faint),
		bold:          look(color.Bold),
		red:           look(color.FgRed),
		redBold:       look(color.FgRed, color.Bold),
		yellow:        look(color.FgYellow),
		yellowBold:    look(color.FgYellow, color.Bold),
		greenBold:     look(color.FgGreen, color.Bold),
		cyanBold:      look(color.FgCyan, color.Bold),
		underline:     look(color.Underline),
		boldUnderline: look(color.Bold, color.Underline),
		links:         links,
	}
}

// link is text that leads to target, where the terminal can do that.
func (s style) link(target, text string) string {
	if !s.links || target == "" {
		return text
	}
	return "\x1b]8;;" + visible(target) + "\x1b\\" + text + "\x1b]8;;\x1b\\"
}

// address is a URL.
func (s style) address(u string) string { return s.link(u, s.underline(u)) }

// fileURL is the address of a file, with the host as terminals want it: over a
// remote shell the file is not on the machine that shows the link.
func fileURL(file string) string {
	if !filepath.IsAbs(file) {
		return ""
	}
	host, err := os.Hostname()
	if err != nil {
		host = "" // means this machine
	}
	path := filepath.ToSlash(file)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // C:/…
	}
	u := url.URL{Scheme: "file", Host: host, Path: path}
	return u.String()
}

// linksSupported reports whether the terminal is known to understand links (OSC
// 8). There is no way to ask, so it goes by how terminals make themselves known
// in the environment; under tmux and screen what is outside is not known.
func linksSupported(env func(string) string) bool {
	if env("TMUX") != "" || env("STY") != "" {
		return false
	}
	switch env("TERM_PROGRAM") {
	case "iTerm.app", "WezTerm", "vscode", "ghostty", "Hyper", "Tabby", "rio", "WarpTerminal":
		return true
	}
	switch env("TERM") {
	case "xterm-kitty", "xterm-ghostty", "alacritty", "foot", "foot-extra", "contour", "wezterm":
		return true
	}
	// VTE before 0.50 showed broken links, and wrote its version as 4904.
	if vte, err := strconv.Atoi(env("VTE_VERSION")); err == nil && vte >= 5000 {
		return true
	}
	// Windows Terminal, Konsole since 20.12, DomTerm.
	konsole, err := strconv.Atoi(env("KONSOLE_VERSION"))
	return err == nil && konsole >= 201200 || env("WT_SESSION") != "" || env("DOMTERM") != ""
}
