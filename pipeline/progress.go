package pipeline

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// StageProgress is how far a job is in one stage.
type StageProgress struct {
	// Queue is the stage's. Partitions of a queue are one stage.
	Queue string `json:"queue"`
	// Emitted is how many messages of the job the stage has got, as far as the reports say of what
	// was emitted: a message counts once the one that it comes from is done. A continuation counts
	// as a message.
	Emitted int `json:"emitted"`
	// Done is how many messages of the job were acked. It may exceed Emitted while the one that
	// they come from is handled, and for ever if an attempt that failed has emitted more than its
	// successor.
	Done int `json:"done"`
	// Parked is how many messages of the job are in the stage's error queue. It is 0 without
	// WithParked.
	Parked int `json:"parked,omitempty"`
}

// Progress is how far a job is.
type Progress struct {
	Job   string `json:"job"`
	Queue string `json:"queue,omitempty"` // to which the job's items went; "" if that is not known any more

	// Stages are those that have got messages or done some, in the order in which the job goes
	// through them.
	Stages []StageProgress `json:"stages"`

	// Started says that all items of the start are published.
	Started bool `json:"started"`
	// Complete says that the start and every message that was reported to be emitted is done. It is
	// never true too early. A message that is handled again afterwards, because its ack was lost,
	// and emits more than before makes it false, until these are done too. Watch and Completed have
	// told it by then, and do not take it back.
	Complete bool `json:"complete"`

	Began time.Time `json:"began,omitzero"` // the first Start; zero if that is not known any more
	Last  time.Time `json:"last,omitzero"`  // of the last report, to the second
}

// progress is what the reports so far say.
func (e *entry) progress() Progress {
	p := Progress{Job: e.job, Queue: e.queue, Started: e.tree.Started(), Complete: e.tree.Complete(), Began: e.began, Last: e.last}
	for _, s := range e.tree.Stages() {
		p.Stages = append(p.Stages, StageProgress{Queue: s.Queue, Emitted: s.Emitted, Done: s.Done})
	}
	return p
}

// ProgressOption changes what Progress looks at.
type ProgressOption func(*looking)

// looking is what the options of a Progress say.
type looking struct{ parked bool }

// WithParked has Progress count the job's messages in the error queues of its stages, whose names
// are the stage's and "-error": what a Spec with another ErrorQueue has parked is not counted. It
// reads these queues, each for 10 s and 100,000 messages at most, as package errorqueue does: that
// needs read on them, and holds their messages for so long.
func WithParked() ProgressOption { return func(l *looking) { l.parked = true } }

// Progress says how far a job is. It reads the stream from its first record on, some 20,000 records
// a second, of which each has up to 64 reports. The error is ErrNoJob if the stream knows nothing
// of the job.
func (p *Pipeline) Progress(ctx context.Context, job string, opts ...ProgressOption) (Progress, error) {
	var l looking
	for _, o := range opts {
		if o != nil {
			o(&l)
		}
	}
	b, _, err := p.bookOf(ctx, job)
	if err != nil {
		return Progress{}, err
	}
	progress := b.jobs[job].progress()
	if l.parked {
		return progress, p.countParked(ctx, &progress)
	}
	return progress, nil
}

// bookOf folds the records of one job, of which there is at least one.
func (p *Pipeline) bookOf(ctx context.Context, job string) (b *book, next int64, err error) {
	if err := checkName("the job's id", job, maxJob); err != nil {
		return nil, 0, fmt.Errorf("pipeline: %w", err)
	}
	b = newBook(job)
	next, err = p.fold(ctx, b)
	switch {
	case isGone(err):
		return nil, 0, fmt.Errorf("%w: %s: %w", ErrNoJob, job, err)
	case err != nil:
		return nil, 0, err
	case b.jobs[job] == nil:
		return nil, 0, fmt.Errorf("%w: the stream %s has no record of job %s", ErrNoJob, StreamOf(p.cfg.Name), job)
	}
	return b, next, nil
}

// Jobs says how far each job is that the stream knows, the latest first. A job of a million
// messages takes some 40 KiB of memory while they are read.
func (p *Pipeline) Jobs(ctx context.Context) ([]Progress, error) {
	b := newBook("")
	if _, err := p.fold(ctx, b); err != nil && !isGone(err) {
		return nil, err
	}
	all := make([]Progress, 0, len(b.jobs))
	for _, e := range b.jobs {
		all = append(all, e.progress())
	}
	slices.SortFunc(all, func(a, b Progress) int {
		return cmp.Or(b.Began.Compare(a.Began), cmp.Compare(a.Job, b.Job))
	})
	return all, nil
}
