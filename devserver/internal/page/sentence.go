package page

import (
	"strings"

	"devrun/devserver/internal/fault"
)

// Why is what the page of a failure says about its cause, "" when that is not
// sure: for the terminal.
func (p *Pages) Why(f fault.Failure) string {
	v := p.explained(f, p.sourcesOf(f))
	var said []string
	for _, sentence := range v.why {
		said = append(said, sentence.String())
	}
	return strings.Join(said, " ")
}
