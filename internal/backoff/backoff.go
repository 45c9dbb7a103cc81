// Package backoff spaces out the tries of something that fails.
package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

// Backoff spaces out the tries of something that fails: each pause is a random
// part of a bound that doubles from Min to Max (full jitter), so that many clients
// do not come back at the same moment. The zero Backoff pauses 0.
type Backoff struct {
	Min, Max time.Duration
	tries    int
}

// Next is the pause before the next try. It is never below a tenth of Min.
func (b *Backoff) Next() time.Duration {
	bound := b.Min << min(b.tries, 32)
	if bound > b.Max || bound < b.Min { // the second: it has overflowed
		bound = b.Max
	}
	b.tries++
	if bound <= 0 {
		return 0
	}
	return max(b.Min/10, rand.N(bound))
}

// Reset starts again from Min, after a success.
func (b *Backoff) Reset() { b.tries = 0 }

// Wait pauses for d, or until ctx ends, and says whether it was the whole of d.
func Wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
