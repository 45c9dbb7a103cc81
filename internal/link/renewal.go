package link

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/backoff"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// renewal renews the secret of one session before it expires. Its goroutine begins and ends with
// the session. The supervisor of the link waits for it, and so does the session's close: the
// client library may swap the replies of an update and of a goodbye.
type renewal struct {
	// Immutable.
	session *session
	ask     func(context.Context) (Login, error)
	timeout time.Duration // of one call of ask
	longest time.Duration // pause between two calls that fail
	log     *slog.Logger
	tell    func(error) // tells the link why the secret is not renewed, nil when it is

	ctx   context.Context // ends with the session
	stop  context.CancelFunc
	ended chan struct{} // closed when the goroutine has ended
	moved chan Login    // has the login of another user, for which there must be another session
	wake  chan struct{} // expires has changed

	mu      sync.Mutex // guards expires: the goroutine writes it, and who opens a member
	expires time.Time  // of the secret that expires first; zero is never
}

// begin starts the renewal of a session whose login was asked for.
func (r *renewal) begin() {
	r.ctx, r.stop = context.WithCancel(context.Background())
	r.ended, r.moved, r.wake = make(chan struct{}), make(chan Login, 1), make(chan struct{}, 1)
	go r.run()
}

// end ends the goroutine, and waits for it. r may be nil.
func (r *renewal) end() {
	if r != nil {
		r.stop()
		<-r.ended
	}
}

// another is nil, and so never ready, for a session without a renewal.
func (r *renewal) another() <-chan Login {
	if r == nil {
		return nil
	}
	return r.moved
}

// joined is called when the session has another TCP connection. r may be nil.
func (r *renewal) joined(expires time.Time) {
	if r == nil || expires.IsZero() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.expires.IsZero() || expires.Before(r.expires) {
		r.expires = expires
		select {
		case r.wake <- struct{}{}:
		default:
		}
	}
}

func (r *renewal) due() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.expires
}

func (r *renewal) set(expires time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.expires = expires
}

// errMoved ends a session whose user has changed, when the next session is there.
var errMoved = errors.New("connection: the user has changed, another session goes on")

// run renews the secret again and again.
func (r *renewal) run() {
	defer close(r.ended)
	pace := newRenewalPace(r.longest)
	for r.wait(pace) {
		login, err := r.try()
		switch now := time.Now(); {
		case r.session.Err() != nil:
			return
		case err == nil && login.Username != r.session.User():
			r.moved <- login
			return
		case err == nil && !later(login.Expires, r.due()):
			pace.unchanged(now, r.due())
		case err == nil:
			r.tell(nil)
			r.log.Debug("secret renewed", "expires", login.Expires)
			r.set(login.Expires)
			pace.renewed()
		case r.ctx.Err() != nil:
			return
		default:
			r.tell(err)
			r.log.Warn("secret not renewed", "expires", r.due(), "err", err)
			pace.failed(now, r.due(), err)
		}
	}
}

// wait waits until the secret is to be renewed. It is false at the end of the session, which it
// ends itself if the secret has expired: brokers before 4.3 would let it live, and refuse all that
// is done on it.
func (r *renewal) wait(pace *renewalPace) bool {
	for {
		at, expired := pace.next(time.Now(), r.due())
		if expired {
			r.session.Abort(pace.expiry())
			return false
		}
		timer := time.NewTimer(time.Until(at))
		if at.IsZero() {
			timer.Stop()
		}
		select {
		case <-timer.C:
			return true
		case <-r.wake:
			timer.Stop()
		case <-r.session.Done():
			return false
		case <-r.ctx.Done():
			return false
		}
	}
}

// try asks for a Login, and gives its secret to the broker if it is a new one of the same user.
func (r *renewal) try() (Login, error) {
	ctx, cancel := context.WithTimeout(r.ctx, r.timeout)
	defer cancel()
	login, err := r.ask(ctx)
	if err != nil || login.Username != r.session.User() || !later(login.Expires, r.due()) {
		return login, err
	}
	if err := r.unblocked(); err != nil {
		return Login{}, err
	}
	for _, m := range r.session.all() {
		if err := r.update(m, login.Password); err != nil {
			return Login{}, err
		}
	}
	return login, nil
}

// update gives a new secret to the broker. RabbitMQ answers if the user comes from a backend whose
// secrets expire, and accepts and ignores it for others.
func (r *renewal) update(m *member, secret string) error {
	// Its context never ends: the library must not be asked for a goodbye meanwhile. The session's
	// timeout, or its end, frees it.
	err := r.session.Do(context.WithoutCancel(r.ctx), "update the secret", func() error { return m.conn.UpdateSecret(secret, "renewed") })
	if err != nil {
		return fmt.Errorf("update the secret: %w", err)
	}
	return nil
}

// unblocked waits while the broker reads nothing because of an alarm, until the secret expires.
func (r *renewal) unblocked() error {
	timer := time.NewTimer(time.Until(r.due()))
	defer timer.Stop()
	for {
		reason, blocked, change := r.session.Blocked()
		if !blocked {
			return nil
		}
		select {
		case <-change:
		case <-timer.C:
			return fmt.Errorf("update the secret: the broker takes nothing (%s)", reason)
		case <-r.session.Done():
			return r.session.Err()
		case <-r.ctx.Done():
			return transport.ErrClosed
		}
	}
}

// later says whether a secret lasts longer than another.
func later(a, b time.Time) bool { return a.IsZero() && !b.IsZero() || a.After(b) && !b.IsZero() }

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

// expiry is why the session ends.
func (p *renewalPace) expiry() error {
	if p.err == nil {
		return errors.New("connection: the secret has expired")
	}
	return fmt.Errorf("connection: the secret has expired, and Config.Credentials gave no new one in time: %w", p.err)
}
