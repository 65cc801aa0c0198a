package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/joho/godotenv"
)

// maxDotenv bounds a .env file, and what its values grow to when variables in
// them are replaced, in bytes. The system limits a process's whole environment
// to a few MB, and a file that is not meant for it is most often bigger.
const maxDotenv = 1 << 20

// value is a variable of a .env file.
type value struct {
	text string
	from string // ".env line 7"
}

// readDotenv returns the variables of a file; none, if there is no such file.
// Errors begin with the file's name and the line, and never hold a value: it
// may be a secret.
//
// godotenv gives the values. It has no limits and its errors have no lines, so
// everything that it would stumble over is found before. Variables in a value
// stand for what is set above in the same file; there is no command
// substitution.
func readDotenv(path string) (map[string]value, error) {
	name := filepath.Base(path)
	src, err := readRegular(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	src = strings.ReplaceAll(strings.TrimPrefix(src, "\uFEFF"), "\r\n", "\n")
	assignments, err := checkDotenv(src)
	if err != nil {
		return nil, fmt.Errorf("%s %w", name, err)
	}
	values, err := godotenv.Unmarshal(src)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read as lines of NAME=value", name)
	}
	vars := make(map[string]value, len(values))
	for _, a := range assignments {
		vars[a.name] = value{values[a.name], fmt.Sprintf("%s line %d", name, a.line)}
	}
	return vars, nil
}

// readRegular reads a file of at most maxDotenv bytes. It looks before it
// opens: a pipe would block and a device never end.
func readRegular(path string) (string, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return "", plainError(err)
	case info.IsDir():
		return "", errors.New("is a directory, it should be a file")
	case !info.Mode().IsRegular():
		return "", errors.New("is not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return "", plainError(err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxDotenv+1))
	if err != nil {
		return "", plainError(err)
	}
	if len(b) > maxDotenv {
		return "", errors.New("is longer than 1 MB")
	}
	return string(b), nil
}

// plainError is the reason alone; operation and path are said by the caller.
func plainError(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// assignment is a statement of a .env file.
type assignment struct {
	name string
	line int
}

var (
	variable  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`)
	reference = regexp.MustCompile(`\$\(?\{?([A-Z0-9_]+)`)
)

// checkDotenv splits a file into its statements as godotenv does, and refuses
// what godotenv refuses or, silently, takes for something else. Its errors are
// "line 7: unclosed quote".
func checkDotenv(src string) ([]assignment, error) {
	var all []assignment
	sizes := map[string]int{} // upper bounds of the values so far
	total := 0
	for line := 1; ; {
		statement := strings.TrimLeft(src, " \t\v\f\n")
		line += strings.Count(src[:len(src)-len(statement)], "\n")
		if statement == "" {
			return all, nil
		}
		row, _, _ := strings.Cut(statement, "\n")
		if statement[0] == '#' {
			src = statement[len(row):]
			continue
		}
		bad := func(why string) ([]assignment, error) { return nil, fmt.Errorf("line %d: %s", line, why) }
		equals := strings.IndexAny(row, "=:")
		if equals < 0 {
			return bad("no = in it")
		}
		name := row[:equals]
		if rest, ok := strings.CutPrefix(name, "export"); ok && strings.IndexAny(rest, " \t") == 0 {
			name = rest
		}
		name = strings.Trim(name, " \t")
		if !variable.MatchString(name) {
			return bad("the text before = is not a variable name")
		}
		body, rest, quote, why := cutValue(statement[equals+1:])
		if why != "" {
			return bad(why)
		}
		if i := strings.IndexAny(body, "\x00\r"); i >= 0 {
			line += strings.Count(body[:i], "\n")
			if body[i] == 0 {
				return bad("a NUL byte in it")
			}
			return bad("a carriage return without a newline in it")
		}
		size := len(body)
		if quote != '\'' {
			for _, m := range reference.FindAllStringSubmatch(body, -1) {
				if size += sizes[m[1]]; size > maxDotenv {
					break
				}
			}
		}
		if total += size; total > maxDotenv {
			return bad("the values grow to more than 1 MB")
		}
		sizes[name] = size
		all = append(all, assignment{name, line})
		line += strings.Count(body, "\n")
		src = rest
	}
}

// cutValue splits what follows the = into the value, without its quotes, and
// the rest of the file, which begins after the value.
func cutValue(s string) (body, rest string, quote byte, why string) {
	s = strings.TrimLeftFunc(s, blank)
	if s == "" || s[0] != '"' && s[0] != '\'' {
		row, _, _ := strings.Cut(s, "\n")
		return row, s[len(row):], 0, ""
	}
	quote = s[0]
	for i := 1; i < len(s); i++ {
		if s[i] != quote || s[i-1] == '\\' {
			continue
		}
		body, rest = s[1:i], s[i+1:]
		row, _, _ := strings.Cut(rest, "\n")
		if after := strings.Trim(row, " \t"); after != "" && after[0] != '#' {
			return "", "", 0, "something follows the closing quote"
		}
		return body, rest, quote, ""
	}
	return "", "", 0, "unclosed quote"
}

// blank is what godotenv skips within a line.
func blank(r rune) bool {
	switch r {
	case ' ', '\t', '\v', '\f', '\r', 0x85, 0xa0:
		return true
	}
	return false
}
