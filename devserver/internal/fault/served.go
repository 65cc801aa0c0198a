package fault

import (
	"regexp"
	"strconv"
	"strings"
)

// servedHead is what net/http logs in front of the client's address when it has
// recovered from a handler's panic.
const servedHead = "http: panic serving "

// What a stack that net/http logs begins and ends with.
var (
	recoveredIn = regexp.MustCompile(`^net/http\.\(\*conn\)\.serve\.func\d+\(`)
	servedBy    = regexp.MustCompile(`^created by net/http\.\(\*Server\)\.Serve in goroutine \d+$`)
)

// ParseServed reads what net/http has logged of the newest panic of a handler that
// served peer, out of the lines that a program wrote to stderr, oldest first and
// without their newlines. peer is the client's address as the server knows it,
// "127.0.0.1:50676". In front of it may stand what a logger puts there; a record that
// a structured logger wrote as one quoted string is read as well. The goroutine has
// the calls from the panic on, innermost first, or from where it was first raised if
// it was raised again.
//
// It is not ok while the end of the stack is missing. Of a message that imitates a
// stack, the last stack of the record counts, which is the real one; a message that
// imitates whole records, of peers that it knows, can pass for them.
func ParseServed(lines []string, peer string) (message string, g Goroutine, ok bool) {
	head := servedHead + peer + ": "
	for i := len(lines) - 1; i >= 0; i-- {
		line := trimCR(lines[i])
		at := strings.Index(line, head)
		if at < 0 {
			continue
		}
		if text, ok := quotedAt(line, at); ok {
			return served(strings.Split(strings.TrimPrefix(text, head), "\n"), true)
		}
		return served(append([]string{line[at+len(head):]}, lines[i+1:]...), false)
	}
	return "", Goroutine{}, false
}

// quotedAt is the text of the string literal that begins right before at.
func quotedAt(line string, at int) (string, bool) {
	if at == 0 || line[at-1] != '"' {
		return "", false
	}
	q, err := strconv.QuotedPrefix(line[at-1:])
	if err != nil {
		return "", false
	}
	text, err := strconv.Unquote(q)
	return text, err == nil
}

// served takes a record apart that begins with the panic's message. If it is not alone,
// other lines follow, and other records.
func served(lines []string, alone bool) (message string, g Goroutine, ok bool) {
	for i := 0; i < len(lines); i++ {
		if ok && !alone && strings.Contains(lines[i], servedHead) {
			break
		}
		if end := stackEnd(lines, i); end > 0 {
			if found, raised := raisedIn(lines[i:end]); raised {
				message, g, ok = strings.Join(lines[:i], "\n"), found, true
			}
			i = end - 1
		}
	}
	return strings.ReplaceAll(message, "\r\n", "\n"), g, ok
}

// stackEnd is the index behind the stack of a recovered handler that begins with
// line i, 0 when none does or its end is missing.
func stackEnd(lines []string, i int) int {
	if i+1 >= len(lines) || !goroutineLine.MatchString(trimCR(lines[i])) || !recoveredIn.MatchString(lines[i+1]) {
		return 0
	}
	for n := i + 2; n+1 < len(lines); n++ {
		line := trimCR(lines[n])
		switch {
		case servedBy.MatchString(line) && placeLine.MatchString(trimCR(lines[n+1])):
			return n + 2
		case goroutineLine.MatchString(line), strings.Contains(line, servedHead):
			return 0
		}
	}
	return 0
}

// raisedIn reads a stack from its panic on. What is deferred runs on the stack of the
// panic before, so there are several: those with the value of the newest are the same
// one, raised again. It is not ok without a panic.
func raisedIn(stack []string) (Goroutine, bool) {
	var values []string
	for _, line := range stack {
		if value, ok := strings.CutPrefix(trimCR(line), "panic("); ok {
			values = append(values, strings.ReplaceAll(value, "?", "")) // a mark of doubt, not of the value
		}
	}
	same := 0
	for same < len(values) && values[same] == values[0] {
		same++
	}
	g := goroutines(stack)[0] // there is one: stackEnd saw its header
	var calls []Frame
	for _, f := range g.Frames {
		switch inRuntime := strings.HasPrefix(f.Func, "runtime.") || strings.HasPrefix(f.Func, "internal/runtime/"); {
		case f.Func == "panic":
			same--
		case same <= 0 && (len(calls) > 0 || !inRuntime):
			calls = append(calls, f)
		}
	}
	g.Frames = calls
	return g, len(values) > 0
}
