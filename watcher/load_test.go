package watcher

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// At rest no timer runs.
func TestAtRestNoTimerRuns(t *testing.T) {
	b := newBench(t, 0)
	for i := range 50 {
		b.write(fmt.Sprintf("d%d/f", i), "1")
	}
	b.watch(b.tree())
	b.write("d1/f", "2")
	b.expect("modified d1/f")
	b.settled(func() bool { return b.w.alarm(time.Now()).IsZero() })
}

// TestChangesAreToldAtOnce: a change is told without a wait. There is room for a
// loaded machine, but not for a debounce of the usual length.
func TestChangesAreToldAtOnce(t *testing.T) {
	b := newBench(t, 0)
	for i := range 300 {
		b.write(fmt.Sprintf("d%d/f%d", i%30, i), "1")
	}
	b.watch(b.tree())
	var took []time.Duration
	for range 40 {
		b.hashed()
		f, err := os.OpenFile(b.path("d7/f7"), os.O_WRONLY|os.O_APPEND, 0)
		must(t, err)
		began := time.Now()
		_, err = f.WriteString("x")
		must(t, err)
		<-b.w.Batches()
		took = append(took, time.Since(began))
		must(t, f.Close())
	}
	slices.Sort(took)
	t.Logf("write to batch: median %s, worst %s", took[len(took)/2], took[len(took)-1])
	if median := took[len(took)/2]; median > 50*time.Millisecond {
		t.Errorf("median %s from write to batch", median)
	}
}

// Polling takes a small share of the time, however slow the disk is.
func TestPollingIsBounded(t *testing.T) {
	b := newBench(t, time.Millisecond)
	must(t, b.w.do(func() {
		b.w.look(func() { time.Sleep(20 * time.Millisecond) }) // a slow disk
		if more := b.w.next.Sub(b.w.rest); more < (pollShare-scanShare)*20*time.Millisecond {
			t.Errorf("after a look that took 20ms it polls %s after it looks at events", more)
		}
	}))
}

// TestWatchErrorsLeadToPolling: after an error of the system changes are looked for.
// The errors are handed to the place where those of the system arrive.
func TestWatchErrorsLeadToPolling(t *testing.T) {
	for want, arrive := range map[string]func(*snapshot){
		"fs.inotify.max_user_watches":   func(s *snapshot) { s.watches.err = limit(syscall.ENOSPC) },
		"fs.inotify.max_user_instances": func(s *snapshot) { s.watches.err = limit(syscall.EMFILE) },
		"input/output error":            func(s *snapshot) { s.watches.err = limit(syscall.EIO) },
		"on /mnt/c (9p)":                func(s *snapshot) { s.foreign = silent("/mnt/c", "9p") },
	} {
		b := newBench(t, 0)
		b.write("a/f", "1")
		b.watch(b.tree())
		must(t, b.w.do(func() {
			b.w.look(func() { arrive(b.w.snap) })
		}))
		if notice := <-b.notices; !strings.Contains(notice, want) || !strings.Contains(notice, "every 300ms") {
			t.Errorf("%s: notice %q", want, notice)
		}
		b.write("a/f", "2")
		b.write("b/g", "1")
		b.expect("modified a/f", "created b/g")
		if len(b.notices) > 0 {
			t.Errorf("%s: told again: %q", want, <-b.notices)
		}
	}
}

func TestManyNamesBecomeOneComparison(t *testing.T) {
	m := &mailbox{wake: make(chan struct{}, 1)}
	for i := range 3 * maxNames {
		m.event(fmt.Sprint(i), 1)
	}
	if names, all, err := m.take(); !all || err != nil || len(names) > maxNames {
		t.Errorf("%d names, everything %v, %v", len(names), all, err)
	}
}

// A large file has changed when its time has, for it is not read.
func TestLargeFilesAreJudgedByTimes(t *testing.T) {
	b := newBench(t, 0)
	big := strings.Repeat("x", maxHash+1)
	b.write("big", big)
	b.watch(b.tree())
	must(t, os.Chmod(b.path("big"), 0o600))
	b.expect()
	b.write("big", big)
	b.expect("modified big")
}

// BenchmarkScan5000Files is a look at everything with nothing changed.
func BenchmarkScan5000Files(b *testing.B) {
	dir := b.TempDir()
	for i := range 5000 {
		path := filepath.Join(dir, fmt.Sprintf("d%d", i%100), fmt.Sprintf("f%d.go", i))
		must(b, os.MkdirAll(filepath.Dir(path), 0o777))
		must(b, os.WriteFile(path, []byte("package p"), 0o666))
	}
	must(b, os.WriteFile(filepath.Join(dir, ".gitignore"), []byte("*.log\n/bin/\n*.test\nnode_modules\n.env*\n"), 0o666))
	w, err := New(Options{})
	must(b, err)
	defer func() { must(b, w.Close()) }()
	must(b, w.Watch(Scope{Trees: []string{dir}}))
	for b.Loop() {
		w.Rescan()
	}
}
