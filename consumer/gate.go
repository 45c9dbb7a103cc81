package consumer

import (
	"context"
	"sync/atomic"
	"time"
)

// gate lets no handler start while a message from quarantine is handled alone. A worker enters the
// gate before it handles a delivery, and leaves it after that, or when the handler is stuck or the
// monitor blocks. The message that is handled alone does not enter.
type gate struct {
	patience time.Duration // immutable; how long a closing gate waits at most for the handlers that run

	closed  atomic.Bool  // the guard writes it, in a partition inTurn
	inside  atomic.Int64 // workers and the watchdog write it
	emptied signal       // wakes the guard when nobody is inside a closed gate
}

// gatePatience is how long a closed gate waits at most for the handlers that run.
const gatePatience = 90 * time.Second

func newGate() *gate { return &gate{patience: gatePatience, emptied: newSignal()} }

// enter returns false while the gate is closed. A worker counts itself first and looks then, so
// that close does not miss it.
func (g *gate) enter() bool {
	g.inside.Add(1)
	if g.closed.Load() {
		g.leave()
		return false
	}
	return true
}

// leave must follow each enter that returned true.
func (g *gate) leave() {
	if g.inside.Add(-1) == 0 && g.closed.Load() {
		g.emptied.set()
	}
}

// close closes the gate and waits until nobody is inside, for at most patience. Longer handlers are
// rare, and a queue that stands still for hours is worse than a wrong suspicion. close returns
// false if ctx ended first. In any case the gate stays closed until open.
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
