package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/bunnicula-go/bunnicula/examples/internal/drill"
	"github.com/bunnicula-go/bunnicula/pipeline"
)

// Watch follows the progress of the job, and checks it: a row that is said to be done is in the
// database, and when the job is said to be complete, all of them are.
type Watch struct {
	bank *pipeline.Pipeline
	job  string
	rows string // the queue of the sink
	want Wanted
	db   *sql.DB

	tally *Tally
}

// Follow returns when the job is complete, or cannot be watched.
func (w *Watch) Follow(ctx context.Context) error {
	for {
		for p, err := range w.bank.Watch(ctx, w.job) {
			switch {
			case ctx.Err() != nil:
				return context.Cause(ctx)
			case errors.Is(err, pipeline.ErrNoJob):
				return err
			case err != nil: // the broker is away
			default:
				err = w.see(ctx, p)
			}
			if err != nil {
				w.tally.Blind()
				break
			}
			if p.Complete {
				return nil
			}
		}
		if err := drill.Pause(ctx, 250*time.Millisecond); err != nil {
			return err
		}
	}
}

// see compares a Progress with what is in the database a moment later.
func (w *Watch) see(ctx context.Context, p pipeline.Progress) error {
	saved, err := count(ctx, w.db)
	if err != nil {
		return fmt.Errorf("the database: %w", err)
	}
	w.tally.Saw(p, w.judge(p, saved))
	return nil
}

// judge says what is wrong with a Progress, if so many rows were saved a moment later.
func (w *Watch) judge(p pipeline.Progress, saved int) (wrong []string) {
	if done := stage(p, w.rows).Done; done > saved {
		wrong = append(wrong, fmt.Sprintf("progress: %d rows were said to be done when the database had %d", done, saved))
	}
	if p.Complete && saved < w.want.Rows {
		wrong = append(wrong, fmt.Sprintf("progress: the job was said to be complete when the database had %d of %d rows", saved, w.want.Rows))
	}
	return wrong
}

// stage is the progress of one stage.
func stage(p pipeline.Progress, queue string) pipeline.StageProgress {
	for _, s := range p.Stages {
		if s.Queue == queue {
			return s
		}
	}
	return pipeline.StageProgress{Queue: queue}
}
