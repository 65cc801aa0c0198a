package proxy

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"io"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

// decoders are the content codings that browsers ask for. Each hands out what it
// has as soon as the app has flushed it.
var decoders = map[string]func(io.Reader) (io.ReadCloser, error){
	"":         nil,
	"identity": nil,
	"gzip":     gunzip,
	"x-gzip":   gunzip,
	"deflate":  inflate,
	"br":       func(r io.Reader) (io.ReadCloser, error) { return io.NopCloser(brotli.NewReader(r)), nil },
	"zstd":     unzstd,
}

func gunzip(r io.Reader) (io.ReadCloser, error) { return gzip.NewReader(r) }

// inflate reads what the standard calls deflate, which has a zlib header, and
// what some servers send under that name, which has none.
func inflate(r io.Reader) (io.ReadCloser, error) {
	b := bufio.NewReader(r)
	h, err := b.Peek(2)
	if err != nil {
		return nil, err
	}
	if h[0]&0x0f == 8 && (int(h[0])<<8|int(h[1]))%31 == 0 {
		return zlib.NewReader(b)
	}
	return flate.NewReader(b), nil
}

func unzstd(r io.Reader) (io.ReadCloser, error) {
	// One at a time: without goroutines, and block by block.
	d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, err
	}
	return d.IOReadCloser(), nil
}

// decoded reads src through a decoder. It is opened with the first Read, because
// that waits for bytes and the header of the answer must not.
type decoded struct {
	src  io.ReadCloser
	open func(io.Reader) (io.ReadCloser, error)
	dec  io.ReadCloser
}

func (d *decoded) Read(p []byte) (int, error) {
	if d.dec == nil {
		dec, err := d.open(d.src)
		if err != nil {
			return 0, err
		}
		d.dec = dec
	}
	return d.dec.Read(p)
}

func (d *decoded) Close() error {
	if d.dec != nil {
		d.dec.Close() // only frees memory: errors of the data came from Read
	}
	return d.src.Close()
}
