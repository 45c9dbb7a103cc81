package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/inspect"
	"github.com/bunnicula-go/bunnicula/topology"
)

// moveSide is the old or the new consumer.
type moveSide struct {
	// The arguments and flags.
	name   string // of the main queue
	file   string
	delays delayList
	scheme string // of the old one

	// Written by read, before anything connects.
	plan *topology.Plan // of a file; nil if no file has it
}

var errWhichRetries = errors.New("which retry queues has OLD? Want --old-file, --old-delays (none, if it has none), or --management-url")

// read reads the files.
func (o *moveOptions) read(a *app) error {
	if err := o.readFiles(a); err != nil {
		return err
	}
	api, _, err := a.api()
	if err == nil && api == nil && o.old.plan == nil && !o.old.delays.given && o.old.scheme == "standard" {
		err = usage(errWhichRetries)
	}
	return err
}

// readFiles finds both sides in the files that are named for them.
func (o *moveOptions) readFiles(a *app) error {
	if o.now.file != "" {
		f, err := a.read(o.now.file)
		if err != nil {
			return err
		}
		o.now.find(plansOf(f))
		if o.now.plan == nil {
			return usage(fmt.Errorf("NEW is %q, want one that %s has", o.now.name, o.now.file))
		}
		if o.old.file == "" && !o.old.delays.given {
			o.old.find(plansOf(f))
		}
	}
	if o.old.file == "" {
		return nil
	}
	f, err := a.read(o.old.file)
	if err != nil {
		return err
	}
	if o.old.find(plansOf(f)); o.old.plan == nil {
		return usage(fmt.Errorf("OLD is %q, want one that %s has", o.old.name, o.old.file))
	}
	return nil
}

// find takes the consumer's plan.
func (s *moveSide) find(plans []topology.Plan) {
	for _, p := range plans {
		if p.Queue == s.name {
			s.plan = &p
		}
	}
}

// sides returns the topologies of both consumers: those of a file, or what their names, the flags
// and the broker tell.
func (a *app) sides(ctx context.Context, b *inspect.Broker, known *inspect.Known, o moveOptions) (from, to topology.Topology, err error) {
	old, now := o.old.plan, o.now.plan
	for _, name := range []string{o.old.name, o.now.name} {
		if err = refuseFamily(ctx, b, name); err != nil {
			return from, to, err
		}
	}
	if old == nil {
		a.hint(ctx, b, o.old)
		old = oldPlan(known, o.old)
		if old.ErrorQueue, err = errorsOf(ctx, b, o.old.name); err != nil {
			return from, to, err
		}
	}
	if now == nil {
		if now, err = newPlan(ctx, b, o.now, old); err != nil {
			return from, to, err
		}
	}
	if from, err = topology.New(*old); err != nil {
		return from, to, usage(fmt.Errorf("OLD: %w", err))
	}
	if to, err = topology.New(*now); err != nil {
		return from, to, usage(fmt.Errorf("NEW: %w", err))
	}
	return from, to, nil
}

// hint says that the old consumer may have queues of another scheme.
func (a *app) hint(ctx context.Context, b *inspect.Broker, s moveSide) {
	if there, err := exists(ctx, b, s.name+"-retry"); there && err == nil && s.scheme == "standard" {
		a.warn(fmt.Errorf("there is a queue %q: if it is the retry queue of Clojure's Bunnicula, say --old-scheme bunnicula", s.name+"-retry"))
	}
}

// oldPlan returns the plan of the old consumer, as its name tells. It has more queues than may
// exist.
func oldPlan(known *inspect.Known, s moveSide) *topology.Plan {
	if s.scheme == "bunnicula" {
		return &topology.Plan{Queue: s.name, Scheme: topology.Bunnicula}
	}
	delays := slices.Clone(s.delays.times)
	if known != nil {
		for name := range known.Queues {
			if main, delay, ok := inspect.CutRetry(name); ok && main == s.name {
				delays = append(delays, delay)
			}
		}
	}
	slices.Sort(delays)
	return &topology.Plan{Queue: s.name, Delays: slices.Compact(delays)}
}

// newPlan returns the plan of the new consumer, as its name and the broker tell.
func newPlan(ctx context.Context, b *inspect.Broker, s moveSide, old *topology.Plan) (*topology.Plan, error) {
	p := &topology.Plan{Queue: s.name, Delays: s.delays.times}
	var err error
	if p.ErrorQueue, err = errorsOf(ctx, b, s.name); err != nil {
		return p, err
	}
	there, err := exists(ctx, b, topology.QuarantineQueue(s.name))
	if err != nil {
		return p, err
	}
	if !there {
		p.Type = topology.Classic
	}
	if s.delays.given {
		return p, nil
	}
	for _, delay := range old.Delays {
		there, err := exists(ctx, b, topology.RetryQueue(s.name, delay))
		if err != nil {
			return p, err
		}
		if there {
			p.Delays = append(p.Delays, delay)
		}
	}
	return p, nil
}

// refuseFamily refuses a queue that has partitions and does not exist itself: of OLD only the error
// queue would be moved, and of NEW it depends on the key of each message, which a move does not
// know.
func refuseFamily(ctx context.Context, b *inspect.Broker, name string) error {
	itself, err := exists(ctx, b, name)
	if itself || err != nil {
		return err
	}
	first := topology.PartitionQueue(name, 0)
	if there, err := exists(ctx, b, first); !there || err != nil {
		return err
	}
	return &exitError{exitFound, fmt.Errorf("queue %q has partitions, %s and so on, and move does not know the keys of messages: stop publishing, and let the old consumers empty their queues; nothing was moved",
		name, first)}
}

// errorsOf returns the error queue that a partition shares with others, "" for a consumer with an
// error queue of its own.
func errorsOf(ctx context.Context, b *inspect.Broker, name string) (string, error) {
	of, _, is := topology.PartitionOf(name)
	if !is {
		return "", nil
	}
	own, err := exists(ctx, b, topology.ErrorQueue(name))
	if own || err != nil {
		return "", err
	}
	shared := topology.ErrorQueue(of)
	if there, err := exists(ctx, b, shared); !there || err != nil {
		return "", err
	}
	return shared, nil
}

// exists says whether a queue exists. One that this user may not look at does.
func exists(ctx context.Context, b *inspect.Broker, queue string) (bool, error) {
	_, err := b.Count(ctx, queue)
	var refused *amqp.Error
	if errors.As(err, &refused) {
		switch refused.Code {
		case amqp.NotFound:
			return false, nil
		case amqp.AccessRefused:
			return true, nil
		}
	}
	return err == nil, err
}
