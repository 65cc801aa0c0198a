package fastbuild

import (
	"errors"
	"strconv"
	"strings"
)

// unquoteWords divides a command that the go command prints: words stand as they
// are or, where that would not be clear, as Go strings; the values of the
// environment ahead of it may be in single quotes.
func unquoteWords(line string) (words []string, err error) {
	for line = strings.TrimLeft(line, " "); line != ""; line = strings.TrimLeft(line, " ") {
		if line[0] == '"' {
			quoted, err := strconv.QuotedPrefix(line)
			if err != nil {
				return nil, err
			}
			word, err := strconv.Unquote(quoted)
			if err != nil {
				return nil, err
			}
			words, line = append(words, word), line[len(quoted):]
			if line != "" && line[0] != ' ' {
				return nil, errors.New("no blank follows a quoted word")
			}
			continue
		}
		if name, rest, ok := strings.Cut(line, "='"); ok && !strings.ContainsAny(name, " \"'") {
			value, rest, ok := strings.Cut(rest, "'")
			if !ok {
				return nil, errors.New("a quote is not closed")
			}
			words, line = append(words, name+"="+value), rest
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		words, line = append(words, word), rest
	}
	return words, nil
}
