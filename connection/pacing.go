package connection

import (
	"errors"
	"syscall"
	"time"
)

// soon bounds the pause before a broker is tried again that is not there, or that was connected
// until now. The first costs it nothing: a refused TCP connection never reaches it. The second is
// one handshake every few seconds, and who waits for a broker that restarts wants it back
// at once. All other trouble, such as a broker that accepts and does not answer, may come from load,
// and waits for up to MaxBackoff.
const soon = 3 * time.Second

// pacing decides how long to wait before the URLs are tried again.
type pacing struct {
	absent, trouble Backoff
	longest         time.Duration
}

func newPacing(shortest, longest time.Duration) *pacing {
	return &pacing{
		absent:  Backoff{Min: shortest, Max: max(shortest, min(longest, soon))},
		trouble: Backoff{Min: shortest, Max: longest},
		longest: longest,
	}
}

// afterLoss is the pause after a session that has lasted this long.
func (p *pacing) afterLoss(up time.Duration) time.Duration {
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
		if !Permanent(err) {
			return false
		}
	}
	return len(errs) > 0
}
