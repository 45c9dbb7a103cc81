package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bunnicula-go/bunnicula/pipeline"
)

func jobsLs(a *app) *cobra.Command {
	var name string
	var limit int
	cmd := &cobra.Command{
		Use:   "ls",
		Short: "List the jobs of a pipeline, the latest first",
		Long: `Lists the jobs that the stream of a pipeline knows, the latest first: how long ago they
began and last reported something, and how many messages each stage has done of those
that it has got. A job is starting until all of its items are published, then running,
and complete when all of its messages are done. What has begun before the oldest record
of the stream has no BEGAN, and no start if nothing says that all items were published.`,
		Example: `  bunnicula jobs ls --name bank
  bunnicula jobs ls --name bank --json | jq -r '.jobs[] | select(.complete | not).job'`,
		Args: want(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 0 {
				return usage(fmt.Errorf("--limit is %d, want 0 or more", limit))
			}
			var all []pipeline.Progress
			err := a.withPipeline(cmd, name, func(ctx context.Context, p *pipeline.Pipeline) (err error) {
				name = p.Name() // if it was left out
				all, err = p.Jobs(ctx)
				return err
			})
			if none := (*noJobsError)(nil); errors.As(err, &none) && !a.json {
				_, err = fmt.Fprintln(a.out, "no job:", plain(none.Error()))
				return err
			} else if err != nil && none == nil {
				return err
			}
			return a.printJobs(name, all, limit)
		},
	}
	nameFlag(cmd, &name)
	cmd.Flags().IntVar(&limit, "limit", listed, "how many at most, 0 for all")
	return cmd
}

// jobsShown is what --json prints.
type jobsShown struct {
	At       time.Time  `json:"at"`
	Pipeline string     `json:"pipeline"`
	Jobs     []jobShown `json:"jobs"`
	More     int        `json:"more,omitempty"` // beyond --limit
}

func (a *app) printJobs(name string, all []pipeline.Progress, limit int) error {
	now := time.Now()
	more := 0
	if limit > 0 && len(all) > limit {
		all, more = all[:limit], len(all)-limit
	}
	shown := jobsShown{At: now.UTC().Truncate(time.Second), Pipeline: name, Jobs: []jobShown{}, More: more}
	t := table{heads: []string{"JOB", "STATE", ">BEGAN", ">LAST", "STAGES"}, elastic: []int{4, 0}}
	for i := range all {
		shown.Jobs = append(shown.Jobs, showJob(name, all[i]))
		t.add(all[i].Job, jobState(&all[i]), since(now, all[i].Began), since(now, all[i].Last), stagesLine(&all[i]))
	}
	var text strings.Builder
	if len(all) == 0 {
		fmt.Fprintf(&text, "the stream %s knows no job\n", plain(pipeline.StreamOf(name)))
	} else {
		t.print(&text, a.width())
	}
	if more > 0 {
		fmt.Fprintf(a.err, "the latest %d of %d are listed; --limit 0 lists all\n", limit, limit+more)
	}
	return a.printMoved(shown, text.String(), nil, nil)
}

// since returns how long ago something was, "" if that is not known.
func since(now, at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return ago(now, at) + " ago"
}

// stagesLine is how far each stage is: bank.accounts 3/3, bank.transactions 240/912.
func stagesLine(p *pipeline.Progress) string {
	all := make([]string, len(p.Stages))
	for i, s := range p.Stages {
		all[i] = s.Queue + " " + doneOf(s)
	}
	return strings.Join(all, ", ")
}

// doneOf is how far a stage is. Emitted is not the whole while those that emit are not done.
func doneOf(s pipeline.StageProgress) string { return fmt.Sprintf("%d/%d", s.Done, s.Emitted) }
