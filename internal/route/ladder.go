package route

import "time"

// rungs are the delays of topology.Ladder. That one is a variable, which a program may have
// changed. These are what publishers and consumers of all versions agree on.
var rungs = [...]time.Duration{
	250 * time.Millisecond,
	time.Second, 5 * time.Second, 15 * time.Second,
	time.Minute, 5 * time.Minute, 15 * time.Minute,
	time.Hour, 6 * time.Hour, 24 * time.Hour,
}

// Rung returns the delay of topology.Ladder in which a message waits that is to wait for want: the
// longest one up to want, or else the shortest.
func Rung(want time.Duration) time.Duration {
	best := rungs[0]
	for _, r := range rungs[1:] {
		if closer(r, best, want) {
			best = r
		}
	}
	return best
}
