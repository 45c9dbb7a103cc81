package errorqueue

import (
	"context"
	"errors"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/backoff"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// rounds moves what a filter chooses, however long that takes: in passes, each of which holds messages no longer than it may and
// then gives everything back. Nothing is moved twice, because what was moved is acked and gone; nothing is left out, because
// what goes back keeps its place. What comes into the queue meanwhile is behind all that, and not looked at. A broker that is killed may forget the
// last acks; then what was moved is there again, and the queue is longer than it should be: so after a lost connection the end is not where
// the count says, but where nothing was ever read.
type rounds struct {
	queue  *Queue
	filter *compiled
	skip   func(*Message) bool // of those that the filter chooses; nil is none
	copies bool                // what is moved is published elsewhere
	mover  *mover
	report reporter

	left      int  // messages in the queue that are to be looked at, -1 before it is known
	doubtful  bool // the connection was lost: the broker may have died, and forgotten acks
	exhausted bool // the last pass has seen them all
	count     int  // of rounds
	illegible int  // messages that must not be copied, in the pass that has seen most of them
	lost      time.Time
}

// ghost is how long a broker may take a lost connection for alive: some heartbeats.
const ghost = time.Minute

// lossesInARow is how often the connection may be lost with nothing moved in between.
const lossesInARow = 5

// run moves up to most messages, or all if most is negative.
func (r *rounds) run(ctx context.Context, most int) error {
	before := r.mover.ended()
	losses := 0
	for {
		todo := -1
		if most >= 0 {
			if todo = most - (r.mover.ended() - before); todo <= 0 {
				return nil
			}
		}
		moved := r.mover.moved
		done, lost, err := r.round(ctx, todo)
		switch {
		case err == nil && done:
			return nil
		case err == nil:
			losses = 0
		case errors.Is(err, ErrBusy) && ctx.Err() == nil && time.Since(r.lost) < ghost: // our own connection may have the lock, which the broker takes for alive
			backoff.Wait(ctx, time.Second)
		case !lost || ctx.Err() != nil || errors.Is(err, transport.ErrUnreadable):
			return err
		default:
			if r.mover.moved > moved {
				losses = 0
			}
			if losses++; losses > lossesInARow {
				return err
			}
			r.lost = time.Now()
			r.mover.lose()
			r.queue.log.Warn("connection lost, beginning another round", "moved", r.mover.moved, "err", err)
		}
	}
}

// round is one pass. It is done when it has moved most messages, or has seen all.
func (r *rounds) round(ctx context.Context, most int) (done, lost bool, err error) {
	bound := r.left
	if r.doubtful {
		bound = -1 // see below
	}
	p, err := r.queue.begin(ctx, bound)
	if err != nil {
		return false, false, err
	}
	defer p.end(ctx)
	if r.left < 0 && p.of >= 0 {
		r.left = p.of
	}
	expected := r.left
	if p.of >= 0 && p.of < r.left { // what a lost connection held may be on its way back
		if p.of = p.comeBack(ctx, r.left); bound < 0 {
			p.left = p.of
		} else {
			p.left = min(p.of, bound)
		}
	}
	defer func() {
		lost = err != nil && isOver(p.session, err)
		r.doubtful = r.doubtful || lost
		if r.left >= 0 {
			r.left = max(0, r.left-p.acked)
		}
	}()
	r.count++
	r.report.now.Round, r.report.now.Read, r.report.now.Matched = r.count, 0, r.mover.moved+r.mover.failed
	if r.report.now.Of == 0 {
		r.report.now.Of = p.of
	}
	var burst []*held
	chosen, bytes, illegible := 0, 0, 0
	flush := func() error {
		err := r.mover.move(ctx, p, burst)
		r.tell()
		burst, bytes = nil, 0
		return err
	}
	for most < 0 || chosen < most {
		if p.overdue() {
			return false, false, flush()
		}
		d, ok, err := p.next(ctx)
		if err != nil {
			return false, false, err // what is in burst goes back too
		}
		if !ok {
			r.exhausted = true
			return true, false, flush()
		}
		if r.doubtful && expected >= 0 && p.read > expected && !d.Redelivered {
			r.exhausted = true // it has come meanwhile; what was read before it, and is there again, has been seen
			return true, false, flush()
		}
		r.report.now.Read++
		r.tell()
		if !r.filter.match(&d.message) || r.skip != nil && r.skip(&d.message) || r.mover.failedIDs[d.message.ID] {
			continue
		}
		if r.copies && d.message.Illegible {
			illegible++
			r.illegible = max(r.illegible, illegible)
			continue
		}
		if back, acked := r.mover.cameBack(d); !back {
			r.report.now.Matched++
			chosen++
		} else if acked && r.left >= 0 {
			r.left++
			p.left++
		}
		burst, bytes = append(burst, d), bytes+len(d.Body)
		if len(burst) >= r.mover.burst() || bytes >= maxHeldInMemory {
			if err := flush(); err != nil {
				return false, false, err
			}
		}
	}
	return true, false, flush()
}

func (r *rounds) tell() {
	r.report.now.Moved, r.report.now.Failed = r.mover.moved, r.mover.failed
	r.report.tell()
}
