package errorqueue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/errorqueue/internal/filter"
	"github.com/bunnicula-go/bunnicula/topology"
)

// DiscardOptions are the options of [Queue.Discard]. Filter or All must be set.
type DiscardOptions struct {
	// Filter chooses messages.
	Filter Filter

	// All discards every message, if there is no Filter.
	All bool

	// Delete deletes the messages for good. Without it they go to the archive.
	Delete bool

	// Archive is the queue to which messages go. If it does not exist, it is declared as a durable
	// quorum queue without limits.
	//
	// Defaults to the main queue's name + "-archive".
	Archive string

	// These are as in RedriveOptions.
	Limit    int
	Rate     float64
	DryRun   bool
	Window   int
	Now      time.Time
	Within   int
	Observe  func(*Message)
	Observed func()
	Settled  func(mark string)
	Progress func(Progress)
}

// DiscardReport says what a discard has done, also if it ends with an error.
type DiscardReport struct {
	DryRun    bool   `json:"dry_run"`
	Archive   string `json:"archive"` // "" if messages are deleted
	Read      int    `json:"read"`    // looked at for the plan; 0 unless DryRun or Within is set
	Matched   int    `json:"matched"`
	Discarded int    `json:"discarded"`
	// Of those, may still be parked, because a connection was lost.
	MaybeTwice int       `json:"maybe_twice"`
	Failed     int       `json:"failed"`
	Failures   []Failure `json:"failures"` // the first 100 of them

	// Illegible is how many chosen messages stay parked because they cannot be copied. It is 0 with
	// Delete. They are not counted in Matched. See Message.Illegible.
	Illegible int `json:"illegible"`

	Rounds int           `json:"rounds"`
	Took   time.Duration `json:"took"` // nanoseconds
}

// Discard removes messages from the error queue: into its archive, or for good. The archive can be
// opened like an error queue (Config.ErrorQueue), to list it and to redrive from it. A message in
// the archive has all that it had; what only the broker knew of its failure is in the framework's
// headers.
//
// An archived message is confirmed before it is removed from the error queue, as in
// [Queue.Redrive], and the errors are the same.
func (q *Queue) Discard(ctx context.Context, o DiscardOptions) (DiscardReport, error) {
	began := time.Now()
	report := DiscardReport{DryRun: o.DryRun}
	o.Window = cmp.Or(o.Window, defaultMoveWindow)
	if !o.Delete {
		o.Archive = cmp.Or(o.Archive, archiveQueue(cmp.Or(q.main, q.name)))
		report.Archive = o.Archive
	}
	matcher, err := o.check(q, began)
	if err != nil {
		return report, q.failed(err)
	}
	d := &discard{queue: q, options: o, progress: newReporter(o.Progress, q.log)}
	follow := &follower{log: q.log, observe: o.Observe, observed: o.Observed, settled: o.Settled}
	d.rounds = &rounds{
		queue: q, choice: choice{filter: matcher, copies: !o.Delete}, left: -1, report: d.progress,
		within: &within{most: o.Within}, follower: follow,
		mover: &mover{window: o.Window, rate: o.Rate, follower: follow},
	}
	err = d.run(ctx)
	t := d.rounds.mover.tally
	report.Read = d.plan.read
	report.Matched, report.Discarded = max(d.plan.matched, t.moved+t.failed), t.moved
	report.MaybeTwice, report.Failed, report.Failures = t.twice, t.failed, orEmpty(t.failures)
	report.Illegible, report.Rounds = max(d.plan.illegible, d.rounds.illegible), d.rounds.count
	report.Took = time.Since(began)
	if err != nil {
		return report, q.failed(fmt.Errorf("discard: %w", err))
	}
	return report, nil
}

// check checks the options.
func (o DiscardOptions) check(q *Queue, now time.Time) (*filter.Matcher, error) {
	if o.Delete && o.Archive != "" {
		return nil, &FieldError{"Archive", o.Archive, "nothing, since Delete is set"}
	}
	if !o.Delete && (o.Archive == q.name || o.Archive == q.main) {
		return nil, &FieldError{"Archive", o.Archive, "another queue than the error queue and the main queue"}
	}
	matcher, err := chosen(o.Filter, o.All, frozen(o.Now, now))
	if err != nil {
		return nil, err
	}
	return matcher, cmp.Or(checkWithin(o.Within), checkMove(o.Limit, o.Rate, o.Window))
}

// discard is one call of Discard. One goroutine uses it.
type discard struct {
	// Immutable.
	queue    *Queue
	options  DiscardOptions
	progress *reporter
	rounds   *rounds // moves, and counts what it has moved

	plan plan // of a dry run, or with Within; written by survey
}

func (d *discard) run(ctx context.Context) error {
	defer d.progress.end()
	o := d.options
	if o.DryRun {
		s := d.rounds.survey(o.Archive, o.Limit)
		defer s.end(ctx)
		return d.survey(ctx, s)
	}
	if !o.Delete {
		if err := d.queue.declareArchive(ctx, o.Archive); err != nil {
			return err
		}
		sender, taker, err := d.queue.sender(ctx, o.Window)
		if err != nil {
			return err
		}
		defer stop(sender)
		d.rounds.mover.copyTo(sender, func(one *held) envelope { return asItIs(one, o.Archive, taker) })
	}
	if o.Within > 0 {
		return d.runWithin(ctx)
	}
	return d.rounds.run(ctx, d.rounds.most(o.Limit))
}

// survey makes the plan.
func (d *discard) survey(ctx context.Context, s *survey) error {
	err := s.run(ctx)
	d.plan = s.plan
	return err
}

// runWithin moves messages of a plan only.
func (d *discard) runWithin(ctx context.Context) error {
	o := d.options
	s := d.rounds.survey(o.Archive, o.Limit)
	defer s.end(ctx)
	err := d.survey(ctx, s)
	d.rounds.startAt(s)
	done := false
	switch {
	case err != nil && !errors.As(err, new(*UnreadableError)):
		return err
	case s.quick(o.Rate):
		done, err = d.rounds.first(ctx, s.reader, s.kept)
		if err != nil {
			return err
		}
	}
	if !done {
		s.end(ctx)
		if err := d.rounds.run(ctx, d.rounds.most(o.Limit)); err != nil {
			return err
		}
	}
	if o.Limit > 0 {
		return nil
	}
	return d.plan.missed(d.rounds.mover.tally.ended())
}

// declareArchive declares the archive with the arguments of an error queue of topology. An existing
// queue is used as it is. A user who may not declare learns by publishing whether the queue exists.
func (q *Queue) declareArchive(ctx context.Context, name string) error {
	if err := checkName("Archive", name); err != nil {
		return err
	}
	s, err := q.link.Session(ctx)
	if err != nil {
		return err
	}
	if _, err := count(ctx, s, name); err == nil {
		return nil
	}
	err = ask(ctx, s, "declare the archive", func(ch channel) error {
		_, err := ch.QueueDeclare(name, true, false, false, false, amqp.Table(standardArguments(name)))
		return err
	})
	if err != nil && !errors.Is(err, errNotAllowed) {
		return fmt.Errorf("declare the archive %q: %w", name, err)
	}
	return nil
}

// standardArguments returns the arguments with which topology declares an error queue. It returns
// nil for a name that an error queue cannot have.
func standardArguments(queue string) map[string]any {
	plan, err := topology.New(topology.Plan{Queue: "a", ErrorQueue: queue})
	if err != nil {
		return nil
	}
	for _, q := range plan.Queues {
		if q.Role == topology.RoleError {
			return q.Arguments
		}
	}
	return nil
}
