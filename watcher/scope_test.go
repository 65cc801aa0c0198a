package watcher

import (
	"os"
	"testing"
)

// TestWhatIsWatched: scopes, symlinks and ignore rules decide what is watched. The
// table has them.
func TestWhatIsWatched(t *testing.T) {
	inBothModes(t, []row{
		{"files that are not there yet", func(b *bench) {
			b.mkdir("app")
			b.watch(Scope{Files: []string{b.path("app/.env"), b.path("go.work"), b.path("no/such/dir/f")}})
			b.write("app/.env", "A=1")
			b.write("app/other", "1")
			b.expect("created app/.env")
			b.write("go.work", "1")
			b.expect("created go.work")
			b.write("no/such/dir/g", "1")
			b.write("no/such/dir/f", "1")
			b.expect("created no/such/dir/f")
			b.remove("no")
			b.expect("removed no/such/dir/f")
			b.write("no/such/dir/f", "2")
			b.expect("created no/such/dir/f")
		}},
		{"directories and endings", func(b *bench) {
			b.write(".gitignore", "p\n")
			b.watch(Scope{Dirs: []string{b.path("p"), b.path("q")}, Exts: []string{".go", ".c"}})
			b.write("p/p.go", "1")
			b.write("p/p.txt", "1")
			b.write("p/below/b.go", "1")
			b.write("q/q.c", "1")
			b.expect("created p/p.go", "created q/q.c")
		}},
		{"whole directories, ignored or not", func(b *bench) {
			b.write(".gitignore", "dist\n*.map\n")
			b.write("dist/a.js", "1")
			b.watch(Scope{Trees: []string{b.dir}, Whole: []string{b.path("dist"), b.path("web/dist"), b.path("src")}})
			b.write("dist/sub/b.js", "1")
			b.write("dist/.gitignore", "*\n")
			b.write("dist/a.js", "2")
			b.write("dist/node_modules/m.js", "1")
			b.write("a.map", "1")
			b.expect("created dist/sub/b.js", "created dist/.gitignore", "modified dist/a.js")
			b.write("web/dist/c.map", "1")
			b.write("src/d.map", "1")
			b.write("src/below/dist/e", "1")
			b.expect("created web/dist/c.map", "created src/d.map", "created src/below/dist/e")
			b.remove("web/dist")
			b.remove("dist/sub")
			b.expect("removed web/dist/c.map", "removed dist/sub/b.js")
			b.write("web/dist/c.map", "2")
			b.expect("created web/dist/c.map")
			b.watch(b.tree())
			b.write("dist/a.js", "3")
			b.write("src/f", "1")
			b.write("src/d.map", "2")
			b.expect("created src/f")
		}},
		{"single files that are added", func(b *bench) {
			b.write("app/.gitignore", "*.local\nkept\n")
			b.write("app/a.local", "1")
			b.write("app/b.local", "1")
			b.write("app/kept/c", "1")
			b.write("else/d", "1")
			b.watch(Scope{Trees: []string{b.path("app")}})
			b.write("app/plain", "1")
			b.expect("created app/plain")
			b.add("app/plain", "app/a.local", "app/kept/c", "else/d", "app/new", "none/e")("app/a.local", "app/kept/c", "else/d", "none/e")
			for _, name := range []string{"app/a.local", "app/b.local", "app/kept/c", "app/kept/f", "else/d", "else/g", "app/new", "none/e"} {
				b.write(name, "2")
			}
			b.expect("modified app/a.local", "modified app/kept/c", "modified else/d", "created app/new", "created none/e")
			b.add("app/a.local", "else/g")("else/g")
			b.write("app/h", "1")
			b.write("else/g", "3")
			b.remove("app/a.local")
			b.expect("created app/h", "modified else/g", "removed app/a.local")
			b.watch(Scope{Trees: []string{b.path("app")}})
			b.write("else/d", "3")
			b.write("app/h", "2")
			b.expect("modified app/h")
		}},
		{"a root that goes and comes", func(b *bench) {
			b.write("app/a.go", "1")
			b.watch(Scope{Trees: []string{b.path("app")}})
			b.remove("app")
			b.expect("removed app/a.go")
			b.write("app/b/b.go", "1")
			b.expect("created app/b/b.go")
			b.write("app/b/b.go", "2")
			b.expect("modified app/b/b.go")
		}},
		{"a symlinked root, turned to another directory", func(b *bench) {
			needSymlinks(b)
			b.write("v1/a/f", "1")
			b.write("v2/a/f", "2")
			must(b, os.Symlink("v1", b.path("current")))
			b.watch(Scope{Trees: []string{b.path("current")}})
			b.write("v1/a/f", "11")
			b.expect("modified current/a/f")
			must(b, os.Symlink("v2", b.path("next")))
			b.rename("next", "current")
			b.expect("modified current/a/f")
			b.write("v2/a/f", "22")
			b.expect("modified current/a/f")
		}},
		{"symlinks inside", func(b *bench) {
			needSymlinks(b)
			b.write("out/deep/f", "1")
			b.write("out/one", "1")
			must(b, os.Symlink("..", b.path("out/deep/up")))
			b.write("app/real/f", "1")
			for link, to := range map[string]string{
				"app/loop": ".", "app/real/top": b.path("app"), "app/above": b.dir, "app/machine": "/", "app/again": "real",
				"app/dangling": "nowhere", "app/self": "self", "app/out": "../out", "app/one": "../out/one",
			} {
				must(b, os.Symlink(to, b.path(link)))
			}
			b.watch(Scope{Trees: []string{b.path("app")}})
			b.write("app/real/f", "2")
			b.expect("modified app/real/f")
			b.write("out/deep/f", "2")
			b.expect("modified app/out/deep/f")
			b.write("out/one", "2")
			b.expect("modified app/one", "modified app/out/one")
			b.write("app/nowhere", "1")
			b.expect("created app/nowhere", "created app/dangling")
			b.remove("app/out")
			b.expect("removed app/out/deep/f", "removed app/out/one")
		}},
		{"a symlinked file elsewhere", func(b *bench) {
			needSymlinks(b)
			b.write("shared/env", "1")
			b.mkdir("app")
			must(b, os.Symlink("../shared/env", b.path("app/.env")))
			b.watch(Scope{Files: []string{b.path("app/.env")}})
			b.write("shared/env", "2")
			b.expect("modified app/.env")
		}},
		{"names with all that names may have", func(b *bench) {
			b.write("a b/ü 'q' \"d\"/[x] *.go", "1")
			b.watch(b.tree())
			b.write("a b/ü 'q' \"d\"/[x] *.go", "2")
			b.expect("modified a b/ü 'q' \"d\"/[x] *.go")
		}},
		{"nested ignore rules", func(b *bench) {
			b.write(".gitignore", "*.log\n/tmp/\n")
			b.write("a/.gitignore", "*.go\n!keep.go\n")
			b.write("tmp/x.go", "1")
			b.watch(b.tree())
			b.write("a/x.go", "1")
			b.write("a/x.log", "1")
			b.write("tmp/x.go", "2")
			b.write("node_modules/m/index.js", "1")
			b.write("vendor/v/v.go", "1")
			b.write("a/testdata/t", "1")
			b.write("a/keep.go", "1")
			b.expect("created a/keep.go", "created vendor/v/v.go", "created a/testdata/t")
		}},
		{"rules from above the tree", func(b *bench) {
			b.mkdir(".git/info")
			b.write(".gitignore", "/app/gen\n*.db\n")
			b.mkdir("app/gen")
			b.watch(Scope{Trees: []string{b.path("app")}})
			b.write("app/gen/g", "1")
			b.write("app/x.db", "1")
			b.write("app/y", "1")
			b.expect("created app/y")
			b.write(".gitignore", "*.db\n")
			b.expect("created app/gen/g")
			b.write(".git/info/exclude", "y\n")
			b.settled(func() bool { return b.w.snap.nodes[b.path("app")].files["y"] == nil })
			b.write("app/y", "2")
			b.expect()
		}},
		{"an ignore file edited live", func(b *bench) {
			b.write(".gitignore", "gen\n")
			b.write("gen/a/g.go", "1")
			b.write("web/w.js", "1")
			b.watch(b.tree())
			b.write("gen/a/g.go", "2")
			b.expect()
			b.write(".gitignore", "web\n")
			b.expect("modified .gitignore", "created gen/a/g.go")
			b.write("web/w.js", "2")
			b.write("gen/a/g.go", "3")
			b.expect("modified gen/a/g.go")
			b.remove(".gitignore")
			b.expect("removed .gitignore", "created web/w.js")
		}},
		{"ignored and removed together", func(b *bench) {
			b.write("gen/a", "1")
			b.write("gen/b", "1")
			b.watch(b.tree())
			b.remove("gen/a")
			b.write(".gitignore", "gen\n")
			b.expect("created .gitignore", "removed gen/a")
		}},
		{"another scope while changes are pending", func(b *bench) {
			b.write("a/a.go", "1")
			b.write("b/b.go", "1")
			b.write("c/c.go", "1")
			dirs := func(names ...string) Scope {
				var sc Scope
				for _, name := range names {
					sc.Dirs = append(sc.Dirs, b.path(name))
				}
				return sc
			}
			b.watch(dirs("a", "b"))
			b.write("a/a.go", "2")
			b.write("b/b.go", "2")
			b.write("b/new.go", "1")
			b.write("c/c.go", "2")
			b.watch(dirs("b", "c"))
			// Whether a was looked at before it left the scope is up to chance.
			b.expectOr("modified a/a.go", "modified b/b.go", "created b/new.go")
			b.write("c/c.go", "3")
			b.expect("modified c/c.go")
			b.write("a/a.go", "3")
			b.expect()
		}},
		{"a directory that came just before another scope", func(b *bench) {
			b.write("a/a.go", "1")
			b.write("b/b.go", "1")
			b.watch(Scope{Trees: []string{b.path("a")}})
			b.w.mail.mu.Lock() // nobody is told
			b.write("a/new/deep/f.go", "1")
			must(b, b.w.Watch(Scope{Trees: []string{b.path("a"), b.path("b")}}))
			b.w.mail.mu.Unlock()
			b.expect("created a/new/deep/f.go")
		}},
		{"the same scope again, with a symlink", func(b *bench) {
			needSymlinks(b)
			b.write("out/deep/f.txt", "1")
			b.mkdir("app")
			must(b, os.Symlink("../out", b.path("app/out")))
			sc := Scope{Trees: []string{b.path("app")}, Dirs: []string{b.path("app/out/deep")}, Exts: []string{".go"}}
			b.watch(sc)
			b.unseen(func() { b.write("out/deep/f.txt", "2") })
			must(b, b.w.Watch(sc))
			b.expect("modified app/out/deep/f.txt")
		}},
		{"one directory under two names", func(b *bench) {
			needSymlinks(b)
			b.write("real/f", "1")
			must(b, os.Symlink("real", b.path("link")))
			b.watch(Scope{Dirs: []string{b.path("link"), b.path("real")}})
			b.write("real/f", "2")
			b.expect("modified link/f", "modified real/f")
			b.settled(func() bool { return !b.w.snap.failed })
		}},
		{"a tree becomes a directory and the reverse", func(b *bench) {
			b.write("a/a.go", "1")
			b.write("a/b/b.go", "1")
			b.watch(b.tree())
			b.write("a/a.go", "2")
			b.watch(Scope{Dirs: []string{b.path("a")}})
			b.expect("modified a/a.go")
			b.write("a/b/b.go", "2")
			b.expect()
			b.write("a/a.go", "3")
			b.write("a/c.go", "1")
			b.watch(Scope{Trees: []string{b.dir}, Dirs: []string{b.path("a")}, Files: []string{b.path("a/a.go")}})
			b.expect("modified a/a.go", "created a/c.go")
			b.write("a/b/b.go", "3")
			b.expect("modified a/b/b.go")
		}},
		{"ignored in the tree, named as a directory", func(b *bench) {
			b.write(".gitignore", "gen\n")
			b.write("gen/g.go", "1")
			b.write("gen/below/b.go", "1")
			b.watch(Scope{Trees: []string{b.dir}, Dirs: []string{b.path("gen")}, Exts: []string{".go"}})
			b.write("gen/below/b.go", "2")
			b.write("gen/g.txt", "2")
			b.write("gen/g.go", "2")
			b.expect("modified gen/g.go")
			b.rename("gen", "gone")
			b.expect("removed gen/g.go", "created gone/g.go", "created gone/g.txt", "created gone/below/b.go")
			b.rename("gone", "gen")
			b.expect("created gen/g.go", "removed gone/g.go", "removed gone/g.txt", "removed gone/below/b.go")
		}},
		{"ignored live, named as a directory", func(b *bench) {
			b.write("gen/g.go", "1")
			b.write("gen/g.txt", "1")
			b.write("gen/below/b.go", "1")
			b.watch(Scope{Trees: []string{b.dir}, Dirs: []string{b.path("gen")}, Exts: []string{".go"}})
			b.write(".gitignore", "gen\n")
			b.expect("created .gitignore")
			b.write("gen/g.txt", "2")
			b.write("gen/below/b.go", "2")
			b.write("gen/g.go", "2")
			b.expect("modified gen/g.go")
		}},
	})
}
