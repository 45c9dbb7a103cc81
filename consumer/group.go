package consumer

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/bunnicula-go/bunnicula/internal/conflicts"
	"github.com/bunnicula-go/bunnicula/topology"
)

// Group is the consumers of one app: they start, stop and are looked at together.
type Group struct{ consumers []*Consumer }

// NewGroup refuses two consumers of one queue or one name, and one whose queue is another's retry or
// error queue. Consumers of different connections may have queues of the same name.
func NewGroup(consumers ...*Consumer) (*Group, error) {
	names, queues := map[[2]string]bool{}, map[[2]string]string{} // by connection and name or queue
	byConnection := map[string][]topology.Topology{}
	for i, c := range consumers {
		if c == nil {
			return nil, fmt.Errorf("consumer: number %d of the group is nil", i+1)
		}
		if other, there := queues[[2]string{c.spec.Connection, c.spec.Queue}]; there {
			return nil, fmt.Errorf("consumers %q and %q both consume queue %q: make them one, with a higher Concurrency", other, c.spec.Name, c.spec.Queue)
		}
		queues[[2]string{c.spec.Connection, c.spec.Queue}] = c.spec.Name
		if names[[2]string{c.spec.Connection, c.spec.Name}] {
			return nil, fmt.Errorf("consumer %q: there are two of this name, give one another Spec.Name", c.spec.Name)
		}
		names[[2]string{c.spec.Connection, c.spec.Name}] = true
		byConnection[c.spec.Connection] = append(byConnection[c.spec.Connection], c.rules.Topology)
	}
	for _, all := range byConnection {
		if err := conflicts.Find(all...); err != nil {
			return nil, fmt.Errorf("consumer: %w", err)
		}
	}
	return &Group{consumers}, nil
}

// Consumers are the group's, in the order in which they were given.
func (g *Group) Consumers() []*Consumer { return g.consumers }

// Plans are what the consumers declare, in their order, for topologyfile.Write. Where they use
// several connections, the plans can be of several virtual hosts.
func (g *Group) Plans() []topology.Plan {
	plans := make([]topology.Plan, len(g.consumers))
	for i, c := range g.consumers {
		plans[i] = c.spec.plan()
	}
	return plans
}

// Consumer finds one by its name, nil if there is none.
func (g *Group) Consumer(name string) *Consumer {
	for _, c := range g.consumers {
		if c.spec.Name == name {
			return c
		}
	}
	return nil
}

// startingAtOnce is for the broker's sake, and for ours: what hundreds would take for a moment stays taken, as the stacks that they
// leave lie between those that are used.
const startingAtOnce = 16

// Start starts all side by side, sixteen at a time. If one fails the others are stopped again, without waiting for a
// broker that they may be waiting for.
func (g *Group) Start(ctx context.Context) error {
	starting, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	turns := make(chan struct{}, startingAtOnce)
	err := g.each(func(c *Consumer) error {
		select {
		case turns <- struct{}{}:
			defer func() { <-turns }()
		case <-starting.Done():
		}
		err := c.Start(starting)
		if err != nil && starting.Err() == nil {
			fail(errOther)
		} else if errors.Is(err, errOther) {
			return nil // the other's error is what matters
		}
		return err
	})
	if err != nil {
		_ = g.Stop(ctx)
	}
	return err
}

var errOther = errors.New("another consumer could not start")

// Stop stops all side by side, each as Consumer.Stop does.
func (g *Group) Stop(ctx context.Context) error {
	return g.each(func(c *Consumer) error { return c.Stop(ctx) })
}

func (g *Group) each(f func(*Consumer) error) error {
	errs := make([]error, len(g.consumers))
	var all sync.WaitGroup
	for i, c := range g.consumers {
		all.Go(func() { errs[i] = f(c) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// Health tells the state of each consumer.
func (g *Group) Health() []Health {
	all := make([]Health, len(g.consumers))
	for i, c := range g.consumers {
		all[i] = c.Health()
	}
	return all
}

// Ready says whether every consumer is subscribed, or paused on purpose, and none has all its slots stuck: what
// a readiness probe asks. See Health.Ready.
func (g *Group) Ready() bool {
	for _, c := range g.consumers {
		if !c.Health().Ready {
			return false
		}
	}
	return true
}
