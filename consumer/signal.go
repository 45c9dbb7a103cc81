package consumer

// signal wakes one goroutine that waits for something to have changed. A signal that is set twice before
// anybody waits wakes once.
type signal chan struct{}

func newSignal() signal { return make(signal, 1) }

// set may be called from any goroutine, and never blocks.
func (s signal) set() {
	select {
	case s <- struct{}{}:
	default:
	}
}
