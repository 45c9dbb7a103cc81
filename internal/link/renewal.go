package link

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// renewal renews the secret of one session before it expires. Its goroutine begins and ends with
// the session. The supervisor of the link waits for it, and so does the session's close: the
// client library may swap the replies of an update and of a goodbye.
type renewal struct {
	// Immutable.
	session *session
	ask     func(context.Context) (Login, error)
	timeout time.Duration // of one call of ask, at most
	longest time.Duration // pause between two calls that fail
	log     *slog.Logger
	tell    func(error) // tells the link why the secret is not renewed, nil when it is

	ctx   context.Context // ends with the session
	stop  context.CancelFunc
	ended chan struct{} // closed when the goroutine has ended
	moved chan Login    // has the login of another user, for which there must be another session
	wake  chan struct{} // expires has changed

	mu      sync.Mutex // guards what is below: the goroutine writes it, and who opens a member
	expires time.Time  // of the secret that expires first; zero is never
	joining time.Time  // the same of members that may have joined during an update
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
	r.joining = sooner(r.joining, expires)
	if first := sooner(r.expires, expires); !first.Equal(r.expires) {
		r.expires = first
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

// updating is called before an update, and updated when it is done.
func (r *renewal) updating() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.joining = time.Time{}
}

func (r *renewal) updated(expires time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.expires = sooner(expires, r.joining)
}

// sooner returns the secret's end that comes first; zero is never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// errMoved ends a session whose user has changed, when the next session is there.
var errMoved = errors.New("connection: the user has changed, another session goes on")

// run renews the secret again and again.
func (r *renewal) run() {
	defer close(r.ended)
	pace := newRenewalPace(r.longest)
	for r.wait(pace) {
		login, err := r.try(pace.patience(time.Now(), r.due(), r.timeout))
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
			r.updated(login.Expires)
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
// ends itself if the secret has expired: RabbitMQ 3.10 would let it live, and refuse all that is
// done on it.
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

// try asks for a Login, within patience, and gives its secret to the broker if it is a new one of
// the same user.
func (r *renewal) try(patience time.Duration) (Login, error) {
	ctx, cancel := context.WithTimeout(r.ctx, patience)
	defer cancel()
	login, err := r.ask(ctx)
	if err != nil || login.Username != r.session.User() || !later(login.Expires, r.due()) {
		return login, err
	}
	if err := r.unblocked(); err != nil {
		return Login{}, err
	}
	r.updating()
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
