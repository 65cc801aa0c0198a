package fastbuild

import (
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"devrun/devserver/internal/build"
	"devrun/devserver/internal/diskcache"
)

// cached is what is known of an app, for the next run of devrun. No conclusion is in
// it, but what the go command said and what that was about.
type cached struct {
	Format   int
	Settings [sha256.Size]byte
	Said     answers
	Files    []byte   // sum of their snapshot
	Proven   []string // ways of compiling
	Binary   string   // sha256 of it, in hex
}

const (
	cacheFormat = 1
	cacheFile   = "app.json"
	cacheBinary = "binary-" // and the beginning of its sum
)

// WriteCache writes to dir, which it makes, what ReadCache needs: the binary of the build
// that r and m are of, and what the app consists of. m is nil for a binary of go
// build's. The go command is asked again if it has to be; a build ends that.
func (b *Builder) WriteCache(ctx context.Context, dir string, r build.Request, m *Made) error {
	now, err := b.asMade(ctx, r)
	if err != nil {
		rec, err := b.question(ctx, r)
		if err != nil {
			return err
		}
		b.answered(rec, nil)
		if now, err = b.asMade(ctx, r); err != nil {
			return err
		}
	}
	binary := r.Output
	if m != nil {
		binary = m.binary
		if !m.snapshot.same(now.snapshot) {
			return errMoved
		}
	} else if err := now.recipe.linking.made(binary); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	sum, err := sumOf(binary)
	if err != nil {
		return err
	}
	k := cached{Format: cacheFormat, Settings: now.recipe.settings, Said: now.recipe.said, Files: now.snapshot.sum(), Binary: sum}
	b.mu.Lock()
	k.Proven = slices.Sorted(maps.Keys(b.proven))
	b.mu.Unlock()
	text, err := json.Marshal(k)
	if err != nil {
		return err
	}
	place := filepath.Join(dir, binaryName(sum))
	if _, err := os.Stat(place); err != nil {
		if err := diskcache.Copy(binary, place); err != nil {
			return err
		}
	}
	if err := diskcache.Write(filepath.Join(dir, cacheFile), text); err != nil {
		return err
	}
	older, err := filepath.Glob(filepath.Join(dir, cacheBinary+"*"))
	for _, file := range older {
		if file != place {
			err = errors.Join(err, os.Remove(file))
		}
	}
	return err
}

// ReadCache takes up what WriteCache has left in dir. If the app is still what it was, the
// next Build gives its binary and needs no go command, nor do those after it. An
// error says why all begins anew, which is no harm.
func (b *Builder) ReadCache(dir string, r build.Request) error {
	text, err := os.ReadFile(filepath.Join(dir, cacheFile))
	if err != nil {
		return err
	}
	var k cached
	if err := json.Unmarshal(text, &k); err != nil {
		return fmt.Errorf("read %s: %w", cacheFile, err)
	}
	if err := ordinary(r); err != nil {
		return err
	}
	if k.Format != cacheFormat || k.Settings != settings(r) {
		return errors.New("flags or the environment have changed")
	}
	rec, err := newRecipe(r, k.Said)
	if err == nil {
		err = rec.learnLink()
	}
	if err == nil {
		rec.snapshot, err = rec.takeSnapshot(r, b.shapes)
	}
	if err != nil {
		return err
	}
	if !slices.Equal(rec.snapshot.sum(), k.Files) {
		return errors.New("files have changed")
	}
	if err := rec.setKeys(); err != nil {
		return err
	}
	binary := filepath.Join(dir, binaryName(k.Binary))
	if sum, err := sumOf(binary); err != nil || sum != k.Binary {
		return fmt.Errorf("the binary is not what it was (%v)", err)
	}
	b.mu.Lock()
	for _, way := range k.Proven {
		b.proven[way] = true
	}
	b.mu.Unlock()
	b.set(rec, nil)
	rec.snapshot.forget()
	b.restored = &restored{binary, k.Files}
	return nil
}

// restored is a binary of another run.
type restored struct {
	binary string
	files  []byte // sum of the snapshot that it was made of
}

// place puts the binary at output if it is of the files in l.
func (k *restored) place(l *snapshot, output string) bool {
	return k != nil && slices.Equal(k.files, l.sum()) && (os.Link(k.binary, output) == nil || diskcache.Copy(k.binary, output) == nil)
}

// made reports an error unless the go command has linked the binary from just these
// archives: the id that it gives to a binary begins with that of the link.
func (l linking) made(binary string) error {
	f, err := elf.Open(binary)
	if err != nil {
		return err
	}
	defer f.Close()
	note := f.Section(".note.go.buildid")
	if note == nil {
		return errors.New("the binary has no build id")
	}
	text, err := note.Data()
	if err != nil {
		return err
	}
	link := l.buildID[:strings.LastIndexByte(l.buildID, '/')+1]
	if link == "" || !strings.Contains(string(text), link) {
		return errMoved
	}
	return nil
}

func binaryName(sum string) string { return cacheBinary + sum[:min(16, len(sum))] }

func sumOf(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
