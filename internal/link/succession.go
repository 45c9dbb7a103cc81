package link

import (
	"context"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/backoff"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// succession is what belongs to the place that a session takes from another one, or leaves to it.
type succession struct {
	renewal *renewal           // immutable; nil if the login never changes
	retired context.Context    // immutable: ends when another session is there
	retire  context.CancelFunc // immutable
	why     error              // the reason that close was given, nil for the broker's; guarded by session.mu
}

// Retired ends when another session has taken the place of this one.
func (s *session) Retired() context.Context { return s.retired }

// tend waits until the session has ended. If its user is to change, it opens another session first
// and goes on with that. It returns the last one.
func (l *link) tend(s *session, t Target) *session {
	for {
		select {
		case login := <-s.renewal.another():
			s = l.replace(s, t, login)
		case <-s.Done():
			s.renewal.end()
			return s
		}
	}
}

// replace opens a session for another user, and lets this one end. It goes on trying until this one
// has ended, which it does when its secret expires.
func (l *link) replace(old *session, t Target, login Login) *session {
	defer old.expire()()
	given := t
	given.given = func() Login { return login }
	pause := backoff.Backoff{Min: l.settings().MinBackoff, Max: l.settings().MaxBackoff}
	for {
		next, err := l.open(given)
		if err == nil {
			l.log.Info("the user has changed, the earlier session ends", "user", next.User(), "earlier", old.User())
			old.retire()
			l.farewells.Go(func() { old.leave(l.ctx) })
			return next
		}
		l.set(func(s *state) { s.renewal = err })
		l.log.Warn("session of another user not opened", "addr", t.Addr, "user", login.Username, "err", err)
		select {
		case <-time.After(pause.Next()):
			given = t // it is asked for again
		case <-old.Done():
			return old
		}
	}
}

// expire ends the session when its secret expires, as its renewal did as long as that ran, until
// stop is called. A secret that has expired by this clock already says that one clock is wrong.
func (s *session) expire() (stop func() bool) {
	left := time.Until(s.renewal.due())
	if left <= 0 {
		return func() bool { return true }
	}
	return time.AfterFunc(left, func() { s.Abort(errExpired) }).Stop
}

// handOver is how long a retired session lives at most. What its handlers have in hand after that
// comes again.
const handOver = 30 * time.Second

// leave waits until nobody uses the session any more, its secret expires, handOver is over or the
// link ends. Then it closes the session.
func (s *session) leave(link context.Context) {
	defer context.AfterFunc(link, func() { s.Abort(transport.ErrClosed) })()
	until := time.Now().Add(handOver)
	if due := s.renewal.due(); !due.IsZero() && due.Before(until) {
		until = due
	}
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for s.isUsed() && time.Now().Before(until) && s.Err() == nil {
		select {
		case <-look.C:
		case <-s.done:
		}
	}
	s.close(goodbye(link), errMoved)
}

// isUsed says whether a channel of the session is open, but for that of Pulse.
func (s *session) isUsed() bool {
	if s.asker.HasChannel() { // first, so that one that it opens meanwhile counts
		return s.channels() > 1
	}
	return s.channels() > 0
}
