package fault

import "strings"

// Part names the texts of a failure that are no variables.
type Part string

const (
	OfQuery  Part = "query"  // of Request.URI
	OfHeader Part = "header" // Request.Header
	OfForm   Part = "form"   // Request.Form
	OfCookie Part = "cookie" // Cookies of Request.Header
	OfAnswer Part = "answer" // Production.Header
)

// Cookies are those that a request's header has, one value each, in the order in
// which they were sent.
func Cookies(header []Field) (list []Field) {
	for _, h := range header {
		if !strings.EqualFold(h.Name, "Cookie") {
			continue
		}
		for _, line := range h.Values {
			for part := range strings.SplitSeq(line, ";") {
				name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
				if name != "" {
					list = append(list, Field{Name: name, Values: []string{value}})
				}
			}
		}
	}
	return list
}

// FieldAt returns a text of f: of the query the path is empty, else it is the number
// of a field and that of its value. ok is false where the path leads nowhere.
func FieldAt(f Failure, part Part, path []int) (text string, ok bool) {
	var list []Field
	switch part {
	case OfQuery:
		_, query, _ := strings.Cut(f.Request.URI, "?")
		return query, len(path) == 0
	case OfHeader:
		list = f.Request.Header
	case OfForm:
		list = f.Request.Form
	case OfCookie:
		list = Cookies(f.Request.Header)
	case OfAnswer:
		list = f.Production.Header
	}
	if len(path) != 2 || path[0] < 0 || path[0] >= len(list) {
		return "", false
	}
	values := list[path[0]].Values
	if path[1] < 0 || path[1] >= len(values) {
		return "", false
	}
	return values[path[1]], true
}
