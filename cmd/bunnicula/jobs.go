package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/inspect"
	"github.com/bunnicula-go/bunnicula/pipeline"
	"github.com/bunnicula-go/bunnicula/publisher"
)

func jobsCommand(a *app) *cobra.Command {
	return group(&cobra.Command{
		Use:   "jobs",
		Short: "See how far the jobs of a pipeline are",
		Long: `Shows how far the jobs of a pipeline are, as the handlers of its stages have reported it
to its stream. The stream forgets what is older than its age, 30 days unless the app says
otherwise. A job of which a message is parked is not complete; it goes on when that is
redriven.

--name is the Name in the app's pipeline.Config. It may be left out with the management
API, if there is one stream whose name ends in -progress.`,
		Example: `  bunnicula jobs ls --name bank
  bunnicula jobs show import-17 --name bank --parked
  bunnicula jobs watch import-17 --name bank`,
	},
		jobsLs(a),
		jobsShow(a),
		jobsWatch(a),
	)
}

// nameFlag adds --name.
func nameFlag(cmd *cobra.Command, name *string) {
	cmd.Flags().SortFlags = false
	cmd.Flags().StringVar(name, "name", "", "the pipeline, as its app's Config names it")
}

// jobArgument returns JOB.
func jobArgument(args []string) (string, error) {
	if args[0] == "" { // probably an unset variable of a shell
		return "", usage(errors.New("JOB is empty, want the id of a job"))
	}
	return args[0], nil
}

// withPipeline runs f with the pipeline of that name, whose stream exists. It is bound by --timeout
// only if that was given.
func (a *app) withPipeline(cmd *cobra.Command, name string, f func(context.Context, *pipeline.Pipeline) error) error {
	if name == "" && a.management == "" && a.getenv("RABBITMQ_MANAGEMENT_URL") == "" {
		return usage(errors.New("--name is missing, want the Name of the app's pipeline.Config"))
	}
	return a.connected(cmd.Context(), func(conn *connection.Connection) error {
		if err := a.answers(cmd.Context(), conn.Transport().Consuming()); err != nil {
			return err
		}
		return a.ifAsked(cmd, func(ctx context.Context) (err error) {
			if name == "" {
				if name, err = a.onlyPipeline(ctx, inspect.New(conn.Transport().Consuming())); err != nil {
					return err
				}
			}
			return a.onPipeline(ctx, conn, name, f)
		})
	})
}

// onPipeline is withPipeline on a connection that answers.
func (a *app) onPipeline(ctx context.Context, conn *connection.Connection, name string, f func(context.Context, *pipeline.Pipeline) error) error {
	log := slog.New(slog.DiscardHandler)
	pub, err := publisher.New(conn, publisher.Config{}, log) // it is not used
	if err != nil {
		return err
	}
	stop := func(stop func(context.Context) error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
		defer cancel()
		_ = stop(ctx) // nothing was written
	}
	defer stop(pub.Stop)
	p, err := pipeline.New(conn, pub, pipeline.Config{Name: name, Logger: log})
	if err != nil {
		return usage(fmt.Errorf("--name: %w", err))
	}
	defer stop(p.Stop)
	if is, err := a.hasStream(ctx, conn, pipeline.StreamOf(name)); err != nil {
		return err
	} else if !is {
		return &noJobsError{name}
	}
	return f(ctx, p)
}

// noJobsError says that a pipeline has no jobs, because there is no stream.
type noJobsError struct{ name string }

func (e *noJobsError) Error() string {
	return fmt.Sprintf("there is no stream %q, so the pipeline %q has no jobs: apps with pipeline.Module declare it when they start",
		pipeline.StreamOf(e.name), e.name)
}

// onlyPipeline returns the name of the pipeline that the management API knows.
func (a *app) onlyPipeline(ctx context.Context, b *inspect.Broker) (string, error) {
	var names []string
	err := a.within(ctx, func(ctx context.Context) error {
		known, err := a.known(ctx, b)
		if err != nil {
			return err
		}
		for i := range known.Queues {
			name, is := strings.CutSuffix(known.Queues[i].Name, pipeline.StreamOf(""))
			if is && known.Queues[i].Type == "stream" {
				names = append(names, name)
			}
		}
		return nil
	})
	slices.Sort(names)
	switch {
	case err != nil:
		return "", err
	case len(names) == 0:
		return "", usage(fmt.Errorf("--name is missing, and no stream has a name that ends in %s", pipeline.StreamOf("")))
	case len(names) > 1:
		return "", usage(fmt.Errorf("--name is missing, want one of %s", strings.Join(names, ", ")))
	}
	return names[0], nil
}

// jobShown is what --json prints of a job.
type jobShown struct {
	Pipeline string `json:"pipeline"`
	pipeline.Progress
}

func showJob(name string, p pipeline.Progress) jobShown {
	if p.Stages == nil {
		p.Stages = []pipeline.StageProgress{}
	}
	p.Began, p.Last = p.Began.UTC().Truncate(time.Second), p.Last.UTC().Truncate(time.Second)
	return jobShown{name, p}
}

// jobState is a word or two for how far a job is.
func jobState(p *pipeline.Progress) string {
	switch {
	case p.Complete:
		return "complete"
	case p.Started:
		return "running"
	case p.Began.IsZero():
		return "no start"
	}
	return "starting"
}

// parkedOf returns how many messages of a job are parked, of those that were looked for.
func parkedOf(p *pipeline.Progress) int {
	n := 0
	for _, s := range p.Stages {
		n += s.Parked
	}
	return n
}

// parkedLines says which stages have parked messages, and how they are shown.
func parkedLines(p *pipeline.Progress) string {
	var text strings.Builder
	for _, s := range p.Stages {
		if s.Parked > 0 {
			fmt.Fprintf(&text, "%s of %s parked: bunnicula errors groups %s header.job=%s\n",
				messages(s.Parked), plain(s.Queue), plain(s.Queue), plain(p.Job))
		}
	}
	return text.String()
}
