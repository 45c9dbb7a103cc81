package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/bunnicula-go/bunnicula/cmd/bunnicula/internal/inspect"
	"github.com/bunnicula-go/bunnicula/topology"
	"github.com/bunnicula-go/bunnicula/topology/topologyfile"
)

var errNoCandidates = errors.New("which queues? Want --management-url, or --delays that consumers once had")

// apiLag is how old the management API's numbers can be: brokers emit them every 5 s.
const apiLag = 6 * time.Second

func topologyPrune(a *app) *cobra.Command {
	var file string
	var delays []time.Duration
	var yes bool
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "Delete empty retry queues whose delay no consumer has any more",
		Long: `Finds the retry queues of the consumers in a topology file whose delay is not in the
file any more, and with --yes deletes those that are empty and as a consumer would
have declared them. All others it leaves, and says why.

The management API tells which there are; without it those of --delays are looked
for. A quorum queue is deleted only with the management API, which alone knows what
such a queue keeps for its main queue, after two looks 6 s apart, since no broker
deletes one only if it is empty. So first stop every program that still has the old
delay.

Exit code 3 says that there is something to delete, and --yes was not given.`,
		Example: `  bunnicula topology prune --file topology.yml --management-url http://watcher:pw@localhost:15672
  bunnicula topology prune --file topology.yml --delays 30s,5m --yes`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := a.read(file)
			if err != nil {
				return err
			}
			if err := checkDelays(delays); err != nil {
				return err
			}
			if yes {
				if err := a.mayChange("topology prune --yes"); err != nil {
					return err
				}
			}
			if api, _, err := a.api(); err != nil {
				return err
			} else if api == nil && len(delays) == 0 {
				return usage(errNoCandidates)
			}
			return a.inspecting(cmd.Context(), func(b *inspect.Broker) error {
				return a.within(cmd.Context(), func(ctx context.Context) error { return a.prune(ctx, b, f, delays, yes) })
			})
		},
	}
	fileFlag(cmd, &file)
	cmd.Flags().DurationSliceVar(&delays, "delays", nil, "delays that consumers once had")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "delete them")
	return cmd
}

// pruneReport is what --json prints.
type pruneReport struct {
	Broker string             `json:"broker"`
	Queues []inspect.Leftover `json:"queues"`
}

func (a *app) prune(ctx context.Context, b *inspect.Broker, f topologyfile.File, delays []time.Duration, yes bool) error {
	peer, err := b.Peer(ctx)
	if err != nil {
		return err
	}
	look := func() ([]inspect.Leftover, error) {
		known, err := a.known(ctx, b)
		if err != nil {
			return nil, err
		}
		var plans []topology.Plan
		for _, c := range f.Consumers {
			plans = append(plans, c.Plan)
		}
		return b.Leftovers(ctx, known, delays, plans...)
	}
	r := pruneReport{Broker: where(peer)}
	if r.Queues, err = look(); err != nil {
		return err
	}
	deletable := func(l inspect.Leftover) bool { return l.Keep == "" }
	some := slices.ContainsFunc(r.Queues, deletable)
	if some && yes {
		err = a.deleteLeftovers(ctx, b, &r, look)
	}
	switch printed := a.printLeftovers(r, yes); {
	case err != nil:
		return err
	case printed != nil:
		return printed
	case some && !yes:
		return found()
	}
	return nil
}

// deleteLeftovers checks again before it deletes, after the API has renewed all its numbers.
func (a *app) deleteLeftovers(ctx context.Context, b *inspect.Broker, r *pruneReport, look func() ([]inspect.Leftover, error)) error {
	if api, _, _ := a.api(); api != nil {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(apiLag):
		}
		before := r.Queues
		again, err := look()
		if err != nil {
			return err
		}
		for i := range again {
			l := &again[i]
			if l.Keep == "" && !slices.ContainsFunc(before, func(b inspect.Leftover) bool { return b.Queue == l.Queue && b.Keep == "" }) {
				l.Keep = "it was in use a moment ago"
			}
		}
		r.Queues = again
	}
	for i := range r.Queues {
		if err := b.Prune(ctx, &r.Queues[i]); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) printLeftovers(r pruneReport, yes bool) error {
	if a.json {
		return a.printJSON(r, false)
	}
	fmt.Fprintln(a.out, r.Broker)
	for _, l := range r.Queues {
		queue := plain(l.Queue)
		switch {
		case l.Deleted:
			fmt.Fprintf(a.out, "- %s  deleted\n", queue)
		case l.Keep == "":
			fmt.Fprintf(a.out, "- %s  can be deleted\n", queue)
		default:
			fmt.Fprintf(a.out, "= %s  left\n%s\n", queue, fold(l.Keep, "    "))
		}
	}
	switch {
	case len(r.Queues) == 0:
		fmt.Fprintln(a.out, "no retry queue that the file does not name")
	case !yes:
		fmt.Fprintln(a.out, "nothing was deleted; --yes deletes what can be")
	}
	return nil
}
