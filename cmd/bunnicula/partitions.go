package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/control"
	"github.com/bunnicula-go/bunnicula/internal/inspect"
	"github.com/bunnicula-go/bunnicula/internal/management"
	"github.com/bunnicula-go/bunnicula/topology"
	"github.com/bunnicula-go/bunnicula/topology/topologyfile"
)

type partitionsOptions struct {
	file   string
	of     int
	delays delayList
	watch  bool
}

func partitionsCommand(a *app) *cobra.Command {
	var o partitionsOptions
	cmd := &cobra.Command{
		Use:   "partitions QUEUE",
		Short: "Show who has which partition of a queue, and which stand still",
		Long: `Shows the partitions of a queue, those of consumer.Partitioned: how many messages are
ready, taken and not acked (UNACKED), or wait for another try (RETRYING), who has the
partition, and which message is in its handler for how long.

WHO is the active consumer, by the name of its connection or by its process: the others
stand by. The management API tells the first, and apps with control.Module the second
and the message. AMQP alone tells only whether somebody is active, and of classic queues
not even that.

    missing        it is not there, and other partitions are
    nobody         it has no consumer
    nobody active  consumers stand by, and none is active
    holder gone    its active consumer has ended, and the broker has not noticed
    left over      it is one of a larger n, which nobody has any more
    not single     its queue has no single active consumer, so nothing is in order

How many there should be, --of says, or --file. Otherwise it is as many as processes with
control.Module have, or else up to the last one that has a consumer.

Exit code 3 says that one stands still: missing, with nobody, held by a consumer that is
gone (to be sure it looks again 11 s later), with a handler that is stuck, or left over with
messages; or that one is not single.`,
		Example: `  bunnicula partitions orders
  bunnicula partitions orders --of 16 --delays 10s,1m
  bunnicula partitions orders --watch --management-url http://watcher:secret@localhost:15672
  bunnicula partitions orders --json | jq -r '.list[] | select(.stands_still).queue'`,
		Args: want(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			expect, err := a.expected(cmd, o, args[0])
			if err != nil {
				return err
			}
			if _, _, err := a.api(); err != nil {
				return err
			}
			return a.inspectingBy(cmd.Context(), func(conn *connection.Connection, b *inspect.Broker) error {
				return again(cmd.Context(), a, o.watch, func() error {
					return a.within(cmd.Context(), func(ctx context.Context) error {
						r, err := a.partitions(ctx, conn, b, args[0], expect)
						if err != nil {
							return err
						}
						return a.printPartitions(r, o.watch)
					})
				})
			})
		},
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().IntVar(&o.of, "of", 0, "how many partitions the consumers have, the n of Partitioned")
	fileFlag(cmd, &o.file)
	cmd.Flags().Var(&o.delays, "delays", "delays of the retry queues of each partition: 10s,1m")
	cmd.Flags().BoolVarP(&o.watch, "watch", "w", false, "look again every 2 s, until ^C")
	return cmd
}

// expected returns what the flags say of the partitions of a queue.
func (a *app) expected(cmd *cobra.Command, o partitionsOptions, queue string) (want inspect.Expect, err error) {
	of, number, isOne := topology.PartitionOf(queue)
	switch {
	case queue == "":
		return want, usage(errors.New("QUEUE is empty, want the queue whose partitions are to be shown"))
	case isOne:
		return want, usage(fmt.Errorf("QUEUE is %q, which is partition %d: want the queue that it is of, %q", queue, number, of))
	case cmd.Flags().Changed("of") && (o.of < 1 || o.of > topology.MaxPartitions):
		return want, usage(fmt.Errorf("--of is %d, want 1 to %d partitions", o.of, topology.MaxPartitions))
	}
	want = inspect.Expect{N: o.of, Delays: o.delays.times, NFrom: inspect.NGiven}
	if o.file == "" {
		return want, nil
	}
	f, err := a.read(o.file)
	if err != nil {
		return want, err
	}
	highest := expectOf(f, queue, &want)
	if highest < 0 {
		return want, usage(fmt.Errorf("--file %s has no partition of %q, such as %s", o.file, queue, topology.PartitionQueue(queue, 0)))
	}
	if !cmd.Flags().Changed("of") {
		want.N = highest + 1
	}
	return want, nil
}

// expectOf adds what a file says of a queue's partitions, and returns the highest of their numbers,
// or -1 if it has none.
func expectOf(f topologyfile.File, queue string, want *inspect.Expect) int {
	highest := -1
	for _, t := range f.Consumers {
		of, number, isOne := topology.PartitionOf(t.Plan.Queue)
		if !isOne || of != queue {
			continue
		}
		highest = max(highest, number)
		want.Delays = append(want.Delays, t.Plan.Delays...)
		for _, q := range t.Topology.Queues {
			if q.Role == topology.RoleError && !slices.Contains(want.Errors, q.Name) {
				want.Errors = append(want.Errors, q.Name)
			}
		}
	}
	slices.Sort(want.Delays)
	want.Delays = slices.Compact(want.Delays)
	return highest
}

// partitionsReport is the state of the partitions of one queue, with what processes have told.
type partitionsReport struct {
	at     time.Time
	broker string
	inspect.Partitions
	facts orderFacts
}

func (a *app) partitions(ctx context.Context, conn *connection.Connection, b *inspect.Broker, queue string, want inspect.Expect) (r partitionsReport, err error) {
	peer, err := b.Peer(ctx)
	if err != nil {
		return r, err
	}
	r.facts = a.standingOrders(ctx, conn, true, queue)
	if want.N == 0 {
		want.N, want.NFrom = manyPartitions(r.facts.processes, queue), inspect.NProcesses
	}
	queues, consumers, err := a.consumersOf(ctx, peer.VHost)
	if err != nil {
		return r, err
	}
	r.Partitions, err = b.Partitions(ctx, queue, want, queues, consumers)
	if err == nil {
		err = b.FindGone(ctx, func(ctx context.Context) (map[string]management.Queue, []management.Consumer, error) {
			return a.consumersOf(ctx, peer.VHost)
		}, &r.Partitions)
	}
	r.at, r.broker = time.Now(), where(peer)
	if err == nil && want.NFrom != inspect.NGiven && !slices.ContainsFunc(r.All, func(p inspect.Partition) bool { return p.State != inspect.Absent }) {
		err = fmt.Errorf("queue %q has no partitions: there is no queue %s", queue, topology.PartitionQueue(queue, 0))
	}
	return r, err
}

// consumersOf asks the management API for queues and their consumers. Without an API both are nil.
func (a *app) consumersOf(ctx context.Context, vhost string) (queues map[string]management.Queue, consumers []management.Consumer, err error) {
	api, done, err := a.api()
	if api == nil || err != nil {
		return nil, nil, err
	}
	defer done()
	if queues, err = api.Queues(ctx, vhost); err != nil {
		return nil, nil, err
	}
	consumers, err = api.Consumers(ctx, vhost)
	return queues, consumers, err
}

// manyPartitions returns how many partitions of a queue processes have, 0 if none has any.
func manyPartitions(all []control.Process, queue string) (n int) {
	for _, p := range all {
		for _, m := range p.Consumers {
			if _, i, ok := topology.PartitionOf(m.Queue); ok && m.Partitions == queue {
				n = max(n, i+1)
			}
		}
	}
	return n
}
