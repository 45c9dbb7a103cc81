package pipeline

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/google/uuid"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/jobtree"
)

// StartOption changes a Start.
type StartOption func(*starting) error

// starting is what the options of a Start say.
type starting struct {
	job    string
	named  bool
	resume bool
}

// JobID names the job, so that it is started once: ErrJobExists is the error of a second Start. It
// is 1 to 128 letters, digits, dots, underscores and hyphens.
//
// Defaults to a new UUIDv7.
func JobID(id string) StartOption {
	return func(s *starting) error {
		if err := checkName("JobID", id, maxJob); err != nil {
			return fmt.Errorf("pipeline: %w", err)
		}
		s.job, s.named = id, true
		return nil
	}
}

// Resume goes on with a job of this JobID whose Start has ended in an error, or with its process.
// The queue and the items must be the same, in the same order; of another queue the error is
// ErrJobExists. All items are published again, with the same ids, unless the earlier Start was
// finished: then nothing is, and the error is nil.
func Resume() StartOption {
	return func(s *starting) error { s.resume = true; return nil }
}

// Start begins a job: it publishes all items to a queue, and returns the job's id when they are
// confirmed. It waits while Config.Window of them are not, so any number of items needs little
// memory. Payloads are encoded by the Publisher's codec.
//
// The error of items that cannot be read is ctx's cause: cancel ctx in items before it returns.
//
//	ctx, cancel := context.WithCancelCause(ctx)
//	job, err := pipeline.Start(ctx, bank, "bank.accounts", func(yield func(Account) bool) {
//		... cancel(err) ...
//	})
//
// After an error the job is there and is not complete: some items may be published, and are
// handled. Start with JobID and Resume goes on. The id is "" if the job was not begun, as far as is
// known: after a lost connection a Start of the same JobID may say ErrJobExists.
//
// Whether a JobID exists is read from the stream, from its first record on. A job that the stream
// has dropped, because it began longer ago than Config.MaxAge, is not known any more.
func Start[T any](ctx context.Context, p *Pipeline, queue string, items iter.Seq[T], opts ...StartOption) (job string, err error) {
	if items == nil {
		return "", errors.New("pipeline: the items of a Start are nil")
	}
	s, err := p.begin(ctx, queue, opts)
	if err != nil || s.finished {
		return s.job, err
	}
	r := p.newRun(ctx, node{job: s.job, path: jobtree.Path{}}, queue)
	for v := range items {
		if err = r.emit(v, nil); err != nil {
			break
		}
	}
	return s.job, p.started(ctx, r)
}

// started ends a Start whose items are published.
func (p *Pipeline) started(ctx context.Context, r *run) error {
	err := r.close()
	if err == nil {
		err = r.confirm()
	}
	if err == nil && ctx.Err() != nil {
		err = fmt.Errorf("pipeline: start of job %s: %w", r.of.job, context.Cause(ctx))
	}
	if err == nil {
		err = p.reporter.report(ctx, r.report())
	}
	return err
}

// begun is a job that a Start may go on with.
type begun struct {
	job      string
	finished bool // an earlier Start has published all
}

// begin writes that the job begins, and sees whether it has begun before.
func (p *Pipeline) begin(ctx context.Context, queue string, opts []StartOption) (begun, error) {
	s := starting{job: uuid.Must(uuid.NewV7()).String()}
	for _, o := range opts {
		if o == nil {
			continue
		}
		if err := o(&s); err != nil {
			return begun{}, err
		}
	}
	switch {
	case s.resume && !s.named:
		return begun{}, errors.New("pipeline: Resume without a JobID")
	case queue == "" || len(queue) > maxQueue:
		return begun{}, fmt.Errorf("pipeline: the queue of a Start has %d bytes, want 1 to %d: %q", len(queue), maxQueue, foreign.Line(queue, 60))
	}
	nonce := uuid.NewString()
	err := p.write(ctx, record{Kind: kindBegin, Job: s.job, Queue: queue, Nonce: nonce, At: time.Now().UTC().Truncate(time.Millisecond)})
	if err != nil {
		return begun{}, err
	}
	if !s.named {
		return begun{job: s.job}, nil
	}
	return p.look(ctx, &s, queue, nonce)
}

// look decides whether a Start goes on, by the first start of the job in the stream.
func (p *Pipeline) look(ctx context.Context, s *starting, queue, nonce string) (begun, error) {
	b := newBook(s.job)
	if _, err := p.fold(ctx, b); err != nil {
		return begun{}, err
	}
	j := b.jobs[s.job]
	switch {
	case j == nil || j.nonce == nonce: // nil: its record was dropped at once, for its age
		return begun{job: s.job}, nil
	case s.resume && !j.tree.Started() && j.queue != queue && j.queue != "":
		return begun{}, fmt.Errorf("%w: job %s began with items to the queue %q, and cannot go on with %q", ErrJobExists, s.job, foreign.Line(j.queue, 80), foreign.Line(queue, 80))
	case s.resume:
		return begun{job: s.job, finished: j.tree.Started()}, nil
	}
	state := "is not finished: Resume goes on with it"
	if j.tree.Started() {
		state = "is finished"
	}
	return begun{}, fmt.Errorf("%w: job %s began at %s, and its start %s", ErrJobExists, s.job, foreign.Stamp(j.began), state)
}
