package wire

import _ "embed"

// Source is the text of wire.go: what is compiled into the app, so that both
// sides always speak the same messages. wire.go stands alone for that reason.
//
//go:embed wire.go
var Source string
