package transport

import (
	"context"
	"sync"
	"time"
)

// Shared is what the consumers of one Connection share, so that they do not get in each other's way.
type Shared struct {
	// Alone is held while a message from quarantine is handled: of two that are handled at once, one could be
	// blamed for what the other does.
	Alone Token
	// Roll finds whose queue has a message that ends the connection.
	Roll RollCall
}

// NewShared is for one Connection.
func NewShared() *Shared { return &Shared{Alone: make(Token, 1)} }

// Token is held by one goroutine at a time, first come, first served.
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

// Release follows Acquire, from any goroutine.
func (t Token) Release() { <-t }

// RollCall finds the consumer whose queue has a message with which every delivery ends the shared TCP connection:
// the broker cannot convert it for AMQP 0-9-1, or the client cannot read it. Neither says whose it is. So
// after such a loss the consumers of the connection subscribe in groups, one group after the other, and the next
// loss tells in which group it is.
type RollCall struct {
	mu      sync.Mutex // guards all below; supervisors of consumers write it
	members int
	session any       // that was lost last
	losses  int       // in a row, within forget of each other
	lost    time.Time // the last of them
	began   time.Time // the roll call; zero until the first consumer enters
	called  int       // consumers that have entered
}

const (
	rollGroups = 8
	rollTurn   = 250 * time.Millisecond // of a group
	rollLosses = 3                      // the shared connection may be lost so often
	rollForget = time.Minute            // after a loss
)

// Join is called once by each consumer.
func (r *RollCall) Join() { r.count(1) }

// Leave is called once by each consumer when it ends.
func (r *RollCall) Leave() { r.count(-1) }

func (r *RollCall) count(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.members += n
}

// Enter waits for a consumer's turn to subscribe, and returns when that was. There is nothing to wait for unless the
// shared connection was lost a moment ago.
func (r *RollCall) Enter(ctx context.Context) (time.Time, error) {
	wait := time.NewTimer(r.turn())
	defer wait.Stop()
	select {
	case <-wait.C:
		return time.Now(), nil
	case <-ctx.Done():
		return time.Time{}, context.Cause(ctx)
	}
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

// Lost is told by each consumer whose session on the shared connection was ended by a message. entered is when it
// subscribed there. It is true if the consumer's own queue is suspected.
func (r *RollCall) Lost(session any, entered time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	inTurn := !r.began.IsZero() && now.Sub(entered) < 2*rollTurn
	if r.session == session { // another consumer has told of it
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
