package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bunnicula-go/bunnicula/control"
)

func controlRunning(a *app) *cobra.Command {
	var o fleetOptions
	var watch, stack bool
	cmd := &cobra.Command{
		Use:   "running [CONSUMER...]",
		Short: "Show which handlers run now, in all processes",
		Long: `Shows the handlers that run in all processes: of which consumer, for how long, with
which attempt, type and id of its message, and where. Stuck ones, which have not
returned after their timeout and grace, come first; --stack prints where in the code
such a one was when it was found to be stuck. The others follow, the longest first. A
process tells of at most 100 handlers of each consumer, and one that does not answer in
time is not known.

Exit code 3 says that one is stuck.`,
		Example: `  bunnicula control running
  bunnicula control running orders 'bank.*' --watch
  bunnicula control running --stack
  bunnicula control running --json | jq '.processes[].consumers[] | select(.running > 0)'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(args); err != nil {
				return err
			}
			return a.withFleet(cmd.Context(), o.stream, false, func(f fleet) error {
				return again(cmd.Context(), a, watch, func() error {
					return a.within(cmd.Context(), func(ctx context.Context) error {
						r, err := askRunning(ctx, f, o.wait, args)
						if err != nil {
							return err
						}
						return a.printRunning(r, stack, watch)
					})
				})
			})
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.BoolVar(&stack, "stack", false, "the stacks of stuck handlers too")
	flags.BoolVarP(&watch, "watch", "w", false, "look again every 2 s, until ^C")
	o.addTo(cmd)
	return cmd
}

// runningReport is what runs at one moment.
type runningReport struct {
	at        time.Time
	processes []control.Process
}

// runningShown is what --json prints.
type runningShown struct {
	At        time.Time      `json:"at"`
	Processes []processShown `json:"processes"`
}

// askRunning asks for the consumers that names and patterns mean, for all if there are none.
func askRunning(ctx context.Context, f fleet, wait time.Duration, names []string) (r runningReport, err error) {
	asked := names
	if slices.ContainsFunc(names, isPattern) {
		asked = nil // patterns are matched here
	}
	if r.processes, err = f.Processes(ctx, wait, asked...); err != nil {
		return r, err
	}
	all := r.processes
	if len(names) > 0 {
		r.processes = chosen(all, names)
	}
	if len(r.processes) == 0 && len(names) > 0 {
		if asked != nil {
			if all, err = f.Processes(ctx, wait); err != nil {
				return r, err
			}
		}
		return r, nobody(names, all)
	}
	r.at = time.Now()
	sortProcesses(r.processes)
	return r, nil
}

// chosen returns the processes with the consumers that names and patterns mean.
func chosen(all []control.Process, names []string) (some []control.Process) {
	for _, p := range all {
		p.Consumers = slices.DeleteFunc(slices.Clone(p.Consumers), func(m control.Member) bool {
			return !slices.ContainsFunc(names, func(name string) bool { return orderName(name, m) != "" })
		})
		if len(p.Consumers) > 0 {
			some = append(some, p)
		}
	}
	return some
}

func (a *app) printRunning(r runningReport, stack, watch bool) error {
	all := r.handlers()
	var text strings.Builder
	if watch && !a.json {
		if a.shows {
			text.WriteString("\x1b[H\x1b[2J") // clear the screen and write from its top
		}
		fmt.Fprintln(&text, r.at.Local().Format(time.TimeOnly))
	}
	r.write(&text, all, stack, a.width())
	if a.json {
		if err := a.printJSON(runningShown{r.at.UTC().Truncate(time.Second), showProcesses(r.processes, true)}, watch); err != nil {
			return err
		}
	} else if _, err := io.WriteString(a.out, text.String()); err != nil {
		return err
	}
	if !watch && len(all) > 0 && all[0].Stuck {
		return found()
	}
	return nil
}

// aHandler is a handler, with where it runs.
type aHandler struct {
	control.Handler
	consumer, process string
}

// handlers returns all handlers, those that are stuck first, and then the longest.
func (r runningReport) handlers() (all []aHandler) {
	for _, p := range r.processes {
		for _, m := range p.Consumers {
			for _, h := range m.Running {
				all = append(all, aHandler{h, m.Name, processName(p)})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b aHandler) int {
		return cmp.Or(-compareBool(a.Stuck, b.Stuck), a.Since.Compare(b.Since))
	})
	return all
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

func (r runningReport) write(out *strings.Builder, all []aHandler, stack bool, width int) {
	t := table{heads: []string{"CONSUMER", ">FOR", ">ATTEMPT", "TYPE", "MESSAGE ID", "PROCESS", "NOTE"}, elastic: []int{5, 3, 0, 4}}
	stuck := 0
	for _, h := range all {
		var notes []string
		if h.Stuck {
			notes = append(notes, "stuck")
			stuck++
		}
		if h.Given {
			notes = append(notes, "id given")
		}
		t.add(h.consumer, age(r.at, &h.Since), fmt.Sprint(h.Attempt), h.Type, h.MessageID, h.process, strings.Join(notes, ", "))
	}
	if len(all) > 0 {
		t.print(out, width)
	}
	if stack {
		writeStacks(out, all)
	}
	running, consumers := 0, 0
	for _, p := range r.processes {
		for _, m := range p.Consumers {
			running += m.RunningCount
			consumers++
		}
	}
	fmt.Fprintf(out, "%s in %s with %s", counted(running, "handler runs", "handlers run"),
		counted(len(r.processes), "process", "processes"), counted(consumers, "consumer", "consumers"))
	if stuck > 0 {
		fmt.Fprintf(out, ", %d stuck", stuck)
		if !stack {
			out.WriteString(" (--stack shows where)")
		}
	}
	out.WriteString("\n")
	if more := running - len(all); more > 0 {
		fmt.Fprintf(out, "%d of them are not shown: a process tells of 100 of each consumer\n", more)
	}
}

// writeStacks writes where stuck handlers were.
func writeStacks(out *strings.Builder, all []aHandler) {
	for _, h := range all {
		if h.Stack == "" {
			continue
		}
		fmt.Fprintf(out, "\n%s  %s  %s\n", plain(h.consumer), plain(h.MessageID), plain(h.process))
		for line := range strings.Lines(plainLines(strings.TrimRight(h.Stack, "\n"))) {
			out.WriteString("    " + strings.TrimRight(line, "\n") + "\n")
		}
	}
	out.WriteString("\n")
}
