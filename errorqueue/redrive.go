package errorqueue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"
)

// Redrive moves messages from the error queue back to the queues from which they came, to be
// handled like new ones: attempts begin again, and the headers of the failure are removed. The
// history stays, and so does how the message was published at first. A message is published,
// mandatory, and confirmed before it is removed from the error queue. So no message is lost when
// the process, the connection or the broker dies, and at most a Window of messages is in both
// queues then.
//
// Messages that are parked while Redrive runs are left alone, except for some after the connection
// was lost twice. A message that cannot be published stays where it is, and is a Failure. Before
// Redrive moves anything it checks that every target exists, and returns *MissingTargetError if one
// does not. When ctx ends, messages in flight have 3 s to be confirmed, and the rest stays; the
// error is the context's then.
//
// The report is valid with an error too. Besides the errors of [Queue.List] there are ErrNoFilter,
// ErrFailedAgain, ErrNotMoved and ErrGone. With an *UnreadableError every message in front of that
// one was looked at, and moved if it was chosen.
//
// A redrive may take hours. It reads the queue in rounds, and continues after a lost connection. A
// broker that is killed may forget the last acks, many of them in a classic queue. The messages are
// then parked again, and are moved twice.
func (q *Queue) Redrive(ctx context.Context, o RedriveOptions) (RedriveReport, error) {
	began := time.Now()
	o, matcher, err := o.resolve(q, began)
	if err != nil {
		return RedriveReport{}, q.failed(err)
	}
	report := RedriveReport{ID: o.ID, DryRun: o.DryRun}
	r, err := q.redrive(ctx, o, choice{filter: matcher, redrive: o.ID, copies: true})
	if err == nil {
		if err = r.run(ctx); err == nil {
			err = r.missed()
		}
		report = r.report()
		stop(r.rounds.mover.sender)
	}
	report.Failures, report.Targets, report.Batches = orEmpty(report.Failures), orEmpty(report.Targets), orEmpty(report.Batches)
	report.Took = time.Since(began)
	if err != nil {
		return report, q.failed(fmt.Errorf("redrive: %w", err))
	}
	return report, nil
}

// redrive is one call of Redrive. It makes a plan, and lets rounds move the messages of the plan.
// One goroutine uses it.
type redrive struct {
	// Immutable.
	queue    *Queue
	options  RedriveOptions
	progress *reporter
	rounds   *rounds // moves, and counts what it has moved
	stamp    stamp   // of each message that is moved

	// Written by survey.
	plan    plan
	targets []Target // of the plan, checked

	batches *batches // written by runBatches, nil without the option
}

// redrive makes a redrive. The caller stops the sender of its mover.
func (q *Queue) redrive(ctx context.Context, o RedriveOptions, c choice) (*redrive, error) {
	sender, taker, err := q.sender(ctx, o.Window)
	if err != nil {
		return nil, err
	}
	s := stamp{id: o.ID, at: time.Now()}
	follow := &follower{log: q.log, observe: o.Observe, observed: o.Observed, settled: o.Settled}
	move := &mover{sender: sender, window: o.Window, rate: o.Rate, follower: follow, envelope: func(d *held) envelope {
		return afresh(d, cmp.Or(o.To, d.message.Target), taker, s)
	}}
	progress := newReporter(o.Progress, q.log)
	return &redrive{
		queue: q, options: o, progress: progress, stamp: s,
		rounds: &rounds{
			queue: q, choice: c, mover: move, report: progress, within: &within{most: o.Within}, follower: follow, left: -1,
		},
	}, nil
}

func (r *redrive) run(ctx context.Context) error {
	defer r.progress.end()
	s := r.rounds.survey(r.options.To, r.options.Limit)
	defer s.end(ctx)
	blocked, err := r.survey(ctx, s)
	switch {
	case err != nil:
		return err
	case r.options.DryRun:
		return blocked
	case r.options.To == "" && r.plan.matched == 0:
		return blocked
	case len(r.options.Batches) > 0 && blocked != nil:
		return fmt.Errorf("batches: what fails again is parked behind it, and not seen: %w", blocked)
	case len(r.options.Batches) > 0:
		s.end(ctx)
		return r.runBatches(ctx)
	case s.quick(r.options.Rate):
		if done, err := r.rounds.first(ctx, s.reader, s.kept); done || err != nil {
			return err
		}
	}
	s.end(ctx)
	return r.rounds.run(ctx, r.rounds.most(r.options.Limit))
}

// survey finds out the targets of the messages, and checks that they exist. With the option To the
// target is known, and nothing is read unless it is a dry run or has Within. Messages behind one
// that cannot be read are not planned; blocked says so.
func (r *redrive) survey(ctx context.Context, s *survey) (blocked, err error) {
	if to := r.options.To; to != "" && !r.options.DryRun && r.options.Within == 0 {
		r.targets = []Target{{Queue: to, Source: fromCaller}}
		return nil, r.queue.check(ctx, r.targets)
	}
	err = s.run(ctx)
	r.plan, r.targets = s.plan, s.plan.sorted()
	r.rounds.startAt(s)
	if errors.As(err, new(*UnreadableError)) {
		blocked, err = err, nil
	}
	if err != nil {
		return nil, err
	}
	return blocked, r.queue.check(ctx, r.targets)
}

func (r *redrive) runBatches(ctx context.Context) error {
	homes, err := r.queue.homesOf(ctx, r.targets, r.options.Batches)
	if err != nil {
		return err
	}
	r.batches = &batches{
		queue: r.queue, options: r.options, rounds: r.rounds, progress: r.progress, homes: homes,
		began: r.stamp.at, each: cmp.Or(r.options.Watch, watchFor(r.plan.slowest)),
	}
	return r.batches.run(ctx)
}

// missed says whether messages of the plan were gone before they were moved.
func (r *redrive) missed() error {
	if r.options.DryRun || r.options.Limit > 0 {
		return nil
	}
	return r.plan.missed(r.rounds.mover.tally.ended())
}

// report says what the redrive has done.
func (r *redrive) report() RedriveReport {
	t := r.rounds.mover.tally
	report := RedriveReport{
		ID: r.options.ID, DryRun: r.options.DryRun, Targets: r.targets, Read: r.plan.read,
		Matched: max(r.plan.matched, t.moved+t.failed), Illegible: max(r.plan.illegible, r.rounds.illegible),
		Moved: t.moved, MaybeTwice: t.twice, Failed: t.failed, Failures: t.failures, Rounds: r.rounds.count,
	}
	if r.batches != nil {
		report.Batches, report.Watch = r.batches.done, r.batches.each
	}
	return report
}
