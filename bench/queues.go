package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/backoff"
	"github.com/bunnicula-go/bunnicula/publisher"
)

const (
	queuesRate = 2000            // messages a second, over all queues of a side
	idleFor    = 5 * time.Second // is measured before the load
)

// queues returns the names of all queues of a side.
func (o order) queues() []string {
	if o.Queues == 0 {
		return []string{o.Queue}
	}
	names := make([]string, o.Queues)
	for i := range names {
		names[i] = fmt.Sprintf("%s-%d", o.Queue, i)
	}
	return names
}

// queuesOurs has a consumer with nothing set for each queue, on one Connection, and publishes on
// another one.
func queuesOurs(ctx context.Context, r *run) error {
	watch := newStopwatch(r)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	handler := func(_ context.Context, d consumer.Delivery) consumer.Result {
		if err := watch.read(d.Body); err != nil {
			cancel(err)
		}
		return consumer.Ack()
	}
	before := measureFootprint()
	return r.connected(func(conn *connection.Connection) error {
		all := make([]*consumer.Consumer, r.Queues)
		for i, queue := range r.queues() {
			var err error
			spec := consumer.Spec{Queue: queue, QueueType: r.QueueType, Handler: handler}
			if all[i], err = consumer.New(conn, spec, nil, quiet()); err != nil {
				return err
			}
		}
		err := inTurns(all, func(c *consumer.Consumer) error { return c.Start(ctx) })
		if err == nil {
			own := before.idling(time.Now())
			maps.Copy(own, r.idleCPU(ctx))
			err = r.publishing(ctx, func(pub *publisher.Client) error {
				return watch.loaded(ctx, own, func(queue string, body []byte) error {
					_, err := pub.PublishAsync(ctx, queue, body) // the handler shows whether it has arrived
					return err
				})
			})
		}
		stopping, cancel := goodbye()
		defer cancel()
		return errors.Join(err, each(all, func(c *consumer.Consumer) error { return c.Stop(stopping) }))
	})
}

// queuesRaw has a channel, a subscription and a goroutine for each queue. It declares the same
// queues as this library, and as many at the same time.
func queuesRaw(ctx context.Context, r *run) error {
	watch := newStopwatch(r)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	before := measureFootprint()
	return r.dial(func(conn *amqp.Connection) error {
		err := inTurns(r.queues(), func(queue string) error {
			t, err := topologyOf(variant{QueueType: r.QueueType}, queue)
			if err != nil {
				return err
			}
			ch, err := conn.Channel()
			if err != nil {
				return err
			}
			if err := t.Declare(ch); err != nil {
				return err
			}
			if err := ch.Qos(10, 0, false); err != nil {
				return err
			}
			deliveries, err := ch.Consume(queue, "", false, false, false, false, nil)
			if err != nil {
				return err
			}
			go func() { // ends with the connection
				for d := range deliveries {
					if err := errors.Join(watch.read(d.Body), d.Ack(false)); err != nil {
						cancel(err)
					}
				}
			}()
			return nil
		})
		if err != nil {
			return err
		}
		own := before.idling(time.Now())
		maps.Copy(own, r.idleCPU(ctx))
		return r.confirming(func(pub confirming) error {
			send, end := pub.unwatched()
			defer end()
			return watch.loaded(ctx, own, send)
		})
	})
}

// idleCPU measures the CPU of this process and of the broker, in cores, while nothing happens.
func (r *run) idleCPU(ctx context.Context) sample {
	before := used(r.BrokerPIDs)
	backoff.Wait(ctx, idleFor)
	return coresOf(sampleOf(before, used(r.BrokerPIDs), 1), idleClient, idleBroker)
}

// coresOf returns the CPU of a sample in cores, under these names.
func coresOf(s sample, client, broker metric) sample {
	c := sample{client: s[clientCPU] / 100_000 * s[rate]}
	if b, known := s[brokerCPU]; known {
		c[broker] = b / 100_000 * s[rate]
	}
	return c
}

// loaded publishes to all queues in turn, and adds what it measures to own.
func (s *stopwatch) loaded(ctx context.Context, own sample, send func(queue string, body []byte) error) error {
	queues := s.run.queues()
	err := s.pace(ctx, queuesRate, func(i int, body []byte) error { return send(queues[i%len(queues)], body) })
	if err != nil {
		return err
	}
	s.finish()
	maps.Copy(own, coresOf(s.run.own, busyClient, busyBroker))
	for _, m := range []metric{p50, p99, repeats} {
		own[m] = s.run.own[m]
	}
	s.run.own = own
	return nil
}
