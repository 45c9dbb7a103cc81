package transport

import "sync"

// Asker is a session's [Session.Pulse]. It has a channel of its own from the first request on. The
// zero value is ready.
type Asker struct {
	mu      sync.Mutex // guards all below
	ch      Channel    // nil before the first request; the goroutine that asks replaces it
	asks    bool       // an answer is still to come: a goroutine asks, one at a time
	answers uint64
}

// HasChannel returns whether its channel is open.
func (a *Asker) HasChannel() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.ch != nil && !a.ch.IsClosed()
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
	if !a.HasChannel() {
		ch, err := open()
		if err != nil {
			return err
		}
		a.keep(ch)
	}
	return a.ch.Qos(0, 0, false) // nobody else replaces it
}

func (a *Asker) keep(ch Channel) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ch = ch
}

func (a *Asker) answered(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.asks = false; err == nil {
		a.answers++
	}
}
