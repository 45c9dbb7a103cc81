package errorqueue

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/backoff"
	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// Failure is a message that could not be published. It is where it was.
type Failure struct {
	ID     string `json:"id"`
	Target string `json:"target"`
	Err    error  `json:"-"`
	Text   string `json:"error"`
}

const (
	maxFailures = 100  // that are listed
	maxRecent   = 2000 // see lose
	sendTimeout = 30 * time.Second
	grace       = 3 * time.Second // for the window in flight when the context ends
)

// mover publishes messages to other queues, and acks them when that is confirmed. So at any time a message is in one of
// the two queues, or in both: at most a window of them.
type mover struct {
	sender   *sending.Pipeline
	envelope func(*held) sending.Envelope // nil: nothing is published, the message is deleted
	window   int
	rate     float64 // a second; 0 is no limit
	began    time.Time
	sent     int // since began

	moved     int
	twice     int           // of those, may be in both queues
	again     int           // were moved once more, because they were parked still
	recent    []moved       // the last that were moved
	unsure    map[moved]int // those of them that may be parked still
	failed    int
	failures  []Failure
	failedIDs map[string]bool // not tried again; bounded
}

// ended is how many messages are moved, or cannot be, each counted once.
func (m *mover) ended() int { return m.moved + m.failed - m.again }

// burst is how many messages are published together: few, where they are to be spread over time.
func (m *mover) burst() int {
	if m.rate <= 0 {
		return m.window
	}
	return max(1, min(m.window, int(m.rate/10)))
}

// pause waits until n more may be sent.
func (m *mover) pause(ctx context.Context) error {
	if m.rate <= 0 {
		return nil
	}
	if m.began.IsZero() {
		m.began = time.Now()
	}
	due := m.began.Add(time.Duration(float64(m.sent) / m.rate * float64(time.Second)))
	if wait := time.Until(due); wait > 0 && !backoff.Wait(ctx, wait) {
		return context.Cause(ctx)
	}
	return nil
}

// move moves up to a burst of messages. The error is for what ends everything; of single messages there are failures.
func (m *mover) move(ctx context.Context, p *pass, all []*held) error {
	if len(all) == 0 {
		return nil
	}
	if err := m.pause(ctx); err != nil {
		return err
	}
	if err := p.session.Err(); err != nil {
		return err // they are parked again, and would be in both queues
	}
	m.sent += len(all)
	finish, cancel := outlast(ctx)
	defer cancel()
	placed := all
	var last error
	if m.envelope != nil {
		envs := make([]sending.Envelope, len(all))
		for i, d := range all {
			envs[i] = m.envelope(d)
		}
		placed = nil
		for i, err := range m.sender.SendBatch(finish, envs) {
			if err == nil {
				placed = append(placed, all[i])
				continue
			}
			last = err
			m.fail(Failure{ID: all[i].message.ID, Target: envs[i].RoutingKey, Err: err, Text: err.Error()})
		}
	}
	before := p.acked
	err := p.settle(finish, placed)
	m.remember(placed, p.acked-before)
	if err != nil {
		m.moved += len(placed)
		m.twice += len(placed)
		return fmt.Errorf("%d messages are moved and may still be parked too: %w", len(placed), err)
	}
	m.moved += len(placed)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case len(placed) == 0 && !errors.Is(last, publisher.ErrUnroutable) && !errors.As(last, new(*publisher.RefusedError)) && !errors.Is(last, publisher.ErrTooLarge):
		return fmt.Errorf("%w: %w", ErrNotMoved, last)
	}
	return nil
}

// moved is a message that was moved: what tells it from others, and whether its ack was answered.
type moved struct {
	mark  string
	acked bool
}

// remember keeps what was moved last, of which the first were acked.
func (m *mover) remember(all []*held, acked int) {
	for i, d := range all {
		m.recent = append(m.recent, moved{mark(d), i < acked})
	}
	m.recent = m.recent[max(0, len(m.recent)-maxRecent):]
}

// lose is for a connection that was lost: what was moved last may be parked still. That is so even of what the broker has said to have acked: it passes
// acks on to a quorum queue's leader when that has time for them.
func (m *mover) lose() {
	if m.unsure == nil {
		m.unsure = map[moved]int{}
	}
	for _, one := range m.recent {
		m.unsure[one]++
	}
	m.recent = nil
}

// cameBack says whether a message was moved before and is parked still: it is to be moved again, and no limit counts it twice. And whether
// it was taken for acked, so that it was not counted among those that are to be looked at.
func (m *mover) cameBack(d *held) (back, acked bool) {
	if len(m.unsure) == 0 {
		return false, false
	}
	for _, acked := range []bool{false, true} {
		if one := (moved{mark(d), acked}); m.unsure[one] > 0 {
			m.unsure[one]--
			m.again++
			return true, acked
		}
	}
	return false, false
}

// mark tells a message from others, as far as the limit goes: who has the same has the same id and body.
func mark(d *held) string {
	sum := sha256.Sum256(d.Body)
	return d.MessageId + " " + string(sum[:])
}

func (m *mover) fail(f Failure) {
	m.failed++
	if len(m.failures) < maxFailures {
		m.failures = append(m.failures, f)
	}
	if m.failedIDs == nil {
		m.failedIDs = map[string]bool{}
	}
	if f.ID != "" && len(m.failedIDs) < 100_000 {
		m.failedIDs[f.ID] = true
	}
}

// stop ends a sender. Of what was given up, because a broker takes nothing, some may be on its way still: it is not waited for.
func stop(s *sending.Pipeline) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = s.Stop(ctx)
}

// outlast is a context for what has been begun: it ends a moment after ctx, or after the time in which everything should be
// done.
func outlast(ctx context.Context) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendTimeout)
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(grace):
			cancel()
		case <-longer.Done():
		}
	})
	return longer, func() { stop(); cancel() }
}
