package simulated

import "time"

// strain knows how many frames have arrived at one moment. Guarded by the broker's lock.
type strain struct {
	moment time.Time
	frames int
	tired  bool // there were once too many
}

// Once there were too many frames at one moment, so many of them take so much time.
const (
	tiredAfter = 1000
	tiredFor   = time.Second
)

// frame counts one that arrives, and returns how long it takes. busy is how many take no time; 0 is
// any number.
func (s *strain) frame(busy int) time.Duration {
	if busy == 0 {
		return 0
	}
	if now := time.Now(); !now.Equal(s.moment) {
		s.moment, s.frames = now, 0
	}
	if s.tired {
		busy = tiredAfter
	}
	if s.frames++; s.frames <= busy {
		return 0
	}
	s.tired = true
	return tiredFor
}
