package consumer

import (
	"slices"
	"time"
)

// Running is a handler that runs.
type Running struct {
	Consumer       string // Spec.Name
	Queue          string
	MessageID      string
	MessageIDGiven bool   // the publisher has set none
	Type           string // of the message
	Attempt        int    // from 1
	Since          time.Time
	Stuck          bool   // past its timeout and grace
	Stack          string // of a stuck one, when it was found to be stuck
}

// Running returns the handlers that run at this moment, the longest first. Texts of the message are
// as its publisher has written them.
func (c *Consumer) Running() []Running {
	underway := c.pool.underway()
	all := make([]Running, len(underway))
	for i, a := range underway {
		all[i] = a.shown()
	}
	return all
}

// Running returns the handlers of all consumers that run at this moment, the longest first. Those
// of consumers that are being added or removed are among them.
func (g *Group) Running() []Running {
	var all []Running
	for _, m := range g.roster.all() {
		all = append(all, m.c.Running()...)
	}
	slices.SortStableFunc(all, func(a, b Running) int { return a.Since.Compare(b.Since) })
	return all
}

// shown returns what is told of an attempt under way.
func (a *attempt) shown() Running {
	d := &a.delivery.facts
	r := Running{
		Consumer: a.consumer.spec.Name, Queue: a.consumer.spec.Queue,
		MessageID: d.MessageID, MessageIDGiven: d.MessageIDGiven, Type: d.Raw.Type, Attempt: d.Attempt, Since: a.ctx.began,
	}
	if stack := a.stack.Load(); stack != nil {
		r.Stuck, r.Stack = true, *stack
	}
	return r
}
