package link

import (
	"errors"
	"math/rand/v2"
	"syscall"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/backoff"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// soon bounds the pause before a broker is tried again that is not there, or that was connected
// until now. The first costs it nothing: a refused TCP connection never reaches it. The second is
// one handshake every few seconds, and who waits for a broker that restarts wants it back
// at once. All other trouble, such as a broker that accepts and does not answer, may come from load,
// and waits for up to MaxBackoff.
const soon = 3 * time.Second

// pacing decides how long to wait before the URLs are tried again.
type pacing struct {
	absent, trouble backoff.Backoff
	longest         time.Duration
	unreadable      int // sessions in a row that ended by what the client could not read
}

func newPacing(shortest, longest time.Duration) *pacing {
	return &pacing{
		absent:  backoff.Backoff{Min: shortest, Max: max(shortest, min(longest, soon))},
		trouble: backoff.Backoff{Min: shortest, Max: longest},
		longest: longest,
	}
}

// A message that the client cannot read is delivered again and again until the broker's limit of deliveries
// (100, see topology) parks it, and its queue waits behind it. Short pauses let that be over in half a minute.
const (
	patience = 120 // sessions
	briefly  = 250 * time.Millisecond
)

// afterLoss is the pause after a session that has lasted this long, and whether it is known to have hurt
// nobody else that it ended because of what the client could not read.
func (p *pacing) afterLoss(up time.Duration, unreadable bool) time.Duration {
	if !unreadable || up > p.longest {
		p.unreadable = 0
	}
	if unreadable {
		if p.unreadable++; p.unreadable < patience {
			return max(briefly/10, rand.N(briefly))
		}
	}
	if up > p.longest { // else it may come and go all the time
		p.absent.Reset()
		p.trouble.Reset()
	}
	return p.absent.Next()
}

// after is the pause after these errors, one for each URL that was tried since the last pause.
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
