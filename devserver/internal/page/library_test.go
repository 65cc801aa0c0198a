package page

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"devrun/devserver/internal/fault"
)

// TestLibrarySource: a call of a library has its source too, out of sight until
// it is asked for, and what the app's calls need is not taken for it.
func TestLibrarySource(t *testing.T) {
	app := failedApp(t)
	f := panicked(t, app)
	var source strings.Builder
	for n := range 400 {
		fmt.Fprintf(&source, "// line %d of the library <&>\n", n+1)
	}
	file := filepath.Join(t.TempDir(), "route.go")
	write(t, file, source.String())
	f.At = time.Now()
	call := func(line int) fault.Call {
		return fault.Call{Frame: fault.Frame{Func: fmt.Sprintf("example.com/mux.f%d", line), File: file, Line: line}, Optimised: true, Vars: []fault.Value{num("depth", line)}}
	}
	gone := call(7)
	gone.File = filepath.Join(filepath.Dir(file), "gone.go")
	f.Calls = append(f.Calls, call(100), gone)
	for name, at := range places {
		html := asks(New(app).Failed(explained(app, f), at), navigation...).Body.String()
		contains(t, html, `<a class="fr lib" href="#f5">`, `<article class="panel lib" id="f5"`, `<span class="l here" data-n="100">`, "line 96 of the library", "line 104 of the library",
			"this code is optimised", "<b>depth</b>", "Source unavailable: gone.go is not there any more")
		lacks(t, html, "line 95 of the library", "line 105 of the library")
		if n := strings.Count(html, ` aria-current="true"`); n != 1 {
			t.Errorf("%s: %d current rows", name, n)
		}
	}

	// Without a call of the app the innermost one is shown.
	alone := f
	alone.Calls = []fault.Call{call(50), call(60)}
	html := asks(New(app).Failed(explained(app, alone), places["home"]), navigation...).Body.String()
	contains(t, html, `<article class="panel on lib" id="f0"`, `<a class="fr lib" href="#f0" aria-current="true">`)

	for n := range 80 {
		f.Calls = append(f.Calls, call(10+n))
	}
	html = asks(New(app).Failed(explained(app, f), places["away"]), navigation...).Body.String()
	if len(html) >= maxPage {
		t.Errorf("%d bytes", len(html))
	}
	if n := strings.Count(html, `class="panel lib"`); n != fits[0].libs {
		t.Errorf("%d of 85 library calls have their source, want %d", n, fits[0].libs)
	}
	lacks(t, html, "more variable", "not shown here")
}
