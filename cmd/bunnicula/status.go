package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/inspect"
	"github.com/bunnicula-go/bunnicula/internal/management"
)

const watchEvery = 2 * time.Second

type statusOptions struct {
	file   string
	delays delayList
	watch  bool
	all    bool
}

// statusReport is what --json prints.
type statusReport struct {
	At        time.Time        `json:"at"`
	Broker    string           `json:"broker"`
	Consumers []inspect.Status `json:"consumers"`
	Orders    []orderShown     `json:"orders,omitempty"` // that stand for them

	facts orderFacts
}

func statusCommand(a *app) *cobra.Command {
	var o statusOptions
	cmd := &cobra.Command{
		Use:   "status [QUEUE...]",
		Short: "Show how many messages are in each consumer's queues",
		Long: `Shows each consumer's main queue, its retry queues by delay, its quarantine and its
error queue: how many messages are ready, how many consumers took and have not
acked (UNACKED), how many consumers there are, and how old the message at the
queue's head is.

Consumers are those of a topology file, or are named by their main queues, with
their retry queues by --delays or the management API; with that API and without
names all that exist are shown.
UNACKED and OLDEST are blank without it; OLDEST is known for classic queues only,
and messages with a timestamp.

"All back by" (NOTE) is when all that waits in a retry queue now has gone back to the
main queue, at the latest: each message waits there for the queue's delay. When it
came, the broker does not tell. Of a classic queue whose messages have a timestamp the
management API tells before when none goes back. What is due later than that, by its
header bunnicula-not-before, then waits again; until when, only the header tells, and
status takes no message to look. Three or more empty retry queues have one line; --all
has a line for each.

The management API alone knows how many messages are kept (NOTE): their time in a
retry queue is over, and the broker could not put them into the main queue yet, as
after its restart. AMQP counts them in no queue.

A queue that has partitions in its place, as orders.p00, means all of them. Three or
more have the lines of one consumer, with the sums; --all has a line for each queue, and
bunnicula partitions says who has which. "Paused until" is an order of bunnicula control.

Exit code 3 says that a main queue is missing.`,
		Example: `  bunnicula status --file topology.yml
  bunnicula status orders refunds --delays 10s,1m
  bunnicula status emails --delays ladder --all
  bunnicula status --management-url http://watcher:secret@localhost:15672
  bunnicula status orders --json | jq '.consumers[].queues[] | select(.role == "error").ready'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.status(cmd.Context(), o, args)
		},
	}
	fileFlag(cmd, &o.file)
	cmd.Flags().Var(&o.delays, "delays", namedDelays)
	cmd.Flags().BoolVarP(&o.all, "all", "a", false, "a line for each retry queue, empty ones too")
	cmd.Flags().BoolVarP(&o.watch, "watch", "w", false, "look again every 2 s, until ^C")
	return cmd
}

func (a *app) status(ctx context.Context, o statusOptions, args []string) error {
	consumers, err := a.consumers(o.file, o.delays.times, args)
	if err != nil {
		return err
	}
	api, _, err := a.api()
	if err != nil {
		return err
	} else if len(consumers) == 0 && api == nil {
		return usage(errors.New("which consumers? Want their queues' names, or --file, or --management-url to see all"))
	}
	w := statusWatch{
		app: a, consumers: consumers, again: o.watch, all: o.all,
		unseen: api == nil && slices.ContainsFunc(consumers, func(c inspect.Consumer) bool { return c.Unnamed }),
		// AMQP does not count what is dead-lettered and not yet confirmed.
		unkept: api == nil,
	}
	return a.inspectingBy(ctx, func(conn *connection.Connection, b *inspect.Broker) error {
		w.conn = conn
		return w.run(ctx, b)
	})
}

// statusWatch prints the status once or repeatedly.
type statusWatch struct {
	app       *app
	conn      *connection.Connection
	consumers []inspect.Consumer
	again     bool // repeat until ^C
	all       bool // a line for each retry queue
	unseen    bool // the report says that the retry queues are unknown
	unkept    bool // the report says that what the broker keeps is unknown
}

func (w statusWatch) run(ctx context.Context, b *inspect.Broker) error {
	for seen := false; ; seen = true {
		missing, err := w.once(ctx, b)
		switch {
		case err != nil && w.again && seen && ctx.Err() == nil:
			fmt.Fprintln(w.app.err, "bunnicula:", err) // and try again: the broker may come back
		case err != nil:
			return err
		case !w.again && missing:
			return found()
		case !w.again:
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(watchEvery):
		}
	}
}

// once prints one report, and says whether a main queue is missing.
func (w statusWatch) once(ctx context.Context, b *inspect.Broker) (missing bool, err error) {
	err = w.app.within(ctx, func(ctx context.Context) error {
		report, err := w.app.look(ctx, b, w.consumers)
		if err != nil {
			return err
		}
		report.stand(w.app.standingOrders(ctx, w.conn, false))
		missing = slices.ContainsFunc(report.Consumers, inspect.Status.Missing)
		return w.app.printStatus(report, w)
	})
	return missing, err
}

// consumers returns the consumers of a file and of the arguments. With a file, the arguments select
// some of its consumers.
func (a *app) consumers(file string, delays []time.Duration, args []string) ([]inspect.Consumer, error) {
	var consumers []inspect.Consumer
	if file != "" {
		f, err := a.read(file)
		if err != nil {
			return nil, err
		}
		for _, t := range f.Topologies() {
			if c := inspect.FromTopology(t); len(args) == 0 || slices.Contains(args, c.Name) {
				consumers = append(consumers, c)
			}
		}
	}
	for _, queue := range args {
		if queue == "" {
			return nil, usage(errors.New("an argument is empty, want the name of a queue"))
		}
		if !slices.ContainsFunc(consumers, func(c inspect.Consumer) bool { return c.Name == queue }) {
			consumers = append(consumers, inspect.FromName(queue, delays))
		}
	}
	return consumers, nil
}

func (a *app) look(ctx context.Context, b *inspect.Broker, consumers []inspect.Consumer) (statusReport, error) {
	peer, err := b.Peer(ctx)
	if err != nil {
		return statusReport{}, err
	}
	known, err := a.known(ctx, b)
	if err != nil {
		return statusReport{}, err
	}
	var queues map[string]management.Queue
	if known != nil {
		queues = known.Queues
	}
	if consumers, err = expandConsumers(ctx, b, consumers); err != nil {
		return statusReport{}, err
	}
	all, err := b.Look(ctx, inspect.Complete(consumers, slices.Sorted(maps.Keys(queues))), queues)
	return statusReport{At: time.Now().UTC().Truncate(time.Second), Broker: where(peer), Consumers: shareErrors(all)}, err
}

func (a *app) printStatus(r statusReport, w statusWatch) error {
	if a.json {
		return a.printJSON(r, w.again)
	}
	var text strings.Builder
	if w.again {
		if a.shows {
			text.WriteString("\x1b[H\x1b[2J") // clear the screen and write from its top
		}
		fmt.Fprintf(&text, "%s  %s\n", r.At.Local().Format(time.TimeOnly), r.Broker)
	}
	if len(r.Consumers) == 0 {
		fmt.Fprintf(&text, "no queue of %s looks like a consumer's\n", r.Broker)
	} else {
		writeStatus(&text, r, w.all, a.width())
	}
	if w.unseen {
		text.WriteString("without retry queues: --delays, --file or --management-url tell which there are\n")
	}
	if slices.ContainsFunc(r.Consumers, waits) {
		text.WriteString(waitsUntil)
	}
	if w.unkept {
		text.WriteString("without what is kept, which AMQP does not count: --management-url tells\n")
	}
	_, err := io.WriteString(a.out, text.String())
	return err
}
