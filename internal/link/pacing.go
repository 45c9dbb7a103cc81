package link

import (
	"errors"
	"math/rand/v2"
	"syscall"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/backoff"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// soon bounds the pause in two cases. A broker that refuses TCP connections is not loaded by more
// attempts. A broker that was connected until now gets one handshake every few seconds, and the
// application wants it back at once after a restart. All other errors may come from load, such as a
// broker that accepts and does not answer; their pause grows to MaxBackoff.
const soon = 3 * time.Second

// pacing decides how long the supervisor pauses before it tries the URLs again.
type pacing struct {
	absent, trouble backoff.Backoff
	longest         time.Duration
	unreadable      int // sessions in a row that a message has ended
}

func newPacing(shortest, longest time.Duration) *pacing {
	return &pacing{
		absent:  backoff.Backoff{Min: shortest, Max: max(shortest, min(longest, soon))},
		trouble: backoff.Backoff{Min: shortest, Max: longest},
		longest: longest,
	}
}

// The broker delivers a message that ends the session again and again, until its delivery limit
// (100, see topology) parks the message. The queue waits behind the message meanwhile. Short pauses
// bring that to an end within half a minute.
const (
	patience = 120 // sessions
	briefly  = 250 * time.Millisecond
)

// afterLoss returns the pause after a session that has lasted this long. unreadable says that a
// message has ended the session (transport.EndedByMessage) on a dedicated connection, so that no
// other user was disturbed.
func (p *pacing) afterLoss(up time.Duration, unreadable bool) time.Duration {
	if !unreadable || up > p.longest {
		p.unreadable = 0
	}
	if unreadable {
		if p.unreadable++; p.unreadable < patience {
			return max(briefly/10, rand.N(briefly))
		}
	}
	if up > p.longest { // a shorter session may be one of many that come and go
		p.absent.Reset()
		p.trouble.Reset()
	}
	return p.absent.Next()
}

// after returns the pause after these errors, one for each URL that was tried since the last pause.
func (p *pacing) after(errs ...error) time.Duration {
	if allPermanent(errs) {
		return p.longest
	}
	absent := true
	for _, err := range errs {
		absent = absent && errors.Is(err, syscall.ECONNREFUSED)
	}
	if absent {
		return p.absent.Next()
	}
	return p.trouble.Next()
}

func allPermanent(errs []error) bool {
	for _, err := range errs {
		if !transport.Permanent(err) {
			return false
		}
	}
	return len(errs) > 0
}
