package proxy

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"sync/atomic"
	"time"
)

// ordinary is longer than an ordinary request waits for its answer, or an answer of
// unknown length takes: what lasts longer is a long poll or a stream.
const ordinary = time.Second

var errDrained = errors.New("the app is to stop")

// tenure is the time of one process of the app, until Drain.
type tenure struct {
	context.Context
	end context.CancelFunc
}

func newTenure() *tenure {
	ctx, end := context.WithCancel(context.Background())
	return &tenure{ctx, end}
}

// Drain is for an app that is about to stop, after Hold or Answer: it ends what a
// graceful shutdown would wait for in vain. That is every stream towards the app
// (text/event-stream, an upgraded connection, an answer of unknown length that is no
// ordinary one, a connection that is not HTTP/1 whose client is silent), and every long
// poll, which is sent to the next app. Other requests may finish.
func (f *Front) Drain() { f.tenure.Swap(newTenure()).end() }

// drains calls end when the app is to stop, though not before d has passed. keep
// takes that back and reports whether it was in time.
func (u *upstream) drains(d time.Duration, end func()) (keep func() bool) {
	since := time.Now()
	var decided atomic.Bool
	stop := context.AfterFunc(u.tenure, func() {
		time.AfterFunc(d-time.Since(since), func() {
			if decided.CompareAndSwap(false, true) {
				end()
			}
		})
	})
	return func() bool {
		stop()
		return decided.CompareAndSwap(false, true)
	}
}

// always is the keep of what may finish.
func always() bool { return true }

// patience is how long the answer res may go on before it is a stream; false for one
// that is none.
func patience(res *http.Response) (d time.Duration, stream bool) {
	mediaType, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	switch {
	case res.StatusCode == http.StatusSwitchingProtocols, mediaType == "text/event-stream":
		return 0, true
	case res.ContentLength < 0:
		return ordinary, true
	}
	return 0, false
}
