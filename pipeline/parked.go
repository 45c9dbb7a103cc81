package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// Bounds of the look into one error queue.
const (
	parkedWithin = 10 * time.Second
	mostParked   = 100_000
)

// countParked sets Parked of each stage. A stage without an error queue has none.
func (p *Pipeline) countParked(ctx context.Context, progress *Progress) error {
	for i := range progress.Stages {
		s := &progress.Stages[i]
		n, err := p.parked(ctx, s.Queue, progress.Job)
		if err != nil && !errors.Is(err, errorqueue.ErrNoQueue) {
			return fmt.Errorf("pipeline: messages of job %s in the error queue of %s: %w", progress.Job, s.Queue, err)
		}
		s.Parked = n
	}
	return nil
}

// parked counts the messages of a job in the error queue of a stage.
func (p *Pipeline) parked(ctx context.Context, queue, job string) (n int, err error) {
	ctx, cancel := context.WithTimeout(ctx, parkedWithin)
	defer cancel()
	q, err := errorqueue.Open(ctx, p.conn, errorqueue.Config{Queue: queue}, p.cfg.Logger)
	if err != nil {
		return 0, err
	}
	defer q.Close(context.WithoutCancel(ctx))
	only := errorqueue.Filter{Headers: []errorqueue.HeaderMatch{{Name: jobHeader, Value: job}}}
	for _, err := range q.List(ctx, errorqueue.ListOptions{Filter: only, Limit: mostParked}) {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}
