package amqptest

import "time"

// speed describes a link, each way. A zero field limits nothing.
type speed struct {
	latency time.Duration
	rate    int // kB/s
}

// Slow delays everything by latency, each way, and limits each connection to so many kilobytes a
// second, each way; zero is no limit. It applies to existing and new connections, until
// [Proxy.Fast].
func (p *Proxy) Slow(latency time.Duration, kilobytesPerSecond int) {
	p.setSpeed(speed{latency, kilobytesPerSecond})
}

// Fast ends a [Proxy.Slow]. Nothing is lost: delayed bytes arrive at once.
func (p *Proxy) Fast() { p.setSpeed(speed{}) }

func (p *Proxy) setSpeed(s speed) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.speed = s
	p.changed.Broadcast()
}

// piece returns how many of n bytes are written together: those that the rate allows in a tenth of
// a second.
func (s speed) piece(n int) int {
	if s.rate == 0 {
		return n
	}
	return min(n, s.rate*1000/10)
}

// arrival returns when n bytes may be written. They were read at read, and the bytes before them
// were written at previous.
func (s speed) arrival(read, previous time.Time, n int) time.Time {
	start := read.Add(s.latency)
	if s.rate == 0 {
		return start
	}
	if start.Before(previous) {
		start = previous
	}
	return start.Add(time.Duration(n) * time.Second / time.Duration(s.rate*1000))
}
