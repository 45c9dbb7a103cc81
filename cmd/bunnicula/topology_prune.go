package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/bunnicula-go/bunnicula/internal/inspect"
	"github.com/bunnicula-go/bunnicula/topology"
	"github.com/bunnicula-go/bunnicula/topology/topologyfile"
)

var errNoCandidates = errors.New("which queues? Want --management-url, or --delays that consumers once had")

// apiLag is how old the management API's numbers can be: brokers emit them every 5 s.
const apiLag = 6 * time.Second

// pruneOptions are the flags of prune.
type pruneOptions struct {
	file   string
	delays delayList
	old    []string
	kinds  []string
	yes    bool
}

func topologyPrune(a *app) *cobra.Command {
	var o pruneOptions
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "Delete empty queues that no consumer has any more",
		Long: `Finds the retry queues of the consumers in a topology file whose delay is not in the
file any more, and with --yes deletes those that are empty and as a consumer would
have declared them. All others it leaves, and says why.

--old names a consumer that is gone, or that has another name now: then its queues are
found too, of the --kinds that are asked for. It takes the management API. A queue
that the file names, that has messages, consumers or bindings to which no queue of the
file has a like, or to which a queue dead-letters that stays, is never deleted; nor
are the retry queues and the quarantine of a main queue that is still consumed.

The management API tells which there are; without it those of --delays are looked
for. A quorum queue is deleted only with the management API, which alone knows what
such a queue keeps for its main queue, after two looks 6 s apart, since no broker
deletes one only if it is empty. So first stop every program that still has the old
delay, or publishes to the old queue.

Exit code 3 says that there is something to delete, and --yes was not given; or, with
--yes, that a queue that was asked for could not be deleted.`,
		Example: `  bunnicula topology prune --file topology.yml --management-url http://watcher:pw@localhost:15672
  bunnicula topology prune --file topology.yml --delays 30s,5m --yes
  bunnicula topology prune --file topology.yml --old orders --kinds main,retry,error --yes`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := a.read(o.file)
			if err != nil {
				return err
			}
			asked, err := o.check(a)
			if err != nil {
				return err
			}
			if o.yes {
				if err := a.mayChange("topology prune --yes"); err != nil {
					return err
				}
			}
			return a.inspecting(cmd.Context(), func(b *inspect.Broker) error {
				return a.within(cmd.Context(), func(ctx context.Context) error {
					return (&pruning{app: a, broker: b, options: o, asked: asked, plans: plansOf(f)}).run(ctx)
				})
			})
		},
	}
	fileFlag(cmd, &o.file)
	flags := cmd.Flags()
	flags.Var(&o.delays, "delays", "delays that consumers once had: 10s,1m, or ladder")
	flags.StringArrayVar(&o.old, "old", nil, "the main queue of a consumer that is gone; several times")
	flags.StringSliceVar(&o.kinds, "kinds", []string{"retry"}, "of --old: main, retry, quarantine, error")
	flags.BoolVarP(&o.yes, "yes", "y", false, "delete them")
	return cmd
}

// check checks the flags, and returns the roles that are asked for.
func (o pruneOptions) check(a *app) (asked []topology.Role, err error) {
	roles := []topology.Role{topology.RoleMain, topology.RoleRetry, topology.RoleQuarantine, topology.RoleError}
	for _, kind := range o.kinds {
		if !slices.Contains(roles, topology.Role(kind)) {
			return nil, usage(fmt.Errorf("--kinds: %q is no kind, want some of main, retry, quarantine, error", kind))
		}
		asked = append(asked, topology.Role(kind))
	}
	api, _, err := a.api()
	switch {
	case err != nil:
		return nil, err
	case slices.Contains(o.old, ""):
		return nil, usage(errors.New("--old is empty, want the name of a main queue"))
	case len(o.old) == 0 && !slices.Equal(o.kinds, []string{"retry"}):
		return nil, usage(errors.New("--kinds says which queues of --old are deleted, and --old is missing"))
	case len(o.old) > 0 && api == nil:
		return nil, usage(errors.New("--old wants --management-url too, which alone knows bindings, and what consumers hold"))
	case api == nil && !o.delays.given:
		return nil, usage(errNoCandidates)
	}
	return asked, nil
}

