package watcher

import (
	"fmt"
	"slices"
	"testing"
)

// content makes a hashed file; the same text is the same content.
func content(text string) *file {
	var sum uint64
	for _, c := range text {
		sum = sum*31 + uint64(c)
	}
	return &file{size: int64(len(text)), sum: sum, hashed: true}
}

// Changes of one file that were not taken yet become one, and none if it is as it
// was.
func TestChangesOfOneFileMerge(t *testing.T) {
	a, b, empty := content("a"), content("b"), content("")
	for _, c := range []struct {
		name  string
		steps []*file // the first is what the receiver knows
		want  Op
		waits bool // not offered before it is confirmed
	}{
		{"created", []*file{nil, a}, Created, false},
		{"created empty", []*file{nil, empty}, Created, true},
		{"created and modified", []*file{nil, a, b}, Created, false},
		{"created and removed", []*file{nil, a, nil}, 0, false},
		{"modified", []*file{a, b}, Modified, false},
		{"modified and removed", []*file{a, b, nil}, Removed, false},
		{"modified and back", []*file{a, b, a}, Modified, false},
		{"removed", []*file{a, nil}, Removed, true},
		{"removed and back", []*file{a, nil, a}, 0, false},
		{"removed and back with other content", []*file{a, nil, b}, Modified, false},
		{"removed, back, removed", []*file{a, nil, b, nil}, Removed, false},
		{"emptied", []*file{a, empty}, Modified, true},
		{"emptied and written with the same", []*file{a, empty, a}, 0, false},
		{"emptied and written", []*file{a, empty, b}, Modified, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &pending{}
			for i, cur := range c.steps[1:] {
				p.add("f", c.steps[i], cur)
			}
			if _, waits := p.doubted(); waits != c.waits {
				t.Errorf("waits for confirmation: %v, want %v", waits, c.waits)
			}
			p.firm = true
			var want Batch
			if c.want != 0 {
				want = Batch{{"f", c.want}}
			}
			if got := p.offer(); !slices.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
			p.taken()
			if got := p.offer(); got != nil {
				t.Errorf("offered again: %v", got)
			}
		})
	}
}

// A batch is sorted.
func TestBatchIsSorted(t *testing.T) {
	p := &pending{}
	for _, i := range []int{5, 3, 9, 1, 7} {
		p.add(fmt.Sprint(i), nil, content("x"))
	}
	p.add("3", content("x"), nil)
	if got, want := fmt.Sprint(p.offer()), "[created 1 created 5 created 7 created 9]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
