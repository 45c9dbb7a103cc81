package inspect

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/management"
)

// Gone is a consumer that a queue takes for its active one, and that has ended: a fault of RabbitMQ
// 4.3. Nobody else gets a message meanwhile.
type Gone struct {
	Tag  string `json:"consumer_tag"`
	Node string `json:"node"` // that leads the queue, "" if it is unknown
}

// behind is how old the management API's numbers are at most: those of a quorum queue 5 s, and
// then those of the API another 5 s.
const behind = 11 * time.Second

// suspectOf returns who holds a partition and is not among its consumers. It may have ended some
// seconds ago, as each consumer does. Only if it is the same later on it is one of Gone.
func suspectOf(p *Partition, q management.Queue, consumers []management.Consumer) *Gone {
	tag := string(q.SingleActive)
	if tag == "" || p.Holder != nil || !some(p.Consumers) {
		return nil // AMQP counts the active consumer, even one that is gone, and is never behind
	}
	if slices.ContainsFunc(consumers, func(c management.Consumer) bool { return c.Queue.Name == p.Queue && c.Tag == tag }) {
		return nil
	}
	return &Gone{Tag: tag, Node: cmp.Or(q.Leader, q.Node)}
}

// Sources asks the management API for the queues and the consumers of the virtual host.
type Sources func(context.Context) (map[string]management.Queue, []management.Consumer, error)

// FindGone finds out which partitions are held by a consumer that does not exist. Where it looks so
// it looks again later, and blames nobody if there is no time for that.
func (b *Broker) FindGone(ctx context.Context, ask Sources, families ...*Partitions) error {
	var suspects []*Partition
	for _, family := range families {
		suspects = append(suspects, family.suspects()...)
	}
	if end, bounded := ctx.Deadline(); len(suspects) == 0 || bounded && time.Until(end) < behind+time.Second {
		return nil
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(behind):
	}
	known, consumers, err := ask(ctx)
	if err != nil {
		return err
	}
	for _, p := range suspects {
		now, err := b.Count(ctx, p.Queue)
		if err != nil {
			return err
		}
		p.Ready, p.Consumers = &now.Ready, &now.Consumers
		p.confirm(known[p.Queue], consumers)
	}
	for _, family := range families {
		for i := range family.All {
			family.All[i].judge(family.N)
		}
	}
	return nil
}

// confirm makes the suspect the one who is gone if a later look finds the same one.
func (p *Partition) confirm(q management.Queue, consumers []management.Consumer) {
	p.Holder = nil
	p.hold(consumers)
	if again := suspectOf(p, q, consumers); again != nil && again.Tag == p.suspect.Tag {
		p.Gone = again
	}
}

// suspects returns the partitions that may be held by nobody.
func (p *Partitions) suspects() (all []*Partition) {
	for i := range p.All {
		if p.All[i].suspect != nil {
			all = append(all, &p.All[i])
		}
	}
	return all
}
