package link

import (
	"errors"
	"fmt"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/backoff"
)

// renewalPace decides when a secret is to be renewed. It has no clock.
type renewalPace struct {
	pause backoff.Backoff
	at    time.Time // the next try; zero until the first try of a secret
	until time.Time // when the secret expires for which at was set
	old   bool      // the secret had expired when it was given, so that one clock is wrong
	err   error     // of the last try
}

func newRenewalPace(longest time.Duration) *renewalPace {
	return &renewalPace{pause: backoff.Backoff{Min: 200 * time.Millisecond, Max: longest}}
}

// earliest is how long before its end a secret that lasts long is renewed.
const earliest = 5 * time.Minute

// next returns when to try, zero for never. expired says that it is too late.
func (p *renewalPace) next(now, expires time.Time) (at time.Time, expired bool) {
	left := expires.Sub(now)
	switch {
	case expires.IsZero():
		return time.Time{}, false
	case p.at.IsZero() || !expires.Equal(p.until): // a fifth of its time is left
		p.until, p.old = expires, left <= 0
		p.at = now.Add(max(left*4/5, left-earliest, 0))
		if p.old {
			p.at = now.Add(p.pause.Next())
		}
	case left <= 0 && !p.old:
		return time.Time{}, true
	}
	if p.at.After(expires) && !p.old {
		return expires, false
	}
	return p.at, false
}

// patience bounds the call that begins now. Who waits for a function that hangs cannot end the
// session when its secret expires.
func (p *renewalPace) patience(now, expires time.Time, most time.Duration) time.Duration {
	if p.old {
		return most
	}
	return min(most, max(expires.Sub(now), time.Second))
}

func (p *renewalPace) renewed() {
	if !p.old {
		p.pause.Reset()
	}
	p.at, p.err = time.Time{}, nil
}

// unchanged is for a function that still gives the same secret, as one that keeps tokens until
// shortly before their end.
func (p *renewalPace) unchanged(now, expires time.Time) {
	p.err = errors.New("it gives the same one")
	pause := 200 * time.Millisecond
	if p.old {
		pause = p.pause.Next()
	}
	p.at = now.Add(max(expires.Sub(now)/2, pause))
}

// failed lets the last quarter of the time see several tries.
func (p *renewalPace) failed(now, expires time.Time, err error) {
	p.err = err
	pause := p.pause.Next()
	if left := expires.Sub(now); left > 0 {
		pause = min(pause, max(left/4, 200*time.Millisecond))
	}
	p.at = now.Add(pause)
}

// errExpired ends a session.
var errExpired = errors.New("connection: the secret has expired")

// expiry is why the session ends.
func (p *renewalPace) expiry() error {
	if p.err == nil {
		return errExpired
	}
	return fmt.Errorf("connection: the secret has expired, and Config.Credentials gave no new one in time: %w", p.err)
}
