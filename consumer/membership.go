package consumer

import (
	"context"
	"errors"
	"fmt"
)

// Add makes a consumer of the Spec and starts it while the app runs: a queue for each customer that
// connects, for example. It uses the connections, the monitor and the logger of the app, so the
// Group must be that of [Module]; see [Group.AddConsumer] for one of NewGroup.
//
// Add returns when the first subscription stands, as [Consumer.Start] does. If the broker is away
// it waits until ctx ends. After an error nothing of the consumer runs, the Group is as before, and
// the same Spec can be added again. An error is also a queue that exists with other arguments
// (*topology.MismatchError). ctx is for the start alone: it may end when Add has returned.
//
// Add refuses what NewGroup refuses. The error is ErrInGroup if a consumer of the Group has the
// queue. Of two Adds of one queue at the same time one gets an error. Before the Group's Start the
// consumer is only taken in, and starts with the others. On a Lazy connection Add returns at once.
// After Stop it returns an error, also if Stop begins meanwhile. At most sixteen consumers of one
// connection start side by side; others wait for their turn.
//
// The consumer is in Health, Ready, Metrics and Plans from the end of Add on. What goes wrong with
// it later does not take it out.
func (g *Group) Add(ctx context.Context, spec Spec) (*Consumer, error) {
	if g.newOne == nil {
		return nil, fmt.Errorf("consumer %q: add: the group is one of NewGroup and has no connection, use AddConsumer", spec.Queue)
	}
	c, err := g.newOne(spec)
	if err != nil {
		return nil, err
	}
	if err := g.AddConsumer(ctx, c); err != nil {
		return nil, err
	}
	return c, nil
}

// AddConsumer is [Group.Add] for a Consumer of [New] that was not started. It is for a Group of
// NewGroup, and for a consumer with a connection or a monitor of its own. After a start that has
// failed the Consumer is stopped, and another one must be made to try again.
func (g *Group) AddConsumer(ctx context.Context, c *Consumer) error {
	if c == nil {
		return errors.New("consumer: add: it is nil")
	}
	m, start, err := g.roster.admit(c)
	if err != nil {
		return fmt.Errorf("consumer %q: add: %w", c.spec.Name, err)
	}
	if !start {
		return nil
	}
	if err = g.start(ctx, m); err == nil {
		if err = g.roster.join(m); err == nil {
			return nil
		}
		_ = m.stop(ctx) // the Group's Stop does so, too, and waits for it
	}
	over := g.roster.isOver()
	g.roster.drop(m)
	if over {
		return fmt.Errorf("consumer %q: add: %w", c.spec.Name, errOver)
	}
	return err
}

// Remove takes the consumer of that name out of the Group and stops it as [Consumer.Stop] does:
// handlers that run finish, and what no handler has begun goes back. Its errors are those of
// Consumer.Stop, or ErrNotInGroup if there is no such consumer. If two connections each have a
// consumer of that name, the error says so; see [Group.RemoveConsumer].
//
// Nothing is deleted at the broker: messages wait in the queue, and more of them come. When Remove
// has returned, the same queue can be added again, here or in another process.
//
// The consumer is not in Health, Ready, Metrics and Plans from the beginning of Remove on. If ctx
// ends before its handlers do, it is out and stopped all the same: their contexts are cancelled,
// and the broker delivers again what is not settled. Remove before the Group's Start is allowed,
// and so is one during it.
//
// Remove waits for the handlers of its consumer, so such a handler must not wait for Remove. If ctx
// is that handler's own, the error is ErrOwnHandler and nothing is removed: start a goroutine that
// the handler does not wait for, with another context.
func (g *Group) Remove(ctx context.Context, name string) error {
	return g.remove(ctx, name, nil)
}

// RemoveConsumer is [Group.Remove] for this very Consumer.
func (g *Group) RemoveConsumer(ctx context.Context, c *Consumer) error {
	if c == nil {
		return errors.New("consumer: remove: it is nil")
	}
	return g.remove(ctx, c.spec.Name, c)
}

func (g *Group) remove(ctx context.Context, name string, c *Consumer) error {
	m, err := g.roster.leave(name, c, endsWithHandler(ctx))
	if err != nil {
		return fmt.Errorf("consumer %q: remove: %w", name, err)
	}
	defer g.roster.drop(m)
	defer m.ends()
	m.c.announcer.many.Store(false) // it stops alone, so it logs that itself
	return m.c.Stop(ctx)
}
