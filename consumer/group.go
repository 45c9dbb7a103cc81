package consumer

import (
	"context"
	"errors"
	"time"

	"github.com/bunnicula-go/bunnicula/topology"
)

// Group is the consumers of one app. They are started, stopped and looked at together. [Group.Add]
// and [Group.Remove] change who is in it, at any time. A Group is safe for use by many goroutines
// at once.
type Group struct {
	roster    roster
	turns     turns
	oversight oversight
	// newOne makes a Consumer of a Spec for Add. It is immutable, and nil if NewGroup made the
	// Group.
	newOne func(Spec) (*Consumer, error)
}

// NewGroup makes a Group. On one connection it refuses two consumers of the same queue, two of the
// same name, and one whose queue is another's retry, quarantine or error queue. Consumers of
// different connections may have the same names. The error has a line for each, which says which
// consumers.
func NewGroup(consumers ...*Consumer) (*Group, error) {
	if err := check(consumers); err != nil {
		return nil, err
	}
	g := new(Group)
	for _, c := range consumers {
		g.roster.members = append(g.roster.members, newMember(c, inGroup))
	}
	return g, nil
}

// Consumers returns the consumers in the order in which NewGroup got them and Add added them. The
// slice is the caller's.
func (g *Group) Consumers() []*Consumer { return g.roster.consumers() }

// Plans returns what the consumers declare, in their order, for topologyfile.Write. If the
// consumers use several connections, the plans may be of several virtual hosts.
func (g *Group) Plans() []topology.Plan {
	consumers := g.Consumers()
	plans := make([]topology.Plan, len(consumers))
	for i, c := range consumers {
		plans[i] = c.spec.plan()
	}
	return plans
}

// Consumer returns the first consumer of that name, or nil if there is none.
func (g *Group) Consumer(name string) *Consumer {
	for _, c := range g.Consumers() {
		if c.spec.Name == name {
			return c
		}
	}
	return nil
}

// Start starts all consumers, sixteen of each connection side by side. If one fails, Start stops
// the others again, also those that still wait for a broker. Its errors are those of
// [Consumer.Start]; what keeps several consumers from starting for the same reason is one error
// with their names. A second Start, and one after Stop, returns an error and changes nothing.
//
// Each consumer logs that it has begun. Of more than ten the Group logs one line, and theirs have
// the level debug; but on a Lazy connection, where consumers begin after Start, each logs its own.
func (g *Group) Start(ctx context.Context) error {
	members, err := g.roster.start()
	if err != nil {
		return err
	}
	many, began := len(members) > manyConsumers && !lazy(members), time.Now()
	if many {
		for _, m := range members {
			m.c.announcer.many.Store(true)
		}
	}
	starting, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	err = errors.Join(together(each(members, func(m *member) error {
		err := g.start(starting, m)
		switch {
		case err == nil, !g.roster.has(m): // Remove has stopped it meanwhile
			return nil
		case starting.Err() == nil:
			fail(errOther)
		case errors.Is(err, errOther):
			return nil // the error that is returned is the other consumer's
		}
		return err
	}))...)
	switch {
	case err != nil:
		// A start's deadline says nothing of stops, so there is no warning.
		_ = each(g.roster.stop(), func(m *member) error { return m.stop(ctx) })
	case many:
		announceStart(members, began)
	}
	return err
}

var errOther = errors.New("another consumer could not start")

// Stop stops all consumers side by side, also those that are being added or removed. Its errors are
// those of [Consumer.Stop], and so is what it logs; but if more than ten stop, one line says so. If
// handlers have less time than their Timeout, one warning names the consumer with the longest.
// After Stop nothing can be added.
func (g *Group) Stop(ctx context.Context) error {
	members := g.roster.stop()
	announceStop(ctx, members)
	return errors.Join(each(members, func(m *member) error { return m.stop(ctx) })...)
}

// Health returns the state of each consumer, in their order.
func (g *Group) Health() []Health {
	consumers := g.Consumers()
	all := make([]Health, len(consumers))
	for i, c := range consumers {
		all[i] = c.Health()
	}
	return all
}

// Ready returns whether every consumer is ready, for a readiness probe. See Health.Ready.
func (g *Group) Ready() bool {
	for _, c := range g.Consumers() {
		if !c.Health().Ready {
			return false
		}
	}
	return true
}
