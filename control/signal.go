package control

import "time"

// signal wakes one goroutine when something may have changed. One that is set twice before the
// goroutine waits wakes it once.
type signal chan struct{}

func newSignal() signal { return make(signal, 1) }

// set wakes the goroutine. It may be called from any goroutine, and never blocks.
func (s signal) set() {
	select {
	case s <- struct{}{}:
	default:
	}
}

// alarm returns a channel that is ready at a time; nil, which never is, for the zero time.
func alarm(at time.Time) (c <-chan time.Time, stop func()) {
	if at.IsZero() {
		return nil, func() {}
	}
	t := time.NewTimer(max(0, time.Until(at)))
	return t.C, func() { t.Stop() }
}
