package devserver

import (
	"testing"
	"time"
)

// A program that writes for two seconds, a file every millisecond, gets few builds, and
// the last of its files is not waited for longer than a quarter of a second.
func TestFlurry(t *testing.T) {
	begin := time.Now()
	end := begin.Add(2 * time.Second)
	var f flurry
	builds := 0
	for now := begin; now.Before(end); now = now.Add(time.Millisecond) {
		if now.Before(f.calm) {
			continue
		}
		f.save(now, builds > 0)
		builds++
		if builds == 2 && now.Sub(begin) > time.Millisecond {
			t.Errorf("the second save was taken after %v", now.Sub(begin))
		}
	}
	if wait := f.calm.Sub(end); builds > 20 || wait > mostCalm {
		t.Errorf("%d builds, the last save waits for %v", builds, wait)
	}
	f.save(end, false)
	if f.save(end.Add(time.Millisecond), true); f.calm.Sub(end) > 20*time.Millisecond {
		t.Errorf("a flurry waits for %v because of the one before it", f.calm.Sub(end))
	}
}
