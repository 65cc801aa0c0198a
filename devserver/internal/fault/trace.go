package fault

import (
	"regexp"
	"strconv"
	"strings"
)

// What the runtime prints is matched at column 0 only: it indents every line of
// a panic's value but the first, so no value can pass for a header.
var (
	goroutineLine = regexp.MustCompile(`^goroutine (\d+)(?: gp=\S+ m=\S+(?: mp=\S+)?)? \[([^\]]*?)(?: labels:\{(.*)\})?\]:$`)
	placeLine     = regexp.MustCompile(`^\t(.+):(\d+)(?: \+0x[0-9a-f]+)?(?: fp=0x[0-9a-f]+ sp=0x[0-9a-f]+ pc=0x[0-9a-f]+)?$`)
	elidedLine    = regexp.MustCompile(`^\.\.\.(\d+|additional) frames elided\.\.\.$`)
	creatorTail   = regexp.MustCompile(` in goroutine (\d+)$`)
	signalLine    = regexp.MustCompile(`^SIG[A-Z0-9]+: `)
)

// ParseTrace reads the crash report of a Go program out of the lines that it
// wrote to stderr, oldest first and without their newlines. Only the last report
// counts, and only when a goroutine follows it: what an app logs may look like a
// report, but nothing comes after a real one. Without a report the Trace is
// empty; of a report that is cut short, what is there is returned.
func ParseTrace(lines []string) Trace {
	last := -1
	for i, line := range lines {
		if goroutineLine.MatchString(trimCR(line)) {
			last = i
		}
	}
	for i := last - 1; i >= 0; i-- {
		if kind, message, ok := opening(lines, i); ok {
			t := report(kind, message, lines[i+1:])
			t.Start = i
			return t
		}
	}
	return Trace{}
}

// Opens reports whether a crash report may begin at line i.
func Opens(lines []string, i int) bool {
	_, _, ok := opening(lines, i)
	return ok
}

// opening says whether a report begins at line i, and with which words.
func opening(lines []string, i int) (kind, message string, ok bool) {
	line := trimCR(lines[i])
	for _, kind := range []string{"panic", "fatal error"} {
		if message, ok := strings.CutPrefix(line, kind+": "); ok {
			return kind, message, true
		}
	}
	// A signal that Go turns into no panic (SIGQUIT, SIGABRT in C) is followed by
	// the program counter; without that it is anybody's line.
	if signalLine.MatchString(line) && i+1 < len(lines) && strings.HasPrefix(lines[i+1], "PC=0x") {
		return "signal", line, true
	}
	return "", "", false
}

func report(kind, message string, rest []string) Trace {
	t := Trace{Kind: kind}
	chain := []string{message}
	for len(rest) > 0 {
		more, ok := strings.CutPrefix(trimCR(rest[0]), "\t")
		if !ok {
			break
		}
		if next, ok := strings.CutPrefix(more, "panic: "); ok && kind == "panic" {
			chain = append(chain, next)
		} else {
			chain[len(chain)-1] += "\n" + more
		}
		rest = rest[1:]
	}
	for i, m := range chain {
		m = strings.TrimSuffix(m, " [recovered, repanicked]")
		if i == len(chain)-1 {
			// The panic that ended the app cannot be a recovered one: here the word
			// belongs to the value.
			t.Message = m
			break
		}
		t.Earlier = append(t.Earlier, strings.TrimSuffix(m, " [recovered]"))
	}
	if len(rest) > 0 {
		if s, ok := strings.CutPrefix(trimCR(rest[0]), "[signal "); ok {
			t.Signal = strings.TrimSuffix(s, "]")
		}
	}
	t.Goroutines = goroutines(rest)
	return t
}

func goroutines(lines []string) []Goroutine {
	var all []Goroutine
	var g *Goroutine // nil between goroutines and in the runtime's own stack
	elided := 0
	for i := 0; i < len(lines); i++ {
		line := trimCR(lines[i])
		if m := goroutineLine.FindStringSubmatch(line); m != nil {
			id, _ := strconv.Atoi(m[1]) // an id too large for an int is shown as 0
			all = append(all, Goroutine{ID: id, State: m[2], Labels: labels(m[3])})
			g, elided = &all[len(all)-1], 0
			continue
		}
		if line == "" || line == "runtime stack:" {
			g = nil
		}
		if g == nil {
			continue
		}
		if m := elidedLine.FindStringSubmatch(line); m != nil {
			if elided, _ = strconv.Atoi(m[1]); elided == 0 {
				elided = -1
			}
			continue
		}
		if i+1 == len(lines) {
			break
		}
		place := placeLine.FindStringSubmatch(trimCR(lines[i+1]))
		if place == nil {
			continue // another writer's line between the runtime's
		}
		f := Frame{File: place[1], Elided: elided}
		f.Line, _ = strconv.Atoi(place[2])
		if name, ok := strings.CutPrefix(line, "created by "); ok {
			if m := creatorTail.FindStringSubmatch(name); m != nil {
				name = strings.TrimSuffix(name, m[0])
				g.Creator, _ = strconv.Atoi(m[1])
			}
			f.Func = name
			g.CreatedBy = &f
		} else if open := strings.LastIndexByte(line, '('); open > 0 && strings.HasSuffix(line, ")") {
			f.Func = line[:open]
			g.Frames = append(g.Frames, f)
		} else {
			continue
		}
		elided = 0
		i++
	}
	// Goroutine 0 is the scheduler of a thread; it is news only when it is alone.
	var real []Goroutine
	for _, g := range all {
		if g.ID != 0 {
			real = append(real, g)
		}
	}
	if real == nil {
		return all
	}
	return real
}

// labels reads `"key": "value", "key": "value"`; what does not look like that is
// left out.
func labels(s string) map[string]string {
	var m map[string]string
	for s != "" {
		key, rest, ok := quoted(s)
		if !ok {
			break
		}
		value, rest, ok := quoted(strings.TrimLeft(rest, ": "))
		if !ok {
			break
		}
		if m == nil {
			m = map[string]string{}
		}
		m[key] = value
		s = strings.TrimLeft(rest, ", ")
	}
	return m
}

func quoted(s string) (text, rest string, ok bool) {
	q, err := strconv.QuotedPrefix(s)
	if err != nil || q[0] != '"' {
		return "", "", false
	}
	text, err = strconv.Unquote(q)
	return text, s[len(q):], err == nil
}

func trimCR(line string) string { return strings.TrimSuffix(line, "\r") }
