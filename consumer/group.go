package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/conflicts"
	"github.com/bunnicula-go/bunnicula/topology"
)

// Group is the consumers of one app. They are started, stopped and looked at together. A Group is
// immutable.
type Group struct{ consumers []*Consumer }

// NewGroup makes a Group. On one connection it refuses two consumers of the same queue, two of the
// same name, and one whose queue is another's retry, quarantine or error queue. Consumers of
// different connections may have the same names. The error has a line for each, which says which
// consumers.
func NewGroup(consumers ...*Consumer) (*Group, error) {
	names, queues := map[[2]string]bool{}, map[[2]string]string{} // by connection and name or queue
	byConnection := map[string][]topology.Topology{}
	var errs []error
	for i, c := range consumers {
		if c == nil {
			errs = append(errs, fmt.Errorf("consumer: number %d of the group is nil", i+1))
			continue
		}
		if other, there := queues[[2]string{c.spec.Connection, c.spec.Queue}]; there {
			errs = append(errs, fmt.Errorf("consumers %q and %q both consume queue %q: make them one, with a higher Concurrency", other, c.spec.Name, c.spec.Queue))
			continue
		}
		queues[[2]string{c.spec.Connection, c.spec.Queue}] = c.spec.Name
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
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return &Group{consumers}, nil
}

// Consumers returns the consumers in the order in which NewGroup got them.
func (g *Group) Consumers() []*Consumer { return g.consumers }

// Plans returns what the consumers declare, in their order, for topologyfile.Write. If the
// consumers use several connections, the plans may be of several virtual hosts.
func (g *Group) Plans() []topology.Plan {
	plans := make([]topology.Plan, len(g.consumers))
	for i, c := range g.consumers {
		plans[i] = c.spec.plan()
	}
	return plans
}

// Consumer returns the first consumer of that name, or nil if there is none.
func (g *Group) Consumer(name string) *Consumer {
	for _, c := range g.consumers {
		if c.spec.Name == name {
			return c
		}
	}
	return nil
}

// startingAtOnce is how many consumers start side by side. Hundreds at once would burden the
// broker. They would also leave this process with memory that it cannot give back, because the
// stacks that they no longer use lie between stacks in use.
const startingAtOnce = 16

// manyConsumers is how many consumers a Group has at most whose beginnings and ends are logged one
// by one.
const manyConsumers = 10

// Start starts all consumers, sixteen side by side. If one fails, Start stops the others again,
// also those that still wait for a broker. Its errors are those of [Consumer.Start]; what keeps
// several consumers from starting for the same reason is one error with their names.
//
// Each consumer logs that it has begun. Of more than ten the Group logs one line, and theirs have
// the level debug; but on a Lazy connection, where consumers begin after Start, each logs its own.
func (g *Group) Start(ctx context.Context) error {
	many, began := len(g.consumers) > manyConsumers && !g.lazy(), time.Now()
	if many {
		for _, c := range g.consumers {
			c.announcer.many.Store(true)
		}
	}
	starting, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	turns := make(chan struct{}, startingAtOnce)
	err := errors.Join(together(g.each(func(c *Consumer) error {
		select {
		case turns <- struct{}{}:
			defer func() { <-turns }()
		case <-starting.Done():
		}
		err := c.Start(starting)
		if err != nil && starting.Err() == nil {
			fail(errOther)
		} else if errors.Is(err, errOther) {
			return nil // the error that is returned is the other consumer's
		}
		return err
	}))...)
	switch {
	case err != nil:
		_ = g.each(func(c *Consumer) error { return c.stop(ctx) }) // a start's deadline says nothing of stops
	case many:
		slots := 0
		for _, c := range g.consumers {
			slots += c.spec.Concurrency
		}
		g.log().Info("consumers started", "consumers", len(g.consumers), "concurrency", slots, "took", time.Since(began).Round(time.Millisecond))
	}
	return err
}

// lazy returns whether a consumer may not have begun when it has started.
func (g *Group) lazy() bool {
	return slices.ContainsFunc(g.consumers, func(c *Consumer) bool { return c.conn != nil && c.conn.Lazy() })
}

// log is that of the first consumer: its Group has none of its own.
func (g *Group) log() *slog.Logger { return g.consumers[0].announcer.base }

var errOther = errors.New("another consumer could not start")

// Stop stops all consumers side by side. Its errors and what it logs are those of [Consumer.Stop].
// Where one line said that they started, one says that they stop. If handlers have less time than
// their Timeout, one warning names the consumer with the longest.
func (g *Group) Stop(ctx context.Context) error {
	g.announceStop(ctx)
	return errors.Join(g.each(func(c *Consumer) error { return c.stop(ctx) })...)
}

// announceStop logs what concerns all consumers that have begun and do not stop yet.
func (g *Group) announceStop(ctx context.Context) {
	have, bounded := timeOf(ctx)
	var slowest *Consumer
	consumers, running, hurried := 0, 0, 0
	for _, c := range g.consumers {
		if !c.works() {
			continue
		}
		consumers++
		running += len(c.pool.underway())
		if !c.spec.patient(have) {
			hurried++
			if slowest == nil || c.spec.Timeout > slowest.spec.Timeout {
				slowest = c
			}
		}
	}
	if bounded && slowest != nil {
		slowest.log.Warn(hurry, "timeout", slowest.spec.Timeout, "handlers_have", have.Round(time.Millisecond), "consumers", hurried)
	}
	if consumers > 0 && g.consumers[0].announcer.many.Load() {
		attrs := []any{"consumers", consumers, "running", running}
		if bounded {
			attrs = append(attrs, "handlers_have", have.Round(time.Millisecond))
		}
		g.log().Info("consumers stop", attrs...)
	}
}

// each calls f for all consumers side by side, and returns their errors in their order.
func (g *Group) each(f func(*Consumer) error) []error {
	errs := make([]error, len(g.consumers))
	var all sync.WaitGroup
	for i, c := range g.consumers {
		all.Go(func() { errs[i] = f(c) })
	}
	all.Wait()
	return errs
}

// Health returns the state of each consumer, in their order.
func (g *Group) Health() []Health {
	all := make([]Health, len(g.consumers))
	for i, c := range g.consumers {
		all[i] = c.Health()
	}
	return all
}

// Ready returns whether every consumer is ready, for a readiness probe. See Health.Ready.
func (g *Group) Ready() bool {
	for _, c := range g.consumers {
		if !c.Health().Ready {
			return false
		}
	}
	return true
}
