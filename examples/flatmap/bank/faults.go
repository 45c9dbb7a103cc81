package bank

import (
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// faults decides what becomes of each request.
type faults struct {
	seed uint64
	rate float64

	mu    sync.Mutex
	asked map[string]int // how often, by what was asked for
}

type fault int

const (
	none    fault = iota
	refusal       // 503, with a Retry-After of a second
	cut           // the connection ends in the middle of the body
	silence       // no answer comes
)

// manner is how one request is answered.
type manner struct {
	fault fault
	bytes int           // of the body before it is cut
	pause time.Duration // before the answer
}

// next decides about the next request for something. Each of them has its own fate.
func (f *faults) next(what string) manner {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked[what]++
	return f.decide(what, f.asked[what])
}

func (f *faults) decide(what string, nth int) manner {
	c := Config{Seed: f.seed}
	rnd := rand.New(rand.NewPCG(c.draw(what, nth, 0), f.seed)) //nolint:gosec // it is played again by its seed
	m := manner{bytes: rnd.IntN(2000), pause: time.Duration(rnd.Int64N(int64(20 * time.Millisecond)))}
	if rnd.Float64() < f.rate {
		m.fault = refusal + fault(rnd.IntN(3))
	}
	return m
}

// longest is how long a request without an answer is held, if its client has not gone before.
const longest = 10 * time.Second

// ServeHTTP answers a request, well or not.
func (b *Bank) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m := b.faults.next(r.URL.String())
	if b.cfg.Slow {
		time.Sleep(m.pause)
	}
	switch m.fault {
	case refusal:
		b.refused.Add(1)
		w.Header().Set("Retry-After", "1")
		http.Error(w, "come again", http.StatusServiceUnavailable)
	case silence:
		b.hung.Add(1)
		select {
		case <-r.Context().Done():
		case <-time.After(longest):
		}
		panic(http.ErrAbortHandler)
	case cut:
		b.mux.ServeHTTP(&cutter{w, m.bytes, &b.cut}, r)
		b.served.Add(1)
	case none:
		b.mux.ServeHTTP(w, r)
		b.served.Add(1)
	}
}

// cutter cuts a body. A shorter one stays whole.
type cutter struct {
	http.ResponseWriter

	left int
	cut  interface{ Add(int64) int64 }
}

func (c *cutter) Write(p []byte) (int, error) {
	if len(p) <= c.left {
		c.left -= len(p)
		return c.ResponseWriter.Write(p)
	}
	_, _ = c.ResponseWriter.Write(p[:c.left])
	_ = http.NewResponseController(c.ResponseWriter).Flush()
	c.cut.Add(1)
	panic(http.ErrAbortHandler) // the server ends the connection, and logs nothing
}
