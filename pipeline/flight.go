package pipeline

import "github.com/bunnicula-go/bunnicula/publisher"

// flight has the outputs of one run that are not known to be confirmed, the oldest first: a ring.
// Whoever has the run's turn uses it.
type flight struct {
	window int // immutable
	ring   []publisher.Confirmation
	first  int // the place of the oldest
	n      int
}

// makeRoom waits until another output may be sent, and returns the error of one that has failed.
// A Confirmation is done when its context has ended, so no wait is for ever.
func (f *flight) makeRoom() error {
	if f.n < f.window {
		return nil
	}
	return f.takeOldest()
}

// add takes in an output that was sent. There is room.
func (f *flight) add(c publisher.Confirmation) {
	if f.n == len(f.ring) {
		f.grow()
	}
	f.ring[(f.first+f.n)%len(f.ring)] = c
	f.n++
}

// grow doubles the ring, up to the window: most messages have few outputs.
func (f *flight) grow() {
	ring := make([]publisher.Confirmation, min(max(4, 2*len(f.ring)), f.window))
	for i := range f.n {
		ring[i] = f.ring[(f.first+i)%len(f.ring)]
	}
	f.ring, f.first = ring, 0
}

func (f *flight) takeOldest() error {
	c := f.ring[f.first]
	f.ring[f.first] = nil
	f.first, f.n = (f.first+1)%len(f.ring), f.n-1
	<-c.Done()
	return c.Err()
}

// land waits for all that were sent, and returns the first error.
func (f *flight) land() error {
	var failed error
	for f.n > 0 {
		if err := f.takeOldest(); failed == nil {
			failed = err
		}
	}
	return failed
}