func plansOf(f topologyfile.File) []topology.Plan {
	var plans []topology.Plan
	for _, c := range f.Consumers {
		plans = append(plans, c.Plan)
	}
	return plans
}

// pruneReport is what --json prints.
type pruneReport struct {
	Broker string             `json:"broker"`
	Queues []inspect.Leftover `json:"queues"`
}

// pruning is one run of prune. One goroutine uses it.
type pruning struct {
	// Immutable.
	app     *app
	broker  *inspect.Broker
	options pruneOptions
	asked   []topology.Role
	plans   []topology.Plan

	known  *inspect.Known // written by look; nil without the management API
	report pruneReport    // written by run and remove
}

func (p *pruning) run(ctx context.Context) error {
	peer, err := p.broker.Peer(ctx)
	if err != nil {
		return err
	}
	p.report.Broker = where(peer)
	if p.report.Queues, err = p.look(ctx); err != nil {
		return err
	}
	some := slices.ContainsFunc(p.report.Queues, deletable)
	if some && p.options.yes {
		err = p.remove(ctx)
	}
	switch printed := p.print(); {
	case err != nil:
		return err
	case printed != nil:
		return printed
	case some && !p.options.yes, p.options.yes && slices.ContainsFunc(p.report.Queues, stays):
		return found()
	}
	return nil
}

func deletable(l inspect.Leftover) bool { return l.Keep == "" }

// stays says whether a queue that was asked for is still there.
func stays(l inspect.Leftover) bool { return !l.Deleted && !l.Unasked }

// look finds the queues, and says of each whether it must be kept.
func (p *pruning) look(ctx context.Context) (all []inspect.Leftover, err error) {
	if p.known, err = p.app.known(ctx, p.broker); err != nil {
		return nil, err
	}
	if all, err = p.broker.Leftovers(ctx, p.known, p.options.delays.times, p.plans...); err != nil {
		return nil, err
	}
	for _, old := range p.options.old {
		queues, err := p.broker.OldQueues(ctx, p.known, old, p.asked, p.plans...)
		if err != nil {
			return nil, err
		}
		for _, l := range queues {
			if !slices.ContainsFunc(all, func(other inspect.Leftover) bool { return other.Queue == l.Queue }) {
				all = append(all, l)
			}
		}
	}
	return all, nil
}

// remove checks again before it deletes, after the API has renewed all its numbers.
func (p *pruning) remove(ctx context.Context) error {
	if p.known != nil {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(apiLag):
		}
		before := p.report.Queues
		again, err := p.look(ctx)
		if err != nil {
			return err
		}
		for i := range again {
			l := &again[i]
			if l.Keep == "" && !slices.ContainsFunc(before, func(b inspect.Leftover) bool { return b.Queue == l.Queue && b.Keep == "" }) {
				l.Keep = "it was in use a moment ago"
			}
		}
		p.report.Queues = again
	}
	for i := range p.report.Queues {
		if p.known != nil {
			inspect.KeepWhatIsLedTo(p.report.Queues, p.known) // one before may have come into use
		}
		if err := p.broker.Prune(ctx, &p.report.Queues[i]); err != nil {
			return err
		}
	}
	return nil
}

func (p *pruning) print() error {
	a, r := p.app, p.report
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
	fmt.Fprint(a.out, p.summary())
	return nil
}

// summary is the last line.
func (p *pruning) summary() string {
	deleted := 0
	for _, l := range p.report.Queues {
		if l.Deleted {
			deleted++
		}
	}
	switch {
	case len(p.report.Queues) == 0 && len(p.options.old) == 0:
		return "no retry queue that the file does not name\n"
	case len(p.report.Queues) == 0:
		return "no queue that the file does not name\n"
	case !p.options.yes:
		return "nothing was deleted; --yes deletes what can be\n"
	case deleted == 0:
		return "nothing was deleted, because nothing can be\n"
	}
	return ""
}
