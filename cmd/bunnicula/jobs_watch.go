package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/bunnicula-go/bunnicula/pipeline"
)

// Nothing has changed for stillFor: what is parked may be the reason. It is looked for again after
// lookEvery.
const (
	stillFor  = 5 * time.Second
	lookEvery = time.Minute
)

func jobsWatch(a *app) *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "watch JOB",
		Short: "Watch a job until it is complete",
		Long: `Draws a bar for each stage of a job: how many messages it has done of those that it has
got, as far as that is reported. It ends when the job is complete, with exit code 0.

When nothing has changed for 5 s, and each minute then, it counts the job's messages in
the error queues of the stages, and says which are parked: the job is not complete before
they are redriven. That needs read on these queues, and holds their messages for 10 s
each at most. With --json each change is a line.`,
		Example: `  bunnicula jobs watch import-17 --name bank
  bunnicula jobs watch import-17 --name bank --timeout 2h && echo imported`,
		Args: want(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			job, err := jobArgument(args)
			if err != nil {
				return err
			}
			return a.withPipeline(cmd, name, func(ctx context.Context, p *pipeline.Pipeline) error {
				w := watch{app: a, pipeline: p, job: job, bars: stageBars{out: a.err, draws: a.draws, quiet: a.json}}
				err := w.run(ctx)
				w.bars.end()
				if w.last.Job == "" || a.json {
					return err
				}
				return cmp.Or(err, a.printJob(p.Name(), &w.last, parkedOf(&w.last) > 0))
			})
		},
	}
	nameFlag(cmd, &name)
	return cmd
}

// watch is one run of jobs watch. Its goroutine has all fields.
type watch struct {
	app      *app
	pipeline *pipeline.Pipeline
	job      string
	bars     stageBars

	last pipeline.Progress
	said string // which are parked
}

// change is what pipeline's Watch yields.
type change struct {
	progress pipeline.Progress
	err      error
}

// run returns when the job is complete.
func (w *watch) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var watcher sync.WaitGroup
	defer watcher.Wait()
	defer cancel(nil)
	changes := make(chan change)
	watcher.Go(func() {
		for p, err := range w.pipeline.Watch(ctx, w.job) {
			select {
			case changes <- change{p, err}:
			case <-ctx.Done():
				return
			}
		}
	})
	still := time.NewTimer(stillFor)
	defer still.Stop()
	for {
		select {
		case c := <-changes:
			if c.err != nil {
				return c.err
			}
			if err := w.show(c.progress); err != nil || c.progress.Complete {
				return err
			}
			still.Reset(stillFor)
		case <-still.C:
			if err := w.look(ctx); err != nil {
				return err
			}
			still.Reset(lookEvery)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (w *watch) show(p pipeline.Progress) error {
	for i := range p.Stages { // what was parked stays so until it is looked for again
		for _, before := range w.last.Stages {
			if before.Queue == p.Stages[i].Queue && !p.Complete {
				p.Stages[i].Parked = before.Parked
			}
		}
	}
	w.last = p
	w.bars.tell(&p)
	if w.app.json {
		return w.app.printJSON(showJob(w.pipeline.Name(), p), true)
	}
	return nil
}

// look looks for what is parked. A user who may not read an error queue is told so once.
func (w *watch) look(ctx context.Context) error {
	p, err := w.pipeline.Progress(ctx, w.job, pipeline.WithParked())
	text := ""
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, pipeline.ErrNoJob):
		return err
	case err != nil:
		text = fmt.Sprintf("what is parked is not known: %s\n", plain(err.Error()))
	default:
		changed := parkedOf(&p) != parkedOf(&w.last)
		if w.bars.tell(&p); changed && w.app.json {
			err = w.app.printJSON(showJob(w.pipeline.Name(), p), true)
		}
		w.last = p
		if text = parkedLines(&p); err != nil {
			return err
		}
	}
	if text != w.said && !w.app.json {
		w.bars.say(strings.TrimSuffix(text, "\n"))
	}
	w.said = text
	return nil
}
