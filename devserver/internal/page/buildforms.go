package page

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"devrun/devserver/internal/fault"
)

func (v *buildView) all() []fault.Diagnostic {
	var all []fault.Diagnostic
	for _, g := range v.groups {
		all = append(all, g.diags...)
	}
	return all
}

// text is for terminals: the lines that editors know how to jump to.
func (v *buildView) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "build failed: %s (generation %d)\n\n", v.summary(), v.Generation)
	b.WriteString(visible(v.messages()))
	b.WriteString("\n" + v.still())
	if v.running != nil {
		fmt.Fprintf(&b, " It is pid %d.", v.running.Pid)
	}
	b.WriteByte('\n')
	return b.String()
}

// markdown is for pasting somewhere else. Every line that is not devrun's own is
// indented code, so that nothing in it is markup.
func (v *buildView) markdown() string {
	return fmt.Sprintf("## build failed: %s\n\n%s", v.summary(), indent(visible(v.messages())))
}

func (v *buildView) summary() string {
	s := "no error message"
	if v.total > 0 {
		s = count(v.total, "error")
	}
	if v.files > 1 {
		s += fmt.Sprintf(" in %d files", v.files)
	}
	return s
}

func (v *buildView) messages() string {
	var b strings.Builder
	for _, d := range v.all() {
		if pos := d.Pos(); pos != "" {
			b.WriteString(pos + ": ")
		}
		b.WriteString(strings.ReplaceAll(strings.TrimSpace(d.Message), "\n", "\n    ") + "\n")
	}
	if v.dropped > 0 {
		fmt.Fprintf(&b, "and %d more\n", v.dropped)
	}
	if v.stopped {
		b.WriteString("too many errors\n")
	}
	if len(v.groups) == 0 {
		b.WriteString(strings.TrimSpace(v.Output) + "\n")
	}
	return b.String()
}

// buildJSON is the form of a failed build for programs. Fields are only ever
// added.
type buildJSON struct {
	Kind        string           `json:"kind"`  // "build"
	Error       string           `json:"error"` // the first message
	Generation  int              `json:"generation"`
	Time        time.Time        `json:"time"`
	TookMS      int64            `json:"took_ms"`
	Saved       []string         `json:"saved"` // relative
	Diagnostics []diagnosticJSON `json:"diagnostics"`
	Output      string           `json:"output,omitempty"` // of the go command, when it gave no diagnostic
	Running     *runningJSON     `json:"running"`          // null: no app answers
}

type diagnosticJSON struct {
	File    string `json:"file"` // absolute, "" when the message names none
	Rel     string `json:"rel"`  // as a person in the app's directory would write it
	Line    int    `json:"line"` // from 1, 0 when unknown
	Col     int    `json:"col"`  // in bytes, from 1, 0 when unknown
	Message string `json:"message"`
	Package string `json:"package,omitempty"`
}

type runningJSON struct {
	Generation int       `json:"generation"`
	Pid        int       `json:"pid"`
	Built      time.Time `json:"built"`
}

func (v *buildView) json() []byte {
	out := buildJSON{
		Kind: "build", Error: v.first().Message, Generation: v.Generation, Time: v.At, TookMS: v.Took.Milliseconds(),
		Saved: append([]string{}, v.Saved...), Diagnostics: []diagnosticJSON{},
	}
	for _, d := range v.all() {
		out.Diagnostics = append(out.Diagnostics, diagnosticJSON(d))
	}
	if len(v.groups) == 0 {
		out.Output = v.Output
	}
	if v.running != nil {
		r := runningJSON(*v.running)
		out.Running = &r
	}
	return encodeJSON(out)
}

func encodeJSON(v any) []byte {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		panic(err) // only strings, numbers and times of this century
	}
	return append(b, '\n')
}
