package hook

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"devrun/devserver/internal/wire"
	"devrun/devserver/suite"
)

// peek asks the hook for memory.
func (p *process) peek(seq int, addr uint64, size int) wire.Memory {
	p.t.Helper()
	p.say(wire.Message{Kind: wire.Peek, Seq: seq, Memory: &wire.Memory{Addr: addr, Size: size}})
	m := p.next(wire.Peeked)
	if m.Seq != seq || m.Memory == nil || m.Memory.Addr != addr || m.Memory.Error != "" {
		p.t.Fatalf("answer %+v to %d for %#x: %+v", m, seq, addr, m.Memory)
	}
	return *m.Memory
}

// area is a line of /proc/PID/maps.
type area struct {
	from, to uint64
	mode     string
	name     string
}

func (p *process) areas() (list []area) {
	p.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		var a area
		if _, err := fmt.Sscanf(f[0], "%x-%x", &a.from, &a.to); err != nil {
			p.t.Fatalf("%v: %s", err, line)
		}
		if a.mode = f[1]; len(f) > 5 {
			a.name = f[5]
		}
		list = append(list, a)
	}
	return list
}

// What the hook reads is what /proc/PID/mem has, of every kind of memory.
func TestPeekIsMemory(t *testing.T) {
	p := run(t, shared(t, "app"), nil, "127.0.0.1:0")
	addr := p.serving().Addr
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	seq, compared, changing := 0, 0, 0
	seen := map[string]bool{}
	for _, a := range p.areas() {
		if a.mode[0] != 'r' || a.name == "[vvar]" || a.name == "[vvar_vclock]" || a.name == "[vsyscall]" {
			continue // may not be read, or is the kernel's, which /proc does not show
		}
		for at := a.from; at < min(a.to, a.from+1<<20); {
			// Across pages, and not on their borders.
			size := min(int(a.to-at), wire.MaxPeek-123)
			before, after := make([]byte, size), make([]byte, size)
			_, err1 := mem.ReadAt(before, int64(at))
			seq++
			got := p.peek(seq, at, size).Bytes
			_, err2 := mem.ReadAt(after, int64(at))
			if err1 != nil || err2 != nil || len(got) != size {
				t.Fatalf("%#x of %+v: %d bytes of %d, %v, %v", at, a, len(got), size, err1, err2)
			}
			// The app lives: what may be written is not the same while the hook reads.
			for i := range got {
				switch {
				case got[i] == before[i] || got[i] == after[i]:
				case a.mode[1] == 'w':
					changing++
				default:
					t.Fatalf("%#x of %+v is %#x, not %#x", at+uint64(i), a, got[i], before[i])
				}
			}
			compared += size
			at += uint64(size)
			seen[a.mode] = true
		}
	}
	if compared < 4<<20 || !seen["r-xp"] || !seen["r--p"] || !seen["rw-p"] || changing > compared/1000 {
		t.Errorf("%d bytes compared, %d of them had another value meanwhile, of areas %v", compared, changing, seen)
	}
	if body := get(t, "http://"+addr); !strings.HasPrefix(body, "app ") {
		t.Errorf("the app answers %q", body)
	}
}

// What cannot be read is left out, and the app does not notice.
func TestPeekNothing(t *testing.T) {
	for name, flags := range map[string][]string{"as it is": nil, "race": {"-race"}} { // checkptr comes with -race
		t.Run(name, func(t *testing.T) {
			if flags != nil {
				needGCC(t)
			}
			p := run(t, project{module: "example.com/app", dir: absolute(t, "testdata/app"), flags: flags}.build(t), nil, "127.0.0.1:0")
			addr := p.serving().Addr
			body := get(t, "http://"+addr+"/map?file="+url.QueryEscape(filepath.Join(t.TempDir(), "file")))
			page := uint64(os.Getpagesize())
			at, err := strconv.ParseUint(body, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			type question struct {
				what string
				addr uint64
				size int
				want int
			}
			questions := []question{
				{"a file", at, int(page), int(page)},
				{"over the end of a file", at + page - 9, 100, 9},
				{"behind the end of a file", at + page, 100, 0},
				{"what may not be read", at + 2*page + 8, 8, 0},
				{"what is not there", at + 3*page, int(page), 0},
				{"nil", 0, 8, 0},
				{"near nil", 4095, 2, 0},
				{"the kernel", 0xffff_8000_0000_0000, 64, 0},
				{"the end of all", 1<<64 - 4, 64, 0},
				{"the last byte", 1<<64 - 1, 1, 0},
				{"no address", 0xdead_beef_dead_beef, 8, 0},
				{"nothing of it", at, 0, 0},
				{"less than nothing", at, -5, 0},
			}
			for _, a := range p.areas() {
				if a.mode[0] == '-' { // what the runtime has reserved, and guards of stacks
					questions = append(questions, question{"reserved", a.from, 64, 0}, question{"reserved", a.to - 8, 8, 0})
				}
			}
			if len(questions) < 15 {
				t.Fatal("the app has no memory in reserve")
			}
			answers := make([][]byte, len(questions))
			for i, q := range questions {
				answers[i] = p.peek(i, q.addr, q.size).Bytes
			}
			now := p.areas()
			for i, q := range questions {
				// The runtime may have taken of its reserve meanwhile.
				taken := func(a area) bool { return a.from <= q.addr && q.addr < a.to && a.mode[0] != '-' }
				if q.what == "reserved" && slices.ContainsFunc(now, taken) {
					continue
				}
				if got := answers[i]; len(got) != q.want {
					t.Errorf("%s, %d bytes at %#x: %d bytes, want %d", q.what, q.size, q.addr, len(got), q.want)
				}
			}
			if got := p.peek(0, at, 9).Bytes; !bytes.Equal(got, []byte("in a file")) {
				t.Errorf("afterwards: %q", got)
			}
			if body := get(t, "http://"+addr); !strings.HasPrefix(body, "app ") {
				t.Errorf("the app answers %q", body)
			}
			p.kill()
			if out := p.out.String(); out != "" {
				t.Errorf("the app says\n%s", out)
			}
		})
	}
}

// No question makes an answer that does not fit a message, or a descriptor that
// stays.
func TestPeekIsBounded(t *testing.T) {
	p := run(t, shared(t, "app"), nil, "127.0.0.1:0")
	p.serving()
	var text area
	for _, a := range p.areas() {
		if a.mode == "r-xp" && a.to-a.from > 2*wire.MaxPeek {
			text = a
			break
		}
	}
	descriptors := func() int {
		list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	before := descriptors()
	for i := range 200 {
		if got := len(p.peek(i, text.from, 1<<40).Bytes); got != wire.MaxPeek {
			t.Fatalf("%d bytes", got)
		}
	}
	suite.Until(t, "the descriptors are closed", func() error {
		if after := descriptors(); after != before {
			return fmt.Errorf("%d descriptors, %d before", after, before)
		}
		return nil
	})
}
