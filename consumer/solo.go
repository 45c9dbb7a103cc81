package consumer

import "sync"

// openGate lets handlers start again.
func (c *Consumer) openGate() {
	c.gauges.alone.Store(false)
	c.pool.gate.open()
	c.pool.rouse()
}

// solo is what is given back for a message handled alone: the gate and the token.
type solo struct {
	taken chan struct{} // closed by the worker that has the message
	gate  chan struct{} // closed by openGate

	// Each works once, from any goroutine.
	openGate  func() // the message is settled, its copy or the monitor is blocked, or its handler is stuck
	freeToken func() // its handler has returned or is stuck, or the monitor is blocked
}

func newSolo(freeToken func()) *solo {
	s := &solo{taken: make(chan struct{}), gate: make(chan struct{}), freeToken: sync.OnceFunc(freeToken)}
	s.openGate = sync.OnceFunc(func() { close(s.gate) })
	return s
}
