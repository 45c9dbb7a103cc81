package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bunnicula-go/bunnicula/pipeline"
)

func jobsShow(a *app) *cobra.Command {
	var name string
	var parked bool
	cmd := &cobra.Command{
		Use:   "show JOB",
		Short: "Show how far a job is in each stage",
		Long: `Shows how far a job is: how many messages each stage has got, as far as that is reported,
and how many it has done. A message counts as EMITTED once the one that it comes from is
done. DONE may be more: until then, and for ever if an attempt that failed has emitted
more than the one that followed it.

--parked also counts the job's messages in the error queues of the stages, which are
QUEUE-error. It needs read on them, and holds their messages for 10 s each at most.`,
		Example: `  bunnicula jobs show import-17 --name bank
  bunnicula jobs show import-17 --name bank --parked --json | jq '.stages[].parked'`,
		Args: want(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			job, err := jobArgument(args)
			if err != nil {
				return err
			}
			var options []pipeline.ProgressOption
			if parked {
				options = append(options, pipeline.WithParked())
			}
			return a.withPipeline(cmd, name, func(ctx context.Context, p *pipeline.Pipeline) error {
				progress, err := p.Progress(ctx, job, options...)
				if err != nil {
					return err
				}
				return a.printJob(p.Name(), &progress, parked)
			})
		},
	}
	nameFlag(cmd, &name)
	cmd.Flags().BoolVar(&parked, "parked", false, "count what is parked too")
	return cmd
}

func (a *app) printJob(name string, p *pipeline.Progress, parked bool) error {
	var text strings.Builder
	writeJob(&text, name, p, parked, a.width(), time.Now())
	return a.printMoved(showJob(name, *p), text.String(), nil, nil)
}

func writeJob(out *strings.Builder, name string, p *pipeline.Progress, parked bool, width int, now time.Time) {
	fmt.Fprintf(out, "%s of %s: %s\n", plain(p.Job), plain(name), jobState(p))
	if !p.Began.IsZero() {
		fmt.Fprintf(out, "began  %s (%s)\n", moment(p.Began), since(now, p.Began))
	}
	if !p.Last.IsZero() {
		fmt.Fprintf(out, "last   %s (%s)\n", moment(p.Last), since(now, p.Last))
	}
	if jobState(p) == "no start" {
		out.WriteString("its start is not in the stream, which was deleted meanwhile or keeps records for less\nthan the job takes; it is complete only after a Start with its id and Resume\n")
	}
	if len(p.Stages) == 0 {
		return
	}
	t := table{heads: []string{"STAGE", ">EMITTED", ">DONE"}}
	if parked {
		t.heads = append(t.heads, ">PARKED")
	}
	for _, s := range p.Stages {
		row := []string{s.Queue, fmt.Sprint(s.Emitted), fmt.Sprint(s.Done)}
		if parked {
			row = append(row, fmt.Sprint(s.Parked))
		}
		t.add(row...)
	}
	out.WriteString("\n")
	t.print(out, width)
	out.WriteString(parkedLines(p))
}
