package wire

import (
	"testing"
	"time"
)

// The header has milliseconds. What is below one is rounded up, so that nobody waits less than was
// asked for.
func TestTheMomentBeforeWhichAMessageIsNotHandledIsRoundedUp(t *testing.T) {
	moment := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	for after, want := range map[time.Duration]string{0: "01.000Z", time.Nanosecond: "01.001Z", 1500 * time.Microsecond: "01.002Z", 7 * time.Millisecond: "01.007Z"} {
		if got := Stamp(moment.Add(after)); got != "2026-05-04T03:02:"+want {
			t.Errorf("%s later: %v, want %s", after, got, want)
		}
	}
}
