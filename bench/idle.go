package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/bench/turn"
	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
)

// footprint is the memory and the goroutines of a process.
type footprint struct {
	at         time.Time
	bytes      uint64
	goroutines int
}

// measureFootprint collects garbage twice, because an object with a finalizer is freed by the
// second collection only.
func measureFootprint() footprint {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return footprint{at: time.Now(), bytes: m.HeapInuse + m.StackInuse, goroutines: runtime.NumGoroutine()}
}

// idling measures what was allocated since.
func (before footprint) idling(made time.Time) turn.Sample {
	after := measureFootprint()
	return turn.Sample{
		turn.Memory:     (float64(after.bytes) - float64(before.bytes)) / (1 << 20),
		turn.Goroutines: float64(after.goroutines - before.goroutines),
		turn.Startup:    float64(made.Sub(before.at)) / float64(time.Millisecond),
	}
}

// idleOurs starts so many consumers of one queue concurrently, as a Group does, on one Connection.
func idleOurs(consumers int) func(context.Context, *run) error {
	return func(ctx context.Context, r *run) error {
		before := measureFootprint()
		return r.connected(func(conn *connection.Connection) error {
			all := make([]*consumer.Consumer, consumers)
			for i := range all {
				spec := consumer.Spec{Queue: r.Queue, QueueType: r.QueueType, Name: fmt.Sprintf("idle-%d", i), Handler: r.noop}
				var err error
				if all[i], err = consumer.New(conn, spec, nil, quiet()); err != nil {
					return err
				}
			}
			err := inTurns(all, func(c *consumer.Consumer) error { return c.Start(ctx) })
			if err == nil {
				r.Own = before.idling(time.Now())
			}
			stopping, cancel := goodbye()
			defer cancel()
			return errors.Join(err, each(all, func(c *consumer.Consumer) error { return c.Stop(stopping) }))
		})
	}
}

// inTurns calls f for all of them, 16 at the same time, as a Group starts consumers.
func inTurns[T any](all []T, f func(T) error) error {
	turns := make(chan struct{}, 16)
	return each(all, func(one T) error {
		turns <- struct{}{}
		defer func() { <-turns }()
		return f(one)
	})
}

// each calls f for all of them concurrently.
func each[T any](all []T, f func(T) error) error {
	var calling sync.WaitGroup
	errs := make([]error, len(all))
	for i, one := range all {
		calling.Go(func() { errs[i] = f(one) })
	}
	calling.Wait()
	return errors.Join(errs...)
}

// idleRaw has a channel, a subscription and a goroutine for each consumer. Nothing restores them
// after a lost connection.
func idleRaw(consumers int) func(context.Context, *run) error {
	return func(_ context.Context, r *run) error {
		before := measureFootprint()
		return r.dial(func(conn *amqp.Connection) error {
			for range consumers {
				_, deliveries, err := r.subscribe(conn, 10, false)
				if err != nil {
					return err
				}
				go func() { // ends with the connection
					for d := range deliveries {
						_ = d.Ack(false)
					}
				}()
			}
			r.Own = before.idling(time.Now())
			return nil
		})
	}
}
