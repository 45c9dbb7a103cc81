package errorqueue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/internal/transport"
	"github.com/bunnicula-go/bunnicula/internal/wire"
)

// DiscardOptions are those of [Queue.Discard]. Filter or All must be set.
type DiscardOptions struct {
	// Filter chooses messages.
	Filter Filter

	// All discards every message, if there is no Filter.
	All bool

	// Delete deletes the messages for good. Otherwise they go to the archive.
	Delete bool

	// Archive is the queue that they go to. It is declared if it is not there: a durable quorum queue without limits.
	//
	// Defaults to the main queue's name + "-archive".
	Archive string

	// Limit, Rate, DryRun, Window and Progress are as in RedriveOptions.
	Limit    int
	Rate     float64
	DryRun   bool
	Window   int
	Progress func(Progress)
}

// DiscardReport is what a discard has done, also when it ends with an error.
type DiscardReport struct {
	DryRun     bool          `json:"dry_run"`
	Archive    string        `json:"archive"` // "" where messages are deleted
	Matched    int           `json:"matched"`
	Discarded  int           `json:"discarded"`
	MaybeTwice int           `json:"maybe_twice"` // of those, may be parked still, because the connection was lost
	Failed     int           `json:"failed"`
	Failures   []Failure     `json:"failures"`  // the first 100 of them
	Illegible  int           `json:"illegible"` // chosen, not among Matched, and left where they are, unless deleted: see Message.Illegible
	Rounds     int           `json:"rounds"`
	Took       time.Duration `json:"took"` // nanoseconds
}

// ArchiveQueue is the name of the queue that messages of a main queue are archived in: "orders-archive".
func ArchiveQueue(queue string) string { return queue + archiveSuffix }

// Discard takes messages out of the error queue: into its archive, or for good. The archive can be opened like an error queue
// (Config.ErrorQueue), to list it and to redrive from it: a message there has all that it had, and what only the broker said of why it
// failed is in our headers.
//
// What is archived is confirmed before it is taken out of the error queue, as in [Queue.Redrive], and the errors are the same.
func (q *Queue) Discard(ctx context.Context, o DiscardOptions) (DiscardReport, error) {
	began := time.Now()
	report := DiscardReport{DryRun: o.DryRun}
	o.Window = cmp.Or(o.Window, DefaultRedriveWindow)
	if !o.Delete {
		o.Archive = cmp.Or(o.Archive, ArchiveQueue(cmp.Or(q.main, q.name)))
		report.Archive = o.Archive
	}
	filter, err := o.check(q, began)
	if err != nil {
		return report, q.failed(err)
	}
	r := &rounds{queue: q, filter: filter, copies: !o.Delete, left: -1, report: reporter{to: o.Progress}, mover: &mover{window: o.Window, rate: o.Rate}}
	err = r.discard(ctx, o, &report)
	m := r.mover
	report.Discarded, report.MaybeTwice, report.Failed, report.Failures, report.Rounds = m.moved, m.twice, m.failed, m.failures, r.count
	report.Matched = max(report.Matched, m.moved+m.failed)
	report.Illegible = r.illegible
	report.Failures = orEmpty(report.Failures)
	report.Took = time.Since(began)
	r.report.end()
	if err != nil {
		return report, q.failed(fmt.Errorf("discard: %w", err))
	}
	return report, nil
}

func (o DiscardOptions) check(q *Queue, now time.Time) (*compiled, error) {
	if o.Delete && o.Archive != "" {
		return nil, &FieldError{"Archive", o.Archive, "nothing, since Delete is set"}
	}
	if !o.Delete && (o.Archive == q.name || o.Archive == q.main) {
		return nil, &FieldError{"Archive", o.Archive, "another queue than the error queue and the main queue"}
	}
	same := RedriveOptions{Filter: o.Filter, All: o.All, Limit: o.Limit, Rate: o.Rate, Window: o.Window}
	_, filter, err := same.resolve(q, now)
	return filter, err
}

func (r *rounds) discard(ctx context.Context, o DiscardOptions, report *DiscardReport) error {
	most := -1
	if o.Limit > 0 {
		most = o.Limit
	}
	if o.DryRun {
		p, err := r.queue.begin(ctx, -1)
		if err != nil {
			return err
		}
		defer p.end(ctx)
		seen, err := r.look(ctx, p, o.Archive, most)
		report.Matched = seen.matched
		return err
	}
	if !o.Delete {
		if err := r.queue.declareArchive(ctx, o.Archive); err != nil {
			return err
		}
		session, err := r.queue.conn.Transport().Publishing().Session(ctx)
		if err != nil {
			return err
		}
		sender, err := sending.New(r.queue.conn.Transport(), o.Window, r.queue.log)
		if err != nil {
			return err
		}
		defer stop(sender)
		r.mover.sender = sender
		r.mover.envelope = func(d *held) sending.Envelope { return asItIs(d, o.Archive, session.User()) }
	}
	return r.run(ctx, most)
}

// declareArchive declares the archive as error queues are. One that is there already is taken as it is, and so is
// one that somebody who may not declare cannot see: the publish is mandatory.
func (q *Queue) declareArchive(ctx context.Context, name string) error {
	if len(name) > wire.MaxName {
		return &FieldError{"Archive", name[:40] + "...", "at most 255 bytes"}
	}
	session, err := q.link.Session(ctx)
	if err != nil {
		return err
	}
	if _, err := count(ctx, session, name); err == nil {
		return nil
	}
	err = ask(ctx, session, "declare the archive", func(ch transport.Channel) error {
		_, err := ch.QueueDeclare(name, true, false, false, false, standardArguments(name))
		return err
	})
	if err != nil && !errors.Is(err, errNotAllowed) {
		return fmt.Errorf("declare the archive %q: %w", name, err)
	}
	return nil
}
