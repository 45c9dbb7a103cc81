package consumer

import "time"

// alarm rings somebody unless it is stopped in time. Its timer is used again and again: a new one for every message would be
// among the most that a message costs. It is one goroutine's at a time.
type alarm struct{ clock *clock }

type clock struct {
	timer *time.Timer
	who   ringer
}

type ringer interface{ ring() }

func (c *clock) ring() { c.who.ring() }

// set must be followed by stop.
func (a *alarm) set(d time.Duration, who ringer) {
	if a.clock != nil {
		a.clock.who = who
		a.clock.timer.Reset(d)
		return
	}
	a.clock = &clock{who: who}
	a.clock.timer = time.AfterFunc(d, a.clock.ring)
}

// stop is false if it has rung, or is about to. Such a clock is not used again: who it rings must not change meanwhile.
func (a *alarm) stop() bool {
	if a.clock.timer.Stop() {
		return true
	}
	a.clock = nil
	return false
}
