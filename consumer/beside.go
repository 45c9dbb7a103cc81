package consumer

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/bunnicula-go/bunnicula/internal/conflicts"
	"github.com/bunnicula-go/bunnicula/topology"
)

// conflict returns what keeps a newcomer from standing beside the members, or nil. It is called
// with the lock held. Only the few that share a name with the newcomer are compared with it,
// because a Group may have thousands.
func (r *roster) conflict(newcomer *member) error {
	names := map[string]bool{}
	for _, name := range newcomer.names {
		names[name] = true
	}
	var beside []*Consumer
	for _, m := range r.members {
		if !slices.ContainsFunc(m.names, func(name string) bool { return names[name] }) {
			continue
		}
		if m.c.spec.Queue == newcomer.c.spec.Queue {
			return m.hasQueue()
		}
		beside = append(beside, m.c)
	}
	return check(append(beside, newcomer.c))
}

// namesOf returns all names of which two consumers of one connection may be in each other's way:
// the consumer's own, and those of its queues and exchanges.
func namesOf(c *Consumer) []string {
	names := []string{c.spec.Connection + "\x00consumer\x00" + c.spec.Name}
	for _, q := range c.rules.Topology.Queues {
		names = append(names, c.spec.Connection+"\x00queue\x00"+q.Name)
	}
	for _, e := range c.rules.Topology.Exchanges {
		names = append(names, c.spec.Connection+"\x00exchange\x00"+e.Name)
	}
	return names
}

// hasQueue is why another consumer of the same queue cannot be admitted.
func (m *member) hasQueue() error {
	switch m.state {
	case joining:
		return fmt.Errorf("queue %q: consumer %q is being added and consumes it", m.c.spec.Queue, m.c.spec.Name)
	case leaving:
		return fmt.Errorf("queue %q: consumer %q is being removed and consumes it yet", m.c.spec.Queue, m.c.spec.Name)
	}
	return fmt.Errorf("queue %q: consumer %q consumes it: %w", m.c.spec.Queue, m.c.spec.Name, ErrInGroup)
}

// check returns an error if these consumers cannot stand beside each other, with a line for each
// reason.
func check(consumers []*Consumer) error {
	names, queues := map[[2]string]bool{}, map[[2]string]*Consumer{} // by connection and name or queue
	byConnection := map[string][]topology.Topology{}
	var errs []error
	for i, c := range consumers {
		if c == nil {
			errs = append(errs, fmt.Errorf("consumer: number %d of the group is nil", i+1))
			continue
		}
		if other, there := queues[[2]string{c.spec.Connection, c.spec.Queue}]; there {
			errs = append(errs, bothConsume(other, c))
			continue
		}
		queues[[2]string{c.spec.Connection, c.spec.Queue}] = c
		if names[[2]string{c.spec.Connection, c.spec.Name}] {
			errs = append(errs, fmt.Errorf("consumer %q: there are two of this name, give one another Spec.Name", c.spec.Name))
		}
		names[[2]string{c.spec.Connection, c.spec.Name}] = true
		byConnection[c.spec.Connection] = append(byConnection[c.spec.Connection], c.rules.Topology)
	}
	for _, all := range byConnection {
		if err := conflicts.Find(all...); err != nil {
			errs = append(errs, fmt.Errorf("consumer: %w", err))
		}
	}
	return errors.Join(errs...)
}

// bothConsume is why two consumers of one queue cannot stand beside each other.
func bothConsume(a, b *Consumer) error {
	remedy := "make them one, with a higher Concurrency"
	if f := cmp.Or(a.spec.family, b.spec.family); f != nil {
		remedy = fmt.Sprintf("call Partitioned once for queue %q, and consume its partitions by nothing else", f.queue)
	}
	return fmt.Errorf("consumers %q and %q both consume queue %q: %s", a.spec.Name, b.spec.Name, b.spec.Queue, remedy)
}
