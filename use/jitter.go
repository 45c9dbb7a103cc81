package use

import (
	"math"
	"math/rand/v2"
	"time"
)

// Jitter returns a random delay from d to d + fraction * d, so that messages which failed together
// do not come back together:
//
//	return consumer.RetryAfter(use.Jitter(10*time.Second, 0.3), err) // 10 to 13 s
//
//	fraction             result
//	0 to 1               d to d + fraction * d
//	below 0, NaN         d
//	above 1              d to 2 * d
//	d is 0 or below      d
//
// It is never less than d, so d may be what a server asks for. It does not promise that the message
// comes at that time: a delay is as exact as the consumer's retry queues, see topology.Ladder.
func Jitter(d time.Duration, fraction float64) time.Duration {
	if d <= 0 || !(fraction > 0) { // also NaN
		return d
	}
	more := time.Duration(rand.Float64() * min(fraction, 1) * float64(d))
	return d + min(max(more, 0), math.MaxInt64-d)
}
