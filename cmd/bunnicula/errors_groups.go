package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

func errorsGroups(a *app) *cobra.Command {
	var queue errorsQueue
	var choice choice
	var by string
	cmd := &cobra.Command{
		Use:   "groups QUEUE [TERM...]",
		Short: "Count what is parked, by kind of failure",
		Long: `Counts what is parked by kind of failure, the largest first: consumer, error type
and text without its numbers and ids. FIRST and LAST are how long ago the earliest
and the latest was parked. Under each is the error of one of them. --group takes
what stands in the column GROUP.
` + terms,
		Example: `  bunnicula errors groups orders
  bunnicula errors groups orders --by reason newer=1h
  bunnicula errors groups orders --json | jq -r '.groups[] | "\(.count) \(.sample.error)"'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			filter, err := choice.filter(args[1:])
			if err != nil {
				return err
			}
			queue.name = args[0]
			p := a.progress("read")
			return a.openErrors(cmd, queue, p, func(ctx context.Context, q *errorqueue.Queue) error {
				report, err := q.Groups(ctx, errorqueue.GroupOptions{By: errorqueue.GroupBy(by), Filter: filter, Progress: p.tell})
				p.end()
				if err != nil && report.Messages == 0 {
					return err
				}
				if printed := a.printGroups(q.Name(), report); err == nil {
					err = printed
				}
				return err
			})
		},
	}
	cmd.Flags().StringVar(&by, "by", string(errorqueue.ByGroup), "group, type, reason, consumer, queue, host, app or version")
	choice.addTo(cmd)
	queue.addTo(cmd)
	return cmd
}

// groupsReport is what --json prints.
type groupsReport struct {
	Queue string `json:"queue"`
	errorqueue.GroupReport
}

func (a *app) printGroups(queue string, r errorqueue.GroupReport) error {
	if a.json {
		return a.printJSON(groupsReport{queue, r}, false)
	}
	var text strings.Builder
	writeGroups(&text, queue, r, time.Now(), a.width())
	_, err := fmt.Fprint(a.out, text.String())
	return err
}

func writeGroups(out *strings.Builder, queue string, r errorqueue.GroupReport, now time.Time, width int) {
	t := table{heads: []string{">COUNT", "REASON", "ERROR TYPE", ">FIRST", ">LAST", "GROUP"}, elastic: []int{2, 1, 5}}
	if r.By != errorqueue.ByGroup {
		t = table{heads: []string{">COUNT", strings.ToUpper(string(r.By)), ">FIRST", ">LAST"}, elastic: []int{1}}
	}
	for _, g := range r.Groups {
		first, last := age(now, known(g.First)), age(now, known(g.Last))
		if r.By == errorqueue.ByGroup {
			t.add(fmt.Sprint(g.Count), g.Sample.Reason, g.Sample.Type, first, last, g.Key)
		} else {
			t.add(fmt.Sprint(g.Count), g.Key, first, last)
		}
		text := errorOr(&g.Sample)
		if text == "" && g.Sample.Reason == "" {
			text = "nothing says why: no consumer of this framework parked it"
		}
		t.under(text)
	}
	if len(r.Groups) > 0 {
		t.print(out, width)
	}
	fmt.Fprintf(out, "%s: %s in %s", queue, messages(r.Messages), counted(len(r.Groups), "group", "groups"))
	if r.Other > 0 {
		fmt.Fprintf(out, " and %d more of other groups", r.Other)
	}
	if r.Incomplete {
		out.WriteString(", of what could be read")
	}
	out.WriteString("\n")
}

func messages(n int) string { return counted(n, "message", "messages") }

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
