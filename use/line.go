package use

import "time"

// line is what a Limiter knows of one key: when the next of its messages may begin, and the line of
// those that wait. It is the rule of limits: ask decides. It has no clock: all times count from the
// same moment, whichever that is. Package use/redis has the same rule in Lua.
//
// Moments are when handlers begin. Each is given once, to a message that is there: one that comes
// in time for its place can wait long for its moment, any other only if a moment is close. So no
// moment is lost because a message is late, or comes in another order.
//
// Places say when a message that got no moment is to come again.
type line struct {
	next   time.Duration // the first moment that is not given
	places places
	rates  rates // of the last ask
}

// rates are the numbers of a Limit.
type rates struct {
	every time.Duration // between two moments
	ahead time.Duration // by how much a burst may run ahead
}

// slack is how late a handler may begin at least. A timer can be some milliseconds late.
const slack = 10 * time.Millisecond

// quiet is how long no message comes in time for its place until those that have places are taken
// to be gone: MaxAge has parked them, for example, or somebody has purged a retry queue. Then the
// line is empty for those that come. A place whose message comes after all is as good as before.
const quiet = time.Minute

// newLine returns the line of a key of which nothing is known.
func newLine(now time.Duration, r rates) *line {
	return &line{next: now - r.ahead, places: newPlaces(), rates: r}
}

// ask answers one message. If keep is false, no new place is noted.
func (l *line) ask(now time.Duration, r rates, a Ask, keep bool) Answer {
	l.change(now, r)
	if now-l.places.came > 2*(a.Near+r.every)+quiet {
		l.places.end = 0
	}
	patience, inTime := a.First, l.places.inTime(now, a)
	if inTime {
		patience = a.Patience
	}
	if wait := max(0, l.next-now); wait <= patience {
		l.places.leave(a.ID)
		if inTime {
			l.places.came = now
		}
		l.next = max(l.next, now-r.ahead) + r.every
		return Answer{Given: true, Wait: wait, Slack: max(r.every, slack)}
	}
	// Places are a little further apart than moments, so that a line that is late catches up.
	return Answer{Wait: l.places.again(now, a, l.next, r.every+r.every/50, keep)}
}

// change takes another Limit. Of a faster one the next moment is as close to the last one that was
// given as the new Limit says, and the line is as much shorter for those that are not in it yet.
func (l *line) change(now time.Duration, r rates) {
	if was := l.rates.every; r.every < was {
		l.next += r.every - was
		if ahead := l.places.end - now; ahead > 0 {
			l.places.end = now + time.Duration(float64(ahead)*(float64(r.every)/float64(was)))
		}
	}
	l.rates = r
}

// forget drops the places of messages that did not come. It returns whether nothing is left to be
// known of the key: a new line is as good.
func (l *line) forget(now, near time.Duration) (idle bool) {
	return l.places.forget(now, near) && l.next <= now-l.rates.ahead
}
