package fault

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// secrecy says what a name gives away about its value.
type degree uint8

const (
	open   degree = iota
	weak          // a session, a key: its strings are secret, its numbers and its shape are not
	strong        // a password: all of it is
)

var (
	strongWords = strings.Fields("password passwords passwd pass pwd pw passphrase passcode secret secrets token tokens jwt " +
		"credential credentials cred creds dsn apikey apikeys authorization")
	weakWords = strings.Fields("key auth oauth session sessions sessionid sid cookie cookies private signature csrf xsrf")
	// compounds are written as one word, behind whatever else.
	compounds = strings.Fields("password passwd passphrase secret token apikey secretkey privatekey accesskey signingkey")

	// about are words behind which the name is of something about the secret:
	// tokenType, passwordField, keyLen.
	about = strings.Fields("name names type kind len length count size max min ttl age at expiry expires expired expiration " +
		"url uri endpoint path file dir prefix index idx field header func fn handler ok err error valid required enabled " +
		"policy store driver version id ids code down up press word board")
	// still are secrets all the same when such a word follows: sessionID, authHeader.
	still = map[string][]string{"id": {"session", "sessions", "token"}, "header": {"auth", "authorization"}}
	// harmless keys open nothing.
	harmless = strings.Fields("primary foreign public cache map sort partition group context ctx index row column routing config hot bucket")
	// keepers make a list of keys a list of secrets.
	keepers = strings.Fields("api signing private secret access encryption session auth crypto jwt hmac aes rsa ssh master")
)

// secrecy looks at the words of a name, however they are joined: "SecretKey",
// "csrf_token", "X-Api-Key", but not "keys", "tokenizer", "author".
func secrecy(name string) degree {
	all := words(name)
	found := open
	for i, w := range all {
		d := open
		switch {
		case slices.Contains(strongWords, w):
			d = strong
		case w == "key" && (len(all) == 1 || slices.Contains(harmless, all[max(i-1, 0)])):
			// alone it is a map's, or a translation's
		case slices.Contains(weakWords, w):
			d = weak
		case w == "keys" && i > 0 && slices.Contains(keepers, all[i-1]):
			d = strong
		case slices.ContainsFunc(compounds, func(c string) bool { return len(w) > len(c) && strings.HasSuffix(w, c) }):
			d = strong
		}
		if last := all[len(all)-1]; d > open && i+1 < len(all) && slices.Contains(about, last) && !slices.Contains(still[last], w) {
			d = open
		}
		if w == "key" && d == weak && i > 0 && slices.Contains(keepers, all[i-1]) {
			d = strong
		}
		found = max(found, d)
	}
	return found
}

// words cuts a name at underscores, hyphens, dots, and where case changes.
func words(name string) []string {
	var out []string
	var b strings.Builder
	flush := func() {
		if b.Len() > 0 {
			out = append(out, strings.ToLower(b.String()))
			b.Reset()
		}
	}
	runes := []rune(name)
	if len(runes) > 200 {
		runes = runes[:200]
	}
	for i, r := range runes {
		if !unicode.IsLetter(r) {
			flush()
			continue
		}
		if unicode.IsUpper(r) && i > 0 && (unicode.IsLower(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])) {
			flush()
		}
		b.WriteRune(r)
	}
	flush()
	return out
}

// looks are values that give themselves away; $1 and $2 stay.
var looks = []struct {
	re   *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)`), Mask},
	{regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*)?`), Mask},
	{regexp.MustCompile(`\b(?:AKIA|ASIA)[0-9A-Z]{16}\b`), Mask},
	{regexp.MustCompile(`\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|xox[abprs]-[\w-]{10,}|[srp]k_(?:live|test)_\w{10,}|AIza[\w-]{30,}|glpat-[\w-]{16,})`), Mask},
	// a password in an address: postgres://user:password@host, user:password@tcp(host)
	{regexp.MustCompile(`(\b[A-Za-z][A-Za-z0-9+.-]*://[^/\s:@"'?#]*):[^/\s"'?#]+@`), "$1:" + Mask + "@"},
	{regexp.MustCompile(`(\b[\w.-]+):[^@\s"'/:]+@((?:tcp|unix|udp)6?\()`), "$1:" + Mask + "@$2"},
}

