package watcher

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// old is a time long enough ago to be trusted.
var old = time.Now().Add(-time.Hour)

// TestChanges: each way to change files is told as what it is. The table has what is
// there, what is done, and what is told.
func TestChanges(t *testing.T) {
	cases := []row{
		{"add", func(b *bench) {
			b.watch(b.tree())
			b.write("a.go", "1")
			b.expect("created a.go")
		}},
		{"edit", func(b *bench) {
			b.write("a.go", "1")
			b.watch(b.tree())
			b.write("a.go", "22")
			b.expect("modified a.go")
		}},
		{"save of the same bytes", func(b *bench) {
			b.write("a.go", "1")
			b.watch(b.tree())
			b.write("a.go", "1")
			b.expect()
		}},
		{"touch and chmod", func(b *bench) {
			b.write("a.go", "1")
			b.watch(b.tree())
			b.chtimes("a.go", time.Now().Add(time.Minute))
			must(b, os.Chmod(b.path("a.go"), 0o600))
			b.expect()
		}},
		{"revert", func(b *bench) {
			b.write("a.go", "a1")
			b.write("b.go", "b1")
			b.watch(b.tree())
			b.write("a.go", "a2")
			b.write("b.go", "b2")
			b.expect("modified a.go", "modified b.go")
			b.write("b.go", "b1")
			b.expect("modified b.go")
		}},
		{"remove", func(b *bench) {
			b.write("a.go", "1")
			b.watch(b.tree())
			b.remove("a.go")
			b.expect("removed a.go")
		}},
		{"rename a file", func(b *bench) {
			b.write("a.go", "1")
			b.watch(b.tree())
			b.rename("a.go", "b.go")
			b.expect("removed a.go", "created b.go")
			b.write("b.go", "2")
			b.expect("modified b.go")
		}},
		{"rename a directory, and again", func(b *bench) {
			b.write("a/x/x.go", "1")
			b.write("z/z.go", "1")
			b.watch(b.tree())
			b.rename("a", "b")
			b.expect("removed a/x/x.go", "created b/x/x.go")
			b.write("b/x/x.go", "2")
			b.expect("modified b/x/x.go")
			b.rename("b/x", "z/a")
			b.expect("removed b/x/x.go", "created z/a/x.go")
			b.write("z/a/x.go", "3")
			b.expect("modified z/a/x.go")
		}},
		{"a directory away and back at once", func(b *bench) {
			b.write("a/x.go", "1")
			b.watch(b.tree())
			b.unseen(func() {
				b.rename("a", "b")
				b.rename("b", "a")
			})
			b.write("a/x.go", "2")
			b.expect("modified a/x.go")
			b.write("a/x.go", "3")
			b.expect("modified a/x.go")
		}},
		{"new directories with a file at once", func(b *bench) {
			b.watch(b.tree())
			b.write("a/b/c/f.go", "1")
			b.expect("created a/b/c/f.go")
			b.write("a/b/c/f.go", "2")
			b.expect("modified a/b/c/f.go")
		}},
		{"an empty directory", func(b *bench) {
			b.watch(b.tree())
			b.mkdir("a/b")
			b.expect()
			b.write("a/b/f.go", "1")
			b.expect("created a/b/f.go")
		}},
		{"a prepared tree moved in, and out", func(b *bench) {
			away := b.TempDir()
			for _, f := range []string{"x/x.go", "x/y/y.go", "x/y/z.go"} {
				write(b, filepath.Join(away, f), "1")
				must(b, os.Chtimes(filepath.Join(away, f), old, old))
			}
			b.watch(b.tree())
			must(b, os.Rename(filepath.Join(away, "x"), b.path("x")))
			b.expect("created x/x.go", "created x/y/y.go", "created x/y/z.go")
			b.write("x/y/y.go", "2")
			b.expect("modified x/y/y.go")
			must(b, os.Rename(b.path("x"), filepath.Join(away, "x")))
			b.expect("removed x/x.go", "removed x/y/y.go", "removed x/y/z.go")
		}},
		{"a file replaced by a directory and back", func(b *bench) {
			b.write("a", "1")
			b.watch(b.tree())
			b.remove("a")
			b.write("a/b", "1")
			b.expect("removed a", "created a/b")
			b.remove("a")
			b.write("a", "1")
			b.expect("removed a/b", "created a")
			b.write("a", "2")
			b.expect("modified a")
		}},
		{"a directory replaced by another", func(b *bench) {
			b.write("a/1", "1")
			b.write("a/2", "2")
			b.write("b/2", "other")
			b.write("b/3", "3")
			b.watch(b.tree())
			b.unseen(func() {
				b.remove("a")
				b.rename("b", "a")
			})
			b.expect("removed a/1", "modified a/2", "created a/3", "removed b/2", "removed b/3")
			b.write("a/3", "4")
			b.expect("modified a/3")
		}},
		{"a time that goes backwards", func(b *bench) {
			b.write("a.go", "1")
			b.write("b.go", "1")
			b.watch(b.tree())
			b.write("away~", "2")
			b.chtimes("away~", old)
			b.rename("away~", "a.go")
			b.expect("modified a.go")
		}},
		{"a time that is put back", func(b *bench) {
			if runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
				b.Skip("no inode change time here")
			}
			b.write("a.go", "1")
			b.chtimes("a.go", old)
			b.watch(b.tree())
			must(b, os.WriteFile(b.path("a.go"), []byte("2"), 0o666))
			b.chtimes("a.go", old)
			b.expect("modified a.go")
		}},
		{"another save while the times stand still", func(b *bench) {
			b.write("a", "1")
			b.watch(b.tree())
			b.unseen(func() {
				b.write("a", "2")
				info, err := os.Stat(b.path("a"))
				must(b, err)
				n := b.w.snap.nodes[b.dir]
				known := newFile(info, info.ModTime())
				known.sum, known.hashed = n.files["a"].sum, true
				n.files["a"] = known // as if the first content had been seen in the same tick
			})
			b.expect("modified a")
		}},
		{"a save just before the first hash", func(b *bench) {
			b.write("a", "1")
			b.watch(b.tree())
			b.unseen(func() {
				n := b.w.snap.nodes[b.dir]
				n.files["a"].hashed = false
				b.write("a", "2")
				b.w.snap.baseline(ref{n, "a"}, n.files["a"])
			})
			b.expect("modified a")
		}},
		{"batches not taken become one", func(b *bench) {
			b.write("a", "1")
			b.write("b", "1")
			b.write("c", "1")
			b.watch(b.tree())
			b.write("a", "2")
			b.w.Rescan()
			b.remove("b")
			b.w.Rescan()
			b.write("new", "1")
			b.write("gone", "1")
			b.remove("c")
			b.w.Rescan()
			b.write("a", "3")
			b.write("c", "1")
			b.write("new", "2")
			b.remove("gone")
			b.w.Rescan()
			b.write("b", "other")
			b.w.Rescan()
			b.expect("modified a", "modified b", "created new")
		}},
	}
	inBothModes(t, cases)
}

