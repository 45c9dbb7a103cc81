package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bunnicula-go/bunnicula/cmd/bunnicula/internal/doctor"
	"github.com/bunnicula-go/bunnicula/cmd/bunnicula/internal/inspect"
	"github.com/bunnicula-go/bunnicula/topology"
	"github.com/bunnicula-go/bunnicula/topology/topologyfile"
)

func doctorCommand(a *app) *cobra.Command {
	var file string
	var delays []time.Duration
	cmd := &cobra.Command{
		Use:   "doctor [QUEUE...]",
		Short: "Say what is wrong or risky, why, and what to do",
		Long: `Looks at the broker and at consumers' queues, and says what is wrong or risky, why it
matters and what to do about it. It changes nothing: what it tries are declarations
and consumers that the broker must refuse, and a message that nobody gets.

Consumers are those of a topology file, or are named by their main queues; those are
taken to be as Bunnicula declares them. Without either it looks at the broker alone.
The management API adds policies, alarms, replicas, and what waits unseen.

Exit code 3 says that something serious was found.`,
		Example: `  bunnicula doctor --file topology.yml
  bunnicula doctor orders --delays 10s,1m --management-url http://watcher:secret@localhost:15672
  bunnicula doctor --file topology.yml --json | jq '.findings[] | select(.severity == "serious")'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			consumers, err := a.patients(file, delays, args)
			if err != nil {
				return err
			}
			return a.inspecting(cmd.Context(), func(b *inspect.Broker) error {
				return a.within(cmd.Context(), func(ctx context.Context) error { return a.examine(ctx, b, consumers) })
			})
		},
	}
	fileFlag(cmd, &file)
	cmd.Flags().DurationSliceVar(&delays, "delays", nil, "delays of the retry queues of queues that no file names")
	return cmd
}

// patients returns the consumers of a file and of arguments.
func (a *app) patients(file string, delays []time.Duration, args []string) ([]doctor.Consumer, error) {
	var consumers []doctor.Consumer
	named := map[string]bool{}
	if file != "" {
		f, err := a.read(file)
		if err != nil {
			return nil, err
		}
		for _, c := range f.Consumers {
			consumers = append(consumers, doctor.Consumer{Consumer: c})
			named[c.Plan.Queue] = true
		}
	}
	for _, queue := range args {
		if named[queue] {
			return nil, usage(fmt.Errorf("queue %q is given twice, as an argument and in the file or before", queue))
		}
		named[queue] = true
		plan := topology.Plan{Queue: queue, Delays: delays}
		t, err := topology.New(plan)
		if err != nil {
			return nil, usage(err)
		}
		consumers = append(consumers, doctor.Consumer{Consumer: topologyfile.Consumer{Plan: plan, Topology: t}, Guessed: true})
	}
	if len(delays) > 0 && len(args) == 0 {
		return nil, usage(errors.New("--delays is for queues that are named, and none is"))
	}
	return consumers, nil
}

// doctorReport is what --json prints.
type doctorReport struct {
	Broker   string           `json:"broker"`
	Version  string           `json:"version"`
	Findings []doctor.Finding `json:"findings"`
}

func (a *app) examine(ctx context.Context, b *inspect.Broker, consumers []doctor.Consumer) error {
	api, done, err := a.api()
	if err != nil {
		return err
	}
	defer done()
	facts, err := doctor.Examine(ctx, b, api, consumers)
	if err != nil {
		return err
	}
	r := doctorReport{Broker: where(facts.Peer), Version: facts.Peer.Product + " " + facts.Peer.Version, Findings: doctor.Diagnose(facts)}
	if a.json {
		err = a.printJSON(r, false)
	} else {
		a.printFindings(r)
	}
	if err == nil && doctor.Worst(r.Findings) == doctor.Serious {
		return found()
	}
	return err
}

func (a *app) printFindings(r doctorReport) {
	fmt.Fprintf(a.out, "%s  %s\n", r.Broker, plain(r.Version))
	colors := map[doctor.Severity]string{doctor.Serious: red, doctor.Warning: yellow, doctor.Note: green}
	count := map[doctor.Severity]int{}
	for _, f := range r.Findings {
		count[f.Severity]++
		// The severity is coloured after the text was folded, because colours would count as width.
		text := strings.TrimPrefix(fold(fmt.Sprintf("%s: %s", f.Subject, f.Problem), "         "), "         ")
		fmt.Fprintf(a.out, "\n%s  %s\n", a.paint(colors[f.Severity], fmt.Sprintf("%-7s", f.Severity)), text)
		for _, part := range []struct{ name, text string }{{"why", f.Why}, {"do", f.Do}, {"see", f.See}} {
			fmt.Fprintf(a.out, "    %-4s %s\n", part.name, strings.TrimPrefix(fold(part.text, "         "), "         "))
		}
	}
	serious := fmt.Sprintf("%d serious", count[doctor.Serious])
	unlooked := slices.ContainsFunc(r.Findings, func(f doctor.Finding) bool { return f.Check == doctor.NotLooked })
	if unlooked && count[doctor.Serious] == 0 {
		serious = "nothing serious in what could be looked at, which is not the policies"
	}
	fmt.Fprintf(a.out, "\n%s, %d to be warned of, %d to be known\n", serious, count[doctor.Warning], count[doctor.Note])
}
