package consumer

import "sync"

// openGate lets handlers start again.
func (c *Consumer) openGate() {
	c.pool.gate.open()
	c.gauges.alone.Store(false)
	c.control.changed.set()
}

// solo is what is given back for a message handled alone: the gate and the token.
type solo struct {
	gate chan struct{} // closed by openGate

	// Each works once, from any goroutine.
	openGate  func() // the message is settled, its copy or the monitor is blocked, or its handler is stuck
	freeToken func() // its handler has returned or is stuck, or the monitor is blocked
}

func newSolo(freeToken func()) *solo {
	s := &solo{gate: make(chan struct{}), freeToken: sync.OnceFunc(freeToken)}
	s.openGate = sync.OnceFunc(func() { close(s.gate) })
	return s
}