var (
	scheme = regexp.MustCompile(`(?i)\b(Bearer|Basic|Token)\s+([A-Za-z0-9._~+/=-]{8,})`)
	pair   = regexp.MustCompile(`([A-Za-z][\w.-]*)(\\?["']?)\s*(:=|[:=])\s*`)
	hidden = regexp.MustCompile(`(?i)(\bname=["']?([\w.-]+)["']?[^<>]*\bvalue=)("[^"<>]*"?|'[^'<>]*'?|[^\s"'<>]+)`)
)

// scrub masks what looks like a secret in any text: by the value's own look, and
// "password: x", "token=x" and the like.
func scrub(s string) string { return scrubText(s, strong) }

func scrubText(s string, least degree) string {
	for _, l := range looks {
		if l.re.MatchString(s) {
			s = l.re.ReplaceAllString(s, l.with)
		}
	}
	s = scheme.ReplaceAllStringFunc(s, func(m string) string {
		parts := scheme.FindStringSubmatch(m)
		if !random(parts[2]) {
			return m
		}
		return parts[1] + " " + Mask
	})
	return scrubPairs(s, least)
}

// random tells a credential from a word: "Bearer authentication failed".
func random(s string) bool {
	lower, upper := strings.ToLower(s), strings.ToUpper(s)
	return s != "" && (strings.ContainsAny(s, "0123456789=+/") || s != lower && s != upper && s[1:] != lower[1:])
}

// scrubPairs masks the values behind secret names. Behind a colon in prose a weak
// name is a word like others ("no such key: a"), so least says what counts there.
func scrubPairs(s string, least degree) string {
	var b strings.Builder
	for {
		m := pair.FindStringSubmatchIndex(s)
		if m == nil {
			break
		}
		d, sign := secrecy(s[m[2]:m[3]]), s[m[6]:m[7]]
		end := m[1]
		if d == strong || d == weak && (least == weak || sign == "=" || m[5] > m[4]) {
			end = valueEnd(s, m[1])
		}
		if end == m[1] || strings.HasPrefix(s[m[1]:], "//") || strings.HasPrefix(s[m[1]:end], Mask) {
			b.WriteString(s[:m[7]])
			s = s[m[7]:]
			continue
		}
		b.WriteString(s[:m[1]] + Mask)
		s = s[end:]
	}
	return b.String() + s
}

// valueEnd is where the value that begins at i ends: a quoted string, something in
// brackets, or a word; of what says nothing ("nil", "true", `""`) it is i.
func valueEnd(s string, i int) int {
	rest := s[i:]
	end := 0
	switch {
	case rest == "":
		return i
	case strings.HasPrefix(rest, Mask):
		return i + len(Mask)
	case rest[0] == '"' || rest[0] == '\'' || rest[0] == '`':
		end = quotedEnd(rest)
	case strings.HasPrefix(rest, `\"`):
		if end = strings.Index(rest[2:], `\"`) + 4; end == 3 {
			end = len(rest)
		}
	case rest[0] == '{' || rest[0] == '[' || rest[0] == '(' || strings.HasPrefix(rest, "&{") || strings.HasPrefix(rest, "len "):
		end = bracketEnd(rest)
	default:
		if end = strings.IndexAny(rest, " \t\r\n,;&\"'`)}]<>|"); end < 0 {
			end = len(rest)
		}
	}
	switch rest[:end] {
	case "nil", "true", "false", "null", `""`, "''", "``", `\"\"`, "redacted":
		return i
	}
	return i + end
}

func quotedEnd(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case s[0]:
			return i + 1
		}
	}
	return len(s)
}

func bracketEnd(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"', '`':
			i += quotedEnd(s[i:]) - 1
		case '{', '[', '(':
			depth++
		case '}', ']', ')':
			if depth--; depth <= 0 {
				return i + 1
			}
		}
	}
	return len(s)
}

// scrubHidden masks the values of secret fields of an html form.
func scrubHidden(s string) string {
	return hidden.ReplaceAllStringFunc(s, func(m string) string {
		parts := hidden.FindStringSubmatch(m)
		if secrecy(parts[2]) == open {
			return m
		}
		return parts[1] + `"` + Mask + `"`
	})
}
