package transport

import (
	"context"
	"sync"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/backoff"
)

// Shared is the state that all consumers of one Connection share.
type Shared struct {
	// Alone is held while a message from quarantine is handled alone. If two were handled at once,
	// one could be blamed for a crash that the other caused.
	Alone Token
	// Roll finds the queue whose message ends the connection.
	Roll RollCall
}

// NewShared makes the Shared of one Connection.
func NewShared() *Shared { return &Shared{Alone: make(Token, 1)} }

// Token is held by one goroutine at a time.
type Token chan struct{}

// Acquire waits for the token. It is false if ctx ends first.
func (t Token) Acquire(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
	}
	select {
	case t <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// Release gives the token back. Any goroutine may call it.
func (t Token) Release() { <-t }

// RollCall finds the consumer whose queue has a message that ends the shared TCP connection at each
// delivery: an unconvertible or an unreadable message. The error does not name the queue. So after
// such a loss the consumers of the connection subscribe in groups, one group after the other. The
// next loss then tells in which group the consumer is.
type RollCall struct {
	mu      sync.Mutex // guards all fields below; supervisors of consumers write them
	members int
	session any       // the session that was lost last
	losses  int       // in a row, each within rollForget of the one before
	lost    time.Time // when the last loss was
	began   time.Time // when the roll call began; zero until the first consumer enters
	called  int       // consumers that have entered
}

const (
	rollGroups = 8
	rollTurn   = 250 * time.Millisecond // how long one group has
	rollLosses = 3                      // how often the shared connection may be lost
	rollForget = time.Minute            // after which a loss no longer counts
)

// Join is called once by each consumer when it begins.
func (r *RollCall) Join() { r.count(1) }

// Leave is called once by each consumer when it ends.
func (r *RollCall) Leave() { r.count(-1) }

func (r *RollCall) count(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.members += n
}

// Enter waits for the consumer's turn to subscribe, and returns the time of that. It does not wait
// unless the shared connection was lost a moment ago.
func (r *RollCall) Enter(ctx context.Context) (time.Time, error) {
	if !backoff.Wait(ctx, r.turn()) {
		return time.Time{}, context.Cause(ctx)
	}
	return time.Now(), nil
}

func (r *RollCall) turn() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if r.losses == 0 {
		return 0
	}
	if r.began.IsZero() {
		r.began, r.called = now, 0
	}
	if now.Sub(r.began) > 2*rollGroups*rollTurn {
		return 0
	}
	group := max(1, (r.members+rollGroups-1)/rollGroups)
	at := r.began.Add(time.Duration(r.called/group) * rollTurn)
	r.called++
	return max(0, at.Sub(now))
}

// Lost is called by each consumer when a message has ended its session on the shared connection.
// entered is the time at which the consumer subscribed there. Lost is true if the consumer's own
// queue is suspected.
func (r *RollCall) Lost(session any, entered time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	inTurn := !r.began.IsZero() && now.Sub(entered) < 2*rollTurn
	if r.session == session { // another consumer has reported it
		inTurn = r.losses > 1 && r.lost.Sub(entered) < 2*rollTurn
	} else {
		if now.Sub(r.lost) > rollForget {
			r.losses, inTurn = 0, false
		}
		r.session, r.lost, r.began = session, now, time.Time{}
		r.losses++
	}
	return inTurn || r.members == 1 || r.losses >= rollLosses
}
