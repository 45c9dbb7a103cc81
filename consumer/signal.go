package consumer

// signal wakes one goroutine when something may have changed. It does not say what: the goroutine
// looks at everything that it waits for. A signal that is set twice before the goroutine waits
// wakes it once. docs/DESIGN.md lists who sets which signal.
type signal chan struct{}

func newSignal() signal { return make(signal, 1) }

// set wakes the goroutine. It may be called from any goroutine, and never blocks.
func (s signal) set() {
	select {
	case s <- struct{}{}:
	default:
	}
}
