package use

import "time"

// circuit is what a Breaker knows: whether the service is up, and who may call it. It is the pure
// part, without a clock and a lock.
//
//	closed   every call goes ahead
//	open     one call in each rest goes ahead, to probe
//	mending  since a probe was answered: at most one call more at once than there were answers
//
// It closes again after enough answers. So a service that comes back gets one call, two at once,
// then four, and not all that have waited.
type circuit struct {
	failures int           // in a row that open it; immutable
	rest     time.Duration // immutable

	state   state
	era     int            // how often it has opened
	row     map[string]int // failures since the last answer, by message; nil while it is open
	until   time.Time      // while not closed: when another call goes ahead, whatever the others do
	answers int            // while mending
	running int            // while not closed: calls that went ahead since it opened, and have not ended
}

type state int

const (
	closed state = iota
	open
	mending
)

// Of a service that mends.
const (
	enough   = 10 // answers close it
	relapses = 2  // failures in a row of distinct messages open it again
)

// call is one message on its way through the handler.
type call struct {
	id   string // of the message
	last bool   // its failure would park it
	era  int    // in which it went ahead
}

// ask returns 0 if a call goes ahead now, and otherwise when it is sensible to ask again.
func (c *circuit) ask(now time.Time) (wait time.Duration) {
	if c.state == closed {
		return 0
	}
	room := c.state == mending && c.running <= c.answers
	if wait = c.until.Sub(now); wait > 0 && !room {
		return wait
	}
	c.running++
	c.until = now.Add(c.rest) // a call that never ends is not waited for
	return 0
}

// end takes the end of a call that went ahead. It returns whether a failure counts for the message.
// If not, the message is to snooze.
func (c *circuit) end(now time.Time, done call, how what) (counts bool) {
	current := done.era == c.era
	if current && c.state != closed {
		c.running--
	}
	switch {
	case how == answered && c.state == closed:
		clear(c.row)
	case how == answered && current:
		c.mend()
	case how == neither && current && c.state == open:
		c.until = now // the probe has told nothing: another one
	case (how == failed || how == panicked) && !current:
		return false // the service failed meanwhile
	case how == failed || how == panicked:
		return c.fail(now, done)
	}
	return true
}

// mend takes an answer to a call that went ahead after the failures.
func (c *circuit) mend() {
	c.state = mending
	clear(c.row)
	if c.answers++; c.answers >= enough {
		c.state = closed
	}
}

// fail takes a failure of this era.
func (c *circuit) fail(now time.Time, done call) (counts bool) {
	if c.state == open {
		c.until = now.Add(c.rest)
		return false
	}
	if c.row == nil {
		c.row = map[string]int{}
	}
	c.row[done.id]++
	limit := c.failures
	if c.state == mending {
		limit = min(limit, relapses)
	}
	if len(c.row) >= limit {
		c.open(now)
		return false
	}
	// Nobody knows yet whether the service is down. What would park the message, or a failure just
	// after an outage, does not count, unless the message fails again and again without an answer
	// to anybody: then the queue is quiet, and the message may be at fault.
	doubt := c.state == mending || done.last && len(c.row) > 1
	return !doubt || c.row[done.id] > c.failures
}

func (c *circuit) open(now time.Time) {
	c.state, c.until, c.row = open, now.Add(c.rest), nil
	c.era++
	c.answers, c.running = 0, 0
}
