package simulated

import (
	"strconv"
	"time"
)

// isExpiration says whether a broker takes the property: a number of milliseconds, or nothing.
func isExpiration(s string) bool {
	_, err := strconv.ParseUint(s, 10, 32)
	return s == "" || err == nil
}

// ttl is how long a message may wait in the queue: what is less of its own time and the queue's. It
// is false if it may wait for ever.
func (q *queue) ttl(m *message) (ttl time.Duration, bounded bool) {
	ms := q.argument("x-message-ttl")
	if own, err := strconv.ParseInt(m.Expiration, 10, 64); err == nil && (ms < 0 || own < ms) {
		ms = own
	}
	return time.Duration(ms) * time.Millisecond, ms >= 0
}

func (q *queue) lockedExpire() {
	q.broker.mu.Lock()
	defer q.broker.mu.Unlock()
	q.expire()
}

// expire looks at the head only. What stands behind a message that waits longer comes later.
func (q *queue) expire() {
	if q.deleted {
		return
	}
	for _, list := range []*[]*message{&q.returned, &q.ready} {
		for len(*list) > 0 {
			m := (*list)[0]
			if m.expires.IsZero() || time.Now().Before(m.expires) {
				return
			}
			*list = (*list)[1:]
			q.kill(m, "expired")
		}
	}
}
