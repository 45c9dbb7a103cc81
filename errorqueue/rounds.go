package errorqueue

import (
	"context"
	"errors"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/backoff"
)

// rounds moves the chosen messages, however long that takes. Each round holds messages no longer
// than it may, and then gives them back. Nothing is moved twice, because a moved message is acked
// and gone. Nothing is left out, because messages that go back keep their places. Messages that
// arrive meanwhile are behind all others, and are not looked at. One goroutine uses it.
type rounds struct {
	// Immutable.
	queue    *Queue
	choice   choice
	mover    *mover // counts what it has moved
	report   *reporter
	within   *within // nil is the whole queue
	follower *follower

	// Written by startAt, run, one, first and lose.
	of        int       // messages in the queue before the first round, -1 if unknown
	left      int       // messages that are left to look at, -1 if unknown
	behind    int       // messages behind those, which within leaves out
	count     int       // rounds
	illegible int       // messages that cannot be copied, in the round that has seen the most
	doubtful  bool      // a connection was lost: the broker may have died and forgotten acks
	exhausted bool      // the last round has looked at all messages
	lost      time.Time // when a connection was lost last
	losses    int       // in a row, with nothing moved in between
	edge      edge      // of a message that cannot be read
}

const (
	ghost        = time.Minute // so long a broker may take a lost connection for alive
	lossesInARow = 5           // with nothing moved in between
)

// startAt begins where a survey has ended.
func (r *rounds) startAt(s *survey) {
	r.edge = s.edge
	switch {
	case r.within.whole():
	case s.edge.known:
		r.doubtful = true // the survey has lost connections, and read the whole queue
	default:
		r.left, r.behind = s.plan.read, max(0, s.of-s.plan.read)
	}
}

// survey makes the survey of these rounds. to is where all messages go; "" is the target of each.
func (r *rounds) survey(to string, limit int) *survey {
	return &survey{
		queue: r.queue, choice: r.choice, to: to, most: r.most(limit), report: r.report, within: r.within, follower: r.follower,
	}
}

// most returns how many messages may still be moved up to a limit. It is negative, for all, if the
// limit is 0.
func (r *rounds) most(limit int) int {
	if limit == 0 {
		return -1
	}
	return max(0, limit-r.mover.tally.ended())
}

// run moves up to most messages, or all if most is negative. With an *UnreadableError it has looked
// at all messages in front of that one.
func (r *rounds) run(ctx context.Context, most int) error {
	before := r.mover.tally.ended()
	r.losses = 0
	for {
		todo := -1
		if most >= 0 {
			if todo = most - (r.mover.tally.ended() - before); todo <= 0 {
				return nil
			}
		}
		moved := r.mover.tally.moved
		done, lost, err := r.one(ctx, todo)
		switch {
		case err == nil && done:
			return nil
		case err == nil:
			r.losses = 0
		case errors.Is(err, ErrBusy) && ctx.Err() == nil && time.Since(r.lost) < ghost:
			backoff.Wait(ctx, time.Second) // our own lost connection may still hold the lock
		case errors.As(err, new(*stuckError)) && r.edge.settled:
			return r.edge.unreadable()
		case !lost || ctx.Err() != nil:
			return err
		default:
			if err := r.lose(err, r.mover.tally.moved > moved); err != nil {
				return err
			}
		}
	}
}

// one runs one round, and keeps what the next one needs.
func (r *rounds) one(ctx context.Context, most int) (done, lost bool, err error) {
	what := extent{most: r.left, expect: r.left + r.behind, edge: r.edge}
	if r.doubtful || !r.within.whole() {
		what.most = -1 // acked messages may be there again: see round.isNew and within
	}
	r.within.again()
	r.report.enter(PhaseWaiting)
	p, err := r.queue.begin(ctx, what)
	if err != nil {
		return false, false, err
	}
	r.report.enter(PhaseMoving)
	if r.left < 0 {
		r.left = p.of
	}
	p.follower = r.follower
	r.begin(p)
	one := &round{
		reader: p, mover: r.mover, choice: r.choice, most: most, expected: r.left, doubtful: r.doubtful, within: r.within, tell: r.tell,
		matched: r.mover.tally.moved + r.mover.tally.failed,
	}
	done, err = one.run(ctx)
	lost = err != nil && isOver(p.session(), err)
	if err == nil && p.metAll() {
		r.follower.whole()
	}
	r.report.enter(PhaseGivingBack)
	p.end(ctx)
	if p.session().Err() != nil {
		r.doubtful = true
		r.mover.lose()
	}
	r.exhausted = one.exhausted
	r.illegible = max(r.illegible, one.illegible)
	var stuck *stuckError
	if lost && errors.As(err, &stuck) {
		r.edge = r.edge.met(stuck)
	}
	r.edge = r.edge.without(p.acked) // the acked messages were in front of it
	if r.left >= 0 {
		r.left = max(0, r.left+one.acksLost-p.acked)
	}
	return done, lost, err
}

// first is the first round, with messages that a survey has chosen and whose reader still holds
// them. It is not done if the connection was lost.
func (r *rounds) first(ctx context.Context, p *reader, chosen []*held) (done bool, err error) {
	r.begin(p)
	r.report.enter(PhaseMoving)
	for rest := chosen; len(rest) > 0; {
		n := min(len(rest), r.mover.burst())
		err := r.mover.move(ctx, p, rest[:n])
		r.tell(p.read, len(chosen))
		if err != nil && ctx.Err() == nil && isOver(p.session(), err) {
			if p.of >= 0 {
				r.left = r.within.of(p.of) - p.acked
			}
			r.doubtful = !r.within.whole()
			r.mover.lose()
			return false, r.lose(err, true)
		}
		if err != nil {
			return false, err
		}
		rest = rest[n:]
	}
	return true, nil
}

// begin counts a round.
func (r *rounds) begin(p *reader) {
	r.count++
	if r.count == 1 {
		r.of = r.within.of(p.of)
	}
}

// lose is called after a lost connection. moved says whether the round has moved a message. The
// error says that another round would be useless.
func (r *rounds) lose(err error, moved bool) error {
	r.lost = time.Now()
	if errors.As(err, new(*stuckError)) && r.edge.exact {
		return r.edge.unreadable()
	}
	if moved {
		r.losses = 0
	}
	if r.losses++; r.losses > lossesInARow {
		return err
	}
	r.queue.log.Warn("connection lost, beginning another round", "moved", r.mover.tally.moved, "err", err)
	return nil
}

// tell reports the progress of a round.
func (r *rounds) tell(read, matched int) {
	r.report.tell(Progress{
		Of: r.of, Read: read, Matched: matched, Moved: r.mover.tally.moved, Failed: r.mover.tally.failed, Round: r.count,
	})
}
