package wire

import "embed"

// Source is the text of what is compiled into the app, by file name, so that
// both sides always speak the same messages. These files stand alone for that
// reason.
var Source = func() map[string]string {
	m := map[string]string{}
	for _, name := range []string{"wire.go", "failure.go", "expr.go"} {
		b, err := source.ReadFile(name)
		if err != nil {
			panic(err) // embedded below
		}
		m[name] = string(b)
	}
	return m
}()

//go:embed wire.go failure.go expr.go
var source embed.FS
