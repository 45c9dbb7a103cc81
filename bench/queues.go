package main

import (
	"context"
	"errors"
	"maps"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/bench/turn"
	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/backoff"
	"github.com/bunnicula-go/bunnicula/publisher"
)

const (
	queuesRate = 2000            // messages a second, over all queues of a side
	idleFor    = 5 * time.Second // is measured before the load
)

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
		for i, queue := range r.QueueNames() {
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
		err := inTurns(r.QueueNames(), func(queue string) error {
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
func (r *run) idleCPU(ctx context.Context) turn.Sample {
	meter := turn.NewMeter(0, 1, r.BrokerPIDs)
	meter.Start()
	backoff.Wait(ctx, idleFor)
	meter.Tick()
	return coresOf(meter.Sample(), turn.IdleClient, turn.IdleBroker)
}

// coresOf returns the CPU of a sample in cores, under these names.
func coresOf(s turn.Sample, client, broker turn.Metric) turn.Sample {
	c := turn.Sample{client: s[turn.ClientCPU] / 100_000 * s[turn.Rate]}
	if b, known := s[turn.BrokerCPU]; known {
		c[broker] = b / 100_000 * s[turn.Rate]
	}
	return c
}

// loaded publishes to all queues in turn, and adds what it measures to own.
func (s *stopwatch) loaded(ctx context.Context, own turn.Sample, send func(queue string, body []byte) error) error {
	queues := s.run.QueueNames()
	err := s.pace(ctx, queuesRate, func(i int, body []byte) error { return send(queues[i%len(queues)], body) })
	if err != nil {
		return err
	}
	s.finish()
	maps.Copy(own, coresOf(s.run.Own, turn.BusyClient, turn.BusyBroker))
	for _, m := range []turn.Metric{turn.P50, turn.P99, turn.Repeats} {
		own[m] = s.run.Own[m]
	}
	s.run.Own = own
	return nil
}
