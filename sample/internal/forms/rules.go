package forms

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// Rule says what is wrong with a value of a form, "" if nothing is.
type Rule func(f *Form, value string) (problem string)

// Length bounds the number of characters: code points, of which a line break
// has two, as browsers send it.
func Length(least, most int) Rule {
	return func(_ *Form, value string) string {
		if n := utf8.RuneCountInString(value); n < least || n > most {
			return fmt.Sprintf("Field must be between %d and %d characters long.", least, most)
		}
		return ""
	}
}

// EqualTo refuses a value other than that of another field.
func EqualTo(name string) Rule {
	return func(f *Form, value string) string {
		if value != f.Value(name) {
			return "Field must be equal to " + name + "."
		}
		return ""
	}
}

// Segment refuses what cannot be one segment of an address's path, and control
// characters.
func Segment(_ *Form, value string) string {
	if value == "." || value == ".." || strings.Contains(value, "/") || strings.ContainsFunc(value, unicode.IsControl) {
		return "Field must not contain / or control characters, nor be . or .. alone."
	}
	return ""
}

// Email refuses what is no email address. Whether mail arrives there is another
// question.
func Email(_ *Form, value string) string {
	at := strings.LastIndexByte(value, '@')
	if at < 0 || !localPart(value[:at]) || !domain(value[at+1:]) {
		return "Invalid email address."
	}
	return ""
}

// localPart reports whether s is words with dots between them, without quotes.
func localPart(s string) bool {
	for word := range strings.SplitSeq(s, ".") {
		if word == "" {
			return false
		}
		for _, r := range word {
			plain := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r)
			if !plain && (r < utf8.RuneSelf || !unicode.IsPrint(r)) {
				return false
			}
		}
	}
	return true
}

var domains = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.ValidateLabels(true), idna.StrictDomainName(true), idna.VerifyDNSLength(true))

// domain reports whether s is a name below a top-level domain.
func domain(s string) bool {
	ascii, err := domains.ToASCII(s)
	if err != nil {
		return false
	}
	dot := strings.LastIndexByte(ascii, '.')
	return dot > 0 && strings.ContainsFunc(ascii[dot+1:], unicode.IsLetter)
}
