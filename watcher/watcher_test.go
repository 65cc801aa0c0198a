package watcher

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"devrun/devserver/suite"
)

func TestCheckout(t *testing.T) {
	git := needGit(t)
	top := resolve(t.TempDir())
	run(t, top, git, "init", "-q", "-b", "none")
	// Two branches: 300 files each, of which 200 have the same name.
	var history strings.Builder
	data := func(text string) { fmt.Fprintf(&history, "data %d\n%s\n", len(text), text) }
	for from, branch := range map[int]string{0: "a", 100: "b"} {
		fmt.Fprintf(&history, "commit refs/heads/%s\ncommitter x <x@example.com> 0 +0000\n", branch)
		data(branch)
		history.WriteString("M 644 inline same.go\n")
		data("same")
		for i := from; i < from+300; i++ {
			fmt.Fprintf(&history, "M 644 inline pkg%d/sub%d/f%d.go\n", i%8, i%40+from/100, i)
			data(fmt.Sprint(branch, i))
		}
	}
	load := exec.Command(git, "fast-import", "--quiet")
	load.Dir, load.Stdin = top, strings.NewReader(history.String())
	if out, err := load.CombinedOutput(); err != nil {
		t.Fatalf("git fast-import: %v\n%s", err, out)
	}
	run(t, top, git, "checkout", "-q", "a")
	here, branch := true, map[bool]string{true: "b", false: "a"}
	for mode, poll := range modes {
		t.Run(mode, func(t *testing.T) {
			b := newBench(t, poll)
			b.dir = top
			b.watch(b.tree())
			m := &mirror{t: t, files: tracked(t, top)}
			for range 3 { // the last of them is other content than the watcher began with
				run(t, top, git, "checkout", "-q", branch[here])
				here = !here
			}
			suite.Until(t, "the change is told", func() error {
				select {
				case batch := <-b.w.Batches():
					for _, c := range batch {
						if strings.Contains(c.Path, "/.git/") || strings.HasSuffix(c.Path, "/same.go") {
							t.Fatalf("%s", c)
						}
					}
					m.apply(batch)
					return fmt.Errorf("batches still come")
				case <-time.After(20 * time.Millisecond):
				}
				return m.compare(tracked(t, top))
			})
		})
	}
}

// What git changes while it holds its lock comes in one batch, in a linked worktree
// too; a lock that stays keeps nothing back.
func TestGitAtWork(t *testing.T) {
	git := needGit(t)
	inBothModes(t, []row{
		{"repository", func(b *bench) { gitAtWork(b, git, false) }},
		{"linked worktree", func(b *bench) { gitAtWork(b, git, true) }},
		{"a lock that stays", func(b *bench) {
			run(b, b.dir, git, "init", "-q")
			write(b, b.path(".git/index.lock"), "")
			b.watch(b.tree())
			b.write("a.go", "1")
			b.expect("created a.go")
		}},
		{"an old lock, and files that go on changing", func(b *bench) {
			run(b, b.dir, git, "init", "-q")
			write(b, b.path(".git/index.lock"), "")
			b.chtimes(".git/index.lock", time.Now().Add(-gitLong))
			b.watch(b.tree())
			must(b, b.w.do(func() { b.w.still = time.Minute }))
			b.write("a.go", "1")
			b.expect("created a.go")
		}},
	})
}

func gitAtWork(b *bench, git string, linked bool) {
	lock := b.path(".git/index.lock")
	if linked {
		main := resolve(b.TempDir())
		run(b, main, git, "init", "-q")
		run(b, main, git, "-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "-q", "--allow-empty", "-m", "x")
		run(b, main, git, "worktree", "add", "-q", "--detach", b.path("work"))
		b.dir = b.path("work")
		lock = filepath.Join(main, ".git", "worktrees", "work", "index.lock")
	} else {
		run(b, b.dir, git, "init", "-q")
	}
	b.watch(b.tree())
	must(b, b.w.do(func() { b.w.still = time.Minute }))
	write(b, lock, "")
	b.write("a.go", "1")
	seen := func(n int) {
		b.Helper()
		suite.Until(b, "the changes are seen", func() (err error) {
			must(b, b.w.do(func() {
				if have := len(b.w.pending.changes); have != n {
					err = fmt.Errorf("%d changes are seen, not %d", have, n)
				}
			}))
			return err
		})
	}
	seen(1)
	b.write("b.go", "2")
	seen(2)
	select {
	case batch := <-b.w.Batches():
		b.Fatalf("%v came while git was at work", batch)
	default:
	}
	must(b, os.Remove(lock))
	select {
	case batch := <-b.w.Batches():
		if got := fmt.Sprint(b.relative(batch)); got != "[created a.go created b.go]" {
			b.Errorf("got %s", got)
		}
	case <-time.After(suite.Patience):
		b.Fatal("nothing came when git was done")
	}
}

// The root of the file system and a home directory are not watched.
func TestDangerousTreesAreRefused(t *testing.T) {
	home := filepath.Join(resolve(t.TempDir()), "users", "me")
	mkdir(t, home)
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	b := newBench(t, time.Hour)
	for tree, want := range map[string]string{
		filepath.VolumeName(home) + string(filepath.Separator): "root of the file system",
		home:               "home directory",
		filepath.Dir(home): "home directory",
	} {
		err := b.w.Watch(Scope{Trees: []string{tree}})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), tree) {
			t.Errorf("%s: %v", tree, err)
		}
	}
	must(t, b.w.Watch(Scope{Trees: []string{filepath.Join(home, "project")}, Dirs: []string{home}}))
}

// After Close nothing is told any more.
func TestCloseEndsEverything(t *testing.T) {
	for mode, poll := range modes {
		t.Run(mode, func(t *testing.T) {
			b := newBench(t, poll)
			b.write("a", "1")
			b.watch(b.tree())
			b.write("a", "2") // nobody takes it
			must(t, b.w.Close())
			must(t, b.w.Close())
			if batch, open := <-b.w.Batches(); open {
				t.Errorf("got %v after Close", batch)
			}
			if err := b.w.Watch(b.tree()); err != ErrClosed {
				t.Errorf("Watch after Close: %v", err)
			}
			b.w.Rescan()
		})
	}
}
