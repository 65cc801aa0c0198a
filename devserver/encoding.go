package devserver

import (
	"bytes"
	"compress/gzip"
	"io"
	"strings"

	"devrun/devserver/internal/wire"
)

// mostText bounds what the beginning of a compressed body may become.
const mostText = 64 << 10

// textOf is the beginning of a body as the app wrote it before some middleware
// compressed it. Of a coding that is not read here there is no text: its bytes
// would say nothing.
func textOf(r wire.Response) string {
	switch strings.ToLower(codingOf(r)) {
	case "", "identity":
		return string(r.Body)
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(bytes.NewReader(r.Body))
		if err != nil {
			return ""
		}
		text, _ := io.ReadAll(io.LimitReader(z, mostText)) // the end may not be there yet
		return string(text)
	}
	return ""
}

func codingOf(r wire.Response) string {
	for _, f := range r.Header {
		if strings.EqualFold(f.Name, "Content-Encoding") {
			return strings.Join(f.Values, ", ")
		}
	}
	return ""
}
