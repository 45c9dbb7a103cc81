package transport

import "sync"

// Asker is a session's [Session.Pulse]. It has a channel of its own from the first request on. The
// zero value is ready.
type Asker struct {
	ch Channel // of the goroutine that asks, of which there is one at most

	mu      sync.Mutex // guards what is below
	asks    bool       // an answer is still to come
	answers uint64
}

// Pulse is the session's. open opens a channel, and may take as long as the broker wants.
func (a *Asker) Pulse(open func() (Channel, error)) (answers uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.asks {
		a.asks = true
		go func() { a.answered(a.ask(open)) }()
	}
	return a.answers
}

func (a *Asker) ask(open func() (Channel, error)) error {
	if a.ch == nil || a.ch.IsClosed() {
		ch, err := open()
		if err != nil {
			return err
		}
		a.ch = ch
	}
	return a.ch.Qos(0, 0, false)
}

func (a *Asker) answered(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.asks = false; err == nil {
		a.answers++
	}
}
