package proxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"devrun/devserver/suite"
)

// Both directions of one request at the same time.
func TestFullDuplex(t *testing.T) {
	addr := app(t, func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex()
		w.(http.Flusher).Flush()
		r2 := bufio.NewReader(r.Body)
		for {
			line, err := r2.ReadString('\n')
			if err != nil {
				return
			}
			io.WriteString(w, strings.ToUpper(line))
			w.(http.Flusher).Flush()
		}
	})
	f := forwarding(t, addr)
	body, w := io.Pipe()
	res := do(t, client(t), "POST", f.url(), body)
	defer res.Body.Close()
	r := bufio.NewReader(res.Body)
	for range 3 {
		fmt.Fprint(w, "word\n")
		if line, err := r.ReadString('\n'); line != "WORD\n" {
			t.Fatalf("got %q, %v", line, err)
		}
	}
	w.Close()
	if b, err := io.ReadAll(r); len(b) > 0 || err != nil {
		t.Errorf("end: %q, %v", b, err)
	}
}

// A refusal arrives although the body is still on its way.
func TestEarlyRefusal(t *testing.T) {
	addr := app(t, func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
	})
	f := forwarding(t, addr)
	c := dial(t, f.Addrs()[0])
	fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", 1<<30, make([]byte, 1<<10))
	go c.Write(make([]byte, 1<<22)) // ends when the connection does
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusRequestEntityTooLarge {
		t.Error(res.Status)
	}
}

func TestLongLargeBodiesTakeNoMemory(t *testing.T) {
	suite.Long(t)
	size := 1 << 30
	if raceEnabled {
		size >>= 3 // the detector looks at every byte
	}
	block := make([]byte, 1<<20-1) // an odd length shows what is lost or repeated
	for i := range block {
		block[i] = byte(i * i >> 3)
	}
	table := crc32.MakeTable(crc32.Castagnoli)
	pour := func(w io.Writer) (sum uint32) {
		for left := size; left > 0; {
			b := block[:min(left, len(block))]
			n, err := w.Write(b)
			sum, left = crc32.Update(sum, table, b[:n]), left-n
			if err != nil {
				return sum
			}
		}
		return sum
	}
	sent := make(chan uint32, 1)
	page := []byte("<!doctype html><head>")
	addr := app(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/down":
			w.Header().Set("Content-Length", fmt.Sprint(size))
			sent <- pour(w)
		case "/page":
			w.Header().Set("Content-Type", "text/html")
			w.Write(page)
			pour(w)
		case "/up":
			h := crc32.New(table)
			io.CopyBuffer(h, r.Body, make([]byte, 1<<18))
			fmt.Fprint(w, h.Sum32())
		}
	})
	f := front(t, Options{Snippet: func(_, _ string) string { return "<script>" }})
	f.Forward(addr)

	measure := func(name string, do func()) {
		t.Helper()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		do()
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 16<<20 {
			t.Errorf("%s: %d MB were allocated", name, n>>20)
		}
	}
	c := client(t)
	measure("download", func() {
		res := do(t, c, "GET", f.url()+"/down", nil)
		defer res.Body.Close()
		h := crc32.New(table)
		n, err := io.CopyBuffer(h, res.Body, make([]byte, 1<<18))
		if want := <-sent; n != int64(size) || err != nil || h.Sum32() != want {
			t.Errorf("download: %d bytes, %v, sum %x, want %x", n, err, h.Sum32(), want)
		}
	})
	size /= 4
	measure("page", func() {
		res := do(t, c, "GET", f.url()+"/page", nil, "Accept: text/html")
		defer res.Body.Close()
		if n, err := io.CopyBuffer(io.Discard, struct{ io.Reader }{res.Body}, make([]byte, 1<<18)); n != int64(size+len(page)+len("<script>")) || err != nil {
			t.Errorf("page: %d bytes, %v", n, err)
		}
	})
	measure("upload", func() {
		r, w := io.Pipe()
		var sum uint32
		go func() {
			sum = pour(w)
			w.Close()
		}()
		res := do(t, c, "POST", f.url()+"/up", r)
		defer res.Body.Close()
		if b, _ := io.ReadAll(res.Body); string(b) != fmt.Sprint(sum) {
			t.Errorf("upload: sum %s, want %d", b, sum)
		}
	})
}

func TestClientThatLeavesEndsTheRequest(t *testing.T) {
	started, ended := make(chan struct{}), make(chan struct{})
	addr := app(t, func(w http.ResponseWriter, r *http.Request) {
		close(started)
		<-r.Context().Done()
		close(ended)
	})
	f := forwarding(t, addr)
	ctx, cancel := context.WithCancel(context.Background())
	req, _ := http.NewRequestWithContext(ctx, "GET", f.url(), nil)
	go func() {
		<-started
		cancel()
	}()
	if _, err := client(t).Do(req); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	<-ended
}
