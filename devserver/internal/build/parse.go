package build

import (
	"strings"
	"unicode"

	"devrun/devserver/internal/fault"
)

// parse reads what a failed go build printed: messages of the go command, the
// compiler, assembler, cgo, C compilers and linkers. Paths in it are relative to
// dir; but a C compiler runs in the package's directory and names files relative to
// that, and dirs are these by import path. Identical messages are given once. Every
// line is in some diagnostic, but for headings, the progress of downloads and usage
// texts; output that is not blank gives at least one diagnostic.
func parse(output, dir string, dirs map[string]string) []fault.Diagnostic {
	p := newParser(dir, dirs)
	p.read(output)
	return p.list
}

type parser struct {
	place
	list []fault.Diagnostic
	seen map[fault.Diagnostic]bool
	left []string // lines that are in no diagnostic

	pkg     string   // what follows the last "# ": the package being built
	open    *message // may be continued
	pending []string // said ahead of the message that they belong to
	mode    mode
}

func newParser(dir string, dirs map[string]string) *parser {
	return &parser{place: place{dir: dir, dirs: dirs}, seen: map[fault.Diagnostic]bool{}}
}

// message is a diagnostic and the further lines of its text.
type message struct {
	fault.Diagnostic
	lines []string
}

// mode is what becomes of lines up to the next heading.
type mode int

const (
	reading mode = iota
	copying      // all of them continue the open message
	leaving      // none of them matters
)

func (p *parser) read(output string) {
	for line := range strings.Lines(output) {
		line = strings.TrimRightFunc(line, unicode.IsSpace)
		if line != "" {
			p.line(line)
		}
	}
	p.endSection()
	if text := strings.TrimSpace(output); len(p.list) == 0 && text != "" {
		p.list = []fault.Diagnostic{{Message: text}}
	}
}

func (p *parser) line(line string) {
	text := strings.TrimSpace(line)
	indented := text != line
	pkg, heading := packageHeading(line, p.mode)
	switch {
	case heading:
		p.endSection()
		p.pkg = pkg
		p.left = append(p.left, line)
	case p.mode == copying:
		p.continueWith(line)
	case p.mode == leaving || isAside.MatchString(line):
		p.left = append(p.left, line)
	case isUsage.MatchString(line):
		if p.open == nil {
			p.begin(fault.Diagnostic{Message: text})
		}
		p.mode = leaving
		p.left = append(p.left, line)
	case indented && len(p.pending) > 0:
		p.pending = append(p.pending, line)
	case indented && p.open != nil:
		p.continueWith(line)
	default:
		p.statement(text)
	}
}

// statement takes a line that stands by itself, or seems to.
func (p *parser) statement(text string) {
	d, positioned := p.position(text, p.pkg)
	starts := p.pkg == "" || isStart.MatchString(text) || isPosition.MatchString(text)
	switch {
	case p.open != nil && (isClosing.MatchString(text) || positioned && isNote.MatchString(d.Message)):
		p.continueWith(text)
	case positioned:
		p.begin(d)
	case isUndefined.MatchString(text):
		p.begin(fault.Diagnostic{Message: isUndefined.FindString(text)})
		p.continueWith(text)
	case isLead.MatchString(text) || len(p.pending) > 0 && !starts:
		p.pending = append(p.pending, text)
	case p.open != nil && !starts:
		p.continueWith(text)
	default:
		p.begin(fault.Diagnostic{Message: text})
		if isDump.MatchString(text) {
			p.mode = copying
		}
	}
}

// begin opens a message, which takes what was said ahead of it.
func (p *parser) begin(d fault.Diagnostic) {
	p.end()
	d.Package = p.pkg
	p.open = &message{Diagnostic: d, lines: p.pending}
	p.pending = nil
}

func (p *parser) continueWith(line string) {
	p.open.lines = append(p.open.lines, line)
}

// end puts the open message on the list.
func (p *parser) end() {
	if p.open == nil {
		return
	}
	d := p.reasonFirst(p.open)
	p.open = nil
	if !p.seen[d] {
		p.seen[d] = true
		p.list = append(p.list, d)
	}
}

// endSection ends what belongs to one package, with what was said ahead of a
// message that did not come.
func (p *parser) endSection() {
	if ahead := p.pending; len(ahead) > 0 {
		p.pending = nil
		if p.open == nil {
			p.begin(fault.Diagnostic{Message: ahead[0]})
			ahead = ahead[1:]
		}
		p.open.lines = append(p.open.lines, ahead...)
	}
	p.end()
	p.mode = reading
}

// reasonFirst is the diagnostic of a message. What cgo tried in vain and how a
// package came to be imported end with what is wrong, which goes first:
//
//	package a
//		imports b from a.go
//		imports c: reason
func (p *parser) reasonFirst(m *message) fault.Diagnostic {
	d := m.Diagnostic
	d.Message = strings.Join(append([]string{d.Message}, m.lines...), "\n")
	if d.File != "" || len(m.lines) == 0 {
		return d
	}
	last := strings.TrimSpace(m.lines[len(m.lines)-1])
	if isDump.MatchString(m.Message) {
		d.Message = last + "\n" + d.Message
	}
	chain := isChain.FindStringSubmatch(m.Message)
	if chain == nil {
		return d
	}
	d.Package = chain[1]
	if at, ok := p.position(last, ""); ok {
		at.Package, at.Message = d.Package, at.Message+"\n"+d.Message
		return at
	}
	if _, reason, ok := strings.Cut(last, ": "); ok {
		d.Message = reason + "\n" + d.Message
	}
	return d
}
