package consumer

import (
	"context"
	"sync/atomic"
	"time"
)

// gate keeps handlers out while a message from quarantine is handled alone. Workers enter it before
// they handle a message, and leave it when they have, or when their handler is stuck.
type gate struct {
	patience time.Duration // immutable; the longest that handlers which have begun are waited for

	closed  atomic.Bool  // written by the guard
	inside  atomic.Int64 // written by workers
	emptied signal       // wakes the guard: nobody is inside a closed gate
}

// gatePatience is the longest that others are kept from starting until what runs has ended.
const gatePatience = 90 * time.Second

func newGate() *gate { return &gate{patience: gatePatience, emptied: newSignal()} }

// enter is false while the gate is closed.
func (g *gate) enter() bool {
	g.inside.Add(1)
	if g.closed.Load() {
		g.leave()
		return false
	}
	return true
}

// leave follows each enter that was true.
func (g *gate) leave() {
	if g.inside.Add(-1) == 0 && g.closed.Load() {
		g.emptied.set()
	}
}

// close lets nobody in any more, and waits until nobody is inside, for at most patience: handlers that
// take longer are rare, and a queue that stands still for hours is worse than a wrong suspicion. It
// is false if ctx ended first. The gate stays closed until open in any case.
func (g *gate) close(ctx context.Context, patience time.Duration) bool {
	g.closed.Store(true)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for g.inside.Load() > 0 {
		select {
		case <-g.emptied:
		case <-timer.C:
			return true
		case <-ctx.Done():
			return false
		}
	}
	return true
}

func (g *gate) open() { g.closed.Store(false) }
