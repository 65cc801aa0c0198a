package proxy

import (
	"net/http"
	"slices"
	"strings"
)

// reserved tells the names of headers that only devrun may use.
func reserved(name string) bool {
	name = strings.TrimPrefix(name, http.TrailerPrefix)
	const mine = "X-Devrun-"
	return len(name) >= len(mine) && strings.EqualFold(name[:len(mine)], mine)
}

func never(_, _ string) bool { return false }

// scrub removes from an answer what only devrun may say, but for what it has said.
func scrub(h http.Header, said func(name, value string) bool) {
	for name, values := range h {
		if !reserved(name) {
			continue
		}
		if values = slices.DeleteFunc(values, func(v string) bool { return !said(name, v) }); len(values) > 0 {
			h[name] = values
		} else {
			delete(h, name)
		}
	}
	if cookies := h["Set-Cookie"]; len(cookies) > 0 {
		h["Set-Cookie"] = slices.DeleteFunc(cookies, ownCookie)
	}
}

// dropOwn removes from a request what only devrun may see: its headers, and its cookies
// among the others.
func dropOwn(h http.Header) {
	for name := range h {
		if reserved(name) {
			delete(h, name)
		}
	}
	lines := h["Cookie"]
	for i, line := range lines {
		if !strings.Contains(strings.ToLower(line), cookiePrefix) {
			continue
		}
		pairs := slices.DeleteFunc(strings.Split(line, ";"), ownCookie)
		lines[i] = strings.TrimSpace(strings.Join(pairs, ";"))
	}
	if lines = slices.DeleteFunc(lines, func(l string) bool { return l == "" }); len(lines) == 0 {
		delete(h, "Cookie")
	} else {
		h["Cookie"] = lines
	}
}

const cookiePrefix = "devrun_"

func ownCookie(pair string) bool {
	pair = strings.TrimSpace(pair)
	return len(pair) >= len(cookiePrefix) && strings.EqualFold(pair[:len(cookiePrefix)], cookiePrefix)
}
