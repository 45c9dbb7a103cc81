package api

import (
	"sync"
	"time"
)

// limit is a token bucket that holds the tokens of one second.
//
// A client that is turned away is told when to return. Each is told a later time than the one
// before, so that they do not all return at once.
type limit struct {
	rate float64 // tokens a second

	mu       sync.Mutex
	tokens   float64
	at       time.Time // when tokens was computed
	promised time.Time // the tokens up to then are promised to those who were turned away
	requests Requests
}

// Requests counts the requests of one account.
type Requests struct {
	All     int
	Refused int // of All: they were above the rate, and got 429
}

// longest is the longest wait that a client is told.
const longest = 30 * time.Second

func newLimit(rate int) *limit {
	return &limit{rate: float64(rate), tokens: float64(rate)}
}

// take takes a token, or says how long to wait before asking again.
func (l *limit) take(now time.Time) (wait time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests.All++
	if !l.at.IsZero() {
		l.tokens = min(l.rate, l.tokens+l.rate*now.Sub(l.at).Seconds())
	}
	l.at = now
	if l.tokens >= 1 {
		l.tokens--
		return 0, true
	}
	l.requests.Refused++
	if l.promised.Before(now) {
		l.promised = now
	}
	l.promised = l.promised.Add(time.Duration(float64(time.Second) / l.rate))
	return min(l.promised.Sub(now), longest), false
}

// counted returns the requests up to now.
func (l *limit) counted() Requests {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.requests
}
