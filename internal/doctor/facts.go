package doctor

import (
	"context"
	"errors"

	"github.com/bunnicula-go/bunnicula/internal/inspect"
	"github.com/bunnicula-go/bunnicula/internal/management"
	"github.com/bunnicula-go/bunnicula/internal/transport"
	"github.com/bunnicula-go/bunnicula/topology"
	"github.com/bunnicula-go/bunnicula/topology/topologyfile"
)

// Consumer is a consumer whose queues are examined.
type Consumer struct {
	topologyfile.Consumer
	// Guessed says that no topology file describes the consumer. Then it is expected to have the
	// standard queues. Optional ones are not reported as missing.
	Guessed bool
}

// Facts are all that is known at one moment.
type Facts struct {
	Peer      transport.Peer
	Consumers []Consumer
	Changes   []inspect.Change               // that declaring the topologies would make
	Counts    map[string]inspect.QueueStatus // by queue
	Known     *inspect.Known                 // nil without the management API
	// None without the management API, or if the user lacks its tag monitoring.
	Nodes []management.Node
	// Why the broker takes no messages; "" if it takes them.
	Blocked string
	Publish bool // this user may publish to queues
	// Whether this user may consume from a main or quarantine queue.
	Read map[string]bool
	// Outbox is nil if no database was given. Who calls Examine adds it.
	Outbox *Outbox
	// Partitions are those that the examined consumers are, by the queues that they are of.
	Partitions []inspect.Partitions
	// Control is nil if nobody has looked for orders. Who calls Examine adds it.
	Control *Control
}

// Examine asks a broker, and the management API if api is not nil.
func Examine(ctx context.Context, b *inspect.Broker, api *management.Client, consumers []Consumer) (Facts, error) {
	f := Facts{Consumers: consumers, Counts: map[string]inspect.QueueStatus{}, Read: map[string]bool{}}
	var err error
	if f.Peer, err = b.Peer(ctx); err != nil {
		return f, err
	}
	if api != nil {
		f.Known = &inspect.Known{}
		if f.Known.Queues, err = api.Queues(ctx, f.Peer.VHost); err != nil {
			return f, err
		}
		if f.Known.Bindings, err = api.Bindings(ctx, f.Peer.VHost); err != nil {
			return f, err
		}
		f.Nodes, _ = api.Nodes(ctx) // an error means that this user lacks the tag monitoring
	}
	var topologies []topology.Topology
	var queues []inspect.Consumer
	for _, c := range consumers {
		topologies = append(topologies, c.Topology)
		queues = append(queues, inspect.FromTopology(c.Topology))
	}
	var known map[string]management.Queue
	if f.Known != nil {
		known = f.Known.Queues
	}
	all, err := b.Look(ctx, queues, known)
	if err != nil {
		return f, err
	}
	for _, s := range all {
		for _, q := range s.Queues {
			f.Counts[q.Queue] = q
		}
	}
	if f.Changes, err = b.Plan(ctx, f.Known, topologies...); err != nil {
		return f, err
	}
	if err := f.lookAtPartitions(ctx, b, api, known); err != nil {
		return f, err
	}
	return f, f.tryRights(ctx, b)
}

// lookAtPartitions looks at each queue of which a consumer is a partition.
func (f *Facts) lookAtPartitions(ctx context.Context, b *inspect.Broker, api *management.Client, known map[string]management.Queue) error {
	var queues []string
	wants := map[string]*inspect.Expect{}
	for _, c := range f.Consumers {
		of, number, ok := topology.PartitionOf(c.Plan.Queue)
		if !ok || !c.Plan.SingleActive {
			continue
		}
		want := wants[of]
		if want == nil {
			want = &inspect.Expect{NFrom: inspect.NGiven}
			wants[of], queues = want, append(queues, of)
		}
		want.Delays = append(want.Delays, c.Plan.Delays...)
		if !c.Guessed {
			want.N = max(want.N, number+1)
		}
	}
	if len(queues) == 0 {
		return nil
	}
	var consumers []management.Consumer
	if api != nil {
		consumers, _ = api.Consumers(ctx, f.Peer.VHost) // an error means that this user lacks a tag
	}
	for _, queue := range queues {
		p, err := b.Partitions(ctx, queue, *wants[queue], known, consumers)
		if err != nil {
			return err
		}
		f.Partitions = append(f.Partitions, p)
	}
	var families []*inspect.Partitions
	for i := range f.Partitions {
		families = append(families, &f.Partitions[i])
	}
	return b.FindGone(ctx, func(ctx context.Context) (queues map[string]management.Queue, consumers []management.Consumer, err error) {
		if queues, err = api.Queues(ctx, f.Peer.VHost); err == nil { // somebody is suspected by what the API has told
			consumers, err = api.Consumers(ctx, f.Peer.VHost)
		}
		return queues, consumers, err
	}, families...)
}

func (f *Facts) tryRights(ctx context.Context, b *inspect.Broker) (err error) {
	for name, q := range f.Counts {
		// A queue is hidden from a user who has no permission on it (RabbitMQ 4.3).
		if q.State != inspect.Absent && (q.Role == topology.RoleMain || q.Role == topology.RoleQuarantine) {
			if f.Read[name], _, err = b.MayRead(ctx, name); err != nil { // a stream is one of the Changes
				return err
			}
		}
	}
	// This is the last question: a broker that takes no messages answers nothing after it.
	f.Publish, err = b.MayPublish(ctx)
	if blocked := (*inspect.BlockedError)(nil); errors.As(err, &blocked) {
		f.Blocked = blocked.Reason
		return nil
	}
	return err
}
