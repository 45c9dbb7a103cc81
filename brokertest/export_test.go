package brokertest

import (
	"io"
	"testing"
	"time"
)

// StartsWithin sets how long Real waits for a broker.
func StartsWithin(d time.Duration) (before time.Duration) {
	before, startsWithin = startsWithin, d
	return before
}

// Busy sets how many frames at one moment take no time.
func Busy(t *testing.T, frames int) {
	before := busy
	busy = frames
	t.Cleanup(func() { busy = before })
}

// TellStandstill sets when, and to whom, Run tells of a bubble that does not come to rest.
func TellStandstill(t *testing.T, after time.Duration, to io.Writer) {
	beforeAfter, beforeTo := standsStill, standstillTo
	standsStill, standstillTo = after, to
	t.Cleanup(func() { standsStill, standstillTo = beforeAfter, beforeTo })
}