// TestEveryEditorsSave: every editor's way to save is one change of one file, time
// after time. The second save meets what the first has left behind.
func TestEveryEditorsSave(t *testing.T) {
	const name = "main.go"
	replace := func(b *bench, text, tmp string) {
		must(b, os.WriteFile(b.path(tmp), []byte(text), 0o666))
		b.rename(tmp, name)
	}
	backup := func(b *bench, text string) {
		b.rename(name, name+"~")
		must(b, os.WriteFile(b.path(name), []byte(text), 0o666))
		b.remove(name + "~")
	}
	saves := map[string]func(b *bench, text string){
		"temporary file renamed over": func(b *bench, text string) { replace(b, text, ".main.go.tmp1") },
		"backup and new file":         backup,
		"truncate, pause, write": func(b *bench, text string) {
			f, err := os.Create(b.path(name))
			must(b, err)
			time.Sleep(15 * time.Millisecond) // the editor's own pause, not a wait
			_, err = f.WriteString(text)
			must(b, err)
			must(b, f.Close())
		},
		"probe, then backup": func(b *bench, text string) {
			must(b, os.WriteFile(b.path("4913"), nil, 0o666))
			b.remove("4913")
			backup(b, text)
		},
		"sed": func(b *bench, text string) {
			sed, err := exec.LookPath("sed")
			if err != nil || runtime.GOOS != "linux" {
				b.Skip("needs GNU sed")
			}
			run(b, b.dir, sed, "-i", "s|.*|"+text+"|", name)
		},
		"two temporary files": func(b *bench, text string) {
			must(b, os.WriteFile(b.path(name+"___jb_tmp___"), []byte(text), 0o666))
			b.rename(name, name+"___jb_old___")
			b.rename(name+"___jb_tmp___", name)
			b.remove(name + "___jb_old___")
		},
	}
	for mode, poll := range modes {
		for how, save := range saves {
			t.Run(mode+"/"+how, func(t *testing.T) {
				t.Parallel()
				b := newBench(t, poll)
				b.write(name, "package main")
				b.watch(Scope{Dirs: []string{b.dir}, Exts: []string{".go"}})
				for i := range 3 {
					save(b, fmt.Sprint("package main // ", i))
					if n := b.saved(name); n > 1 {
						t.Logf("save %d was seen in %d steps", i, n)
					}
				}
			})
		}
	}
}

// Of two saves of one size in one tick of the clock the second is not missed.
func TestTwoSavesOfOneSizeInOneTick(t *testing.T) {
	for mode, poll := range modes {
		t.Run(mode, func(t *testing.T) {
			b := newBench(t, poll)
			b.write("a", "0000")
			b.watch(b.tree())
			m := newMirror(t, b.dir)
			for i := range 100 {
				for j := range 2 {
					must(t, os.WriteFile(b.path("a"), fmt.Appendf(nil, "%03d%d", i, j), 0o666))
					select { // between the two, as often as not
					case batch := <-b.w.Batches():
						m.apply(batch)
					case <-time.After(time.Duration(i*20) * time.Microsecond):
					}
				}
			}
			m.follow(b.w, b.dir)
		})
	}
}
