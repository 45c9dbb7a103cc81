package main

import (
	"context"
	"errors"

	"github.com/bunnicula-go/bunnicula/bench/turn"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

// partsCase begins the names of the cases that tell what each part costs.
const partsCase = "parts"

// The handlers without a part.
const (
	oursNothing = "bare handler"
	oursJSON    = "consumer.JSON"
	oursAlone   = "bare handler, concurrency 1"
)

// part is something that a consumer can do without.
type part struct {
	Name string
	add  func(*parted) error
}

// parted is a consumer with one part.
type parted struct {
	*run

	spec    consumer.Spec
	monitor monitoring.Monitor
	end     []func() error // called after the consumer has stopped
}

// partsWorkloads compare a handler with the same handler and one part more. A transaction on a disk
// takes so much longer than anything else that it has a case of its own. So has a partition, since
// it handles one message at a time.
func partsWorkloads() []workload {
	all := []workload{
		partsOf(partsCase, "a handler that does nothing, concurrency 16", 20000, part{oursNothing, func(*parted) error { return nil }}, parts()),
		partsOf(partsCase+"-order", "a handler that does nothing, concurrency 1", 20000, part{oursAlone, addOneWorker}, []part{{"consumer.Partitioned", addPartition}}),
		partsOf(partsCase+"-outbox", "a handler that decodes JSON, concurrency 16", 3000, part{oursJSON, addJSON}, []part{{"outbox.Once on SQLite", addOnce}}),
	}
	all[1].NoQueue = true // the messages of a broker would be in the queue without partitions
	return all
}

func partsOf(name, base string, count int, without part, with []part) workload {
	w := workload{
		Name: name, Work: base + ", and the same with one part more, prefetch 300",
		Count: count, Figure: turn.Rate, Columns: work, Preload: true, OnPeer: true, Long: true,
	}
	for _, p := range append([]part{without}, with...) {
		w.Sides = append(w.Sides, side{Name: p.Name, do: consumePart(p.add)})
	}
	return w
}

func consumePart(add func(*parted) error) func(context.Context, *run) error {
	return func(ctx context.Context, r *run) error {
		p := &parted{run: r, spec: r.spec(16, 300), monitor: monitoring.Nop{}}
		p.spec.Timeout = consumer.NoTimeout
		err := add(p)
		if err == nil {
			err = r.consume(ctx, p.spec, p.monitor)
		}
		for _, end := range p.end {
			err = errors.Join(err, end())
		}
		return err
	}
}
