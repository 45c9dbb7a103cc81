package errorqueue

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// survey reads the queue for a plan. If few messages are chosen, it also keeps them, so that the
// same reader can move them. One goroutine uses it.
type survey struct {
	// Immutable.
	queue  *Queue
	choice choice
	to     string // where all messages go; "" is the target of each
	most   int    // messages; negative is all
	report *reporter

	within   *within
	follower *follower

	// Written by run, read and add, for the last reading.
	plan   plan
	kept   []*held // the chosen messages, if these are all
	bytes  int     // of the bodies of kept
	large  bool    // more messages are chosen than kept can hold
	reader *reader // still holds what it has read; nil if its connection ended
	of     int     // messages in the queue, -1 if unknown
	edge   edge
}

// keepAtMost is how many messages a survey keeps; maxHeldInMemory bounds their bytes.
const keepAtMost = 1000

// run reads until the plan is made. With an *UnreadableError the plan covers all messages in front
// of that one.
func (s *survey) run(ctx context.Context) (err error) {
	s.edge, err = untilSettled(ctx, func(e edge) error {
		s.end(ctx)
		s.plan, s.kept, s.bytes, s.large = plan{}, nil, 0, false
		s.within.again()
		return s.read(ctx, e)
	})
	if errors.As(err, new(*UnreadableError)) {
		s.end(ctx)
		s.kept, s.large = nil, true
	}
	return err
}

// end gives back the messages that the reader holds.
func (s *survey) end(ctx context.Context) {
	if s.reader != nil {
		s.report.enter(PhaseGivingBack)
		s.reader.end(ctx)
		s.reader = nil
	}
}

func (s *survey) read(ctx context.Context, e edge) error {
	s.report.enter(PhaseWaiting)
	r, err := s.queue.begin(ctx, s.within.extent(e))
	if err != nil {
		return err
	}
	s.report.enter(PhaseReading)
	s.reader, s.of, r.follower = r, r.of, s.follower
	now := Progress{Of: s.within.of(r.of)}
	for s.most < 0 || s.plan.matched < s.most {
		d, ok, err := r.next(ctx)
		if err != nil {
			return err
		}
		if r.overdue() {
			return ErrHeldTooLong
		}
		if !ok {
			if r.metAll() {
				s.follower.whole()
			}
			return nil
		}
		if s.within.has(d) {
			s.add(d)
		}
		now.Read++
		now.Matched = s.plan.matched
		s.report.tell(now)
	}
	return nil
}

func (s *survey) add(d *held) {
	v := s.choice.of(&d.message)
	s.plan.add(&d.message, v, s.to)
	if v != take {
		return
	}
	s.bytes += len(d.Body)
	if s.large = s.large || len(s.kept) >= keepAtMost || s.bytes >= maxHeldInMemory; s.large {
		s.kept = nil
		return
	}
	s.kept = append(s.kept, d)
}

// quickly is how long moving the messages of a survey may take.
const quickly = 5 * time.Minute

// quick says whether the survey's reader can move the messages that it holds, at this rate. That
// saves reading the queue again.
func (s *survey) quick(rate float64) bool {
	if s.reader == nil || s.large {
		return false
	}
	return rate == 0 || float64(s.plan.matched)/rate <= min(quickly, s.queue.cfg.HoldFor/2).Seconds()
}

// check looks whether the targets exist, and marks those that do not. The error covers all of
// those.
func (q *Queue) check(ctx context.Context, targets []Target) error {
	var missing error
	for i := range targets {
		t := &targets[i]
		if t.Queue == "" {
			t.Missing = true
			missing = errors.Join(missing, fmt.Errorf("%d messages do not say where they came from: set To, or Config.Queue", t.Messages))
			continue
		}
		s, err := q.link.Session(ctx)
		if err != nil {
			return err
		}
		switch _, err := count(ctx, s, t.Queue); {
		case errors.Is(err, errNotFound):
			t.Missing = true
			missing = errors.Join(missing, &MissingTargetError{Queue: t.Queue, Messages: t.Messages, Source: t.Source})
		case err != nil && !errors.Is(err, errNotAllowed): // publishing will tell
			return err
		}
	}
	return missing
}
