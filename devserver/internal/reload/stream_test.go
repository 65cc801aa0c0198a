package reload

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"devrun/devserver/suite"
)

// slowWriter is a browser that reads when it is let.
type slowWriter struct {
	*httptest.ResponseRecorder
	writing chan string
	read    chan struct{}
}

func (w slowWriter) Write(p []byte) (int, error) {
	w.writing <- string(p)
	<-w.read
	return len(p), nil
}

func TestSlowClientDelaysNobodyAndCatchesUp(t *testing.T) {
	h := New("r1")
	quick := listen(t, serve(t, h))
	if m := quick.next(); m.Kind != hello {
		t.Fatalf("first message %+v", m)
	}
	ctx, cancel := context.WithCancel(t.Context())
	slow := slowWriter{httptest.NewRecorder(), make(chan string), make(chan struct{})}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		h.Handler().ServeHTTP(slow, httptest.NewRequest("GET", "/__devrun/events", nil).WithContext(ctx))
	}()
	<-slow.writing // stuck in its first line
	for i := 1; i <= 100; i++ {
		h.Publish(Event{Reload, i, []string{fmt.Sprintf("%d.js", i%3)}})
		if m := quick.next(); m.Generation != i {
			t.Fatalf("the quick client hears %+v after publication %d", m, i)
		}
	}
	slow.read <- struct{}{}
	if got, want := <-slow.writing, `"generation":100,"revision":0,"styles":0,"building":false,"paths":["0.js","1.js","2.js"]`; !strings.Contains(got, want) {
		t.Errorf("the slow client hears %s, want %s", got, want)
	}
	cancel()
	slow.read <- struct{}{}
	<-ended
}

func TestChurningClientsAndPublishers(t *testing.T) {
	h := New("r1")
	addr := serve(t, h)
	const clients, publications = 16, 200
	ctx, stop := context.WithCancel(t.Context())
	var churn sync.WaitGroup
	for i := range uint64(clients) {
		r := rand.New(rand.NewPCG(1, i))
		churn.Go(func() {
			for ctx.Err() == nil {
				s := listen(t, addr)
				newest := -1
				for range r.IntN(5) + 1 {
					s.conn.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
					line, err := s.line()
					if err != nil {
						break // nothing more was said, or the hub is done
					}
					data, ok := strings.CutPrefix(line, "data: ")
					if !ok {
						continue
					}
					var m message
					if err := json.Unmarshal([]byte(data), &m); err != nil {
						t.Error(err)
					}
					if m.Generation < newest {
						t.Errorf("generation %d after %d", m.Generation, newest)
					}
					newest = m.Generation
				}
				s.conn.Close()
			}
		})
	}
	kinds := []Kind{Reload, CSS, Building, Failed}
	for i := range publications {
		h.Publish(Event{kinds[i%len(kinds)], i, []string{"a.css"}})
		time.Sleep(time.Millisecond) // spread over the churn; nothing depends on it
	}
	stop()
	churn.Wait()
	suite.Until(t, "clients that went away are forgotten", func() error {
		if n := h.count(); n != 0 {
			return fmt.Errorf("%d clients of %d that went away are still known", n, clients)
		}
		return nil
	})
	s := listen(t, addr)
	if m := s.next(); m.Generation != publications-1 {
		t.Errorf("after all publications a client hears %+v", m)
	}
}

func TestTooManyClients(t *testing.T) {
	h := New("r1")
	addr := serve(t, h)
	oldest := listen(t, addr)
	oldest.next()
	second := listen(t, addr)
	second.next()
	for h.count() < maxClients {
		if _, ok := h.join(); !ok {
			t.Fatal("the hub is closed")
		}
	}
	listen(t, addr).next()
	if n := h.count(); n != maxClients {
		t.Errorf("%d clients", n)
	}
	var rest []string
	for {
		line, err := oldest.line()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		rest = append(rest, line)
	}
	if got := strings.Join(rest, "\n"); !strings.Contains(got, "make room") || !strings.Contains(got, "retry: 5000") {
		t.Errorf("the oldest stream ends with %q", got)
	}
	h.Publish(Event{Reload, 1, nil})
	if m := second.next(); m.Kind != Reload {
		t.Errorf("the second oldest hears %+v", m)
	}
}

func TestClose(t *testing.T) {
	h := New("r1")
	addr := serve(t, h)
	s := listen(t, addr)
	s.next()
	h.Close()
	h.Close()
	h.Publish(Event{Reload, 1, nil})
	if rest, err := io.ReadAll(s.body); err != nil || strings.Contains(string(rest), "data:") || !strings.Contains(string(rest), "retry: 200") {
		t.Errorf("the stream ends with %q, %v", rest, err)
	}
	resp, err := http.Get("http://" + addr + "/__devrun/events")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a stream after Close: %s", resp.Status)
	}
}
