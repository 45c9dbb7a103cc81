package snapshot

import (
	"sync"
	"time"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// watching is the channels of those that watch a Reading, each with one place.
type watching map[chan int]bool

const tellEvery = time.Second // while a pass runs

// tell tells of a change. Who has not looked at the last one gets this one in its place.
func (w watching) tell(version int) {
	for c := range w {
		select {
		case <-c:
		default:
		}
		c <- version // its place is free: only tell fills it, under the lock of the Reading
	}
}

// Watch returns a channel that tells of changes, once a second while a pass runs, until stop is
// called. What it tells is the version of a Snapshot whose content, or Progress, has changed. The
// queue is watched meanwhile: passes may begin by themselves. The channel is never closed.
func (r *Reading) Watch() (changes <-chan int, stop func()) {
	c := make(chan int, 1)
	r.mu.Lock()
	r.watching[c] = true
	r.mu.Unlock()
	r.changed()
	return c, sync.OnceFunc(func() {
		r.mu.Lock()
		delete(r.watching, c)
		r.looked = time.Now()
		r.mu.Unlock()
		r.changed()
	})
}

// hints tells who watches of the progress of a pass: of each phase and of the first message at
// once, then once a second. One goroutine uses it, that of the pass.
type hints struct {
	reading *Reading
	version int

	last errorqueue.Progress // of which was told
	at   time.Time
}

func (h *hints) of(p errorqueue.Progress) {
	news := p.Phase != h.last.Phase || h.last.Read == 0 && p.Read > 0
	if !news && time.Since(h.at) < tellEvery {
		return
	}
	h.last, h.at = p, time.Now()
	h.reading.mu.Lock()
	defer h.reading.mu.Unlock()
	h.reading.watching.tell(h.version)
}
