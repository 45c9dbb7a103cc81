package errorqueue

import (
	"context"
	"fmt"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/backoff"
	"github.com/bunnicula-go/bunnicula/internal/foreign"
)

// Failure is a message that could not be published. It stays where it was.
type Failure struct {
	ID     string `json:"id"`
	Target string `json:"target"`
	Err    error  `json:"-"`
	Text   string `json:"error"`
}

// mover publishes messages to other queues, and acks them when the broker has confirmed the copies.
// So at any time a message is in one of the two queues, or in both; that is a window of messages at
// most. One goroutine uses it.
type mover struct {
	// Immutable once it moves.
	sender   *sender
	envelope func(*held) envelope // nil: nothing is published, and messages are deleted
	window   int
	rate     float64 // messages a second; 0 is no limit
	follower *follower

	// Written by move, pause, fail, cameBack and lose.
	began     time.Time // from then on messages are counted for the rate
	sent      int       // since began
	tally     tally
	recent    recent
	failedIDs map[string]bool // messages that are not tried again; bounded
}

// tally says what a mover has done.
type tally struct {
	moved    int
	twice    int // of those, may be in both queues
	again    int // were moved once more, because they were still parked
	forgot   int // of those, had an ack that the broker had answered, and has forgotten
	failed   int
	failures []Failure // the first failures
}

// ended returns how many messages were moved or cannot be moved. Each counts once.
func (t tally) ended() int { return t.moved + t.failed - t.again }

const (
	maxFailures  = 100     // that are listed
	maxFailedIDs = 100_000 // that are remembered
)

// copyTo sets where messages are published. It must be called before the first move.
func (m *mover) copyTo(s *sender, e func(*held) envelope) { m.sender, m.envelope = s, e }

// burst returns how many messages are published together. A rate makes bursts small, to spread
// messages over time.
func (m *mover) burst() int {
	if m.rate <= 0 {
		return m.window
	}
	return max(1, min(m.window, int(m.rate/10)))
}

// move moves up to a burst of messages that the reader holds. The error is for what ends the whole
// call; a message that could not be published is a Failure.
func (m *mover) move(ctx context.Context, r *reader, all []*held) error {
	if len(all) == 0 {
		return nil
	}
	if err := m.pause(ctx); err != nil {
		return err
	}
	if err := r.session().Err(); err != nil {
		return err // the messages are parked again: copies would be in both queues
	}
	m.sent += len(all)
	finish, cancel := outlast(ctx)
	defer cancel()
	placed, last := m.publish(finish, all)
	acked, err := r.ack(finish, placed)
	m.recent.add(placed, acked)
	m.follower.gone(placed[:acked])
	m.tally.moved += len(placed)
	if err != nil {
		m.tally.twice += len(placed)
		return fmt.Errorf("%d messages are moved and may still be parked too: %w", len(placed), err)
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case len(placed) == 0 && !isItsOwnFault(last):
		return fmt.Errorf("%w: %w", ErrNotMoved, last)
	}
	return nil
}

// publish publishes messages. It returns those that are confirmed and routed to a queue, and the
// last error of the others.
func (m *mover) publish(ctx context.Context, all []*held) (placed []*held, last error) {
	if m.envelope == nil {
		return all, nil
	}
	envs := make([]envelope, len(all))
	for i, d := range all {
		envs[i] = m.envelope(d)
	}
	for i, err := range m.sender.SendBatch(ctx, envs) {
		if err == nil {
			placed = append(placed, all[i])
			continue
		}
		last = err
		m.fail(Failure{ID: all[i].message.ID, Target: envs[i].RoutingKey, Err: err, Text: foreign.Text(err, 2<<10)})
	}
	return placed, last
}

// pause waits until the rate allows another burst.
func (m *mover) pause(ctx context.Context) error {
	if m.rate <= 0 {
		return nil
	}
	due := m.began.Add(time.Duration(float64(m.sent) / m.rate * float64(time.Second)))
	switch wait := time.Until(due); {
	case wait <= 0: // the first move, or one after a rest, which must not be made up for
		m.began, m.sent = time.Now(), 0
	case !backoff.Wait(ctx, wait):
		return context.Cause(ctx)
	}
	return nil
}

func (m *mover) fail(f Failure) {
	m.tally.failed++
	if len(m.tally.failures) < maxFailures {
		m.tally.failures = append(m.tally.failures, f)
	}
	if m.failedIDs == nil {
		m.failedIDs = map[string]bool{}
	}
	if f.ID != "" && len(m.failedIDs) < maxFailedIDs {
		m.failedIDs[f.ID] = true
	}
}

// gaveUp says whether a message could not be published before.
func (m *mover) gaveUp(d *held) bool { return m.failedIDs[d.message.ID] }

// cameBack says whether a message was moved before and is still parked, and whether its ack was
// answered. It is then moved again, and no limit counts it twice.
func (m *mover) cameBack(d *held) (back, acked bool) {
	if back, acked = m.recent.cameBack(d); back {
		m.tally.again++
	}
	if acked {
		m.tally.forgot++
	}
	return back, acked
}

// lose is called after a lost connection.
func (m *mover) lose() { m.recent.lose() }
