package sending

import (
	"errors"
	"fmt"
	"strings"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/topology"
)

// Partition says which of the partitions of its queue a message is for.
type Partition struct {
	Key string
	Of  int // how many there are
}

// partition has the message go to the queue of its partition. The options are applied before that,
// because a later one may name an exchange.
func (d *Draft) partition() error {
	p := d.Partition
	if p == nil {
		return nil
	}
	if err := d.checkPartition(p); err != nil {
		return err
	}
	queue, err := topology.Partition(d.RoutingKey, p.Key, p.Of)
	if err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "topology: "))
	}
	d.RoutingKey = queue
	return nil
}

// checkPartition returns why a message may not go to a partition.
func (d *Draft) checkPartition(p *Partition) error {
	switch {
	case p.Key == "":
		return errors.New("the key of publisher.Partition is empty: leave the option out for a message without order")
	case p.Of < 1 || p.Of > topology.MaxPartitions:
		return fmt.Errorf("publisher.Partition has %d partitions, want 1 to %d", p.Of, topology.MaxPartitions)
	case d.Exchange != "":
		return fmt.Errorf("a message for exchange %q has no partition: Partition is for a queue, through the default exchange (publisher.Exchange(%q))", foreign.Cut(d.Exchange, 60), "")
	case d.RoutingKey == "":
		return errors.New("a message for a partition needs the name of the queue that the partitions are of")
	}
	if of, _, is := topology.PartitionOf(d.RoutingKey); is {
		return fmt.Errorf("publisher.Partition chooses the partition: the routing key is %q, want %q", foreign.Cut(d.RoutingKey, 60), foreign.Cut(of, 60))
	}
	return nil
}
