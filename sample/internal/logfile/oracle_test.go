package logfile

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// script feeds records to Python's handler. That of Python before 3.13 rolls an
// empty file over and leaves an empty backup; the rule is that of the newer one.
const script = `
import json, logging.handlers, os, sys

class Handler(logging.handlers.RotatingFileHandler):
    def shouldRollover(self, record):
        return os.path.getsize(self.baseFilename) > 0 and super().shouldRollover(record)

for run in json.load(sys.stdin):
    h = Handler(run["Path"], maxBytes=run["MaxBytes"], backupCount=run["Backups"])
    for size in run["Sizes"]:
        h.emit(logging.makeLogRecord({"msg": chr(97 + size % 26) * (size - 1)}))
    h.close()
`

// run is what one process of a log writes. The records are ASCII: Python counts
// characters where File counts bytes.
type run struct {
	Path     string
	Before   int // bytes that are there already
	MaxBytes int
	Backups  int
	Sizes    []int
}

func TestSameFilesAsPython(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("NOT COMPARED with Python's RotatingFileHandler: there is no python3")
	}
	random := rand.New(rand.NewPCG(10240, 10))
	var runs []run
	for range 24 {
		r := run{
			Path: filepath.Join(t.TempDir(), "x.log"), Before: random.IntN(2) * random.IntN(12000),
			MaxBytes: []int{10240, 10240, 1000, 1, 0}[random.IntN(5)], Backups: []int{10, 10, 2, 1, 0}[random.IntN(5)],
		}
		for range 1 + random.IntN(400) {
			size := 1 + random.IntN(200)
			if random.IntN(50) == 0 {
				size = 1 + random.IntN(12000)
			}
			r.Sizes = append(r.Sizes, size)
		}
		if r.Before > 0 {
			if err := os.WriteFile(r.Path, []byte(record(r.Before, "-")), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		runs = append(runs, r)
	}
	in, err := json.Marshal(runs)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "-c", script)
	cmd.Stdin = strings.NewReader(string(in))
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("%v: %s", err, out)
	}
	files := 0
	for i, r := range runs {
		t.Run(fmt.Sprintf("%d: %d records, limit %d, %d backups", i, len(r.Sizes), r.MaxBytes, r.Backups), func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "x.log")
			if r.Before > 0 {
				if err := os.WriteFile(path, []byte(record(r.Before, "-")), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			f := open(t, path, int64(r.MaxBytes), r.Backups)
			for _, size := range r.Sizes {
				write(t, f, record(size, string(rune('a'+size%26))))
			}
			want := contents(t, filepath.Dir(r.Path))
			files += len(want)
			same(t, contents(t, dir), want)
		})
	}
	if files < 2*len(runs) {
		t.Errorf("Python has made only %d files", files)
	}
}
