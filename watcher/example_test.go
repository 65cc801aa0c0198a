package watcher_test

import (
	"fmt"
	"os"
	"path/filepath"

	"devrun/watcher"
)

// What is saved comes in batches, as soon as it is seen.
func Example() {
	dir := tempDir()
	defer os.RemoveAll(dir)
	w, err := watcher.New(watcher.Options{Notice: func(text string) { fmt.Println(text) }})
	if err != nil {
		panic(err)
	}
	defer w.Close()
	if err := w.Watch(watcher.Scope{Trees: []string{dir}}); err != nil {
		panic(err)
	}

	save(dir, "main.go", "package main\n")
	for _, c := range <-w.Batches() {
		fmt.Println(filepath.Base(c.Path), c.Op)
	}
	// Output: main.go created
}

// A tree is watched without what git ignores; a file that is named is watched all the
// same.
func ExampleScope() {
	dir := tempDir()
	defer os.RemoveAll(dir)
	if err := os.Mkdir(filepath.Join(dir, ".git"), 0o700); err != nil {
		panic(err)
	}
	save(dir, ".gitignore", "*.log\n.env\n")
	save(dir, ".env", "PORT=8080\n")
	save(dir, "app.log", "started\n")
	w, err := watcher.New(watcher.Options{})
	if err != nil {
		panic(err)
	}
	defer w.Close()
	err = w.Watch(watcher.Scope{
		Trees: []string{dir},
		Files: []string{filepath.Join(dir, ".env")},
	})
	if err != nil {
		panic(err)
	}

	save(dir, "app.log", "started\nfailed\n")
	save(dir, ".env", "PORT=8081\n")
	w.Rescan()
	for _, c := range <-w.Batches() {
		fmt.Println(filepath.Base(c.Path), c.Op)
	}
	// Output: .env modified
}

// While nobody takes a batch, later changes go into it. What came and went leaves no
// trace.
func ExampleWatcher_Batches() {
	dir := tempDir()
	defer os.RemoveAll(dir)
	save(dir, "old.go", "package main\n")
	w, err := watcher.New(watcher.Options{})
	if err != nil {
		panic(err)
	}
	defer w.Close()
	if err := w.Watch(watcher.Scope{Trees: []string{dir}}); err != nil {
		panic(err)
	}

	save(dir, "new.go", "package main\n")
	w.Rescan()
	save(dir, "other.go", "package main\n")
	remove(dir, "new.go")
	remove(dir, "old.go")
	w.Rescan()
	for _, c := range <-w.Batches() {
		fmt.Println(filepath.Base(c.Path), c.Op)
	}
	// Unordered output:
	// old.go removed
	// other.go created
}

func tempDir() string {
	dir, err := os.MkdirTemp("", "watcher-")
	if err != nil {
		panic(err)
	}
	return dir
}

func save(dir, name, text string) {
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		panic(err)
	}
}

func remove(dir, name string) {
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		panic(err)
	}
}
