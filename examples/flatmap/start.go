package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/bunnicula-go/bunnicula/examples/internal/drill"
	"github.com/bunnicula-go/bunnicula/pipeline"
)

// branches are the items of the job.
func branches(n int) iter.Seq[Branch] {
	return func(yield func(Branch) bool) {
		for i := 1; i <= n; i++ {
			if !yield(Branch{Number: i}) {
				return
			}
		}
	}
}

// start starts the job. It is tried again under its id, because the broker may be killed meanwhile.
func (s *session) start(ctx context.Context) error {
	for until := time.Now().Add(enough); ; {
		_, err := pipeline.Start(ctx, s.bank, s.AccountsQueue(), branches(s.Branches), pipeline.JobID(s.job), pipeline.Resume())
		if err == nil || ctx.Err() != nil || time.Now().After(until) {
			return err
		}
		_, _ = fmt.Fprintf(s.screen, "start: %v\n", err)
		if err := drill.Pause(ctx, drill.Look); err != nil {
			return err
		}
	}
}

// progress asks how far the job is. It is asked again, because the broker may be killed meanwhile.
func (s *session) progress(ctx context.Context, o ...pipeline.ProgressOption) (p pipeline.Progress, err error) {
	for until := time.Now().Add(enough); ; {
		p, err = s.bank.Progress(ctx, s.job, o...)
		if err == nil || errors.Is(err, pipeline.ErrNoJob) || time.Now().After(until) {
			return p, err
		}
		if err := drill.Pause(ctx, drill.Look); err != nil {
			return p, err
		}
	}
}
