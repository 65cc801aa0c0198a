package proxy

import (
	"net"
	"slices"
	"strings"
)

// scriptNonce tells why the policies, values of Content-Security-Policy, do not let a
// page at http://host load a script from there, "" if they do, and with which nonce;
// "" means that none is needed or offered.
func scriptNonce(policies []string, host string) (nonce, why string) {
	var offered, needed []string
	bound := false // a policy lets scripts in by nonce only
	for _, line := range policies {
		for policy := range strings.SplitSeq(line, ",") {
			p := parsePolicy(policy)
			if p.sandboxed {
				return "", "sandbox needs both allow-scripts and allow-same-origin"
			}
			nonces, plain := p.admits(host)
			offered = append(offered, nonces...)
			switch {
			case plain:
			case bound:
				needed = slices.DeleteFunc(needed, func(n string) bool { return !slices.Contains(nonces, n) })
			default:
				bound, needed = true, slices.Clone(nonces)
			}
		}
	}
	if bound {
		offered = needed
	}
	switch {
	case len(offered) > 0:
		return offered[0], ""
	case bound:
		return "", "allows no script from this origin"
	}
	return "", ""
}

// policy is what one policy says about scripts.
type policy struct {
	sources   []string
	limited   bool // there is a list of sources, if an empty one
	sandboxed bool // no script runs, or none with the rights of the page's origin
}

func parsePolicy(s string) (p policy) {
	directives := map[string][]string{}
	for d := range strings.SplitSeq(s, ";") {
		words := strings.Fields(d)
		if len(words) == 0 {
			continue
		}
		name := strings.ToLower(words[0])
		if _, again := directives[name]; !again { // the first one counts
			directives[name] = words[1:]
		}
	}
	for _, name := range []string{"script-src-elem", "script-src", "default-src"} {
		if p.sources, p.limited = directives[name]; p.limited {
			break
		}
	}
	flags, sandbox := directives["sandbox"]
	for _, needed := range []string{"allow-scripts", "allow-same-origin"} {
		allowed := slices.ContainsFunc(flags, func(f string) bool { return strings.EqualFold(f, needed) })
		p.sandboxed = p.sandboxed || sandbox && !allowed
	}
	return p
}

// admits returns the nonces of p and whether a script from host needs none.
func (p policy) admits(host string) (nonces []string, plain bool) {
	if !p.limited {
		return nil, true
	}
	strict := false
	for _, source := range p.sources {
		word := strings.ToLower(source)
		switch {
		case strings.HasPrefix(word, "'nonce-") && strings.HasSuffix(word, "'"):
			if n := source[len("'nonce-") : len(source)-1]; isNonce(n) {
				nonces = append(nonces, n)
			}
		case word == "'strict-dynamic'":
			strict = true
		case word == "'self'" || matchSource(word, strings.ToLower(host)):
			plain = true
		}
	}
	return nonces, plain && !strict
}

// isNonce keeps what is no base64 out of the tag.
func isNonce(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/-_=") == ""
}

// matchSource tells whether the source expression s, in lower case, covers
// devrun's scripts at http://host.
func matchSource(s, host string) bool {
	if s == "*" || s == "http:" {
		return true
	}
	if scheme, rest, ok := strings.Cut(s, "://"); ok {
		if scheme != "http" {
			return false
		}
		s = rest
	}
	s, path, _ := strings.Cut(s, "/")
	if path = "/" + path; !strings.HasSuffix(path, "/") || !strings.HasPrefix(prefix+"/", path) {
		return false
	}
	name, port := splitPort(host)
	wantName, wantPort := splitPort(s)
	if wantPort != "*" && wantPort != port {
		return false
	}
	if suffix, ok := strings.CutPrefix(wantName, "*."); ok {
		return strings.HasSuffix(name, "."+suffix)
	}
	return wantName == name || wantName == "*"
}

// splitPort is net.SplitHostPort with http's port where there is none.
func splitPort(s string) (host, port string) {
	if host, port, err := net.SplitHostPort(s); err == nil {
		return host, port
	}
	return s, "80"
}
