package devserver

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// What the app writes right after three starts in a row does not restart it again.
// What happens to one file, as a string: S is a start, s one a second after the last,
// B has begun it with the end of the process before; e is a change at that end that
// is heard of after the start, w one soon after the start and l a later one. The
// answers are a letter for each change: t taken, h held, H held and said.
func TestBrake(t *testing.T) {
	for _, test := range []struct{ events, want string }{
		{"l", "t"}, // before there was a start
		{"S w S w S w S w", "t t H h"},
		{"S ww S ww S ww", "tt tt Hh"},
		{"S w S w S w l S w", "t t H t h"},     // a person saves it, and it is written again
		{"S w S w S w l S S w", "t t H t t"},   // and then it is not
		{"S w S w S S w S w S w", "t t t t H"}, // not in a row
		{"S w S w S s w", "t t H"},             // one that was ended at once
		{"S l S l S l S l", "t t t t"},         // a person who takes his time
		{"S w S l S w S l S w", "t t t t t"},   // or saves twice
		{"S w B S e B S e B S e", "t t H h"},   // also written at the end of each process
	} {
		var b brake
		now := time.Now()
		var begun time.Time
		var got strings.Builder
		for _, e := range test.events {
			at := now
			switch e {
			case 'B':
				now = now.Add(time.Minute)
				b.begins(now)
				begun = now
				continue
			case 'S', 's':
				if now = now.Add(time.Second); e == 'S' && begun != now.Add(-time.Second) {
					now = now.Add(time.Minute)
				}
				b.act(now)
				continue
			case ' ':
				if s := got.String(); s != "" && !strings.HasSuffix(s, " ") {
					got.WriteByte(' ')
				}
				continue
			case 'w':
				at = now.Add(100 * time.Millisecond)
			case 'e':
				at = begun.Add(100 * time.Millisecond)
			case 'l':
				at = now.Add(10 * time.Second)
				now = at
			}
			held, first := b.holds("/app/state.yaml", at, inARow)
			got.WriteByte(map[string]byte{"false false": 't', "true false": 'h', "true true": 'H'}[fmt.Sprint(held, first)])
		}
		if s := strings.TrimSpace(got.String()); s != test.want {
			t.Errorf("%q gives %q, want %q", test.events, s, test.want)
		}
	}
}
