package redis

import (
	"sync"
	"time"
)

// offset is how far Redis's clock is ahead of this process's, as far as its answers tell. Redis
// reads its clock between the question and the answer, so each answer bounds it from both sides,
// and answers of the same Redis do so together. So an answer that is on its way for long does not
// make its moment uncertain, as long as others are faster.
type offset struct {
	alone bool // each answer for itself: they may be of several nodes

	mu       sync.Mutex // guards what is below
	from, to time.Duration
	at       time.Duration // of the last answer, by this process's clock; 0 is none
}

// drift bounds by how much a clock that is kept by NTP goes wrong.
const drift = 1e-3

// learn takes an answer with Redis's time now, asked and answered by this process's clock, and
// returns the bounds.
func (o *offset) learn(now, asked, answered time.Duration) (from, to time.Duration) {
	from, to = now-answered, now-asked
	if o.alone {
		return from, to
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.at != 0 {
		wrong := time.Duration(float64(max(0, answered-o.at)) * drift)
		low, high := max(from, o.from-wrong), min(to, o.to+wrong)
		if low <= high { // otherwise a clock was set, or another Redis has taken over
			from, to = low, high
		}
	}
	o.from, o.to, o.at = from, to, max(o.at, answered)
	return from, to
}
